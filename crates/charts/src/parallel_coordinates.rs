//! One line per trial through all its hyperparameters, coloured by what it reached (Inselberg, "The plane with parallel
//! coordinates", The Visual Computer 1, 1985).

use crate::axis::{Axis, AxisScale, check_scale, extent};
use crate::colour::ColourMap;
use crate::error::{ChartError, Checked};
use crate::number_format::format_value;
use crate::sheet::{ColourBar, Plan, Sheet, room_up};
use crate::style::{ChartStyle, Theme};
use crate::svg::{Anchor, Letters, Stroke};
use crate::text_width::text_width;

/// Upright axes side by side and a line per trial across them.
#[derive(Clone, Debug, Default)]
pub struct ParallelCoordinates<'a> {
    /// Heading.
    pub title: &'a str,
    /// At least two, from left to right.
    pub axes: &'a [ParallelAxis<'a>],
    /// What each trial reached, as many as each axis has values.
    pub objective: &'a [f64],
    /// What the objective is, with its unit.
    pub objective_label: &'a str,
    /// Better trials are drawn over worse ones: larger is better, or smaller.
    pub larger_is_better: bool,
    /// For the objective, low to high.
    pub colours: ColourMap,
    /// Numbers of the trials, for tooltips; empty: counted from 0.
    pub trials: &'a [usize],
}

/// One hyperparameter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ParallelAxis<'a> {
    /// Shown in full above the axis.
    pub name: &'a str,
    /// How the values lie on it.
    pub scale: AxisScale<'a>,
    /// The value of each trial.
    pub values: &'a [f64],
}

/// Names that do not fit side by side rise at this angle.
const RISE_DEGREES: f64 = 30.0;

