use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::*;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Config {
    seed: u64,
    store: Store,
    import: Import,
    venue: Venue,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Store {
    path: String,
    rows: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self { path: "datasets/store".to_owned(), rows: 10 }
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Import {
    policy: Policy,
    symbols: Vec<String>,
    factor: Option<f64>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Policy {
    #[default]
    Reject,
    KeepFirst,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Venue {
    api_key: Option<String>,
    api_secret: String,
}

/// What somebody wrote in each place; nothing comes from this process's own environment.
#[derive(Default)]
struct Written<'a> {
    default_file: Option<&'a str>,
    files: &'a [&'a str],
    environment: &'a [(&'a str, &'a str)],
    set: &'a [&'a str],
}

impl Written<'_> {
    fn load(&self) -> Result<Loaded<Config>, ConfigurationError> {
        let directory = TempDir::new().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        if let Some(text) = self.default_file {
            write("program.toml", text);
        }
        let config = self.files.iter().enumerate().map(|(i, text)| write(&format!("{i}.toml"), text));
        let arguments = CommonArguments {
            config: config.collect(),
            set: self.set.iter().map(|text| text.parse().unwrap()).collect(),
            ..CommonArguments::default()
        };
        ConfigLoader::new("program")
            .directory(directory.path())
            .arguments(&arguments)
            .environment(self.environment.iter().copied())
            .load()
    }

    fn config(&self) -> Config {
        self.load().unwrap().config
    }

    fn error(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}

fn set<'a>(set: &'a [&'a str]) -> Written<'a> {
    Written { set, ..Written::default() }
}

fn environment<'a>(environment: &'a [(&'a str, &'a str)]) -> Written<'a> {
    Written { environment, ..Written::default() }
}

fn file(text: &str) -> Written<'_> {
    Written { default_file: Some(text), ..Written::default() }
}

fn origin_of(loaded: &Loaded<Config>, key: &str) -> Origin {
    loaded.effective().into_iter().find(|setting| setting.key == key).unwrap().origin
}

#[test]
fn without_any_layer_the_defaults_stand() {
    let loaded = Written::default().load().unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.effective().iter().all(|setting| setting.origin == Origin::Default));
}

#[test]
fn each_layer_wins_over_the_one_before() {
    // Each step takes one layer away, from the strongest to the weakest.
    let rows = "[store]\nrows = 20";
    let variable = [("MATRELA__STORE__ROWS", "30")];
    let all = Written {
        default_file: Some(rows),
        environment: &variable,
        set: &["store.rows=40"],
        ..Written::default()
    };
    assert_eq!(all.config().store.rows, 40);
    assert_eq!(Written { set: &[], ..all }.config().store.rows, 30);
    assert_eq!(file(rows).config().store.rows, 20);
    assert_eq!(Written::default().config().store.rows, 10);
}

#[test]
fn a_layer_changes_only_the_keys_it_names() {
    let config = file("[store]\nrows = 20").config();
    assert_eq!(config.store, Store { path: "datasets/store".to_owned(), rows: 20 });
}

#[test]
fn files_named_on_the_command_line_replace_the_default_file_and_the_last_wins() {
    let written = Written {
        default_file: Some("seed = 1\n[store]\nrows = 1"),
        files: &["[store]\nrows = 2\npath = 'a'", "[store]\nrows = 3"],
        ..Written::default()
    };
    let config = written.config();
    assert_eq!((config.seed, config.store.rows, config.store.path.as_str()), (0, 3, "a"));
}

#[test]
fn the_last_assignment_wins() {
    assert_eq!(set(&["seed=1", "seed=2"]).config().seed, 2);
}

