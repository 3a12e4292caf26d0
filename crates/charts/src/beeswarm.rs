//! Every sample's effect of each feature as a point, coloured by the feature's value (the summary plot of Lundberg et al.,
//! "From local explanations to global understanding with explainable AI for trees", Nature Machine Intelligence 2, 2020).

use crate::axis::{Axis, Mark, extent};
use crate::colour::ColourMap;
use crate::error::{ChartError, Checked};
use crate::sheet::{ColourBar, Plan, Sheet, room_up, tick_height};
use crate::style::ChartStyle;
use crate::svg::Stroke;
use crate::swarm::swarm_offsets;
use crate::text_width::widest;

/// A row of points per feature. No point covers another and none is left out: rows grow where points crowd.
#[derive(Clone, Debug, Default)]
pub struct Beeswarm<'a> {
    /// Heading.
    pub title: &'a str,
    /// What the horizontal axis is, with its unit, as `SHAP value (log-odds of BUY)`.
    pub value_label: &'a str,
    /// What the colours are, as `feature value`.
    pub colour_label: &'a str,
    /// From top to bottom.
    pub features: &'a [SwarmRow<'a>],
    /// Draw this many rows from the top; 0 draws all.
    pub top: usize,
    /// [`ColourMap::Viridis`] shows on both themes; the middle of a diverging one, which stands for 0.5, is pale on white.
    pub colours: ColourMap,
}

/// The points of one feature.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SwarmRow<'a> {
    /// Shown in full left of the row.
    pub label: &'a str,
    /// Positions along the axis.
    pub values: &'a [f64],
    /// As many as values, in [0, 1] from the feature's low to its high values; a rank divided by the number of ranks
    /// shows more than a value that one outlier stretches.
    pub colours: &'a [f64],
}

/// Radii tried from large to small until every row keeps to [`WANTED_HEIGHT`]; with the last one rows grow.
const RADII: [f64; 6] = [3.5, 3.0, 2.5, 2.0, 1.6, 1.3];
const WANTED_HEIGHT: f64 = 64.0;
/// Rounding of coordinates to a hundredth of a pixel must not make points touch.
const AIR: f64 = 0.04;

impl Beeswarm<'_> {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// Where there are no rows, a row has no points or not as many colours as values, a value is not finite, or a colour
    /// lies outside [0, 1].
    pub fn svg(&self, style: &ChartStyle) -> Result<String, ChartError> {
        style.validate()?;
        self.validate()?;
        let rows = &self.features[..self.drawn()];
        let size = style.font_size;
        let points: usize = rows.iter().map(|row| row.values.len()).sum();
        let plan = Plan {
            title: self.title,
            description: format!(
                "Beeswarm of {}: {points} points of {} features, coloured by {}; the first feature is {}.",
                self.value_label,
                rows.len(),
                self.colour_label,
                rows[0].label
            ),
            colour_bar: Some(self.colour_bar(style)),
            left_labels: widest(rows.iter().map(|row| row.label), size),
            below: tick_height(style),
            x_label: self.value_label,
            plot_height: 100.0,
            ..Plan::default()
        };
        // The width does not depend on the height, so a first sheet gives the pixels that points have to share.
        let trial = Sheet::new(style, plan.clone());
        let (low, high) = extent(rows.iter().flat_map(|row| row.values.iter().copied()));
        let axis = Axis::linear((low.min(0.0), high.max(0.0)), trial.room_across());
        let pixels: Vec<Vec<f64>> =
            rows.iter().map(|row| row.values.iter().map(|value| trial.x(&axis, *value)).collect()).collect();
        let (radius, offsets) = spread(&pixels);
        let least = 1.9 * size;
        let halves: Vec<f64> = offsets
            .iter()
            .map(|row| row.iter().fold(0.0, |far: f64, offset| far.max(offset.abs())) + radius + 3.0)
            .map(|half| half.max(least / 2.0))
            .collect();
        let plot_height = (2.0 * halves.iter().sum::<f64>()).max(100.0);
        let spare = (plot_height - 2.0 * halves.iter().sum::<f64>()) / (2 * rows.len()) as f64;
        let bar = Some(self.colour_bar(style));
        let mut sheet = Sheet::new(style, Plan { plot_height, colour_bar: bar, ..plan });
        sheet.draw_x_axis(&axis);
        let zero = sheet.x(&axis, 0.0);
        let colours = self.colours.for_marks(style.theme);
        let stroke = Stroke::solid(sheet.ink.axis, 1.0);
        sheet.svg.line("zero", (zero, sheet.area.top), (zero, sheet.area.bottom()), stroke);
        let mut top = sheet.area.top;
        for (index, row) in rows.iter().enumerate() {
            let middle = top + halves[index] + spare;
            sheet.row_label("label", middle, row.label);
            sheet.svg.open_group("points");
            for (point, colour) in row.colours.iter().enumerate() {
                let center = (sheet.x(&axis, row.values[point]), middle - offsets[index][point]);
                sheet.svg.circle("point", center, radius, colours.at(*colour), None, "");
            }
            sheet.svg.close_group();
            top += 2.0 * (halves[index] + spare);
        }
        Ok(sheet.finish())
    }

    fn drawn(&self) -> usize {
        if self.top == 0 { self.features.len() } else { self.top.min(self.features.len()) }
    }

    fn colour_bar(&self, style: &ChartStyle) -> ColourBar<'_> {
        let mut axis = Axis::exact((0.0, 1.0), room_up(style, 100.0));
        axis.marks = [(0.0, "low"), (1.0, "high")]
            .map(|(value, label)| Mark { value, label: label.to_owned() })
            .to_vec();
        ColourBar { label: self.colour_label, map: self.colours.for_marks(style.theme), axis, missing: false }
    }

    fn validate(&self) -> Result<(), ChartError> {
        let checked = Checked { kind: "beeswarm", title: self.title };
        checked.not_empty(self.features.len(), "features")?;
        for (index, row) in self.features.iter().enumerate() {
            let name = format!("feature {index} (`{}`)", row.label);
            checked.not_empty(row.values.len(), &format!("values of {name}"))?;
            let colours = format!("`colours` of {name}");
            checked.same_length(row.colours.len(), row.values.len(), &colours, "its `values`")?;
            checked.all_finite(row.values, &name)?;
            for (point, colour) in row.colours.iter().enumerate() {
                if !(0.0..=1.0).contains(colour) {
                    let remedy =
                        "give the place of the feature's value between its lowest (0) and highest (1)";
                    return Err(checked.value(format!("{name}, colour {point}"), colour, remedy));
                }
            }
        }
        Ok(())
    }
}

/// The largest radius with which all rows keep to the wanted height, and every point's offset.
fn spread(pixels: &[Vec<f64>]) -> (f64, Vec<Vec<f64>>) {
    let offsets_of = |radius: f64| -> Vec<Vec<f64>> {
        pixels.iter().map(|row| swarm_offsets(row, 2.0 * radius + AIR)).collect()
    };
    for &radius in &RADII[..RADII.len() - 1] {
        let offsets = offsets_of(radius);
        let far = offsets.iter().flatten().fold(0.0, |far: f64, offset| far.max(offset.abs()));
        if 2.0 * (far + radius) <= WANTED_HEIGHT {
            return (radius, offsets);
        }
    }
    let radius = RADII[RADII.len() - 1];
    (radius, offsets_of(radius))
}
