//! Putting the layers together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::marker::PhantomData;
use std::path::PathBuf;

use figment::Figment;
use figment::error::Kind;
use figment::providers::Serialized;
use figment::value::Value;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::effective::{self, EffectiveSetting};
use super::error::ConfigurationError;
use super::setting::{Origin, Setting, dotted, is_secret};
use super::sources::{self, Assignment};
use super::{kinds, reference, schema};
use crate::{CommonArguments, ConfigArguments, OutputFormat, Table, print_json, print_text};

/// Loads a configuration of type `T` from its layers, the later winning over the earlier:
///
/// 1. `T::default()`,
/// 2. `config/<program>.toml` where it exists, or the files given with `--config`, which must exist,
/// 3. environment variables `MATRELA__SECTION__KEY`,
/// 4. `--set section.key=value`.
///
/// `T` and the structs in it carry `#[serde(deny_unknown_fields)]`, else a misspelt key would be
/// ignored. Where a layer sets another kind of a table (`slippage.kind`, or `fixed` in place of `adaptive`), what lower layers say
/// of the old kind's fields does not hold any more. Environment variables of sections that the program does not have are left alone, because
/// one environment serves all programs, unless the name is so near to a known one that it must be a
/// slip.
#[derive(Debug)]
pub struct ConfigLoader<T> {
    program: String,
    directory: PathBuf,
    files: Vec<PathBuf>,
    assignments: Vec<Assignment>,
    environment: Option<Vec<(OsString, OsString)>>,
    configuration: PhantomData<fn() -> T>,
}