#[test]
fn every_value_knows_its_origin() {
    let loaded = Written {
        default_file: Some("seed = 1\n\n[store]\nrows = 20\n"),
        environment: &[("MATRELA__STORE__PATH", "elsewhere")],
        set: &["import.symbols=[\"BTC\", \"ETH\"]"],
        ..Written::default()
    }
    .load()
    .unwrap();
    let Origin::File { path, line } = origin_of(&loaded, "store.rows") else {
        panic!("store.rows was set in the file")
    };
    assert!(path.ends_with("program.toml"));
    assert_eq!(line, 4);
    let variable = "MATRELA__STORE__PATH".to_owned();
    assert_eq!(origin_of(&loaded, "store.path"), Origin::Environment { variable });
    assert_eq!(origin_of(&loaded, "import.symbols"), Origin::Argument);
    assert_eq!(origin_of(&loaded, "import.policy"), Origin::Default);
}

#[test]
fn the_origin_is_that_of_the_layer_that_won() {
    let written = Written {
        default_file: Some("[store]\nrows = 20\n"),
        environment: &[("MATRELA__STORE__ROWS", "30")],
        ..Written::default()
    };
    let variable = "MATRELA__STORE__ROWS".to_owned();
    assert_eq!(origin_of(&written.load().unwrap(), "store.rows"), Origin::Environment { variable });
    let written = Written { set: &["store.rows=40"], ..written };
    assert_eq!(origin_of(&written.load().unwrap(), "store.rows"), Origin::Argument);
}

#[test]
fn text_is_read_as_toml_and_else_stands_for_itself() {
    let config = set(&[
        "import.policy=keep-first",
        "import.factor=0.5",
        "import.symbols=[\"BTC/USDT:USDT\"]",
        "store={path=\"a=b\", rows=1}",
    ])
    .config();
    assert_eq!(config.import.policy, Policy::KeepFirst);
    assert_eq!(config.import.factor, Some(0.5));
    assert_eq!(config.import.symbols, ["BTC/USDT:USDT"]);
    assert_eq!(config.store, Store { path: "a=b".to_owned(), rows: 1 });
}

#[test]
fn a_number_is_text_where_text_is_wanted() {
    assert_eq!(set(&["store.path=2024"]).config().store.path, "2024");
    let config = environment(&[("MATRELA__VENUE__API_KEY", "0012345")]).config();
    assert_eq!(config.venue.api_key.as_deref(), Some("0012345"));
}

#[test]
fn a_number_in_a_file_is_not_taken_for_text() {
    let error = file("[store]\npath = 2024").error();
    assert!(error.contains("`store.path`"), "{error}");
    assert!(error.contains("program.toml:2"), "{error}");
    assert!(error.contains("write a string"), "{error}");
}

#[test]
fn an_unknown_key_is_refused_with_origin_and_nearest_key() {
    let error = file("[store]\nrow = 1").error();
    assert!(error.contains("unknown configuration key `store.row`"), "{error}");
    assert!(error.contains("program.toml:2"), "{error}");
    assert!(error.ends_with("did you mean `store.rows`?"), "{error}");

    let error = set(&["store.paht=x"]).error();
    assert!(error.contains("(from --set); did you mean `store.path`?"), "{error}");

    let error = environment(&[("MATRELA__STORE__ROWZ", "1")]).error();
    assert!(error.contains("environment variable MATRELA__STORE__ROWZ"), "{error}");
    assert!(error.ends_with("did you mean `store.rows`?"), "{error}");
}

#[test]
fn a_key_in_the_wrong_section_is_pointed_home() {
    let error = set(&["store.policy=reject"]).error();
    assert!(error.ends_with("did you mean `import.policy`?"), "{error}");
}

#[test]
fn a_key_like_no_other_gets_the_list() {
    let error = set(&["store.zzzzzz=1"]).error();
    assert!(error.ends_with("known in `store`: path, rows"), "{error}");
    let error = set(&["zzzzzz=1"]).error();
    assert!(error.ends_with("known: import, seed, store, venue"), "{error}");
}

#[test]
fn variables_of_other_programs_are_left_alone_but_slips_are_not() {
    let others = [("MATRELA__TRAINER__EPOCHS", "3"), ("MATRELA_OTHER", "x"), ("PATH", "/bin")];
    assert_eq!(environment(&others).config(), Config::default());
    let error = environment(&[("MATRELA__STOR__ROWS", "3")]).error();
    assert!(error.ends_with("did you mean `store`?"), "{error}");
}

