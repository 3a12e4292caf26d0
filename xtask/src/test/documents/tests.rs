use super::*;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn the_documents_can_be_taken_apart() {
    let documents = read(root()).unwrap();
    let mut count = 0;
    for (path, text) in &documents {
        for block in blocks(text).unwrap_or_else(|fault| panic!("{path}:{}: {}", fault.line, fault.what)) {
            if block.language == "sh" {
                let commands = commands(&block.text, block.line);
                count +=
                    commands.unwrap_or_else(|fault| panic!("{path}:{}: {}", fault.line, fault.what)).len();
            }
        }
    }
    // That the search does not come to nothing unseen.
    assert!(documents.contains_key("docs/supervised.md") && count > 40, "{count}");
    for (translation, original) in TRANSLATIONS {
        assert!(documents.contains_key(*translation) && documents.contains_key(*original));
    }
}

#[test]
fn a_translation_has_the_same_commands() {
    let of = |text: &str| commands(text, 5).unwrap();
    assert!(first_difference(&of("a b # erst\nc"), &of("a b # first\n\nc")).is_none());
    let fault = first_difference(&of("a\nb --old"), &of("a\nb --new")).unwrap();
    assert_eq!((fault.line, fault.what.as_str()), (6, "`b --old` is `b --new`"));
    assert!(first_difference(&of("a"), &of("a\nb")).is_some());
    let documents = [("README.ru.md", "```sh\na x\n```"), ("README.md", "```sh\na y\n```")];
    let documents = documents.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    let mut tally = Tally::default();
    translations(&documents, &mut tally);
    assert_eq!(tally.faults, ["README.ru.md:2: `a x` is `a y` in README.md"]);
}

#[test]
fn what_was_done_is_counted_and_what_was_not_has_its_reason() {
    let mut tally = Tally { ran: 3, settings: 2, ..Tally::default() };
    tally.checked.insert("hours".to_owned(), 4);
    tally.checked.insert("a GPU".to_owned(), 1);
    assert_eq!(
        tally.sentence(),
        "documents: 3 commands were run, 5 checked, 2 blocks of settings taken; nothing is wrong"
    );
    assert!(tally.not_run().ends_with("(1: a GPU; 4: hours)"), "{}", tally.not_run());
    tally.faults.push("x".to_owned());
    assert!(tally.sentence().ends_with("1 documents are wrong, see above"));
}

/// With programs of our own in place of those of the workspace.
#[cfg(unix)]
mod with_fake_programs {
    use super::*;

    /// `simulate` says what it is told, and leaves with the number that `--code` names; it takes settings of `[known]`.
    const SIMULATE: &str = r#"#!/bin/sh
echo "simulate $*" >> told
for word in "$@"; do
    case "$word" in
    --old) echo "unexpected argument '--old'" >&2; exit 2 ;;
    there-is-no-such-file.toml) echo "cannot read $word" >&2; exit 2 ;;
    esac
