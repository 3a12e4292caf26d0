//! Windows as one slice with its shape.

use crate::error::SupervisedError;

/// Inputs of a sequence model: row-major `[windows, time, features]`, all finite.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a> {
    values: &'a [f32],
    time: usize,
    features: usize,
}

impl<'a> Windows<'a> {
    /// Windows of `time` steps with `features` columns each.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for a size of 0, values that are no whole number of windows, and a value
    /// that is not finite (it names the place).
    pub fn new(values: &'a [f32], time: usize, features: usize) -> Result<Self, SupervisedError> {
        let size = time * features;
        if size == 0 || !values.len().is_multiple_of(size) {
            let reason = format!(
                "{} values are no whole number of windows of {time} steps and {features} features",
                values.len()
            );
            return Err(SupervisedError::data("windows", reason));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (window, step, feature) = (at / size, at % size / features, at % features);
            let reason = format!(
                "window {window} holds {} at step {step}, feature {feature}: give finite values",
                values[at]
            );
            return Err(SupervisedError::data("windows", reason));
        }
        Ok(Self { values, time, features })
    }

    /// Number of windows.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.values.len() / self.size()
    }

    /// Steps of a window.
    #[must_use]
    pub const fn time(&self) -> usize {
        self.time
    }

    /// Columns of a step.
    #[must_use]
    pub const fn features(&self) -> usize {
        self.features
    }

    /// Values of a window: `time * features`.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.time * self.features
    }

    /// All values, `[windows, time, features]`.
    #[must_use]
    pub const fn values(&self) -> &'a [f32] {
        self.values
    }

    /// One window, `[time, features]`.
    ///
    /// # Panics
    /// If there are not so many windows.
    #[must_use]
    pub fn window(&self, window: usize) -> &'a [f32] {
        &self.values[window * self.size()..(window + 1) * self.size()]
    }

    /// Windows of this shape, at most `count` at a time.
    pub(super) fn chunks(&self, count: usize) -> impl Iterator<Item = Windows<'a>> + use<'a> {
        let (time, features) = (self.time, self.features);
        self.values.chunks(count * self.size()).map(move |values| Windows { values, time, features })
    }

    /// Other windows of this shape, known to be finite.
    pub(super) const fn like<'b>(&self, values: &'b [f32]) -> Windows<'b> {
        Windows { values, time: self.time, features: self.features }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let values: Vec<f32> = (0..12).map(|value| value as f32).collect();
        let windows = Windows::new(&values, 3, 2).unwrap();
        assert_eq!((windows.count(), windows.time(), windows.features(), windows.size()), (2, 3, 2, 6));
        assert_eq!(windows.window(1), [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
        let counts: Vec<usize> = windows.chunks(1).map(|part| part.count()).collect();
        assert_eq!(counts, [1, 1]);
        assert_eq!(Windows::new(&[], 3, 2).unwrap().count(), 0);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Windows::new(&[0.0; 12], 5, 2).is_err());
        assert!(Windows::new(&[0.0; 12], 0, 2).is_err());
        let mut values = [0.0; 12];
        values[9] = f32::NAN;
        let text = Windows::new(&values, 3, 2).unwrap_err().to_string();
        assert!(text.contains("window 1 holds NaN at step 1, feature 1"), "{text}");
    }
}
