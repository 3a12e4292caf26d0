//! Which values of the configuration are searched, and where.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::error::SupervisedError;

/// Values that one trial tries: dotted path of the configuration to its value.
pub type Assignment = BTreeMap<String, Value>;

/// The largest magnitude of an integer parameter: up to here `f64` holds every integer.
const LARGEST_INTEGER: i64 = 1 << 53;

/// One searched value of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Parameter {
    /// A real number.
    Float {
        /// Dotted path of the configuration, such as `optimiser.weight_decay`.
        key: String,
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
        /// Whether the logarithm is searched instead of the value; for rates and weights.
        #[serde(default)]
        log: bool,
    },
    /// A whole number.
    Integer {
        /// Dotted path of the configuration, such as `network.width`.
        key: String,
        /// Smallest value.
        low: i64,
        /// Largest value, a whole number of steps above `low`.
        high: i64,
        /// Distance of neighbouring values. 1 with `log`.
        #[serde(default = "one")]
        step: i64,
        /// Whether the logarithm is searched instead of the value.
        #[serde(default)]
        log: bool,
    },
    /// One of several values without an order, of any kind that TOML has but dates.
    Choice {
        /// Dotted path of the configuration, such as `loss.kind`.
        key: String,
        /// The values, at least two, all different.
        #[schemars(with = "Vec<serde_json::Value>")]
        values: Vec<Value>,
    },
}

const fn one() -> i64 {
    1
}

/// The searched values of the configuration, in TOML a list of `[[parameters]]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchSpace {
    /// The parameters, in the order in which plots show them. The order decides no suggestion.
    pub parameters: Vec<Parameter>,
}

impl Parameter {
    /// Dotted path of the configuration.
    pub fn key(&self) -> &str {
        match self {
            Self::Float { key, .. } | Self::Integer { key, .. } | Self::Choice { key, .. } => key,
        }
    }

    /// Checks ranges and values.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] that names the parameter.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        let refuse = |value: String, remedy: &str| {
            Err(SupervisedError::config(&format!("parameters.{}", self.key()), value, remedy))
        };
        if self.key().split('.').any(|part| part.is_empty() || part.trim() != part) {
            return refuse(
                format!("{:?}", self.key()),
                "give the dotted path of a value, such as `network.width`",
            );
        }
        match self {
            Self::Float { low, high, log, .. } => {
                let range = format!("{low} to {high}");
                if !(high - low).is_finite() || low >= high {
                    return refuse(range, "give two finite numbers, `low` below `high`");
                }
                if *log && *low <= 0.0 {
                    return refuse(range, "a logarithm wants `low` above 0");
                }
            }
            Self::Integer { low, high, step, log, .. } => {
                let range = format!("{low} to {high} by {step}");
                let largest = LARGEST_INTEGER.unsigned_abs();
                if low >= high || low.unsigned_abs() > largest || high.unsigned_abs() > largest {
                    return refuse(range, "give two integers within ±2^53, `low` below `high`");
                }
                if *step < 1 || (high - low) % step != 0 {
                    return refuse(
                        range,
                        "`high` must be a whole number of steps (1 or more each) above `low`",
                    );
                }
                if *log && (*low < 1 || *step != 1) {
                    return refuse(range, "a logarithm wants `low` of 1 or more and `step` 1");
                }
            }
            Self::Choice { values, .. } => {
                let listed = format!("{} values", values.len());
                if values.len() < 2 {
                    return refuse(
                        listed,
                        "give two values or more; a single one belongs into the configuration",
                    );
                }
                if values.iter().enumerate().any(|(at, value)| values[..at].contains(value)) {
                    return refuse(listed, "a value stands there twice");
                }
                if !values.iter().all(can_be_stored) {
                    return refuse(listed, "numbers must be finite, and dates cannot be searched");
                }
            }
        }
        Ok(())
    }

    /// The range in which samplers work: `[start, end)`. Integers reach half a step beyond both ends, so that
    /// each has an equal share; logarithms are natural; a choice is its place in the list, rounded down.
    pub(super) fn internal_range(&self) -> (f64, f64) {
        match self {
            Self::Float { low, high, log: true, .. } => (low.ln(), high.ln()),
            Self::Float { low, high, .. } => (*low, *high),
            Self::Integer { low, high, log: true, .. } => {
                ((*low as f64 - 0.5).ln(), (*high as f64 + 0.5).ln())
            }
            Self::Integer { low, high, step, .. } => {
                let half = *step as f64 / 2.0;
                (*low as f64 - half, *high as f64 + half)
            }
            Self::Choice { values, .. } => (0.0, values.len() as f64),
        }
    }

    /// The value at a point of the internal range.
    pub(super) fn value_at(&self, internal: f64) -> Value {
        match self {
            Self::Float { low, high, log, .. } => {
                let value = if *log { internal.exp() } else { internal };
                Value::Float(value.clamp(*low, *high))
            }
            Self::Integer { low, high, step, log, .. } => {
                let value = if *log { internal.exp() } else { internal };
                let steps = ((value - *low as f64) / *step as f64).round() as i64;
                Value::Integer((low + steps * step).clamp(*low, *high))
            }
            Self::Choice { values, .. } => {
                let place = (internal.max(0.0) as usize).min(values.len() - 1);
                values[place].clone()
            }
        }
    }

    /// The value as a number of its own scale: itself, or its place among the choices. Nothing for a value
    /// that the parameter cannot take.
    pub(super) fn number_of(&self, value: &Value) -> Option<f64> {
        match (self, value) {
            (Self::Float { low, high, .. }, Value::Float(number)) => {
                (low..=high).contains(&number).then_some(*number)
            }
            (Self::Integer { low, high, step, .. }, Value::Integer(number)) => {
                ((low..=high).contains(&number) && (number - low) % step == 0).then_some(*number as f64)
            }
            (Self::Choice { values, .. }, value) => {
                values.iter().position(|known| known == value).map(|place| place as f64)
            }
            _ => None,
        }
    }

    /// Whether the logarithm is searched.
    pub(super) fn is_logarithmic(&self) -> bool {
        matches!(self, Self::Float { log: true, .. } | Self::Integer { log: true, .. })
    }
}

