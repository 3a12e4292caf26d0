//! Points over two axes, coloured by a third number: slices of a hyperparameter search, dependence plots.

use crate::axis::{Axis, AxisScale, check_scale, extent};
use crate::colour::{ColourMap, series_colour};
use crate::error::{ChartError, Checked};
use crate::sheet::{ColourBar, Plan, Sheet, room_up, tick_height};
use crate::style::ChartStyle;
use crate::text_width::widest;

/// A cloud of points.
#[derive(Clone, Debug, Default)]
pub struct ScatterPlot<'a> {
    /// Heading.
    pub title: &'a str,
    /// What the horizontal axis is, with its unit.
    pub x_label: &'a str,
    /// What the vertical axis is, with its unit.
    pub y_label: &'a str,
    /// How x lies along its axis.
    pub x_scale: AxisScale<'a>,
    /// How y lies along its axis.
    pub y_scale: AxisScale<'a>,
    /// One per point.
    pub x: &'a [f64],
    /// One per point.
    pub y: &'a [f64],
    /// A third number per point as its colour; `None`: all alike.
    pub colour: Option<PointColour<'a>>,
}

/// What the colours of a [`ScatterPlot`] show.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PointColour<'a> {
    /// What it is, with its unit.
    pub label: &'a str,
    /// One per point.
    pub values: &'a [f64],
    /// Low to high.
    pub colours: ColourMap,
}

impl ScatterPlot<'_> {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// Where there are no points, lengths differ, or an axis has no place for a value.
    pub fn svg(&self, style: &ChartStyle) -> Result<String, ChartError> {
        style.validate()?;
        self.validate()?;
        let plot_height = Axis::least_height(self.y_scale, style.font_size).max(style.plot_height);
        let room = room_up(style, plot_height);
        let y_axis = Axis::of(self.y_scale, self.y.iter().copied(), room);
        let colour =
            self.colour.map(|colour| (colour, Axis::exact(extent(colour.values.iter().copied()), room)));
        let mut sheet = Sheet::new(
            style,
            Plan {
                title: self.title,
                description: format!(
                    "Scatter plot of {} against {}: {} points.",
                    self.y_label,
                    self.x_label,
                    self.x.len()
                ),
                colour_bar: colour.as_ref().map(|(colour, axis)| ColourBar {
                    label: colour.label,
                    map: colour.colours.for_marks(style.theme),
                    axis: axis.clone(),
                    missing: false,
                }),
                left_labels: y_axis.widest_label(style.font_size),
                below: tick_height(style),
                x_label: self.x_label,
                y_label: self.y_label,
                least_plot_width: self.width_of_categories(style.font_size),
                plot_height,
                ..Plan::default()
            },
        );
        let x_axis = Axis::of(self.x_scale, self.x.iter().copied(), sheet.room_across());
        sheet.draw_y_axis(&y_axis);
        sheet.draw_x_axis(&x_axis);
        for (index, (x, y)) in self.x.iter().zip(self.y).enumerate() {
            let center = (sheet.x(&x_axis, *x), sheet.y(&y_axis, *y));
            let fill = colour.as_ref().map_or(series_colour(0), |(colour, axis)| {
                colour.colours.for_marks(style.theme).at(axis.share(colour.values[index]))
            });
            sheet.svg.circle("point", center, 3.25, fill, Some(sheet.ink.background), "");
        }
        Ok(sheet.finish())
    }

    /// Names of categories stand side by side whatever the page is.
    fn width_of_categories(&self, font_size: f64) -> f64 {
        let AxisScale::Categories(names) = self.x_scale else { return 0.0 };
        (widest(names.iter().copied(), font_size) + font_size) * names.len() as f64
    }

    fn validate(&self) -> Result<(), ChartError> {
        let checked = Checked { kind: "scatter plot", title: self.title };
        checked.not_empty(self.x.len(), "points")?;
        checked.same_length(self.y.len(), self.x.len(), "`y`", "`x`")?;
        check_scale(&checked, self.x_scale, self.x, "x")?;
        check_scale(&checked, self.y_scale, self.y, "y")?;
        if let Some(colour) = self.colour {
            checked.same_length(colour.values.len(), self.x.len(), "the colours' `values`", "`x`")?;
            checked.all_finite(colour.values, "the colours' `values`")?;
        }
        Ok(())
    }
}
