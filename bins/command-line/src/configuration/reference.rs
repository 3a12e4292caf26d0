//! Every setting of a program as Markdown, from the JSON schema of its configuration.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::effective::shown_as_toml;

/// The settings of `program`: a heading for each table, and a row for each setting with what it takes, its default and its meaning.
pub(super) fn reference(program: &str, schema: &Value) -> String {
    let mut page = Page { text: String::new() };
    page.line(&format!("# Settings of {program}\n"));
    page.line("<!-- Generated; a test holds it against the code. -->\n");
    page.line(&format!(
        "Every key that `config/{program}.toml`, an environment variable (`MATRELA__SECTION__KEY`) or `--set section.key=value` can give, \
with its default. `{program} config` prints what is in force and where each value comes from; the schema for editors is \
[{program}.schema.json]({program}.schema.json).\n"
    ));
    page.table("", schema);
    page.text
}

struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A table of settings, those in it first, then the tables below it.
    fn table(&mut self, path: &str, schema: &Value) {
        if !path.is_empty() {
            self.line(&format!("## `{path}`\n"));
            let description = description(schema).or_else(|| description(present(schema)));
            if let Some(description) = description {
                self.line(&format!("{description}\n"));
            }
            if schema.get("default") == Some(&Value::Null) {
                self.line("Absent unless it is written.\n");
            }
        }
        let schema = present(schema);
        self.settings(path, schema);
    }

    fn settings(&mut self, path: &str, schema: &Value) {
        let mut below = Vec::new();
        self.rows(path, schema, &mut below);
        let kinds = kinds(schema);
        if !kinds.is_empty() {
            self.line("One of:\n");
        }
        for kind in kinds {
            let text =
                description(kind).map(|text| format!(": {}", text.replace("\n\n", " "))).unwrap_or_default();
            self.line(&format!("- {}{text}", selector(kind)));
        }
        if !self.text.ends_with("\n\n") {
            self.line("");
        }
        for kind in kinds {
            if kind.get("properties").is_some_and(|properties| own_properties(properties).next().is_some()) {
                let mut of_kind = Vec::new();
                let mut rows = Self { text: String::new() };
                rows.rows(path, kind, &mut of_kind);
                if !rows.text.is_empty() {
                    self.line(&format!("With {}:\n", selector(kind)));
                    self.text.push_str(&rows.text);
                }
                below.extend(of_kind);
            }
        }
        for (path, schema) in below {
            self.table(&path, schema);
        }
    }

    fn rows<'schema>(
        &mut self,
        path: &str,
        schema: &'schema Value,
        below: &mut Vec<(String, &'schema Value)>,
    ) {
        let Some(properties) = schema.get("properties") else { return };
        let mut rows = String::new();
        for (name, property) in own_properties(properties) {
            let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let one = present(property);
            if is_table(one) {
                below.push((key, property));
                continue;
            }
            if let Some(items) = one.get("items").map(present).filter(|items| is_table(items)) {
                below.push((format!("{key}[]"), items));
            }
            if let Some(values) =
                one.get("additionalProperties").map(present).filter(|values| is_table(values))
            {
                below.push((format!("{key}.NAME"), values));
            }
            let required = schema
                .get("required")
                .and_then(Value::as_array)
                .is_some_and(|all| all.contains(&Value::from(name.as_str())));
            let default = match property.get("default") {
                Some(default) => format!("`{}`", shown_as_toml(default)),
                None if required => "must be given".to_owned(),
                None => "none".to_owned(),
            };
            _ = writeln!(
                rows,
                "| `{name}` | {} | {} | {} |",
                cell(&takes(one)),
                cell(&default),
                cell(&meaning(property))
            );
        }
        if !rows.is_empty() {
            self.line("| key | takes | default | meaning |\n|---|---|---|---|");
            self.line(&rows);
        }
    }
}

/// What is not there may be left out: of `T or null` this is `T`.
fn present(schema: &Value) -> &Value {
    for combined in ["anyOf", "oneOf", "allOf"] {
        let Some(variants) = schema.get(combined).and_then(Value::as_array) else { continue };
        let mut present = variants.iter().filter(|variant| variant.get("type") != Some(&Value::from("null")));
        if let (Some(only), None) = (present.next(), present.next()) {
            return self::present(only);
        }
    }
    schema
}

/// The variants of a table that can be of several kinds, or of a value that may be a word or a table.
fn kinds(schema: &Value) -> &[Value] {
    let variants = ["oneOf", "anyOf"].iter().find_map(|combined| schema.get(combined)?.as_array());
    variants
        .map(Vec::as_slice)
        .filter(|variants| variants.iter().any(|one| one.get("properties").is_some()))
        .unwrap_or_default()
}

