//! The commands of a block, taken apart as far as it takes to know what each would run.
//!
//! They are run by a shell, as they stand; the words are for checks.

use std::iter::Peekable;
use std::str::Chars;

use super::Fault;

/// A command of a document.
#[derive(Debug, PartialEq)]
pub(super) struct Command {
    /// The line of the document on which it begins, counted from 1.
    pub(super) line: usize,
    /// What a reader would paste, comments and a text that follows (`<<'END'`) included.
    pub(super) text: String,
    /// Its words without quotes, redirections and assignments before it.
    pub(super) words: Vec<String>,
}

impl Command {
    /// The command in one line.
    pub(super) fn shown(&self) -> String {
        self.words.join(" ")
    }
}

/// The commands of `text`, whose first line is `line` of the document.
pub(super) fn commands(text: &str, line: usize) -> Result<Vec<Command>, Fault> {
    let mut found = Vec::new();
    let mut lines = (line..).zip(text.lines());
    while let Some((line, first)) = lines.next() {
        let mut text = first.to_owned();
        let mut next = |text: &mut String, missing: &str| match lines.next() {
            Some((_, further)) => {
                text.push('\n');
                text.push_str(further);
                Ok(further)
            }
            None => Err(Fault::new(line, format!("{missing} is missing at the end of the block"))),
        };
        let mut parts = split(&text).map_err(|what| Fault::new(line, what))?;
        while let Some(missing) = parts.missing {
            next(&mut text, missing)?;
            parts = split(&text).map_err(|what| Fault::new(line, what))?;
        }
        if let Some(end) = &parts.text_until {
            while next(&mut text, end)? != end {}
        }
        let assignments = parts.words.iter().take_while(|word| is_assignment(word)).count();
        let words = parts.words.split_off(assignments);
        if !words.is_empty() {
            found.push(Command { line, text, words });
        }
    }
    Ok(found)
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[derive(Debug, Default)]
struct Parts {
    words: Vec<String>,
    /// The line that ends a text below the command.
    text_until: Option<String>,
    /// What a further line has to bring.
    missing: Option<&'static str>,
}

/// What the word that is being read is for.
#[derive(Clone, Copy)]
enum Purpose {
    Word,
    Redirection,
    TextUntil,
}

impl Parts {
    fn take(&mut self, word: &mut Option<String>, purpose: &mut Purpose) {
        let Some(word) = word.take() else { return };
        match std::mem::replace(purpose, Purpose::Word) {
            Purpose::Word => self.words.push(word),
            Purpose::Redirection => {}
            Purpose::TextUntil => self.text_until = Some(word),
        }
    }
}

/// Divides a line as a shell does. What a shell would make several commands of is refused: each is to stand in a line.
fn split(text: &str) -> Result<Parts, String> {
    let mut parts = Parts::default();
    let mut purpose = Purpose::Word;
    let mut word: Option<String> = None;
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            ' ' | '\t' | '\n' => parts.take(&mut word, &mut purpose),
            '#' if word.is_none() => while rest.next_if(|next| *next != '\n').is_some() {},
            '\\' => match rest.next() {
                Some('\n') => {}
                Some(next) => word.get_or_insert_default().push(next),
                None => parts.missing = Some("the line that `\\` announces"),
            },
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                if !quoted(character, &mut rest, word)? {
                    parts.missing = Some("a quotation mark");
                }
            }
            '<' | '>' => {
                // The 2 of 2> is no word.
                if word.as_ref().is_some_and(|word| word.chars().all(|c| c.is_ascii_digit())) {
                    word = None;
                }
                parts.take(&mut word, &mut purpose);
                let is_double = rest.next_if_eq(&character).is_some();
                purpose =
                    if is_double && character == '<' { Purpose::TextUntil } else { Purpose::Redirection };
            }
            '|' | ';' | '&' | '`' => {
                return Err(format!("`{character}` makes several commands of a line; give each its own"));
            }
            '$' if rest.peek() == Some(&'(') => {
                return Err(INSIDE.to_owned());
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    parts.take(&mut word, &mut purpose);
    Ok(parts)
}

const INSIDE: &str = "a command inside a command; give each its own line";

/// Reads up to the closing quotation mark; whether there is one.
fn quoted(mark: char, rest: &mut Peekable<Chars<'_>>, word: &mut String) -> Result<bool, String> {
    while let Some(next) = rest.next() {
        match next {
            _ if next == mark => return Ok(true),
            '\\' if mark == '"' && rest.peek().is_some_and(|next| "\"\\$`\n".contains(*next)) => {
                word.extend(rest.next().filter(|next| *next != '\n'));
            }
            '`' if mark == '"' => return Err(INSIDE.to_owned()),
            '$' if mark == '"' && rest.peek() == Some(&'(') => return Err(INSIDE.to_owned()),
            _ => word.push(next),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        commands(text, 1).unwrap().into_iter().map(|command| command.words).collect()
    }

    #[test]
    fn words_are_those_of_a_shell() {
        let cases: [(&str, &[&str]); 8] = [
            ("cargo xtask train   # the main job", &["cargo", "xtask", "train"]),
            ("simulate --data 'a b/*.gz' \"c\\\"d\"", &["simulate", "--data", "a b/*.gz", "c\"d"]),
            ("a --series 'x'\"y\"z b#c ''", &["a", "--series", "xyz", "b#c", ""]),
            ("THREADS=1 a X=1", &["a", "X=1"]),
            ("a one\\ word \\\n    --further", &["a", "one word", "--further"]),
            ("a b > file 2> other 2>>third < in c", &["a", "b", "c"]),
            ("a 'two\nlines'", &["a", "two\nlines"]),
            ("a 'x | $(y); z' # | ;", &["a", "x | $(y); z"]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), [expected.to_vec()], "{text}");
        }
    }

    #[test]
    fn each_command_has_its_line_and_its_text() {
        let text = "# a comment alone\n\none 1 \\\n  2  # why\ncat > f <<'END'\nx | y\n'\nEND\ntwo\n";
        let command = |line, text: &str, words: &[&str]| {
            let words = words.iter().map(|&word| word.to_owned()).collect();
            Command { line, text: text.to_owned(), words }
        };
        let expected = [
            command(12, "one 1 \\\n  2  # why", &["one", "1", "2"]),
            command(14, "cat > f <<'END'\nx | y\n'\nEND", &["cat"]),
            command(18, "two", &["two"]),
        ];
        assert_eq!(commands(text, 10).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_taken_apart_is_refused() {
        let cases = [
            ("a\nb | c", 2, "several commands"),
            ("a; b", 1, "several commands"),
            ("a && b", 1, "several commands"),
            ("a $(b)", 1, "inside a command"),
            ("a \"c $(b)\"", 1, "inside a command"),
            ("a \"c `b`\"", 1, "inside a command"),
            ("a\nb 'c\nd", 2, "a quotation mark is missing"),
            ("a \\", 1, "announces is missing"),
            ("cat <<END\nx\n", 1, "END is missing"),
        ];
        for (text, line, what) in cases {
            let fault = commands(text, 1).unwrap_err();
            assert_eq!(fault.line, line, "{text}");
            assert!(fault.what.contains(what), "{text}: {}", fault.what);
        }
    }
}
