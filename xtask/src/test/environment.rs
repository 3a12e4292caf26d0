//! The virtual environment of Python in which the outside references lie.
//!
//! It is made from two lists of exact versions in `tests/peers`, and made anew when one of them has changed. Only pip
//! knows from where: no address of an index stands in this repository.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::program_on;
use crate::say;
use crate::workspace::shown;

/// Names the Python that makes the environment.
pub(super) const PYTHON: &str = "MATRELA_PYTHON";
const PYTHONS: [&str; 2] = ["python3", "python"];

/// What the references are, and what these need in turn.
const REQUIREMENTS: &str = "requirements.txt";
const CONSTRAINTS: &str = "constraints.txt";
/// In the environment: the lists that it was made from.
const MADE_FROM: &str = "made-from.txt";

/// Where things lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'path> {
    /// The directory of the lists.
    pub(super) lists: &'path Path,
    /// The directory of the environment; what lies there is replaced.
    pub(super) environment: &'path Path,
    /// The value of `MATRELA_PYTHON`, or else where to look for one.
    pub(super) named_python: Option<&'path OsStr>,
    pub(super) search_path: Option<&'path OsStr>,
}

/// The Python of the environment, which is made or made anew where necessary.
pub(super) fn python(places: &Places<'_>) -> Result<PathBuf> {
    let python = inside(places.environment);
    let lists = lists(places.lists)?;
    let made_from = places.environment.join(MADE_FROM);
    if python.is_file() && fs::read_to_string(&made_from).is_ok_and(|from| from == lists) {
        return Ok(python);
    }
    let outside = match places.named_python {
        Some(named) => PathBuf::from(named),
        None => program_on(places.search_path, &PYTHONS).with_context(|| {
            format!(
                "there is no {} in the path; install Python 3.11 or later, or name it in {PYTHON}",
                PYTHONS.join(" or ")
            )
        })?,
    };
    let shown = places.environment.display();
    if places.environment.exists() {
        fs::remove_dir_all(places.environment).with_context(|| format!("cannot replace {shown}"))?;
    }
    say(&format!(
        "note: the references go into {shown}; that is several gigabytes for the first time, and minutes"
    ));
    call(
        Command::new(outside).args(["-m", "venv"]).arg(places.environment),
        "Python could not make a virtual environment; its modules `venv` and `ensurepip` are needed",
    )?;
    let list = |name: &str| places.lists.join(name);
    call(
        Command::new(&python)
            .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"])
            .arg("--requirement")
            .arg(list(REQUIREMENTS))
            .arg("--constraint")
            .arg(list(CONSTRAINTS)),
        "pip could not install the pinned list; it needs the network, and Python 3.11 or later",
    )?;
    // Last, so that an environment that was left half made is not taken for a whole one.
    fs::write(&made_from, lists).with_context(|| format!("cannot write {}", made_from.display()))?;
    Ok(python)
}

/// The text of both lists.
fn lists(directory: &Path) -> Result<String> {
    let read = |name: &str| {
        let path = directory.join(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    Ok(format!("{}\n{}", read(REQUIREMENTS)?, read(CONSTRAINTS)?))
}

fn inside(environment: &Path) -> PathBuf {
    if cfg!(windows) {
        environment.join("Scripts").join("python.exe")
    } else {
        environment.join("bin/python")
    }
}

fn call(command: &mut Command, on_failure: &str) -> Result<()> {
    let shown = shown(command);
    say(&format!("$ {shown}"));
    // stdout is for data, and these have none.
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    if !status.with_context(|| format!("cannot start `{shown}`"))?.success() {
        bail!("{on_failure}; see its messages above");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned_and_no_index_is_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let lists = lists(&root.join("tests/peers")).unwrap();
        let lines = lists.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut count = 0;
        for line in lines {
            let (name, version) = line.split_once("==").unwrap_or_else(|| panic!("`{line}` pins nothing"));
            let is_plain = |text: &str, also: &str| {
                !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
            };
            assert!(is_plain(name, "-_.") && is_plain(version, ".+"), "{line}");
            count += 1;
        }
        assert!(count > 15, "{count}");
    }

    #[cfg(unix)]
    mod with_a_fake_python {
        use super::*;

        /// A directory with lists and a Python that counts its environments and whose pip ends with `code`.
        fn directory(code: u8) -> tempfile::TempDir {
            let directory = tempfile::tempdir().unwrap();
            let at = |name: &str| directory.path().join(name);
            fs::write(at(REQUIREMENTS), "one==1\n").unwrap();
            fs::write(at(CONSTRAINTS), "two==2\n").unwrap();
            let made = at("made");
            let script = format!(
                "#!/bin/sh\ncase \"$2\" in\n\
                 venv) mkdir -p \"$3/bin\" && cp \"$0\" \"$3/bin/python\" && echo made >> '{}' ;;\n\
                 pip) exit {code} ;;\nesac\n",
                made.display()
            );
            // Written by another process: a file that this one has open for writing, if only in a child that another
            // test is just starting, cannot be run.
            let write = "printf '%s' \"$1\" > \"$2\" && chmod +x \"$2\"";
            let mut shell = Command::new("sh");
            shell.args(["-c", write, "sh", &script]).arg(at("python3"));
            assert!(shell.status().unwrap().success());
            directory
        }

        fn python_of(directory: &Path) -> Result<PathBuf> {
            let environment = directory.join("environment");
            python(&Places {
                lists: directory,
                environment: &environment,
                named_python: None,
                search_path: Some(directory.as_os_str()),
            })
        }

        fn times_made(directory: &Path) -> usize {
            fs::read_to_string(directory.join("made")).unwrap_or_default().lines().count()
        }

        #[test]
        fn it_is_made_once_and_anew_when_a_list_has_changed() {
            let directory = directory(0);
            let path = directory.path();
            for _ in 0..2 {
                assert_eq!(python_of(path).unwrap(), path.join("environment/bin/python"));
                assert_eq!(times_made(path), 1);
            }
            fs::write(path.join("environment/stale"), "").unwrap();
            for (change, list) in [REQUIREMENTS, CONSTRAINTS].into_iter().enumerate() {
                fs::write(path.join(list), "three==3\n").unwrap();
                python_of(path).unwrap();
                assert_eq!(times_made(path), 2 + change, "{list}");
            }
            assert!(!path.join("environment/stale").exists());
        }

        #[test]
        fn what_cannot_be_made_is_said_and_tried_again() {
            let directory = directory(1);
            for times in 1..3 {
                let error = python_of(directory.path()).unwrap_err().to_string();
                assert!(error.contains("pip could not install"), "{error}");
                assert_eq!(times_made(directory.path()), times);
            }
        }

        #[test]
        fn without_python_it_is_said_what_to_install() {
            let directory = directory(0);
            fs::remove_file(directory.path().join("python3")).unwrap();
            let error = python_of(directory.path()).unwrap_err().to_string();
            assert!(error.contains("Python 3.11") && error.contains(PYTHON), "{error}");
        }
    }
}
