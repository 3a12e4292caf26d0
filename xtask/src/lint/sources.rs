//! Habits of the sources that the compiler does not check.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Complaints;
use super::rust_text::{attributes, code_only, line_number, words};

/// Longer files are named; the reader should not have to scroll for a thing.
const LONG: usize = 600;
/// Longer files are refused.
const TOO_LONG: usize = 800;

const PLACES: &[&str] = &["crates", "bins", "xtask", "tests"];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"];

/// Macros that stand for work not done.
const UNDONE: &[&str] = &["todo", "unimplemented"];

/// The Rust files of the workspace, relative to its root, sorted.
pub(super) fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut directories: Vec<PathBuf> = PLACES.iter().map(PathBuf::from).collect();
    while let Some(directory) = directories.pop() {
        let read = || format!("cannot list {}", directory.display());
        for entry in fs::read_dir(root.join(&directory)).with_context(read)? {
            let entry = entry.with_context(read)?;
            let path = directory.join(entry.file_name());
            if entry.file_type().with_context(read)?.is_dir() {
                // A package built by itself leaves its own target directory.
                if entry.file_name() != "target" {
                    directories.push(path);
                }
            } else if path.extension() == Some(OsStr::new("rs")) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Adds what is wrong with one file.
pub(super) fn inspect(path: &Path, text: &str, complaints: &mut Complaints) {
    let shown = path.display();
    let mut violation = |line: usize, what: &str| {
        complaints.violations.push(format!("{shown}:{line}: {what}"));
    };

    let length = text.lines().count();
    if length > TOO_LONG {
        violation(length, &format!("{length} lines; divide the file (at most {TOO_LONG})"));
    }
    for name in path.iter().filter_map(|part| Path::new(part).file_stem()?.to_str()) {
        if EMPTY_NAMES.contains(&name) {
            violation(1, &format!("`{name}` says nothing; name it after the thing it holds"));
        }
    }
    for (index, line) in text.lines().enumerate() {
        if is_ignored_doctest(line) {
            violation(index + 1, "a doctest that is ignored proves nothing; let it run");
        }
    }

    let code = code_only(text);
    for (line, attribute) in attributes(&code) {
        if words(attribute).any(|word| word == "ignore") {
            violation(line, "a test that is ignored proves nothing; let it run or delete it");
        }
    }
    for (start, name) in macros_and_modules(&code) {
        let line = line_number(&code, start);
        match name {
            Named::Macro(name) if UNDONE.contains(&name) => {
                violation(line, &format!("`{name}!` is work not done; do it or return an error"));
            }
            Named::Module(name) if EMPTY_NAMES.contains(&name) => {
                violation(line, &format!("module `{name}` says nothing; name it after the thing it holds"));
            }
            _ => {}
        }
    }

    if (LONG + 1..=TOO_LONG).contains(&length) {
        complaints.warnings.push(format!("{shown}: {length} lines; divide it before {TOO_LONG}"));
    }
}

/// An opening fence in a doc comment whose flags hold `ignore`.
fn is_ignored_doctest(line: &str) -> bool {
    let line = line.trim_start();
    let comment = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
    let flags = comment.and_then(|text| text.trim_start().strip_prefix("```"));
    flags.is_some_and(|flags| words(flags).any(|word| word == "ignore"))
}

enum Named<'code> {
    Macro(&'code str),
    Module(&'code str),
}

/// Every `name!` and `mod name` with the offset of the name.
fn macros_and_modules(code: &str) -> Vec<(usize, Named<'_>)> {
    let mut found = Vec::new();
    let mut before = "";
    for word in words(code) {
        let start = word.as_ptr() as usize - code.as_ptr() as usize;
        let after = &code[start + word.len()..];
        // `todo!` but not `todo != x`
        if after.starts_with('!') && !after.starts_with("!=") {
            found.push((start, Named::Macro(word)));
        }
        if before == "mod" {
            found.push((start, Named::Module(word)));
        }
        before = word;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspected(path: &str, text: &str) -> Complaints {
        let mut complaints = Complaints::default();
        inspect(Path::new(path), text, &mut complaints);
        complaints
    }

    #[test]
    fn each_bad_habit_is_found_with_its_line() {
        let cases = [
            ("src/a.rs", "fn f() {\n    todo!()\n}", "src/a.rs:2: `todo!`"),
            ("src/a.rs", "fn f() { std::unimplemented!(\"x\") }", "src/a.rs:1: `unimplemented!`"),
            ("src/a.rs", "\n#[test]\n#[ignore]\nfn f() {}", "src/a.rs:3: a test that is ignored"),
            ("src/a.rs", "#[ignore = \"slow\"]\nfn f() {}", "src/a.rs:1: a test that is ignored"),
            ("src/a.rs", "#[cfg_attr(miri, ignore)]\nfn f() {}", "src/a.rs:1: a test that is ignored"),
            ("src/a.rs", "/// ```ignore\n/// x\n/// ```", "src/a.rs:1: a doctest"),
            ("src/a.rs", "//! ```rust,ignore\n//! ```", "src/a.rs:1: a doctest"),
            ("src/a.rs", "mod a;\nmod utils;", "src/a.rs:2: module `utils`"),
            ("src/a.rs", "pub(crate) mod common { }", "src/a.rs:1: module `common`"),
            ("src/helpers.rs", "", "src/helpers.rs:1: `helpers`"),
            ("src/manager/order.rs", "", "src/manager/order.rs:1: `manager`"),
        ];
        for (path, text, expected) in cases {
            let found = inspected(path, text).violations;
            assert!(
                found.len() == 1 && found[0].starts_with(expected),
                "{text:?}: expected `{expected}`, found {found:?}"
            );
        }
    }

    #[test]
    fn good_code_is_left_alone() {
        let text = r#"
            //! Says todo! and #[ignore] in words only; nothing here uses utils.
            /// ```no_run
            /// ```
            #[arg(ignore_case = true)]
            fn ignore(todo: bool) -> bool { let text = "todo!() #[ignore] mod utils"; todo != text.is_empty() }
            mod utilisation;
        "#;
        assert_eq!(inspected("src/order_book.rs", text), Complaints::default());
    }

    #[test]
    fn long_files_are_named_and_longer_ones_refused() {
        let lines = |count: usize| "x\n".repeat(count);
        assert_eq!(inspected("a.rs", &lines(600)), Complaints::default());
        let long = inspected("a.rs", &lines(601));
        assert_eq!((long.violations.len(), long.warnings.len()), (0, 1));
        let long = inspected("a.rs", &lines(800));
        assert_eq!((long.violations.len(), long.warnings.len()), (0, 1));
        let too_long = inspected("a.rs", &lines(801));
        assert_eq!((too_long.violations.len(), too_long.warnings.len()), (1, 0));
    }

    #[test]
    fn the_sources_of_this_workspace_are_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let files = rust_files(root).unwrap();
        for expected in ["xtask/src/lint/sources.rs", "crates/market-data/src/lib.rs"] {
            assert!(files.iter().any(|file| file == Path::new(expected)), "{expected}: {files:?}");
        }
    }
}
