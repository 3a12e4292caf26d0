//! The lints are the same everywhere: every crate inherits those of the workspace.
//!
//! One cannot: the kernels of `xlstm` need unsafe code, and what the workspace forbids a crate cannot permit. It keeps
//! a table of its own, which must be the workspace's in everything but that.

/// The crate that may keep a table of its own.
const EXCEPTION: &str = "xlstm";
/// The one setting in which that table differs.
const FORBIDDEN: &str = "unsafe_code = \"forbid\"";
const DENIED: &str = "unsafe_code = \"deny\"";

/// What is wrong with the lints of the crate `name`, whose Cargo.toml is `manifest`; `root` is the workspace's.
pub(super) fn violation(name: &str, manifest: &str, root: &str) -> Option<String> {
    if name != EXCEPTION {
        let inherits = table(manifest, "lints") == ["workspace = true"];
        return (!inherits).then(|| {
            format!("`{name}` does not inherit the lints; write `[lints]` with `workspace = true` in its Cargo.toml")
        });
    }
    let kinds = ["rust", "clippy"];
    let expected = kinds.map(|kind| {
        let lines = table(root, &format!("workspace.lints.{kind}"));
        lines.into_iter().map(|line| if line == FORBIDDEN { DENIED } else { line }).collect::<Vec<_>>()
    });
    let found = kinds.map(|kind| table(manifest, &format!("lints.{kind}")));
    (found != expected).then(|| {
        format!("the lints of `{name}` are not those of the workspace with `{DENIED}`; copy them anew from Cargo.toml")
    })
}

/// The settings of a table, one per line; blank lines and comments do not count.
fn table<'text>(manifest: &'text str, name: &str) -> Vec<&'text str> {
    let head = format!("[{name}]");
    let lines = manifest.lines().map(str::trim);
    let inside = lines.skip_while(|line| *line != head).skip(1).take_while(|line| !line.starts_with('['));
    inside.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\nmissing_docs = \"warn\"\n\n\
        [workspace.lints.clippy]\nall = \"warn\"\n\n[profile.dev]\n";

    #[test]
    fn every_crate_inherits() {
        assert_eq!(violation("labels", "[package]\n\n[lints]\nworkspace = true\n", ROOT), None);
        for manifest in
            ["[package]\n", "[lints]\nworkspace = false\n", "[lints.rust]\nunsafe_code = \"deny\"\n"]
        {
            let found = violation("labels", manifest, ROOT).unwrap();
            assert!(found.contains("`labels` does not inherit"), "{manifest}: {found}");
        }
    }

    #[test]
    fn the_exception_differs_in_one_setting_only() {
        let own = "# why\n[lints.rust]\nunsafe_code = \"deny\"\nmissing_docs = \"warn\"\n[lints.clippy]\nall = \"warn\"\n";
        assert_eq!(violation("xlstm", own, ROOT), None);
        let others = [
            own.replace("deny", "allow"),
            own.replace("deny", "forbid"),
            own.replace("missing_docs = \"warn\"\n", ""),
            own.replace("all = \"warn\"", "all = \"allow\""),
            format!("{own}todo = \"allow\"\n"),
            "[lints]\nworkspace = true\n".to_owned(),
        ];
        for manifest in others {
            assert!(violation("xlstm", &manifest, ROOT).is_some(), "{manifest}");
        }
    }
}
