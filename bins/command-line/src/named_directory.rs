//! Directories with a name, in which a training leaves one directory per seed.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// `out`/`name`, where the name is one.
///
/// # Errors
///
/// For a name that is empty, begins with a dot, or has other characters than letters, digits, `-`, `_` and `.`.
pub fn named_directory(out: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let sound = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    ensure!(
        sound && !name.starts_with('.'),
        "--name {name}: give letters, digits, `-`, `_` and `.`, and not a dot first"
    );
    Ok(out.join(name))
}

/// Sees that nothing is in the way of a training that leaves a `thing` (a model, a policy) under each `seed-N`.
///
/// # Errors
///
/// Where the directory exists, unless it is to be resumed, or to be overwritten and holds such trainings or nothing.
pub fn check_named_directory(
    directory: &Path,
    thing: &str,
    resume: bool,
    overwrite: bool,
) -> anyhow::Result<()> {
    if !directory.exists() || resume {
        return Ok(());
    }
    let shown = directory.display();
    ensure!(
        overwrite,
        "{shown}: there is a {thing} of this name; go on with --resume, replace it with --overwrite, or give another --name"
    );
    let entries = std::fs::read_dir(directory).with_context(|| format!("{shown}: cannot list"))?;
    let names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    ensure!(
        names.is_empty() || names.iter().any(|name| name.starts_with("seed-")),
        "{shown}: it holds no {thing} of this program, so it is not replaced; give another --name or --out"
    );
    Ok(())
}

/// Removes what is to be replaced; nothing there is no error.
///
/// # Errors
///
/// When it cannot be removed.
pub fn remove_directory(directory: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}: cannot remove", directory.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_training_left_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        assert!(
            named_directory(place.path(), "../up").is_err() && named_directory(place.path(), ".x").is_err()
        );
        let directory = named_directory(place.path(), "one").unwrap();
        let check = |resume, overwrite| check_named_directory(&directory, "model", resume, overwrite);
        check(false, false).unwrap();
        std::fs::create_dir_all(directory.join("photos")).unwrap();
        let error = check(false, false).unwrap_err().to_string();
        assert!(error.contains("--resume") && error.contains("a model of this name"), "{error}");
        assert!(check(false, true).unwrap_err().to_string().contains("no model of this program"));
        check(true, false).unwrap();
        std::fs::create_dir_all(directory.join("seed-1")).unwrap();
        check(false, true).unwrap();
        remove_directory(&directory).unwrap();
        remove_directory(&directory).unwrap();
        assert!(!directory.exists());
    }
}