impl ParallelCoordinates<'_> {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// Where there are fewer than two axes or no trials, an axis has not as many values as there are trials, or its scale
    /// has no place for a value.
    pub fn svg(&self, style: &ChartStyle) -> Result<String, ChartError> {
        style.validate()?;
        self.validate()?;
        let size = style.font_size;
        let heights = self.axes.iter().map(|axis| Axis::least_height(axis.scale, size));
        let plot_height = heights.fold(style.plot_height, f64::max);
        let room = room_up(style, plot_height);
        let axes: Vec<Axis> =
            self.axes.iter().map(|axis| Axis::of(axis.scale, axis.values.iter().copied(), room)).collect();
        let tick_widths: Vec<f64> = axes.iter().map(|axis| axis.widest_label(size)).collect();
        // Ticks stand left of their axis and must not reach the axis before it.
        let spacing =
            tick_widths.iter().skip(1).fold(0.0, |widest: f64, width| widest.max(width + 3.0 * size));
        let least = spacing * (axes.len() - 1) as f64;
        let left = tick_widths[0].max(text_width(self.axes[0].name, size) / 2.0);
        let colour_axis = Axis::exact(extent(self.objective.iter().copied()), room);
        let names: Vec<f64> = self.axes.iter().map(|axis| text_width(axis.name, size)).collect();
        let intervals = (axes.len() - 1) as f64;
        let mut plan = Plan {
            title: self.title,
            description: self.description(),
            colour_bar: Some(ColourBar {
                label: self.objective_label,
                map: self.colours.for_marks(style.theme),
                axis: colour_axis.clone(),
                missing: false,
            }),
            left_labels: left,
            right_labels: names[names.len() - 1] / 2.0,
            above: 1.5 * size,
            least_plot_width: least,
            plot_height,
            ..Plan::default()
        };
        // What the page leaves to names side by side.
        let width = Sheet::new(style, plan.clone()).area.width;
        let rising = names.windows(2).any(|pair| (pair[0] + pair[1]) / 2.0 + size > width / intervals);
        if rising {
            let (sine, cosine) = RISE_DEGREES.to_radians().sin_cos();
            let longest = names.iter().copied().fold(0.0, f64::max);
            // How far each name reaches beyond the last axis, if axes come no nearer than their ticks allow.
            let reach = |(index, width): (usize, &f64)| {
                width * cosine - (intervals - index as f64) * least.max(260.0) / intervals
            };
            plan.right_labels = names.iter().enumerate().map(reach).fold(size, f64::max);
            plan.left_labels = tick_widths[0];
            plan.above = longest * sine + 1.5 * size;
        }
        let mut sheet = Sheet::new(style, plan);
        let step = sheet.area.width / intervals;
        let places: Vec<f64> = (0..axes.len()).map(|index| sheet.area.left + index as f64 * step).collect();
        self.draw_lines(&mut sheet, &axes, &places, (&colour_axis, style.theme));
        for (index, axis) in axes.iter().enumerate() {
            self.draw_axis(&mut sheet, axis, places[index], (self.axes[index].name, rising));
        }
        Ok(sheet.finish())
    }

    fn draw_lines(
        &self,
        sheet: &mut Sheet<'_>,
        axes: &[Axis],
        places: &[f64],
        (colour_axis, theme): (&Axis, Theme),
    ) {
        let mut order: Vec<usize> = (0..self.objective.len()).collect();
        order.sort_by(|&one, &two| {
            let ascending = self.objective[one].total_cmp(&self.objective[two]);
            (if self.larger_is_better { ascending } else { ascending.reverse() }).then(one.cmp(&two))
        });
        let colours = self.colours.for_marks(theme);
        for trial in order {
            let points: Vec<(f64, f64)> = axes
                .iter()
                .zip(places)
                .enumerate()
                .map(|(index, (axis, x))| (*x, sheet.y(axis, self.axes[index].values[trial])))
                .collect();
            let colour = colours.at(colour_axis.share(self.objective[trial]));
            let stroke = Stroke { opacity: 0.8, ..Stroke::solid(colour, 1.5) };
            let shown = format_value(self.objective[trial], 4);
            let number = self.trials.get(trial).unwrap_or(&trial);
            let tooltip = format!("trial {number}: {} {shown}", self.objective_label);
            sheet.svg.polyline("trial", &points, stroke, &tooltip);
        }
    }

    fn draw_axis(&self, sheet: &mut Sheet<'_>, axis: &Axis, x: f64, (name, rising): (&str, bool)) {
        let stroke = Stroke::solid(sheet.ink.text, 1.25);
        sheet.svg.line("axis", (x, sheet.area.top), (x, sheet.area.bottom()), stroke);
        for mark in &axis.marks {
            let y = sheet.y(axis, mark.value);
            sheet.svg.line("axis", (x - 3.0, y), (x, y), stroke);
            let rim = Some(sheet.ink.background);
            let letters = Letters { rim, ..sheet.letters(Anchor::End) };
            sheet.centred_text("tick", (x - 6.0, y), letters, &mark.label);
        }
        // Above the label of a tick at the upper end.
        let y = sheet.area.top - 0.9 * sheet.font_size;
        let letters = if rising {
            Letters { angle: -RISE_DEGREES, ..sheet.letters(Anchor::Start) }
        } else {
            sheet.letters(Anchor::Middle)
        };
        sheet.svg.text("label", (x, y), letters, name);
    }

    fn validate(&self) -> Result<(), ChartError> {
        let checked = Checked { kind: "parallel coordinates", title: self.title };
        if self.axes.len() < 2 {
            let reason =
                format!("there are {} axes: give at least two, or draw a scatter plot", self.axes.len());
            return Err(checked.shape(reason));
        }
        checked.not_empty(self.objective.len(), "trials")?;
        checked.all_finite(self.objective, "`objective`")?;
        if !self.trials.is_empty() {
            checked.same_length(self.trials.len(), self.objective.len(), "`trials`", "`objective`")?;
        }
        for axis in self.axes {
            let name = format!("axis `{}`", axis.name);
            checked.same_length(axis.values.len(), self.objective.len(), &name, "`objective`")?;
            check_scale(&checked, axis.scale, axis.values, &name)?;
        }
        Ok(())
    }

    fn description(&self) -> String {
        let (low, high) = extent(self.objective.iter().copied());
        format!(
            "Parallel coordinates of {} trials over {} parameters, coloured by {} from {} to {}.",
            self.objective.len(),
            self.axes.len(),
            self.objective_label,
            format_value(low, 4),
            format_value(high, 4)
        )
    }
}
