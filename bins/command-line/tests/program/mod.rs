//! A program through its command line, for the tests of all programs: its help is whole, what it is asked for wrongly it refuses
//! in words and leaves nothing of it, and an output that nobody reads or that is full ends it quietly or in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

/// Options that every command of every program has.
const COMMON: &str = "config set output-format verbose quiet help";

/// What no message of a program may say: a panic, an error as the compiler's own format writes it, a time beyond all calendars.
const NEVER: [&str; 6] = ["panicked", "RUST_BACKTRACE", "Os {", "Error(", "Some(", "9223372036854775807"];

/// A program, run in a directory with an empty environment.
pub(crate) struct Program<'a> {
    path: &'static str,
    directory: &'a Path,
}

impl<'a> Program<'a> {
    /// The program at `path`, as `env!("CARGO_BIN_EXE_name")` gives it.
    pub(crate) fn new(path: &'static str, directory: &'a Path) -> Self {
        Self { path, directory }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.path);
        command.current_dir(self.directory).env_clear().stdin(Stdio::null()).args(words);
        command
    }

    /// Sees that the program ends with this code and says all of `parts`, which `|` divides, on stderr.
    pub(crate) fn ends(&self, words: &[&str], code: i32, parts: &str) -> Output {
        let output = self.command(words).output().unwrap();
        said(words, &output, code, parts).unwrap();
        output
    }

    /// Sees that a request is refused: exit code 2, `parts` on stderr, nothing on stdout, and every file and directory as it was.
    pub(crate) fn refuses(&self, words: &[&str], parts: &str) {
        self.refusal(words, parts).unwrap();
    }

    fn refusal(&self, words: &[&str], parts: &str) -> Result<(), String> {
        let before = tree(self.directory);
        let output = self.command(words).output().unwrap();
        let after = tree(self.directory);
        said(words, &output, 2, parts)?;
        let changed: Vec<_> = after.iter().filter(|(path, state)| before.get(*path) != Some(state)).collect();
        let gone: Vec<_> = before.keys().filter(|path| !after.contains_key(*path)).collect();
        match (output.stdout.is_empty(), changed.as_slice(), gone.as_slice()) {
            (true, [], []) => Ok(()),
            (false, _, _) => Err(format!("{words:?} wrote to stdout: {}", text(&output.stdout))),
            _ => Err(format!("{words:?} was refused, left {changed:?} and removed {gone:?}")),
        }
    }

    /// Refuses each line of a table, words divided by blanks, added to a request that is fine. An option that the line gives too is
    /// left out of the request: given twice it would be another fault.
    pub(crate) fn refuses_all(&self, request: &[&str], lines: &[(&str, &str)]) {
        let (command, options) =
            request.split_at(request.iter().take_while(|word| !word.starts_with("--")).count());
        let problem = |(line, parts): &(&str, &str)| {
            let given: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
            let kept = options.chunks(2).filter(|pair| !given.contains(&pair[0])).flatten();
            let words: Vec<&str> = command.iter().chain(kept).chain(&given).copied().collect();
            self.refusal(&words, parts).err()
        };
        let problems: Vec<String> = lines.iter().filter_map(problem).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    /// Sees that the help of each command names its options, each with a sentence, and no others than the table.
    pub(crate) fn helps(&self, commands: &[(&str, &str)]) {
        for (command, options) in commands {
            let words = [*command, "--help"].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>();
            let output = self.ends(&words, 0, "");
            let help = text(&output.stdout);
            let mut wanted: BTreeSet<&str> = COMMON.split(' ').chain(options.split(' ')).collect();
            wanted.retain(|option| !option.is_empty());
            if command.is_empty() {
                wanted.insert("version");
            }
            assert_eq!(
                described(&help),
                wanted.into_iter().map(str::to_owned).collect(),
                "{words:?}: {help}"
            );
        }
        let version = self.ends(&["--version"], 0, "");
        assert!(text(&version.stdout).ends_with(concat!(env!("CARGO_PKG_VERSION"), "\n")), "{version:?}");
    }

    /// Sees that a reader who has gone is no error of a work that ends with `code`, and that a full disk is one, in words.
    pub(crate) fn survives_its_readers(&self, words: &[&str], code: i32) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = self.command(words).stdout(writer).output().unwrap();
        said(words, &output, code, "").unwrap();
        assert!(!text(&output.stderr).contains("error:"), "{words:?}: {}", text(&output.stderr));
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = self.command(words).stdout(full).output().unwrap();
        said(words, &output, 2, "cannot write to stdout|No space left on device").unwrap();
    }

    /// Sees that misspelt variables of the environment are refused, in a section that this program has.
    pub(crate) fn refuses_variable(&self, name: &str, value: &str, parts: &str) {
        let output = self.command(&["config"]).env(name, value).output().unwrap();
        said(&[name, value], &output, 2, parts).unwrap();
    }
}