done
case "$1 $2" in
"config --config") if grep -q '\[known' "$3"; then exit 0; fi; echo "no such section" >&2; exit 2 ;;
"--code "*) echo "left with $2" >&2; exit "$2" ;;
esac
"#;

    struct Scene {
        directory: tempfile::TempDir,
        metadata: Metadata,
        places: Places,
    }

    fn scene() -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("built/simulate");
        fs::create_dir(directory.path().join("built")).unwrap();
        // Written by another process: a file that this one has open for writing, if only in a child that another
        // test is just starting, cannot be run.
        let write = "printf '%s' \"$1\" > \"$2\" && chmod +x \"$2\"";
        let mut shell = std::process::Command::new("sh");
        assert!(shell.args(["-c", write, "sh", SIMULATE]).arg(&program).status().unwrap().success());
        let workspace = Workspace { root: root().to_owned(), current: root().to_owned() };
        let programs = BTreeMap::from([("simulate", program)]);
        let places = Places::new(directory.path().join("documents"), root(), programs).unwrap();
        Scene { directory, metadata: workspace.metadata().unwrap(), places }
    }

    impl Scene {
        /// What came of a document; an error is the line and what is wrong.
        fn document(&self, path: &str, text: &str) -> Result<Tally, (usize, String)> {
            let stage = Stage { root: root(), metadata: &self.metadata, places: &self.places };
            let mut tally = Tally::default();
            let result = stage.document(path, text, &mut tally).unwrap();
            result.map(|()| tally).map_err(|fault| (fault.line, fault.what))
        }

        fn told(&self, path: &str) -> String {
            let directory = self.directory.path().join("documents").join(path.replace(['/', '.'], "-"));
            fs::read_to_string(directory.join("told")).unwrap_or_default()
        }
    }

    #[test]
    fn commands_are_run_in_their_order_as_they_stand() {
        let scene = scene();
        let text = "```sh\ncat > words <<'END'\nfrom a file\nEND\nsimulate \"$(cat words)\"\n```\n";
        // The lexer refuses this one, so that nothing of it can be overlooked.
        assert_eq!(scene.document("a.md", text).unwrap_err().0, 5);
        let text = "```sh\nsimulate 'two words' \\\n  three # four\ncargo run --bin simulate -- -- five\n\
                    cat > words <<'END'\nx\nEND\ncp words config/copy\n```\n";
        let tally = scene.document("b.md", text).unwrap();
        assert_eq!((tally.ran, tally.checked.len()), (4, 0));
        assert_eq!(scene.told("b.md"), "simulate two words three\nsimulate -- five\n");
        let copy = scene.directory.path().join("documents/b-md/config");
        assert!(copy.join("copy").is_file() && copy.join("simulate.toml").is_file());
    }

    #[test]
    fn a_failure_ends_a_document_with_line_code_and_reason() {
        let scene = scene();
        let (line, what) =
            scene.document("a.md", "\n```sh\nsimulate a\nsimulate --code 2\nsimulate b\n```").unwrap_err();
        assert_eq!((line, what.as_str()), (4, "`simulate --code 2`: exit code 2:\n    left with 2"));
        assert_eq!(scene.told("a.md"), "simulate a\nsimulate --code 2\n");
        // A backtest that promotes nothing has found something; a comparison that cannot be made is wrong.
        assert_eq!(scene.document("b.md", "```sh\nsimulate --code 1\n```").unwrap().ran, 1);
        assert!(scene.document("c.md", "```sh\ncat absent\n```").is_err());
        assert!(scene.document("d.md", "```sh\nsmulate a\n```").unwrap_err().1.contains("nobody knows"));
    }

    #[test]
    fn what_is_not_run_is_checked_and_has_a_reason() {
        let scene = scene();
        let text = "```sh not-run: a moon\nsimulate --code 3 --set a.b=1\n```\n```sh\n.ci/run\n```";
        let tally = scene.document("a.md", text).unwrap();
        assert_eq!(tally.ran, 0);
        assert_eq!(
            tally.checked.into_iter().collect::<Vec<_>>(),
            [("a moon".to_owned(), 1), (BUILDS.to_owned(), 1)]
        );
        let told = "simulate --code 3 --set a.b=1 --config there-is-no-such-file.toml\nsimulate config --set a.b=1\n";
        assert_eq!(scene.told("a.md"), told);
        let text = "text\n```sh\nsimulate --old\n```";
        let (line, what) = scene.document("docs/results.md", text).unwrap_err();
        assert_eq!(line, 3);
        assert!(what.contains("unexpected argument"), "{what}");
        assert!(scene.document("b.md", "```sh\n.ci/walk\n```").is_err());
        assert!(scene.document("c.md", "```sh\ncargo xtask tain\n```").is_err());
    }

    #[test]
    fn settings_are_taken_by_a_program() {
        let scene = scene();
        let taken = |text: &str| scene.document("a.md", &format!("```toml\n{text}\n```"));
        assert_eq!(taken("[known]\na = 1").unwrap().settings, 1);
        assert_eq!(taken("[dependencies]\nfeatures = { path = \"crates/features\" }").unwrap().settings, 1);
        for (text, what) in [
            ("[unknown]\na = 1", "no such section"),
            ("[known", "these settings"),
            ("[dependencies]\nx = { path = \"crates/x\" }", "no package in crates/x"),
        ] {
            let (line, said) = taken(text).unwrap_err();
            assert!(line == 2 && said.contains(what), "{said}");
        }
    }
}