fn is_table(schema: &Value) -> bool {
    schema.get("properties").and_then(Value::as_object).is_some_and(|properties| !properties.is_empty())
        || !kinds(schema).is_empty()
}

/// Without the one that says of which kind the table is.
fn own_properties(properties: &Value) -> impl Iterator<Item = (&String, &Value)> {
    properties
        .as_object()
        .into_iter()
        .flat_map(Map::iter)
        .filter(|(_, property)| property.get("const").is_none())
}

/// How a kind is written: `kind = "fixed"`, or the word, or the name of the table in it.
fn selector(kind: &Value) -> String {
    if let Some(word) = kind.get("const").or_else(|| kind.get("enum")?.get(0)) {
        return format!("`{}`", shown_as_toml(word));
    }
    let properties = kind.get("properties").and_then(Value::as_object);
    let tags: Vec<String> = properties
        .into_iter()
        .flatten()
        .filter_map(|(name, property)| Some(format!("`{name} = {}`", shown_as_toml(property.get("const")?))))
        .collect();
    if !tags.is_empty() {
        return tags.join(", ");
    }
    let required =
        kind.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let names: Vec<String> = required.map(|name| format!("a table `{name}`")).collect();
    if names.is_empty() { "null".to_owned() } else { names.join(", ") }
}

/// What a key takes, in a few words.
fn takes(schema: &Value) -> String {
    let words = words(schema);
    if !words.is_empty() {
        return words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    if let Some(variants) = ["oneOf", "anyOf"].iter().find_map(|combined| schema.get(combined)?.as_array()) {
        let all: Vec<String> =
            variants.iter().filter(|one| one.get("type") != Some(&Value::from("null"))).map(takes).collect();
        return all.join(" or ");
    }
    let names: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => Vec::new(),
    };
    let bounds = bounds(schema);
    let one = |name: &str| match name {
        "integer" => format!("whole number{bounds}"),
        "number" => format!("number{bounds}"),
        "string" => "text".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => list(schema),
        "object" => schema
            .get("additionalProperties")
            .filter(|values| values.is_object())
            .map_or_else(|| "table".to_owned(), |values| format!("by name: {}", element(values))),
        other => other.to_owned(),
    };
    if names.is_empty() {
        "any value".to_owned()
    } else {
        names.into_iter().map(one).collect::<Vec<_>>().join(" or ")
    }
}

fn element(schema: &Value) -> String {
    let schema = present(schema);
    if is_table(schema) { "tables, see below".to_owned() } else { takes(schema) }
}

fn list(schema: &Value) -> String {
    let size = |name: &str| schema.get(name).and_then(Value::as_u64);
    let number = match (size("minItems"), size("maxItems")) {
        (Some(least), Some(most)) if least == most => format!(" of {least}"),
        (_, Some(most)) => format!(" of at most {most}"),
        _ => String::new(),
    };
    match schema.get("items") {
        Some(Value::Array(items)) => {
            format!("list{number}: {}", items.iter().map(element).collect::<Vec<_>>().join(", "))
        }
        Some(items) => format!("list{number}: {}", element(items)),
        None => "list".to_owned(),
    }
}

fn bounds(schema: &Value) -> String {
    let of = |name: &str| schema.get(name).map(ToString::to_string);
    match (of("minimum"), of("maximum")) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) if least != "0" => format!(", {least} or more"),
        (None, Some(most)) => format!(", at most {most}"),
        _ => String::new(),
    }
}

/// The words among which a key chooses, each with what it means.
fn words(schema: &Value) -> Vec<(String, Option<&str>)> {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().filter(|word| !word.is_null()).map(|word| (shown_as_toml(word), None)).collect();
    }
    if let Some(word) = schema.get("const") {
        return vec![(shown_as_toml(word), description(schema))];
    }
    let Some(variants) = ["oneOf", "anyOf"].iter().find_map(|combined| schema.get(combined)?.as_array())
    else {
        return Vec::new();
    };
    let of_each: Vec<Vec<(String, Option<&str>)>> =
        variants.iter().filter(|one| one.get("type") != Some(&Value::from("null"))).map(words).collect();
    if of_each.iter().any(Vec::is_empty) { Vec::new() } else { of_each.concat() }
}

/// The key's own description, else that of its type, and what its words mean.
fn meaning(property: &Value) -> String {
    let mut meaning = description(property)
        .or_else(|| description(present(property)))
        .unwrap_or_default()
        .replace("\n\n", " ");
    for (word, text) in words(present(property)) {
        if let Some(text) = text {
            _ = write!(meaning, " `{word}`: {}", text.replace("\n\n", " "));
        }
    }
    meaning.trim().to_owned()
}

fn description(schema: &Value) -> Option<&str> {
    schema.get("description").and_then(Value::as_str)
}

/// Text in a cell of a table: a line, without what would end the cell.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests;
