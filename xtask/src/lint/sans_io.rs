//! The trading kernel reaches no clock, thread, file, network, environment, random generator or async runtime.
//!
//! Its dependencies are checked by `floors`; here its own sources are: which parts of the standard library and of
//! `market-data` (which does read files) they name. Tests are left out: they may read a file to compare with.

use std::path::Path;

use super::Complaints;
use super::rust_text::{code_only, line_number, words};

const KERNEL: &str = "crates/trading/src";

/// Modules of `std` whose values come from outside the program, or differ from run to run.
const OUTSIDE: &[&str] = &["env", "fs", "io", "net", "os", "process", "sync", "thread", "time"];

/// What the kernel may take from `market-data`: values, nothing that opens a file.
const MARKET_DATA: &[&str] = &[
    "Candle",
    "Instrument",
    "InstrumentRules",
    "Market",
    "MarketDataError",
    "Symbol",
    "Timeframe",
    "Timestamp",
    "Venue",
];

/// Words that mean a clock, a runtime or an order that changes from run to run, wherever they come from.
const NEVER: &[&str] = &[
    "Instant",
    "SystemTime",
    "HashMap",
    "HashSet",
    "RandomState",
    "async",
    "await",
    "thread_local",
    "include_str",
];

/// Adds what a source of the kernel reaches for.
pub(super) fn inspect(path: &Path, text: &str, complaints: &mut Complaints) {
    if !path.starts_with(KERNEL) || is_test(path) {
        return;
    }
    let code = code_only(text);
    let code = code.find("#[cfg(test)]\nmod tests {").map_or(code.as_str(), |tests| &code[..tests]);
    let mut violation = |at: &str, what: &str| {
        let line = line_number(code, at.as_ptr() as usize - code.as_ptr() as usize);
        let what = format!("{}:{line}: {what}; the trading kernel takes it as an event", path.display());
        complaints.violations.push(what);
    };
    for word in words(code) {
        if NEVER.contains(&word) {
            violation(word, &format!("`{word}`"));
        }
        match word {
            "std" => {
                for named in first_segments(code, word) {
                    if OUTSIDE.contains(&named) || named == "std" {
                        violation(named, &format!("`std::{named}`"));
                    }
                }
            }
            "market_data" => {
                for named in first_segments(code, word) {
                    if !MARKET_DATA.contains(&named) {
                        violation(named, &format!("`market_data::{named}`"));
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_test(path: &Path) -> bool {
    path.iter().any(|part| matches!(part.to_str(), Some("tests" | "tests.rs")))
        || path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem.ends_with("_tests"))
}

/// The segments that follow `root::` directly: one, or those of a group; `root` itself where it is renamed or
/// taken whole, so that nothing hides behind another name.
fn first_segments<'code>(code: &'code str, root: &'code str) -> Vec<&'code str> {
    let after = &code[root.as_ptr() as usize - code.as_ptr() as usize + root.len()..];
    let Some(path) = after.trim_start().strip_prefix("::") else {
        // A field or variable of that name is no path; `use std as other` is one.
        return if words(after).next() == Some("as") { vec![root] } else { Vec::new() };
    };
    let path = path.trim_start();
    let Some(group) = path.strip_prefix('{') else {
        return if path.starts_with('*') { vec![root] } else { words(path).next().into_iter().collect() };
    };
    let mut depth = 1;
    let mut expected = true;
    let mut found = Vec::new();
    let mut rest = group;
    while depth > 0 && !rest.is_empty() {
        if expected && depth == 1 && rest.starts_with(|first: char| first.is_alphanumeric() || first == '_') {
            found.extend(words(rest).next());
            expected = false;
        }
        let first = rest.chars().next().unwrap_or(' ');
        match first {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => expected = true,
            '*' if depth == 1 => found.push(root),
            _ => {}
        }
        rest = &rest[first.len_utf8()..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspected(path: &str, text: &str) -> Vec<String> {
        let mut complaints = Complaints::default();
        inspect(Path::new(path), text, &mut complaints);
        complaints.violations
    }

    #[test]
    fn each_way_outside_is_found_with_its_line() {
        for (text, expected) in [
            ("use std::fs;", ":1: `std::fs`"),
            ("\nfn now() { std::time::Instant::now(); }", ":2: `std::time`"),
            ("use std::{fmt, collections::{BTreeMap, fs}, thread::spawn};", ":1: `std::thread`"),
            ("use std as other;", "`std::std`"),
            ("use std::*;", "`std::std`"),
            ("use std::{fmt, *};", "`std::std`"),
            ("use market_data::{Candle, store::Store};", "`market_data::store`"),
            ("fn f() { market_data::import::import_file(p) }", "`market_data::import`"),
            ("use std::collections::HashMap;", "`HashMap`"),
            ("async fn f() {}", "`async`"),
        ] {
            let found = inspected("crates/trading/src/engine.rs", text);
            assert!(found.iter().any(|found| found.contains(expected)), "{text}: {found:?}");
        }
    }

    #[test]
    fn values_tests_and_other_crates_are_left_alone() {
        let good = "use std::{collections::BTreeMap, fmt};\nuse market_data::{Candle, Timestamp};\n\
                    // std::fs in words\nfn f(net: f64, std: f64) -> f64 { net + std }\n\
                    #[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(inspected("crates/trading/src/engine.rs", good), Vec::<String>::new());
        for path in
            ["crates/trading/src/orders/tests.rs", "crates/sim/src/lib.rs", "crates/trading/tests/table.rs"]
        {
            assert_eq!(inspected(path, "use std::fs;"), Vec::<String>::new(), "{path}");
        }
    }
}