impl<T: Default + Serialize + DeserializeOwned + JsonSchema> ConfigLoader<T> {
    /// A loader for the program of this name, with the defaults and its optional file.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            directory: PathBuf::from("config"),
            files: Vec::new(),
            assignments: Vec::new(),
            environment: None,
            configuration: PhantomData,
        }
    }

    /// Takes `--config` and `--set` from the command line.
    #[must_use]
    pub fn arguments(mut self, arguments: &CommonArguments) -> Self {
        self.files.clone_from(&arguments.config);
        self.assignments.clone_from(&arguments.set);
        self
    }

    /// Looks for `<program>.toml` here instead of in `config`.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// Uses these variables instead of the process's environment.
    #[must_use]
    pub fn environment<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.environment = Some(variables.collect());
        self
    }

    /// Reads all layers and makes the configuration of them.
    ///
    /// # Errors
    ///
    /// When a layer cannot be read, sets a key that `T` does not have, or sets a value that `T` does
    /// not take. The error names the key, its origin and the remedy.
    pub fn load(self) -> Result<Loaded<T>, ConfigurationError> {
        let defaults = serde_json::to_value(T::default()).map_err(|error| self.broken(&error))?;
        let mut settings = self.settings(&defaults)?;
        let mut base = defaults.clone();
        for kinds in kinds::kinds(&schema::schema::<T>(&self.program, &defaults)) {
            kinds.leave_old(&mut base, &mut settings)?;
        }
        let (config, settings) = Self::extract(settings, &base, &defaults)?;
        let values = serde_json::to_value(&config).map_err(|error| self.broken(&error))?;
        Ok(Loaded { config, program: self.program, defaults, values, settings })
    }

    /// The documents of these settings in the book, by their file names: the reference and the JSON schema.
    ///
    /// # Errors
    ///
    /// When the defaults cannot be written down.
    pub fn documents(&self) -> Result<[(String, String); 2], ConfigurationError> {
        let defaults = serde_json::to_value(T::default()).map_err(|error| self.broken(&error))?;
        let schema = schema::schema::<T>(&self.program, &defaults);
        let text = serde_json::to_string_pretty(&schema).map_err(|error| self.broken(&error))?;
        Ok([
            (format!("{}.md", self.program), reference::reference(&self.program, &schema)),
            (format!("{}.schema.json", self.program), format!("{text}\n")),
        ])
    }

    fn settings(&self, defaults: &serde_json::Value) -> Result<Vec<Setting>, ConfigurationError> {
        let mut settings = Vec::new();
        if self.files.is_empty() {
            let file = self.directory.join(format!("{}.toml", self.program));
            if file.exists() {
                settings.extend(sources::file(&file)?);
            }
        }
        for file in &self.files {
            settings.extend(sources::file(file)?);
        }
        let variables = match &self.environment {
            Some(variables) => variables.clone(),
            None => std::env::vars_os().collect(),
        };
        let sections: Vec<&str> = defaults
            .as_object()
            .map(|fields| fields.keys().map(String::as_str).collect())
            .unwrap_or_default();
        let known = |section: &str| {
            sections.contains(&section) || nearest(section, sections.iter().copied()).is_some()
        };
        settings.extend(sources::environment(variables, known)?);
        settings.extend(self.assignments.iter().flat_map(Assignment::settings));
        Ok(settings)
    }

    /// Merges and deserialises.
    ///
    /// Environment variables and `--set` give text, which is read as TOML first: `12345` is a number.
    /// Where `T` then refuses the type (an account name of digits), the text itself is tried before the
    /// refusal is reported.
    fn extract(
        mut settings: Vec<Setting>,
        base: &serde_json::Value,
        defaults: &serde_json::Value,
    ) -> Result<(T, Vec<Setting>), ConfigurationError> {
        let mut refusals: BTreeMap<Vec<String>, figment::Error> = BTreeMap::new();
        loop {
            let layers = Figment::from(Serialized::defaults(base));
            let merged = settings.iter().fold(layers, |layers, setting| layers.merge(setting));
            let error = match merged.extract::<T>() {
                Ok(config) => return Ok((config, settings)),
                Err(error) => error.clone().into_iter().next().unwrap_or(error),
            };
            let key = error.path.clone();
            let retry = settings
                .iter_mut()
                .rev()
                .filter(|_| matches!(error.kind, Kind::InvalidType(..)))
                // Of a table that is read as a whole the error does not say which of its fields it was.
                .find(|setting| {
                    setting.concerns(&key) && setting.value.as_str().is_none() && setting.text.is_some()
                })
                .and_then(|setting| setting.text.take().map(|text| (setting, text)));
            if let Some((setting, text)) = retry {
                setting.value = Value::from(text);
                refusals.insert(key, error);
            } else {
                let first = refusals.remove(&key).unwrap_or(error);
                return Err(explain(&first, &settings, defaults));
            }
        }
    }

    fn broken(&self, error: &serde_json::Error) -> ConfigurationError {
        ConfigurationError::Defaults { program: self.program.clone(), reason: error.to_string() }
    }
}

/// A configuration and the story of its values.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The configuration.
    pub config: T,
    program: String,
    defaults: serde_json::Value,
    values: serde_json::Value,
    settings: Vec<Setting>,
}

impl<T> Loaded<T> {
    /// Every value with its dotted key and its origin, sorted by key; secrets are masked.
    pub fn effective(&self) -> Vec<EffectiveSetting> {
        effective::settings(&self.values, &self.settings)
    }

    /// Writes what `config` of a program was asked for to stdout: the settings in force, their JSON schema, or their reference.
    ///
    /// # Errors
    ///
    /// When stdout fails.
    pub fn print(&self, arguments: &ConfigArguments, format: OutputFormat) -> anyhow::Result<()>
    where
        T: JsonSchema,
    {
        if arguments.schema {
            return print_json(&self.schema());
        }
        if arguments.reference {
            return print_text(&reference::reference(&self.program, &self.schema()));
        }
        self.print_effective(format)
    }

    /// The JSON schema of the settings, with the defaults of this program.
    fn schema(&self) -> serde_json::Value
    where
        T: JsonSchema,
    {
        schema::schema::<T>(&self.program, &self.defaults)
    }

