//! Files of settings, their JSON schemas and the reference in the book agree. (That schemas and reference are those of the types is
//! tested beside the types, in each program.)

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every program that has a file of settings.
fn programs() -> Vec<String> {
    let files = fs::read_dir(root().join("config")).unwrap().map(|entry| entry.unwrap().path());
    let mut programs: Vec<String> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    programs.sort();
    assert!(programs.len() >= 7, "{programs:?}");
    programs
}

fn schema(program: &str) -> Value {
    let path = root().join(format!("docs/configuration/{program}.schema.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn validator(program: &str) -> Validator {
    jsonschema::options().with_draft(Draft::Draft7).build(&schema(program)).unwrap()
}

fn shipped(program: &str) -> (String, Value) {
    let text = fs::read_to_string(root().join(format!("config/{program}.toml"))).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    (text, serde_json::to_value(table).unwrap())
}

/// The schemas below, with the dotted keys of their settings.
fn settings<'schema>(schema: &'schema Value, path: &str, found: &mut Vec<(String, &'schema Value)>) {
    for combined in ["oneOf", "anyOf", "allOf"] {
        for variant in schema[combined].as_array().into_iter().flatten() {
            settings(variant, path, found);
        }
    }
    if schema["items"].is_object() {
        settings(&schema["items"], path, found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        // A kind that is named by its table is documented once, as the kind.
        let names_a_kind = schema["required"] == json!([name]) && schema["description"].is_string();
        if !names_a_kind {
            found.push((key.clone(), property));
        }
        settings(property, &key, found);
    }
}

#[test]
fn shipped_files_fit_their_schemas_and_name_them() {
    for program in programs() {
        let (text, values) = shipped(&program);
        let validator = validator(&program);
        let errors: Vec<String> = validator
            .iter_errors(&values)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "config/{program}.toml: {errors:#?}");
        let named = format!("#:schema ../docs/configuration/{program}.schema.json");
        assert!(text.starts_with(&named), "config/{program}.toml must begin with `{named}`, for editors");
    }
}

#[test]
fn a_misspelt_key_or_a_wrong_type_does_not_fit() {
    for program in programs() {
        let (_, values) = shipped(&program);
        let validator = validator(&program);
        let mut refused = 0;
        for section in values
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, section)| section.is_object())
            .map(|(name, _)| name)
        {
            let mut changed = values.clone();
            changed[section]["misspelt"] = json!(1);
            assert!(!validator.is_valid(&changed), "{program}: {section}.misspelt");
            refused += 1;
        }
        let mut changed = values.clone();
        changed["misspelt"] = json!({});
        assert!(!validator.is_valid(&changed), "{program}: misspelt");
        assert!(refused > 0, "{program}");
        for (name, value) in values.as_object().unwrap() {
            let mut changed = values.clone();
            changed[name] = if value.is_object() { json!("text") } else { json!({ "no": "table" }) };
            assert!(!validator.is_valid(&changed), "{program}: {name} = {}", changed[name]);
        }
    }
}

#[test]
fn every_setting_says_what_it_means_and_has_its_row() {
    for program in programs() {
        let schema = schema(&program);
        let mut found = Vec::new();
        settings(&schema, "", &mut found);
        assert!(found.len() > 5, "{program}: {}", found.len());
        let reference = fs::read_to_string(root().join(format!("docs/configuration/{program}.md"))).unwrap();
        for (key, setting) in found {
            if setting.get("const").is_some() {
                continue;
            }
            let said = setting["description"].as_str().is_some_and(|text| !text.trim().is_empty());
            assert!(said, "{program}: {key} has no documentation where its type is declared");
            let name = key.rsplit('.').next().unwrap();
            assert!(
                reference.contains(&format!("| `{name}` |")) || reference.contains(&format!("## `{key}")),
                "{program}: {key} is not in the reference"
            );
        }
    }
}

#[test]
fn the_book_links_each_reference() {
    let book = fs::read_to_string(root().join("docs/README.md")).unwrap();
    for program in programs() {
        assert!(book.contains(&format!("(configuration/{program}.md)")), "{program}");
    }
}