#[test]
fn a_variable_with_an_empty_part_is_refused() {
    let error = environment(&[("MATRELA__STORE____ROWS", "3")]).error();
    assert!(error.contains("MATRELA__STORE____ROWS"), "{error}");
}

#[test]
fn a_bad_value_is_refused_with_key_origin_and_remedy() {
    let error = set(&["store.rows=many"]).error();
    assert!(error.contains("`store.rows` (from --set): found string \"many\", write u32"), "{error}");

    let error = set(&["store.rows=-1"]).error();
    assert!(error.contains("-1") && error.contains("u32"), "{error}");

    // The first reading is reported, not the second attempt with the text.
    let error = set(&["store.rows=0.5"]).error();
    assert!(error.contains("found float `0.5`"), "{error}");

    let error = set(&["import.policy=keep_first"]).error();
    assert!(error.ends_with("did you mean `keep-first`?"), "{error}");

    let error = set(&["store=3"]).error();
    assert!(error.contains("`store` (from --set)"), "{error}");
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_its_line_and_without_its_text() {
    let error = file("seed = 1\n[venue]\napi_secret = hunter2\n").error();
    assert!(error.contains("program.toml:3"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_file_named_on_the_command_line_must_exist() {
    let arguments = CommonArguments { config: vec!["absent.toml".into()], ..CommonArguments::default() };
    let error = ConfigLoader::<Config>::new("program")
        .arguments(&arguments)
        .environment([("", ""); 0])
        .load()
        .unwrap_err();
    let ConfigurationError::FileMissing { path } = &error else { panic!("{error}") };
    assert_eq!(path, Path::new("absent.toml"));
}

#[test]
fn secrets_are_masked_wherever_they_come_from() {
    let secrets = Written {
        default_file: Some("[venue]\napi_secret = 'hunter2'"),
        environment: &[("MATRELA__VENUE__API_KEY", "hunter3")],
        ..Written::default()
    };
    let effective = secrets.load().unwrap().effective();
    let text = serde_json::to_string(&effective).unwrap();
    assert!(!text.contains("hunter"), "{text}");
    assert_eq!(text.matches("***").count(), 2, "{text}");
    // The value itself arrives.
    assert_eq!(secrets.config().venue.api_secret, "hunter2");
}

#[test]
fn an_unset_secret_is_seen_to_be_unset() {
    let effective = Written::default().load().unwrap().effective();
    let key = effective.iter().find(|setting| setting.key == "venue.api_key").unwrap();
    assert!(key.value.is_null());
}

#[test]
fn a_refused_secret_is_not_quoted() {
    let error = set(&["venue.api_secret=[\"hunter2\", 1]", "venue.api_key=[1]"]).load();
    // A list is no text, but the text of the list is: it is taken as written.
    assert_eq!(error.unwrap().config.venue.api_key.as_deref(), Some("[1]"));
    let error = file("[venue]\napi_key = 1234").error();
    assert!(!error.contains("1234"), "{error}");
    assert!(error.contains("`venue.api_key`"), "{error}");
}

#[test]
fn an_assignment_says_its_key_as_toml_would() {
    let assignment: Assignment = "fees.\"BTC/USDT\".maker=0.1".parse().unwrap();
    assert_eq!(assignment.key(), "fees.\"BTC/USDT\".maker");
    for wrong in ["novalue", "=1", "a..b=1", "a b=1", "a\nb=1"] {
        assert!(wrong.parse::<Assignment>().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_refusal_after_loading_names_the_origin() {
    let loaded = set(&["store.rows=0"]).load().unwrap();
    let error = loaded.refusal("store.rows", "must be at least 1").to_string();
    assert_eq!(error, "configuration key `store.rows` (from --set): must be at least 1");
}
