//! What a chart refuses to draw, said so that the caller can mend it.

/// Everything that this crate refuses. Each message names the chart by kind and title, the entry, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChartError {
    /// A single value cannot be drawn.
    #[error("{kind} `{title}`: {entry} is {value}: {remedy}")]
    Value {
        /// Kind of chart, as `bar chart`.
        kind: &'static str,
        /// Title of the chart.
        title: String,
        /// Which value, with its label.
        entry: String,
        /// The value as given.
        value: String,
        /// What to do about it.
        remedy: String,
    },

    /// The parts of the data do not fit together, or there are none.
    #[error("{kind} `{title}`: {reason}")]
    Shape {
        /// Kind of chart, as `heat map`.
        kind: &'static str,
        /// Title of the chart.
        title: String,
        /// What does not fit, and what to change.
        reason: String,
    },

    /// A field of [`ChartStyle`](crate::ChartStyle) is out of range.
    #[error("chart style: `{field}` is {value}: {remedy}")]
    Style {
        /// Name of the field.
        field: &'static str,
        /// The value as given.
        value: String,
        /// What to give instead.
        remedy: &'static str,
    },
}

/// The chart whose data are being checked; makes its errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked<'a> {
    pub(crate) kind: &'static str,
    pub(crate) title: &'a str,
}

/// Beyond this, differences and squares of values would leave the finite numbers.
const LARGEST_MAGNITUDE: f64 = 1e100;

impl Checked<'_> {
    pub(crate) fn value(
        &self,
        entry: impl Into<String>,
        value: impl std::fmt::Display + Copy,
        remedy: &str,
    ) -> ChartError {
        let (kind, title) = (self.kind, self.title.to_owned());
        ChartError::Value {
            kind,
            title,
            entry: entry.into(),
            value: value.to_string(),
            remedy: remedy.to_owned(),
        }
    }

    pub(crate) fn shape(&self, reason: impl Into<String>) -> ChartError {
        ChartError::Shape { kind: self.kind, title: self.title.to_owned(), reason: reason.into() }
    }

    /// Refuses what is not finite or beyond 1e100; `entry` is called only then.
    pub(crate) fn finite(&self, value: f64, entry: impl FnOnce() -> String) -> Result<(), ChartError> {
        if !value.is_finite() {
            return Err(self.value(entry(), value, "give a finite number, or leave the entry out"));
        }
        if value.abs() > LARGEST_MAGNITUDE {
            return Err(self.value(entry(), value, "a chart shows values up to 1e100; change the unit"));
        }
        Ok(())
    }

    /// [`Checked::finite`] for each of `values`; `name` and the position make the entry.
    pub(crate) fn all_finite(&self, values: &[f64], name: &str) -> Result<(), ChartError> {
        for (index, &value) in values.iter().enumerate() {
            self.finite(value, || format!("{name}, value {index}"))?;
        }
        Ok(())
    }

    /// An interval must be finite, ordered, and hold its estimate.
    pub(crate) fn interval(
        &self,
        (low, high): (f64, f64),
        value: f64,
        entry: impl Fn() -> String,
    ) -> Result<(), ChartError> {
        self.finite(low, || format!("the lower end of {}", entry()))?;
        self.finite(high, || format!("the upper end of {}", entry()))?;
        if low > value || value > high {
            let shown = format!("[{low}, {high}] around {value}");
            let remedy = "give lower end, value and upper end in ascending order";
            return Err(self.value(format!("the interval of {}", entry()), &shown, remedy));
        }
        Ok(())
    }

    pub(crate) fn same_length(
        &self,
        length: usize,
        wanted: usize,
        what: &str,
        than: &str,
    ) -> Result<(), ChartError> {
        if length == wanted {
            return Ok(());
        }
        Err(self.shape(format!(
            "{what} has {length} values but {than} has {wanted}: give as many of one as of the other"
        )))
    }

    pub(crate) fn not_empty(&self, length: usize, what: &str) -> Result<(), ChartError> {
        if length > 0 {
            return Ok(());
        }
        Err(self.shape(format!("there are no {what}: give at least one, or leave the chart out")))
    }
}
