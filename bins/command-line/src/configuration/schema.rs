//! The JSON schema of a configuration, from its types.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

/// The JSON schema (draft 7, which editors know) of the settings of `program`.
///
/// Everything stands where it is used, without references: so each key has the default that this program gives it, also where the
/// type's own default is another.
pub(super) fn schema<T: JsonSchema>(program: &str, defaults: &Value) -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), Value::from(format!("Settings of {program}")));
    let mut schema = Schema::to_value(schema);
    tidy(&mut schema);
    state_defaults(&mut schema, Some(defaults));
    schema
}

/// Takes out what types say for Rust: links of descriptions, widths of numbers, and defaults of whole tables.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            // Of a table its settings say it.
            if let Some(default) = fields.remove("default")
                && !default.is_null()
                && !default.is_object()
            {
                fields.insert("default".to_owned(), shortest(&default));
            }
            if fields.get("format").is_some_and(|format| format != "date-time") {
                fields.remove("format");
            }
            if let Some(Value::String(description)) = fields.get_mut("description") {
                *description = plain(description);
            }
            if fields.get("maximum").is_some_and(|maximum| maximum.as_u64() == Some(u64::from(u32::MAX))) {
                fields.remove("maximum");
            }
            for (name, below) in fields.iter_mut() {
                // A setting may be called like a word of the schema: what stands in `properties` are settings.
                match (name.as_str(), below) {
                    ("properties", Value::Object(properties)) => properties.values_mut().for_each(tidy),
                    ("enum" | "const" | "default" | "required" | "description" | "title", _) => {}
                    (_, below) => tidy(below),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// Documentation of Rust as text: ``[`Name`](path)`` is `` `Name` ``, a paragraph stands in one line, and examples are left out.
fn plain(documentation: &str) -> String {
    let mut text = String::new();
    let sentences: Vec<&str> = documentation.split("```").step_by(2).map(str::trim_end).collect();
    let documentation = sentences.join("\n\n");
    let mut rest = documentation.as_str();
    while let Some(at) = rest.find("[`") {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(end) = rest.find("`]") else {
            text.push('[');
            continue;
        };
        text.push_str(&rest[..=end]);
        rest = &rest[end + 2..];
        if rest.starts_with('(')
            && let Some(close) = rest.find(')')
        {
            rest = &rest[close + 1..];
        }
    }
    text.push_str(rest);
    // Brackets that are no link are escaped in Rust.
    let text = text.replace("\\[", "[").replace("\\]", "]");
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        // What it announced was an example.
        line.strip_suffix(':').map_or(line.clone(), |line| format!("{line}."))
    });
    paragraphs.filter(|paragraph| !paragraph.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Writes at each setting that is no table what it is by default. Where the program has no such table, the defaults of the type
/// stay: those that it gets once it is written.
fn state_defaults(schema: &mut Value, default: Option<&Value>) {
    let Value::Object(fields) = schema else { return };
    let kinds = ["oneOf", "anyOf", "allOf"];
    let mut table = fields.contains_key("properties");
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        for (name, property) in properties {
            // What is written as `null` or not at all is absent.
            let below = default.and_then(|default| default.get(name)).filter(|below| !below.is_null());
            if let (Some(_), None, Value::Object(fields)) = (default, below, &mut *property) {
                fields.remove("default");
            }
            let is_absent = default.is_some() && below.is_none() && tables_below(property);
            state_defaults(property, below);
            if let (true, Value::Object(fields)) = (is_absent, property) {
                fields.insert("default".to_owned(), Value::Null);
            }
        }
    }
    for kind in kinds {
        if let Some(Value::Array(variants)) = fields.get_mut(kind) {
            for variant in variants {
                if tables_below(variant) {
                    table = true;
                    state_defaults(variant, default.filter(|default| is_of(variant, default)));
                }
            }
        }
    }
    if let (false, Some(default)) = (table, default) {
        fields.insert("default".to_owned(), shortest(default));
    }
}

fn tables_below(schema: &Value) -> bool {
    schema.get("properties").is_some()
        || ["oneOf", "anyOf", "allOf"]
            .iter()
            .filter_map(|kind| schema.get(kind)?.as_array())
            .any(|variants| variants.iter().any(tables_below))
}

/// Whether a table is of this kind: it has the fields that the kind must have, and those with one possible value have that one.
pub(super) fn is_of(kind: &Value, table: &Value) -> bool {
    let empty = Map::new();
    let properties = kind.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let mut required =
        kind.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let constants = properties.iter().all(|(name, property)| {
        property.get("const").is_none_or(|constant| table.get(name) == Some(constant))
    });
    constants && required.all(|name| table.get(name).is_some())
}

/// Numbers of single precision with the digits that were meant: 0.1 and not 0.10000000149011612.
pub(super) fn shortest(value: &Value) -> Value {
    match value {
        Value::Number(number) => shortest_number(number).unwrap_or_else(|| value.clone()),
        Value::Array(items) => items.iter().map(shortest).collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), shortest(field))).collect(),
        _ => value.clone(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "what does not survive is left alone")]
fn shortest_number(number: &serde_json::Number) -> Option<Value> {
    let double = number.as_f64().filter(|_| number.is_f64())?;
    let single = double as f32;
    if f64::from(single).to_bits() != double.to_bits() {
        return None;
    }
    single.to_string().parse::<f64>().ok().map(Value::from)
}
