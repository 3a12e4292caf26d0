//! Telling code from comments and literals in Rust source text.

/// The text with the content of comments, strings and characters blanked out; lines stay where they
/// are.
pub(super) fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => line_end(&chars, at),
            '/' if chars.get(at + 1) == Some(&'*') => block_comment_end(&chars, at),
            '"' => string_end(&chars, at),
            'r' if !follows_word(&chars, at) => raw_string_end(&chars, at),
            '\'' => character_end(&chars, at),
            _ => at,
        };
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            let blank = |c: &char| if *c == '\n' { '\n' } else { ' ' };
            code.extend(chars[at..end].iter().map(blank));
            at = end;
        }
    }
    code
}

/// The identifiers and keywords in `code`.
pub(super) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Every attribute in `code` (as [`code_only`] returns it): its line number from 1 and its content.
pub(super) fn attributes(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("#[").chain(code.match_indices("#![")) {
        let mut depth = 0_usize;
        let length = code[start..].find(|c| {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => return false,
            }
            depth == 0
        });
        if let Some(length) = length {
            found.push((line_number(code, start), &code[start..start + length]));
        }
    }
    found
}

/// The line, from 1, on which the byte at `offset` stands.
pub(super) fn line_number(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

fn line_end(chars: &[char], start: usize) -> usize {
    chars[start..].iter().position(|c| *c == '\n').map_or(chars.len(), |length| start + length)
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

/// The position after the closing quote.
fn string_end(chars: &[char], start: usize) -> usize {
    let quote = chars[start];
    let mut at = start + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// `start` itself when no raw string begins there (`r#type`, or just a name with an r).
fn raw_string_end(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return start;
    }
    let closes = |at: &usize| {
        chars[*at] == '"' && chars[*at + 1..].iter().take_while(|c| **c == '#').count() >= hashes
    };
    (open + 1..chars.len()).find(closes).map_or(chars.len(), |at| at + 1 + hashes)
}

/// `start` itself for a lifetime.
fn character_end(chars: &[char], start: usize) -> usize {
    match (chars.get(start + 1), chars.get(start + 2)) {
        (Some('\\'), _) | (Some(_), Some('\'')) => string_end(chars, start),
        _ => start,
    }
}

fn follows_word(chars: &[char], at: usize) -> bool {
    // `br"..."` and `cr"..."` are raw strings as well.
    let before = at.checked_sub(1).map(|i| chars[i]);
    before.is_some_and(|c| (c.is_alphanumeric() || c == '_') && !matches!(c, 'b' | 'c'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_remains() {
        let cases = [
            ("a // b", "a"),
            ("a /* b /* c */ d */ e", "a e"),
            (r#"f("b \" c", 'd', '\'', '"') g"#, "f g"),
            (r##"f(r#"b " c"#) g"##, "f g"),
            ("f(br\"b\\\") g", "f b g"),
            ("fn f<'a>(x: &'a str)", "fn f a x a str"),
            ("let r#type = for_r; x", "let r type for_r x"),
            ("/* never closed", ""),
            ("\"never closed", ""),
        ];
        for (text, expected) in cases {
            let code = code_only(text);
            assert_eq!(words(&code).collect::<Vec<_>>().join(" "), expected, "{text}");
            assert_eq!(code.chars().count(), text.chars().count(), "{text}");
        }
    }

    #[test]
    fn lines_stay_where_they_are() {
        let code = code_only("/*\n\n*/\n\"\n\"\nx");
        assert_eq!(line_number(&code, code.find('x').unwrap()), 6);
    }

    #[test]
    fn attributes_are_found_with_their_brackets() {
        let code = "#![warn(a)]\nfn f() { x[0] }\n#[cfg_attr(\nb,\nc[1])]";
        let found = attributes(code);
        assert!(found.contains(&(1, "#![warn(a)")), "{found:?}");
        assert!(found.contains(&(3, "#[cfg_attr(\nb,\nc[1])")), "{found:?}");
    }
}
