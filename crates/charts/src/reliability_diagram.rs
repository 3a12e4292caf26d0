//! Do predicted probabilities come true? (Murphy and Winkler, "Reliability of subjective probability forecasts of
//! precipitation and temperature", Applied Statistics 26, 1977.)

use crate::axis::Axis;
use crate::colour::series_colour;
use crate::error::{ChartError, Checked};
use crate::number_format::{format_count, format_value};
use crate::sheet::{KeyEntry, Plan, Sheet, Swatch, room_up, tick_height};
use crate::style::ChartStyle;
use crate::svg::Stroke;

/// Observed shares over mean predicted probabilities; on the dashed diagonal they agree.
#[derive(Clone, Debug, Default)]
pub struct ReliabilityDiagram<'a> {
    /// Heading.
    pub title: &'a str,
    /// One per class, or one before and one after calibration.
    pub curves: &'a [ReliabilityCurve<'a>],
}

/// One line of a [`ReliabilityDiagram`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReliabilityCurve<'a> {
    /// In the key.
    pub name: &'a str,
    /// Bins of predicted probability, in ascending order; leave empty bins out.
    pub bins: &'a [ReliabilityBin],
}

/// The predictions of one range of probability.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReliabilityBin {
    /// Mean of the predicted probabilities, in [0, 1].
    pub mean_predicted: f64,
    /// Share of the predictions that came true, in [0, 1].
    pub observed_share: f64,
    /// Number of predictions; the area of the point grows with it.
    pub count: u64,
}

/// Radii of points without and with the most predictions.
const RADII: (f64, f64) = (2.0, 8.0);

impl ReliabilityDiagram<'_> {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// Where there are no curves or one without bins, a bin is empty, a share is outside [0, 1], or predicted means do not
    /// ascend.
    pub fn svg(&self, style: &ChartStyle) -> Result<String, ChartError> {
        style.validate()?;
        self.validate()?;
        // As high as wide, so that the diagonal is one.
        let side = style.plot_height.max(260.0);
        let axis = Axis::exact((0.0, 1.0), room_up(style, side));
        let key = self
            .curves
            .iter()
            .enumerate()
            .map(|(index, curve)| KeyEntry { name: curve.name, swatch: Swatch::Dot(series_colour(index)) });
        let diagonal = Stroke { dash: "5 3", ..Stroke::solid(style.ink().axis, 1.25) };
        let calibrated = KeyEntry { name: "perfectly calibrated", swatch: Swatch::Line(diagonal) };
        let mut sheet = Sheet::new(
            style,
            Plan {
                title: self.title,
                description: self.description(),
                key: key.chain([calibrated]).collect(),
                left_labels: axis.widest_label(style.font_size),
                below: tick_height(style),
                x_label: "mean predicted probability (area of points: number of predictions)",
                y_label: "observed share",
                plot_width: Some(side),
                plot_height: side,
                ..Plan::default()
            },
        );
        sheet.draw_y_axis(&axis);
        let across = Axis::exact((0.0, 1.0), sheet.room_across());
        sheet.draw_x_axis(&across);
        let area = sheet.area;
        sheet.svg.line("diagonal", (area.left, area.bottom()), (area.right(), area.top), diagonal);
        let most = self.curves.iter().flat_map(|curve| curve.bins).map(|bin| bin.count).max().unwrap_or(1);
        for (index, curve) in self.curves.iter().enumerate() {
            let colour = series_colour(index);
            let place = |bin: &ReliabilityBin| {
                (sheet.x(&across, bin.mean_predicted), sheet.y(&axis, bin.observed_share))
            };
            let points: Vec<(f64, f64)> = curve.bins.iter().map(place).collect();
            let stroke = Stroke { opacity: 0.7, ..Stroke::solid(colour, 1.5) };
            sheet.svg.polyline("line", &points, stroke, curve.name);
            for (bin, center) in curve.bins.iter().zip(points) {
                let radius = RADII.0 + (RADII.1 - RADII.0) * (bin.count as f64 / most as f64).sqrt();
                let tooltip = format!(
                    "{}: predicted {}, observed {}, {} predictions",
                    curve.name,
                    format_value(bin.mean_predicted, 3),
                    format_value(bin.observed_share, 3),
                    format_count(bin.count)
                );
                sheet.svg.circle("point", center, radius, colour, Some(sheet.ink.background), &tooltip);
            }
        }
        Ok(sheet.finish())
    }

    fn validate(&self) -> Result<(), ChartError> {
        let checked = Checked { kind: "reliability diagram", title: self.title };
        checked.not_empty(self.curves.len(), "curves")?;
        for curve in self.curves {
            checked.not_empty(curve.bins.len(), &format!("bins of `{}`", curve.name))?;
            for (index, bin) in curve.bins.iter().enumerate() {
                let entry = |what: &str| format!("{what} of bin {index} of `{}`", curve.name);
                let shares =
                    [("the predicted mean", bin.mean_predicted), ("the observed share", bin.observed_share)];
                for (what, share) in shares {
                    if !(0.0..=1.0).contains(&share) {
                        return Err(checked.value(entry(what), share, "give a probability between 0 and 1"));
                    }
                }
                if bin.count == 0 {
                    return Err(checked.value(entry("the count"), 0, "leave empty bins out"));
                }
            }
            if curve.bins.windows(2).any(|pair| pair[0].mean_predicted > pair[1].mean_predicted) {
                let reason = format!("the predicted means of `{}` do not ascend: sort its bins", curve.name);
                return Err(checked.shape(reason));
            }
        }
        Ok(())
    }

    fn description(&self) -> String {
        let curves = self.curves.iter().map(|curve| {
            let total: f64 = curve.bins.iter().map(|bin| bin.count as f64).sum();
            let apart =
                |bin: &ReliabilityBin| (bin.mean_predicted - bin.observed_share).abs() * bin.count as f64;
            let error = curve.bins.iter().map(apart).sum::<f64>() / total;
            format!("{} is off by {} on average", curve.name, format_value(error, 2))
        });
        format!("Reliability diagram: {}.", curves.collect::<Vec<_>>().join("; "))
    }
}
