//! Files of settings, their JSON schemas and the reference in the book agree. (That schemas and reference are those of the types is
//! tested beside the types, in each program.)

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

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

/// Words of JSON schemas that say nothing of what fits.
const ANNOTATIONS: [&str; 5] = ["$schema", "title", "description", "default", "format"];

/// What does not fit, and where: all that our schemas say, by the rules of draft 7. A library for all of JSON schema would compile the
/// table libraries a second time, with other features of what both need (decision 0017).
fn misfit(schema: &Value, value: &Value, path: &str) -> Option<String> {
    let Some(words) = schema.as_object() else {
        return (*schema != json!(true)).then(|| format!("{path}: nothing fits {schema}"));
    };
    let wrong = |what: &str| Some(format!("{path}: {value} is not {what}"));
    for (word, said) in words {
        let found = match word.as_str() {
            "type" => {
                let one = |name: &Value| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
                    "number" => value.is_number(),
                    other => panic!("{path}: no type {other}"),
                };
                let fits = said.as_array().map_or_else(|| one(said), |names| names.iter().any(one));
                if fits { None } else { wrong(&format!("of type {said}")) }
            }
            "const" => {
                if value == said {
                    None
                } else {
                    wrong(&said.to_string())
                }
            }
            "enum" => {
                if said.as_array().unwrap().contains(value) {
                    None
                } else {
                    wrong(&format!("of {said}"))
                }
            }
            "minimum" => {
                let below = value.as_f64().is_some_and(|number| number < said.as_f64().unwrap());
                if below { wrong(&format!("at least {said}")) } else { None }
            }
            "maximum" => {
                let above = value.as_f64().is_some_and(|number| number > said.as_f64().unwrap());
                if above { wrong(&format!("at most {said}")) } else { None }
            }
            "minItems" | "maxItems" => {
                let (count, bound) = (value.as_array().map(Vec::len), said.as_u64().unwrap() as usize);
                let fits = count
                    .is_none_or(|count| if word == "minItems" { count >= bound } else { count <= bound });
                if fits { None } else { wrong(&format!("{word} {said}")) }
            }
            "items" => value
                .as_array()
                .into_iter()
                .flatten()
                .enumerate()
                .find_map(|(at, item)| misfit(said, item, &format!("{path}[{at}]"))),
            "properties" => value
                .as_object()
                .into_iter()
                .flatten()
                .find_map(|(name, below)| misfit(said.get(name)?, below, &format!("{path}.{name}"))),
            "required" => {
                let absent = |name: &&Value| value.is_object() && value.get(name.as_str().unwrap()).is_none();
                said.as_array().unwrap().iter().find(absent).and_then(|name| wrong(&format!("with {name}")))
            }
            "additionalProperties" => value.as_object().into_iter().flatten().find_map(|(name, below)| {
                let stated = schema["properties"].get(name).is_some();
                let path = format!("{path}.{name}");
                if stated {
                    None
                } else if *said == json!(false) {
                    Some(format!("{path}: there is no such key"))
                } else {
                    misfit(said, below, &path)
                }
            }),
            "oneOf" | "anyOf" => {
                let misfits: Vec<String> =
                    said.as_array().unwrap().iter().filter_map(|one| misfit(one, value, path)).collect();
                let fitting = said.as_array().unwrap().len() - misfits.len();
                let fits = if word == "oneOf" { fitting == 1 } else { fitting > 0 };
                if fits { None } else { wrong(&format!("{word}: {fitting} fit; {}", misfits.join("; "))) }
            }
            "allOf" => said.as_array().unwrap().iter().find_map(|one| misfit(one, value, path)),
            "uniqueItems" => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                let twice = items.iter().enumerate().any(|(at, item)| items[..at].contains(item));
                if twice { wrong("a list without repetition") } else { None }
            }
            // The only one is that of decimals.
            "pattern" => {
                assert!(
                    said.as_str().unwrap().starts_with("^-?\\d+"),
                    "{path}: the pattern {said} is not known here"
                );
                let fits = value.as_str().is_none_or(|text| text.parse::<f64>().is_ok_and(f64::is_finite));
                if fits { None } else { wrong("a decimal") }
            }
            other => {
                assert!(ANNOTATIONS.contains(&other), "{path}: the word {other} is not known here");
                None
            }
        };
        if found.is_some() {
            return found;
        }
    }
    None
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
        assert_eq!(misfit(&schema(&program), &values, ""), None, "config/{program}.toml");
        let named = format!("#:schema ../docs/configuration/{program}.schema.json");
        assert!(text.starts_with(&named), "config/{program}.toml must begin with `{named}`, for editors");
    }
}

#[test]
fn a_misspelt_key_or_a_wrong_type_does_not_fit() {
    for program in programs() {
        let (_, values) = shipped(&program);
        let schema = schema(&program);
        let is_valid = |values: &Value| misfit(&schema, values, "").is_none();
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
            assert!(!is_valid(&changed), "{program}: {section}.misspelt");
            refused += 1;
        }
        let mut changed = values.clone();
        changed["misspelt"] = json!({});
        assert!(!is_valid(&changed), "{program}: misspelt");
        assert!(refused > 0, "{program}");
        for (name, value) in values.as_object().unwrap() {
            let mut changed = values.clone();
            changed[name] = if value.is_object() { json!("text") } else { json!({ "no": "table" }) };
            assert!(!is_valid(&changed), "{program}: {name} = {}", changed[name]);
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
        let page = fs::read_to_string(root().join(format!("docs/configuration/{program}.md"))).unwrap();
        // Keys of tables in lists are written `list[].key` there.
        let reference = page.replace("[]", "");
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
