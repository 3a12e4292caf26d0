//! Reading the layers: TOML files, environment variables and `--set` arguments.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::str::FromStr;

use figment::value::{Dict, Value};
use toml::de::{DeTable, DeValue};

use super::error::ConfigurationError;
use super::setting::{Origin, Setting, dotted};

/// What every environment variable of this project begins with.
const PREFIX: &str = "MATRELA__";

/// The settings of one TOML file, in its order.
pub(super) fn file(path: &Path) -> Result<Vec<Setting>, ConfigurationError> {
    let text = fs::read_to_string(path).map_err(|source| {
        let path = path.to_owned();
        if source.kind() == std::io::ErrorKind::NotFound {
            ConfigurationError::FileMissing { path }
        } else {
            ConfigurationError::FileUnreadable { path, source }
        }
    })?;
    let line_of = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    let document = DeTable::parse(&text).map_err(|error| ConfigurationError::FileSyntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line_of(span.start)),
        // Only the message: the error's own display would quote the line, which may hold a secret.
        message: error.message().to_owned(),
    })?;

    let mut settings = Vec::new();
    for (key, value, offset) in leaves(document.get_ref()) {
        let origin = Origin::File { path: path.to_owned(), line: line_of(offset) };
        settings.push(Setting { key, value, text: None, origin });
    }
    Ok(settings)
}

/// The settings of the environment, in the order of their names so that the result does not depend on
/// the order in which the system lists them.
///
/// The environment is shared by all programs, therefore a variable of a section that this program
/// does not know is left alone; `known` decides about it.
pub(super) fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    known: impl Fn(&str) -> bool,
) -> Result<Vec<Setting>, ConfigurationError> {
    let mut settings = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let malformed = |reason| ConfigurationError::Environment { variable: name.to_owned(), reason };
        let key: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
        if key.iter().any(String::is_empty) {
            return Err(malformed("part of its name is empty"));
        }
        if !known(&key[0]) {
            tracing::info!(variable = name, "left alone: this program has no such section");
            continue;
        }
        let text = OsStr::to_str(&value).ok_or_else(|| malformed("its value is not UTF-8"))?;
        let origin = Origin::Environment { variable: name.to_owned() };
        settings.extend(from_text(&key, text, &origin));
    }
    settings.sort_by_key(|setting| setting.origin.to_string());
    Ok(settings)
}

/// A `section.key=value` given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    key: Vec<String>,
    text: String,
}

impl FromStr for Assignment {
    type Err = ConfigurationError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        // The value is kept out of the error: it may be a secret.
        let (key, text) = written.split_once('=').unwrap_or((written, ""));
        let refused = || ConfigurationError::Assignment { key: key.to_owned() };
        if key.len() == written.len() || key.contains(['\n', '\r']) {
            return Err(refused());
        }
        let line = format!("{key} = 0");
        let table = DeTable::parse(&line).map_err(|_| refused())?;
        match leaves(table.get_ref()).pop() {
            Some((key, _, _)) => Ok(Self { key, text: text.trim().to_owned() }),
            None => Err(refused()),
        }
    }
}

impl Assignment {
    /// The dotted key.
    pub fn key(&self) -> String {
        dotted(&self.key)
    }

    pub(super) fn settings(&self) -> Vec<Setting> {
        from_text(&self.key, &self.text, &Origin::Argument)
    }
}

/// Reads `text` as a TOML value; what is none is a string, so that nobody needs quotes inside quotes.
fn from_text(key: &[String], text: &str, origin: &Origin) -> Vec<Setting> {
    let setting = |key: Vec<String>, value, text| Setting { key, value, text, origin: origin.clone() };
    match DeValue::parse(text) {
        Ok(value) => match value.get_ref() {
            DeValue::Table(table) if !table.is_empty() => leaves(table)
                .into_iter()
                .map(|(below, value, _)| setting([key, &below].concat(), value, None))
                .collect(),
            value => vec![setting(key.to_vec(), convert(value), Some(text.to_owned()))],
        },
        Err(_) => vec![setting(key.to_vec(), Value::from(text), Some(text.to_owned()))],
    }
}

/// Every key that is no table, with its value and the offset at which the key stands.
fn leaves(table: &DeTable<'_>) -> Vec<(Vec<String>, Value, usize)> {
    let mut found = Vec::new();
    for (name, value) in table {
        let key = vec![name.get_ref().to_string()];
        match value.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() => {
                found.extend(
                    leaves(inner)
                        .into_iter()
                        .map(|(below, value, offset)| ([key.as_slice(), &below].concat(), value, offset)),
                );
            }
            value => found.push((key, convert(value), name.span().start)),
        }
    }
    found
}

fn convert(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        // Numbers that fit no type of ours stay text, and the type that was expected refuses them.
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::from(number.to_string()), Value::from),
        DeValue::Float(number) => {
            number.as_str().parse::<f64>().map_or_else(|_| Value::from(number.to_string()), Value::from)
        }
        DeValue::Boolean(flag) => Value::from(*flag),
        // Dates are read by the type that wants one, from the same text that people write elsewhere.
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => {
            Value::from(items.iter().map(|item| convert(item.get_ref())).collect::<Vec<_>>())
        }
        DeValue::Table(table) => Value::from(
            table
                .iter()
                .map(|(name, value)| (name.get_ref().to_string(), convert(value.get_ref())))
                .collect::<Dict>(),
        ),
    }
}