fn said(words: &[&str], output: &Output, code: i32, parts: &str) -> Result<(), String> {
    let message = text(&output.stderr);
    let problem = if output.status.code() != Some(code) {
        format!("{} instead of {code}", output.status)
    } else if let Some(part) = parts.split('|').find(|part| !message.contains(part)) {
        format!("`{part}` is not in the message")
    } else if let Some(never) = NEVER.iter().find(|never| message.contains(**never)) {
        format!("`{never}` is in the message")
    } else {
        return Ok(());
    };
    Err(format!("{words:?}: {problem}: {message}{}", text(&output.stdout)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The options of a help page that have a sentence beside or below them.
fn described(help: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = help.lines().collect();
    let option = |(at, line): (usize, &&str)| {
        let line = line.trim_start();
        let long = line.split([',', ' ']).find_map(|word| word.strip_prefix("--"));
        let name = long.filter(|_| line.starts_with('-'))?.trim_end_matches(['.', '=']);
        let name = name.split(['=', '[', '<']).next()?;
        // Beside it, after the blanks of the column, or on the next line.
        let beside = line.split_once("  ").is_some_and(|(_, sentence)| !sentence.trim().is_empty());
        let below = lines.get(at + 1).is_some_and(|next| !next.trim().is_empty());
        (beside || below).then(|| name.to_owned())
    };
    lines.iter().enumerate().filter_map(option).collect()
}

/// Every file below a directory with its length and the time of its last change, and every directory.
fn tree(directory: &Path) -> BTreeMap<PathBuf, Option<(u64, SystemTime)>> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                left.push(path.clone());
                found.insert(path, None);
            } else {
                found.insert(path, Some((metadata.len(), metadata.modified().unwrap())));
            }
        }
    }
    found
}

/// Files that hold no candles that could be used, and what is said of each.
pub(crate) const NO_CANDLES: [(&str, &[u8], &str); 9] = [
    ("bybit-linear_AUSDT_1m_empty.csv", b"", "empty"),
    ("bybit-linear_BUSDT_1m_header.csv", b"timestamp,open,high,low,close,volume\n", "no row"),
    ("bybit-linear_CUSDT_1m_words.csv", b"dear diary\nit rained\n", "--columns"),
    ("bybit-linear_DUSDT_1m_torn.csv.gz", b"\x1f\x8b\x08\x00\x00\x00", "fetch or copy it again"),
    ("bybit-linear_EUSDT_1m_torn.parquet", b"PAR1\x00\x00\x00\x00PAR1", "torn.parquet"),
    (
        "bybit-linear_FUSDT_1m_nan.csv",
        b"timestamp,open,high,low,close,volume\n1704067200000,1,2,0.5,NaN,1\n1704067260000,1,2,0.5,1,1\n",
        "line 2",
    ),
    (
        "bybit-linear_GUSDT_1m_text.csv",
        b"timestamp,open,high,low,close,volume\n1704067200000,1,2,0.5,one,1\n1704067260000,1,2,0.5,1,1\n",
        "line 2",
    ),
    (
        "bybit-linear_QUSDT_1m_twice.csv",
        b"timestamp,open,high,low,close,volume\n1704067200000,1,2,0.5,1,1\n1704067200000,1,2,0.5,1,1\n",
        "line 3",
    ),
    (
        "bybit-linear_IUSDT_1m_future.csv",
        b"timestamp,open,high,low,close,volume\n99999999999999999,1,2,0.5,1,1\n1704067260000,1,2,0.5,1,1\n",
        "--timeframe",
    ),
];
