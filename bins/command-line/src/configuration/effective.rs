//! The configuration as it came out, each value with its origin.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::setting::{Origin, Setting, dotted, is_secret};

/// One value of the effective configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectiveSetting {
    /// The dotted key.
    pub key: String,
    /// The value; `***` in place of a secret that is set.
    pub value: Value,
    /// Who set it.
    #[serde(serialize_with = "as_text")]
    pub origin: Origin,
}

fn as_text<S: Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(origin)
}

/// Takes a serialised configuration apart into its leaves, and finds out who set each.
pub(super) fn settings(configuration: &Value, layers: &[Setting]) -> Vec<EffectiveSetting> {
    leaves(configuration)
        .into_iter()
        .map(|key| {
            let origin = origin(&key, layers);
            let value = masked(lookup(configuration, &key), key.iter().any(|s| is_secret(s)));
            EffectiveSetting { key: dotted(&key), value, origin }
        })
        .collect()
}

/// Later layers win, so the last one that concerns the key has set it.
pub(super) fn origin(key: &[String], layers: &[Setting]) -> Origin {
    let last = layers.iter().rev().find(|setting| setting.concerns(key));
    last.map_or(Origin::Default, |setting| setting.origin.clone())
}

/// The keys of everything that is no table; an empty table counts as a value.
pub(super) fn leaves(value: &Value) -> Vec<Vec<String>> {
    let Value::Object(fields) = value else {
        return Vec::new();
    };
    let mut keys = Vec::new();
    for (name, field) in fields {
        let below = leaves(field);
        if below.is_empty() {
            keys.push(vec![name.clone()]);
        }
        keys.extend(below.into_iter().map(|key| [vec![name.clone()], key].concat()));
    }
    keys
}

fn lookup<'value>(value: &'value Value, key: &[String]) -> &'value Value {
    key.iter().fold(value, |value, segment| &value[segment.as_str()])
}

/// An unset secret may be seen as such: `null` and an empty text give nothing away.
fn masked(value: &Value, secret: bool) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::String(text) if text.is_empty() => value.clone(),
        Value::Array(items) if !secret => items.iter().map(|item| masked(item, false)).collect(),
        Value::Object(fields) if !secret => {
            fields.iter().map(|(name, field)| (name.clone(), masked(field, is_secret(name)))).collect()
        }
        _ if secret => Value::from("***"),
        _ => value.clone(),
    }
}

/// A value as the table shows it: texts without quotes, everything else as JSON.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value as TOML writes it within a line.
pub(super) fn shown_as_toml(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(shown_as_toml).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{name} = {}", shown_as_toml(value));
            format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        _ => value.to_string(),
    }
}