/// A study file is JSON, which has neither dates nor numbers that are not finite.
fn can_be_stored(value: &Value) -> bool {
    match value {
        Value::Float(number) => number.is_finite(),
        Value::Datetime(_) => false,
        Value::Array(values) => values.iter().all(can_be_stored),
        Value::Table(values) => values.values().all(can_be_stored),
        Value::String(_) | Value::Integer(_) | Value::Boolean(_) => true,
    }
}

impl SearchSpace {
    /// Checks all parameters.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] for no parameters, a parameter that is refused, a key that occurs twice,
    /// and a key inside of another (`network` and `network.width`).
    pub fn validate(&self) -> Result<(), SupervisedError> {
        if self.parameters.is_empty() {
            return Err(SupervisedError::config("parameters", "empty", "name at least one value to search"));
        }
        for (at, parameter) in self.parameters.iter().enumerate() {
            parameter.validate()?;
            let key = parameter.key();
            for other in self.parameters[..at].iter().map(Parameter::key) {
                if key == other {
                    return Err(SupervisedError::config(
                        &format!("parameters.{key}"),
                        "there twice",
                        "keep one of them",
                    ));
                }
                let inside = |inner: &str, outer: &str| {
                    inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
                };
                if inside(key, other) || inside(other, key) {
                    return Err(SupervisedError::config(
                        &format!("parameters.{key}"),
                        format!("inside of, or around, `{other}`"),
                        "search one of the two",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Checks that an assignment has a value that each parameter can take, and no other.
    pub(super) fn check(&self, assignment: &Assignment) -> Result<(), String> {
        for parameter in &self.parameters {
            let key = parameter.key();
            let value = assignment.get(key).ok_or_else(|| format!("no value of `{key}`"))?;
            if parameter.number_of(value).is_none() {
                return Err(format!("`{key}` cannot be {value}"));
            }
        }
        match assignment.len() == self.parameters.len() {
            true => Ok(()),
            false => Err("a value of no parameter".to_owned()),
        }
    }
}

/// Writes an assignment into a configuration, making the tables that are not there.
///
/// # Errors
/// [`SupervisedError::Data`] where the path of a key leads through a value that is no table.
pub fn assign(assignment: &Assignment, configuration: &mut toml::Table) -> Result<(), SupervisedError> {
    for (key, value) in assignment {
        let mut table = &mut *configuration;
        let mut parts = key.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                table.insert(part.to_owned(), value.clone());
                break;
            }
            let inner = table.entry(part).or_insert_with(|| Value::Table(toml::Table::new()));
            table = inner.as_table_mut().ok_or_else(|| {
                SupervisedError::data(
                    format!("parameter `{key}`"),
                    format!("`{part}` is a value, not a table"),
                )
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(text: &str) -> Result<SearchSpace, String> {
        let space: SearchSpace = toml::from_str(text).map_err(|error| error.to_string())?;
        space.validate().map_err(|error| error.to_string())?;
        Ok(space)
    }

    #[test]
    fn a_space_is_read_from_toml() {
        let read = space(
            r#"
            parameters = [
                { kind = "float", key = "learning_rate.peak", low = 1e-5, high = 1e-1, log = true },
                { kind = "float", key = "dropout", low = 0, high = 0.5 },
                { kind = "integer", key = "network.width", low = 16, high = 64, step = 16 },
                { kind = "choice", key = "loss.kind", values = ["focal", 3, { a = 1.5 }] },
            ]"#,
        )
        .unwrap();
        assert_eq!(read.parameters.len(), 4);
        let written = toml::to_string(&read).unwrap();
        assert_eq!(space(&written).unwrap(), read);
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<SearchSpace>(&json).unwrap(), read);
    }

    #[test]
    fn what_cannot_be_searched_is_refused_by_name() {
        let float = |rest: &str| format!("[[parameters]]\nkind = \"float\"\nkey = \"a.b\"\n{rest}");
        let integer = |rest: &str| format!("[[parameters]]\nkind = \"integer\"\nkey = \"a.b\"\n{rest}");
        let choice = |rest: &str| format!("[[parameters]]\nkind = \"choice\"\nkey = \"a.b\"\n{rest}");
        let cases = [
            (String::new() + "parameters = []", "at least one"),
            (float("low = 1.0\nhigh = 1.0"), "`low` below `high`"),
            (float("low = 2.0\nhigh = 1.0"), "`low` below `high`"),
            (float("low = nan\nhigh = 1.0"), "`low` below `high`"),
            (float("low = 0.0\nhigh = inf"), "`low` below `high`"),
            (float("low = 0.0\nhigh = 1.0\nlog = true"), "above 0"),
            (float("low = 0.0\nhigh = 1.0\nlogarithm = true"), "unknown field"),
            (integer("low = 3\nhigh = 3"), "`low` below `high`"),
            (integer("low = 0\nhigh = 9223372036854775807"), "2^53"),
            (integer("low = 0\nhigh = 10\nstep = 3"), "whole number of steps"),
            (integer("low = 0\nhigh = 10\nstep = 0"), "whole number of steps"),
            (integer("low = 0\nhigh = 10\nlog = true"), "1 or more"),
            (choice("values = [1]"), "two values"),
            (choice("values = [1, 2, 1]"), "twice"),
            (choice("values = [1, 1979-05-27]"), "dates"),
            (choice("values = [1, [nan]]"), "finite"),
            (float("low = 0.0\nhigh = 1.0").replace("a.b", "a..b"), "dotted path"),
            (float("low = 0.0\nhigh = 1.0") + "\n" + &integer("low = 0\nhigh = 1"), "there twice"),
            (
                float("low = 0.0\nhigh = 1.0") + "\n" + &integer("low = 0\nhigh = 1").replace("a.b", "a"),
                "inside",
            ),
        ];
        for (text, expected) in cases {
            let message = space(&text).unwrap_err();
            assert!(message.contains(expected), "{text}\n{message}");
        }
    }

    #[test]
    fn internal_points_become_values_and_come_back() {
        let integer = Parameter::Integer { key: "n".into(), low: 4, high: 12, step: 4, log: false };
        assert_eq!(integer.internal_range(), (2.0, 14.0));
        let values: Vec<Value> = [2.0, 5.9, 6.1, 10.1, 13.9].map(|at| integer.value_at(at)).to_vec();
        assert_eq!(values, [4, 4, 8, 12, 12].map(Value::Integer));
        assert_eq!(integer.number_of(&Value::Integer(8)), Some(8.0));
        assert_eq!(integer.number_of(&Value::Integer(7)), None);
        let log = Parameter::Float { key: "r".into(), low: 1e-4, high: 1e-2, log: true };
        let (start, end) = log.internal_range();
        let Value::Float(middle) = log.value_at((start + end) / 2.0) else { panic!("no float") };
        assert!((middle - 1e-3).abs() < 1e-12, "{middle}");
        let choice = Parameter::Choice { key: "c".into(), values: vec![true.into(), "x".into()] };
        assert_eq!(choice.value_at(1.7), Value::from("x"));
        assert_eq!(choice.number_of(&Value::from("x")), Some(1.0));
    }

    #[test]
    fn an_assignment_is_written_into_a_configuration() {
        let mut table: toml::Table =
            toml::from_str("epochs = 3\nnetwork = { width = 8, heads = 2 }").unwrap();
        let assignment = Assignment::from([
            ("network.width".to_owned(), Value::Integer(64)),
            ("optimiser.weight_decay".to_owned(), Value::Float(0.1)),
        ]);
        assign(&assignment, &mut table).unwrap();
        let expected = "epochs = 3\nnetwork = { width = 64, heads = 2 }\noptimiser = { weight_decay = 0.1 }";
        assert_eq!(table, toml::from_str(expected).unwrap());
        let through_a_value = Assignment::from([("epochs.first".to_owned(), Value::Integer(1))]);
        let message = assign(&through_a_value, &mut table).unwrap_err().to_string();
        assert!(message.contains("`epochs` is a value"), "{message}");
    }
}
