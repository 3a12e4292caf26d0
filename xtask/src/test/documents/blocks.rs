//! The fenced blocks of a Markdown text.

use super::Fault;

/// A block whose content stands between two fences.
#[derive(Debug, PartialEq)]
pub(super) struct Block {
    /// The line of the document on which the content begins, counted from 1.
    pub(super) line: usize,
    /// The first word behind the fence, empty where there is none.
    pub(super) language: String,
    /// Why its commands are not to be run, as the document says: `sh not-run: needs a GPU`.
    pub(super) not_run: Option<String>,
    /// The content, with an end of line after each line.
    pub(super) text: String,
}

/// Languages that are looked at; of others nothing is asked.
const READ: [&str; 2] = ["sh", "toml"];
/// Other names of `sh`, under which commands would not be found.
const OTHER_SHELLS: [&str; 5] = ["bash", "console", "shell", "shell-session", "zsh"];
const MARK: &str = "not-run:";

/// All blocks, in their order.
pub(super) fn blocks(markdown: &str) -> Result<Vec<Block>, Fault> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(markdown.lines());
    while let Some((line, opening)) = lines.next() {
        let content = opening.trim_start_matches(' ');
        let indent = opening.len() - content.len();
        let Some(fence) = fence(content) else { continue };
        let mut block = header(line + 1, &content[fence.len()..])?;
        loop {
            let Some((_, content)) = lines.next() else {
                return Err(Fault::new(line, "this block has no end"));
            };
            let closing = content.trim();
            if closing.starts_with(fence) && closing.chars().all(|c| fence.starts_with(c)) {
                break;
            }
            let spaces = content.len() - content.trim_start_matches(' ').len();
            block.text.push_str(&content[spaces.min(indent)..]);
            block.text.push('\n');
        }
        found.push(block);
    }
    Ok(found)
}

/// The three or more backticks or tildes that a line begins with.
fn fence(line: &str) -> Option<&str> {
    let first = line.chars().next().filter(|first| "`~".contains(*first))?;
    let length = line.len() - line.trim_start_matches(first).len();
    // A line such as ```code``` is text.
    (length >= 3 && !(first == '`' && line[length..].contains('`'))).then(|| &line[..length])
}

fn header(line: usize, information: &str) -> Result<Block, Fault> {
    let information = information.trim();
    let end = information.find([' ', ',']).unwrap_or(information.len());
    let (language, further) = (&information[..end], information[end..].trim());
    let fault = |what: String| Err(Fault::new(line - 1, what));
    if OTHER_SHELLS.contains(&language) {
        return fault(format!("a block of `{language}`; call it `sh`, so that its commands are run"));
    }
    let mut not_run = None;
    if READ.contains(&language) && !further.is_empty() {
        let reason = further.strip_prefix(MARK).map(str::trim).filter(|reason| !reason.is_empty());
        let Some(reason) = reason else {
            return fault(format!("`{further}` is not understood; `{MARK} REASON` may stand here"));
        };
        not_run = Some(reason.to_owned());
    }
    Ok(Block { line, language: language.to_owned(), not_run, text: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(line: usize, language: &str, not_run: Option<&str>, text: &str) -> Block {
        let (language, not_run) = (language.to_owned(), not_run.map(str::to_owned));
        Block { line, language, not_run, text: text.to_owned() }
    }

    #[test]
    fn blocks_are_taken_out_with_their_lines() {
        let markdown = "\
Text with `code` and ```more code```.
```sh
one
```
1. In a list:

   ```toml
   [a]
     b = 1
   ```
~~~~
```sh
no block
~~~
~~~~
```rust,no_run
x
```
```sh not-run: needs a GPU
two
```";
        let expected = [
            block(3, "sh", None, "one\n"),
            block(8, "toml", None, "[a]\n  b = 1\n"),
            block(12, "", None, "```sh\nno block\n~~~\n"),
            block(17, "rust", None, "x\n"),
            block(20, "sh", Some("needs a GPU"), "two\n"),
        ];
        assert_eq!(blocks(markdown).unwrap(), expected);
    }

    #[test]
    fn what_would_hide_commands_is_refused() {
        let cases = [
            ("text\n```bash\nls\n```", 2, "call it `sh`"),
            ("```console\n$ ls\n```", 1, "call it `sh`"),
            ("```sh ignore\nls\n```", 1, "`ignore` is not understood"),
            ("```sh not-run:\nls\n```", 1, "`not-run:` is not understood"),
            ("\n\n```sh\nls\n", 3, "no end"),
        ];
        for (markdown, line, what) in cases {
            let fault = blocks(markdown).unwrap_err();
            assert_eq!(fault.line, line, "{markdown}");
            assert!(fault.what.contains(what), "{markdown}: {}", fault.what);
        }
    }
}
