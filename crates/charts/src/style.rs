//! What all charts of a report share: theme, width, size of letters.

use crate::colour::Colour;
use crate::error::ChartError;

/// Light or dark background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark ink on white, also for print.
    #[default]
    Light,
    /// Light ink on near black.
    Dark,
}

/// How a chart looks. What lies within it grows beyond these sizes where labels or rows need it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartStyle {
    /// Background and ink.
    pub theme: Theme,
    /// Width of the whole picture in pixels, 200 to 4000; 760 fits a page of text. Long labels make it wider.
    pub width: f64,
    /// Height of the area between the axes in pixels, 100 to 4000, where rows of data do not decide it.
    pub plot_height: f64,
    /// Height of letters in pixels, 8 to 32; titles are a quarter larger.
    pub font_size: f64,
}

impl Default for ChartStyle {
    fn default() -> Self {
        Self { theme: Theme::Light, width: 760.0, plot_height: 320.0, font_size: 12.0 }
    }
}

/// The colours of a theme that are not data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ink {
    pub(crate) background: Colour,
    pub(crate) text: Colour,
    /// Axis lines, tick labels' marks, whiskers of nothing in particular.
    pub(crate) axis: Colour,
    pub(crate) grid: Colour,
    /// Cells without a value.
    pub(crate) missing: Colour,
}

impl ChartStyle {
    pub(crate) fn validate(&self) -> Result<(), ChartError> {
        let fields = [
            ("width", self.width, 200.0..=4_000.0, "give 200 to 4000 pixels"),
            ("plot_height", self.plot_height, 100.0..=4_000.0, "give 100 to 4000 pixels"),
            ("font_size", self.font_size, 8.0..=32.0, "give 8 to 32 pixels"),
        ];
        for (field, value, range, remedy) in fields {
            if !range.contains(&value) {
                return Err(ChartError::Style { field, value: value.to_string(), remedy });
            }
        }
        Ok(())
    }

    pub(crate) fn ink(&self) -> Ink {
        match self.theme {
            Theme::Light => Ink {
                background: Colour(0xff, 0xff, 0xff),
                text: Colour(0x22, 0x22, 0x22),
                axis: Colour(0x66, 0x66, 0x66),
                grid: Colour(0xe4, 0xe4, 0xe4),
                missing: Colour(0xd8, 0xd8, 0xd8),
            },
            Theme::Dark => Ink {
                background: Colour(0x17, 0x19, 0x1e),
                text: Colour(0xe6, 0xe6, 0xe6),
                axis: Colour(0x9a, 0x9a, 0x9a),
                grid: Colour(0x33, 0x36, 0x3d),
                missing: Colour(0x4a, 0x4d, 0x55),
            },
        }
    }

    pub(crate) fn title_size(&self) -> f64 {
        (self.font_size * 1.25).round()
    }
}
