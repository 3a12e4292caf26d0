//! Tables that can be of several kinds, each with fields of its own, as the schema of a configuration knows them.
//!
//! Where a layer sets another kind, what lower layers say of the old one's fields does not hold any more.

use serde_json::Value;

use super::error::ConfigurationError;
use super::setting::{Setting, dotted};

/// A table of several kinds, and what says of which it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kinds {
    /// The text of a field, as `slippage.kind`.
    Field { table: Vec<String>, field: String },
    /// The name of the table in it, as `threshold.fixed`, or a word in its place.
    Name { table: Vec<String>, names: Vec<String> },
}

/// All of a schema, outer ones first. Kinds of what stands in lists are left out: a list is set as a whole.
pub(super) fn kinds(schema: &Value) -> Vec<Kinds> {
    let mut found = Vec::new();
    collect(schema, &[], &mut found);
    found
}

fn collect(schema: &Value, table: &[String], found: &mut Vec<Kinds>) {
    let combined = ["oneOf", "anyOf", "allOf"].map(|name| schema[name].as_array());
    let variants: Vec<&Value> = combined.into_iter().flatten().flatten().collect();
    let mut names = Vec::new();
    for variant in &variants {
        let Some(properties) = variant["properties"].as_object() else { continue };
        let tag = properties.iter().find(|(_, property)| property.get("const").is_some());
        if let Some((field, _)) = tag {
            let kinds = Kinds::Field { table: table.to_vec(), field: field.clone() };
            if !found.contains(&kinds) {
                found.push(kinds);
            }
        } else if let (1, Some(name), true) = (properties.len(), properties.keys().next(), variants.len() > 1)
        {
            names.push(name.clone());
        }
    }
    // Of a table that may be absent there is one variant with one field or none.
    if names.len() > 1 || (names.len() == 1 && variants.iter().any(|variant| variant.get("const").is_some()))
    {
        found.push(Kinds::Name { table: table.to_vec(), names });
    }
    for variant in variants {
        collect(variant, table, found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(property, &[table, std::slice::from_ref(name)].concat(), found);
    }
}

impl Kinds {
    fn table(&self) -> &[String] {
        match self {
            Self::Field { table, .. } | Self::Name { table, .. } => table,
        }
    }

    /// The kind that a setting chooses, where it does.
    fn chosen_by(&self, setting: &Setting) -> Option<String> {
        let below = setting.key.strip_prefix(self.table())?;
        match (self, below) {
            (Self::Field { field, .. }, [name]) if name == field => setting.value.as_str().map(str::to_owned),
            (Self::Name { names, .. }, [name, ..]) if names.contains(name) => Some(name.clone()),
            (Self::Name { .. }, []) => setting.value.as_str().map(str::to_owned),
            _ => None,
        }
    }

    /// The kind that the defaults choose.
    fn chosen_in(&self, defaults: &Value) -> Option<String> {
        let table = self.table().iter().try_fold(defaults, |value, segment| value.get(segment))?;
        match self {
            Self::Field { field, .. } => table.get(field)?.as_str().map(str::to_owned),
            Self::Name { names, .. } => {
                let named = names.iter().find(|name| table.get(name.as_str()).is_some());
                table.as_str().map(str::to_owned).or_else(|| named.cloned())
            }
        }
    }

    /// Forgets the fields of the kind that the table had before another one was chosen: those of the defaults and of lower layers.
    ///
    /// # Errors
    /// When one layer chooses two kinds by their names: only one of them could be.
    pub(super) fn leave_old(
        &self,
        base: &mut Value,
        settings: &mut Vec<Setting>,
    ) -> Result<(), ConfigurationError> {
        let table = self.table();
        let mut kind = self.chosen_in(base);
        let mut at = 0;
        while at < settings.len() {
            let chosen = self.chosen_by(&settings[at]);
            if chosen.is_some() && chosen != kind {
                let (key, origin) = (settings[at].key.clone(), settings[at].origin.clone());
                let same_layer = |setting: &&Setting| setting.origin.is_layer_of(&origin);
                let before = settings[..at]
                    .iter()
                    .filter(same_layer)
                    .filter_map(|setting| self.chosen_by(setting))
                    .next_back();
                if let (Self::Name { .. }, Some(first), Some(second)) = (self, before, &chosen) {
                    return Err(ConfigurationError::InvalidValue {
                        key: dotted(table),
                        origin,
                        reason: format!(
                            "both `{first}` and `{second}` are given and only one can be; leave one out"
                        ),
                    });
                }
                kind = chosen;
                let pointer = table.iter().try_fold(&mut *base, |value, segment| value.get_mut(segment));
                if let Some(fields) = pointer.and_then(Value::as_object_mut) {
                    fields.clear();
                }
                let mut place = 0;
                settings.retain(|setting| {
                    place += 1;
                    let is_before = place <= at && !setting.origin.is_layer_of(&origin);
                    !(is_before && setting.key.starts_with(table))
                });
                at = settings
                    .iter()
                    .position(|setting| setting.key == key && setting.origin == origin)
                    .unwrap_or(at);
            }
            at += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