    /// Writes [`effective`](Self::effective) to stdout, as a table or as one JSON array.
    fn print_effective(&self, format: OutputFormat) -> anyhow::Result<()> {
        let settings = self.effective();
        if format == OutputFormat::Json {
            return print_json(&settings);
        }
        let mut table = Table::new(["key", "origin", "value"]);
        for setting in &settings {
            let value = effective::shown(&setting.value);
            table.row([setting.key.clone(), setting.origin.to_string(), value]);
        }
        table.print()
    }

    /// The error for a value that has the right type and still makes no sense; `key` is dotted.
    ///
    /// ```
    /// # #[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    /// # struct Config { folds: u32 }
    /// # let loaded = command_line::ConfigLoader::<Config>::new("example").load()?;
    /// let error = loaded.refusal("folds", "must be at least 1");
    /// assert_eq!(error.to_string(), "configuration key `folds` (from default): must be at least 1");
    /// # Ok::<(), command_line::ConfigurationError>(())
    /// ```
    pub fn refusal(&self, key: &str, reason: impl Into<String>) -> ConfigurationError {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        ConfigurationError::InvalidValue {
            key: key.to_owned(),
            origin: effective::origin(&path, &self.settings),
            reason: reason.into(),
        }
    }
}

/// Says what is wrong in the words of the person who wrote the configuration.
fn explain(error: &figment::Error, settings: &[Setting], defaults: &serde_json::Value) -> ConfigurationError {
    let mut key = error.path.clone();
    if let Kind::UnknownField(name, siblings) = &error.kind {
        // Some representations of enums report the table, others the field in it.
        if key.last() != Some(name) {
            key.push(name.clone());
        }
        let origin = effective::origin(&key, settings);
        let remedy = suggestion(&key, siblings, defaults);
        return ConfigurationError::UnknownKey { key: dotted(&key), origin, remedy };
    }
    let origin = effective::origin(&key, settings);
    let reason = if key.iter().any(|segment| is_secret(segment)) {
        "this value is not accepted (and not shown, because it is a secret)".to_owned()
    } else {
        reason(&error.kind, &origin)
    };
    ConfigurationError::InvalidValue { key: dotted(&key), origin, reason }
}

fn reason(kind: &Kind, origin: &Origin) -> String {
    match kind {
        Kind::InvalidType(found, expected) => {
            let remedy = match origin {
                Origin::Environment { .. } | Origin::Argument => {
                    "; the text is read as TOML: 5, 0.5, true, [\"a\", \"b\"]"
                }
                Origin::Default | Origin::File { .. } => "",
            };
            format!("found {found}, write {expected}{remedy}")
        }
        Kind::InvalidValue(found, expected) => format!("found {found}, write {expected}"),
        Kind::UnknownVariant(found, variants) => match nearest(found, variants.iter().copied()) {
            Some(near) => format!("found `{found}`, did you mean `{near}`?"),
            None => format!("found `{found}`, write one of: {}", variants.join(", ")),
        },
        other => other.to_string(),
    }
}

fn suggestion(key: &[String], siblings: &[&str], defaults: &serde_json::Value) -> String {
    let (name, parent) = key.split_last().map_or(("", key), |(name, parent)| (name, parent));
    if let Some(near) = nearest(name, siblings.iter().copied()) {
        return format!("did you mean `{}`?", dotted(&[parent, &[near.to_owned()]].concat()));
    }
    // The right name in the wrong section is as common as a slip of the finger.
    let elsewhere = effective::leaves(defaults);
    if let Some(other) = elsewhere.iter().find(|other| other.last().is_some_and(|last| last == name)) {
        return format!("did you mean `{}`?", dotted(other));
    }
    let mut known = siblings.to_vec();
    known.sort_unstable();
    let place = if parent.is_empty() { String::new() } else { format!(" in `{}`", dotted(parent)) };
    format!("known{place}: {}", known.join(", "))
}

/// The candidate that `name` is most probably a slip of.
fn nearest<'name>(name: &str, candidates: impl Iterator<Item = &'name str>) -> Option<&'name str> {
    let tolerance = (name.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
