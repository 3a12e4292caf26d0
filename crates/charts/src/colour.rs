//! Colours that survive colour blindness and print.
//!
//! Continuous scales come from `colorous`, a port of d3-scale-chromatic: viridis (van der Walt and Smith, "A Better Default
//! Colormap for Matplotlib", SciPy 2015) and ColorBrewer's RdBu (Brewer, colorbrewer2.org). Series take the eight colours of
//! Okabe and Ito ("Color Universal Design", 2008; recommended by Wong, Nature Methods 8:441, 2011).

use std::fmt;

use crate::style::Theme;

/// A colour of the sRGB space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl fmt::Display for Colour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// How a value becomes a colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourMap {
    /// Sequential, dark blue (low) to yellow (high), even to the eye: for values without a natural middle.
    #[default]
    Viridis,
    /// Sequential, near white (low) to dark blue (high): for shares and counts with text on them.
    Blues,
    /// Diverging, blue (below) over white (zero) to red (above): for effects such as SHAP values.
    BlueToRed,
    /// Diverging, red (below) over white (zero) to blue (above): for profits and losses.
    RedToBlue,
}

impl ColourMap {
    /// Whether the scale has a middle, which is put at zero.
    #[must_use]
    pub fn is_diverging(self) -> bool {
        matches!(self, Self::BlueToRed | Self::RedToBlue)
    }

    /// The whole scale, for areas.
    pub(crate) fn whole(self) -> ColourRange {
        ColourRange { map: self, low: 0.0, high: 1.0 }
    }

    /// The part of the scale that thin lines and small points need to stand out from the background.
    pub(crate) fn for_marks(self, theme: Theme) -> ColourRange {
        let (low, high) = match (self, theme) {
            (Self::Viridis, Theme::Light) => (0.0, 0.9),
            (Self::Viridis, Theme::Dark) => (0.3, 1.0),
            (Self::Blues, Theme::Light) => (0.35, 1.0),
            (Self::Blues, Theme::Dark) => (0.0, 0.75),
            (Self::BlueToRed | Self::RedToBlue, _) => (0.0, 1.0),
        };
        ColourRange { map: self, low, high }
    }

    /// The colour at `position` in [0, 1], low to high.
    fn at(self, position: f64) -> Colour {
        let position = position.clamp(0.0, 1.0);
        let colour = match self {
            Self::Viridis => colorous::VIRIDIS.eval_continuous(position),
            Self::Blues => colorous::BLUES.eval_continuous(position),
            Self::BlueToRed => colorous::RED_BLUE.eval_continuous(1.0 - position),
            Self::RedToBlue => colorous::RED_BLUE.eval_continuous(position),
        };
        Colour(colour.r, colour.g, colour.b)
    }
}

/// A part of a colour scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ColourRange {
    map: ColourMap,
    low: f64,
    high: f64,
}

impl ColourRange {
    /// The colour at `position` in [0, 1], low to high.
    pub(crate) fn at(self, position: f64) -> Colour {
        self.map.at(self.low + position.clamp(0.0, 1.0) * (self.high - self.low))
    }
}

/// Okabe and Ito's colours without black (the ink of the theme stands for it), yellow last since it is weak on white.
const SERIES: [Colour; 7] = [
    Colour(0x00, 0x72, 0xb2),
    Colour(0xd5, 0x5e, 0x00),
    Colour(0x00, 0x9e, 0x73),
    Colour(0xcc, 0x79, 0xa7),
    Colour(0xe6, 0x9f, 0x00),
    Colour(0x56, 0xb4, 0xe9),
    Colour(0xf0, 0xe4, 0x42),
];

/// Strokes that tell apart what shares a colour.
const DASHES: [&str; 4] = ["", "6 3", "2 3", "8 3 2 3"];

/// The colour of the series or group at `index`; after seven they repeat.
pub(crate) fn series_colour(index: usize) -> Colour {
    SERIES[index % SERIES.len()]
}

/// The `stroke-dasharray` of the series at `index`: another one for each round of colours.
pub(crate) fn series_dash(index: usize) -> &'static str {
    DASHES[(index / SERIES.len()) % DASHES.len()]
}

/// Relative luminance of WCAG 2.2, in [0, 1].
pub(crate) fn luminance(colour: Colour) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour.0) + 0.7152 * linear(colour.1) + 0.0722 * linear(colour.2)
}

/// Black or white, whichever stands out more on `background` (contrast ratio of WCAG 2.2).
pub(crate) fn ink_on(background: Colour) -> Colour {
    let behind = luminance(background);
    if (behind + 0.05) * (behind + 0.05) > 1.05 * 0.05 { Colour(0, 0, 0) } else { Colour(0xff, 0xff, 0xff) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::ChartStyle;

    #[test]
    fn ends_and_middles_are_the_published_colours() {
        // Viridis of matplotlib begins at #440154 and ends at #fde725.
        assert_eq!(ColourMap::Viridis.at(0.0).to_string(), "#440154");
        assert_eq!(ColourMap::Viridis.at(1.0).to_string(), "#fde725");
        let (low, middle, high) =
            (ColourMap::BlueToRed.at(0.0), ColourMap::BlueToRed.at(0.5), ColourMap::BlueToRed.at(1.0));
        assert!(low.2 > low.0 && high.0 > high.2, "blue {low}, red {high}");
        assert!(luminance(middle) > 0.85);
        assert_eq!(ColourMap::RedToBlue.at(0.0), high);
    }

    #[test]
    fn marks_stand_out_from_their_background() {
        for theme in [Theme::Light, Theme::Dark] {
            let behind = luminance(ChartStyle { theme, ..Default::default() }.ink().background) + 0.05;
            for map in [ColourMap::Viridis, ColourMap::Blues] {
                for step in 0..=100 {
                    let mark = luminance(map.for_marks(theme).at(f64::from(step) / 100.0)) + 0.05;
                    let contrast = mark.max(behind) / mark.min(behind);
                    assert!(contrast > 1.5, "{map:?} {theme:?} {step}: {contrast}");
                }
            }
        }
    }

    #[test]
    fn text_is_readable_on_every_colour() {
        for map in [ColourMap::Viridis, ColourMap::Blues, ColourMap::BlueToRed, ColourMap::RedToBlue] {
            for step in 0..=100 {
                let behind = map.at(f64::from(step) / 100.0);
                let (one, two) = (luminance(behind) + 0.05, luminance(ink_on(behind)) + 0.05);
                // What WCAG 2.2 asks of small text (success criterion 1.4.3).
                assert!(one.max(two) / one.min(two) > 4.5, "{behind}");
            }
        }
    }
}
