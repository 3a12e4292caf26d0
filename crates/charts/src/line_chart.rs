//! Curves over a common axis: learning curves, the best value of a search, equity, drawdown under water.

use crate::axis::{Axis, AxisScale, check_scale, extent};
use crate::colour::{series_colour, series_dash};
use crate::error::{ChartError, Checked};
use crate::number_format::format_value;
use crate::sheet::{KeyEntry, Plan, Sheet, Swatch, room_up, tick_height};
use crate::style::ChartStyle;
use crate::svg::Stroke;

/// Named series of points, joined by lines or not.
#[derive(Clone, Debug, Default)]
pub struct LineChart<'a> {
    /// Heading.
    pub title: &'a str,
    /// What the horizontal axis is, with its unit.
    pub x_label: &'a str,
    /// What the vertical axis is, with its unit.
    pub y_label: &'a str,
    /// Drawn in this order, named in the key where there are two or more.
    pub series: &'a [Series<'a>],
    /// A logarithmic vertical axis; every y is above zero then, and nothing can be filled.
    pub logarithmic_y: bool,
    /// The caller's own ticks on the horizontal axis, ascending, as dates; empty: round numbers. Those that would overlap
    /// are left out evenly.
    pub x_ticks: &'a [(f64, &'a str)],
}

/// One series of a [`LineChart`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Series<'a> {
    /// In the key.
    pub name: &'a str,
    /// Ascending, unless only points are drawn.
    pub x: &'a [f64],
    /// As many as `x`.
    pub y: &'a [f64],
    /// Lower and upper ends of a band around the line, as many as `x` each.
    pub band: Option<(&'a [f64], &'a [f64])>,
    /// How points are joined.
    pub joined: Joined,
    /// Fill the area between the line and zero.
    pub filled: bool,
}

/// How the points of a series are joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Joined {
    /// By straight lines.
    #[default]
    Straight,
    /// A value holds until the next point: the best so far, a position.
    Steps,
    /// Not at all: the points themselves.
    No,
}

impl LineChart<'_> {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// Where there are no series or one without points, lengths differ, a value is not finite, x does not ascend along a
    /// line, a band does not lie in order, or a logarithmic axis is given a value that is not above zero or an area to fill.
    pub fn svg(&self, style: &ChartStyle) -> Result<String, ChartError> {
        style.validate()?;
        self.validate()?;
        let room = room_up(style, style.plot_height);
        let filled = self.series.iter().any(|series| series.filled);
        let ends = self.series.iter().flat_map(|series| {
            let (low, high) = series.band.unwrap_or((&[], &[]));
            series.y.iter().chain(low).chain(high).copied()
        });
        let y_axis = Axis::of(self.y_scale(), ends.chain(filled.then_some(0.0)), room);
        let named = self.series.len() > 1;
        let key = self.series.iter().enumerate().filter(|_| named).map(|(index, series)| KeyEntry {
            name: series.name,
            swatch: if series.joined == Joined::No {
                Swatch::Dot(series_colour(index))
            } else {
                Swatch::Line(line_stroke(index))
            },
        });
        let mut sheet = Sheet::new(
            style,
            Plan {
                title: self.title,
                description: self.description(),
                key: key.collect(),
                left_labels: y_axis.widest_label(style.font_size),
                below: tick_height(style),
                x_label: self.x_label,
                y_label: self.y_label,
                plot_height: style.plot_height,
                ..Plan::default()
            },
        );
        let ends = extent(self.series.iter().flat_map(|series| series.x.iter().copied()));
        let room = sheet.room_across();
        let x_axis = if self.x_ticks.is_empty() {
            Axis::exact(ends, room)
        } else {
            Axis::custom(ends, self.x_ticks, room)
        };
        sheet.draw_y_axis(&y_axis);
        sheet.draw_x_axis(&x_axis);
        for (index, series) in self.series.iter().enumerate() {
            draw_areas(&mut sheet, series, index, (&x_axis, &y_axis));
        }
        for (index, series) in self.series.iter().enumerate() {
            draw_series(&mut sheet, series, index, (&x_axis, &y_axis));
        }
        Ok(sheet.finish())
    }

    fn y_scale(&self) -> AxisScale<'static> {
        if self.logarithmic_y { AxisScale::Logarithmic } else { AxisScale::Linear }
    }

    fn validate(&self) -> Result<(), ChartError> {
        let checked = Checked { kind: "line chart", title: self.title };
        checked.not_empty(self.series.len(), "series")?;
        for series in self.series {
            let name = format!("series `{}`", series.name);
            checked.not_empty(series.x.len(), &format!("points of {name}"))?;
            checked.same_length(series.y.len(), series.x.len(), &format!("`y` of {name}"), "its `x`")?;
            checked.all_finite(series.x, &format!("{name}, x"))?;
            check_scale(&checked, self.y_scale(), series.y, &format!("{name}, y"))?;
            if series.joined != Joined::No
                && let Some(index) = series.x.windows(2).position(|pair| pair[0] > pair[1])
            {
                let entry = format!("{name}, x, value {}", index + 1);
                return Err(checked.value(
                    entry,
                    series.x[index + 1],
                    "sort a joined series by x, ascending",
                ));
            }
            if series.filled && self.logarithmic_y {
                let reason = format!(
                    "{name} is to be filled to zero, which a logarithmic axis does not have: switch one off"
                );
                return Err(checked.shape(reason));
            }
            if let Some((low, high)) = series.band {
                for (ends, which) in [(low, "lower"), (high, "upper")] {
                    let what = format!("the {which} end of the band of {name}");
                    checked.same_length(ends.len(), series.x.len(), &what, "its `x`")?;
                    check_scale(&checked, self.y_scale(), ends, &what)?;
                }
                for (index, (low, high)) in low.iter().zip(high).enumerate() {
                    let entry = || format!("point {index} of {name}");
                    checked.interval((*low, *high), *low, entry)?;
                }
            }
        }
        checked.all_finite(&self.x_ticks.iter().map(|tick| tick.0).collect::<Vec<_>>(), "`x_ticks`")?;
        if self.x_ticks.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(checked.shape("`x_ticks` do not ascend: sort them, and give each position once"));
        }
        Ok(())
    }

    fn description(&self) -> String {
        let ends = self.series.iter().map(|series| {
            let (low, high) = extent(series.y.iter().copied());
            let last = series.y.last().map_or(String::new(), |last| format_value(*last, 3));
            format!("{} from {} to {}, last {last}", series.name, format_value(low, 3), format_value(high, 3))
        });
        format!(
            "Line chart of {} over {}: {}.",
            self.y_label,
            self.x_label,
            ends.collect::<Vec<_>>().join("; ")
        )
    }
}

fn line_stroke(index: usize) -> Stroke {
    Stroke { dash: series_dash(index), ..Stroke::solid(series_colour(index), 1.75) }
}

/// The pixels of a line, with the corners of steps.
fn path(
    sheet: &Sheet<'_>,
    series: &Series<'_>,
    y: &[f64],
    (x_axis, y_axis): (&Axis, &Axis),
) -> Vec<(f64, f64)> {
    let mut points = Vec::with_capacity(series.x.len());
    for (&x, &y) in series.x.iter().zip(y) {
        let point = (sheet.x(x_axis, x), sheet.y(y_axis, y));
        if let (Joined::Steps, Some(&(_, before))) = (series.joined, points.last()) {
            points.push((point.0, before));
        }
        points.push(point);
    }
    points
}

fn draw_areas(sheet: &mut Sheet<'_>, series: &Series<'_>, index: usize, axes: (&Axis, &Axis)) {
    let colour = series_colour(index);
    if let Some((low, high)) = series.band {
        let mut outline = path(sheet, series, high, axes);
        outline.extend(path(sheet, series, low, axes).into_iter().rev());
        sheet.svg.polygon("band", &outline, colour, 0.2);
    }
    if series.filled {
        let mut outline = path(sheet, series, series.y, axes);
        let zero = sheet.y(axes.1, 0.0);
        if let (Some(first), Some(last)) = (outline.first().copied(), outline.last().copied()) {
            outline.extend([(last.0, zero), (first.0, zero)]);
        }
        sheet.svg.polygon("area", &outline, colour, 0.3);
    }
}

fn draw_series(sheet: &mut Sheet<'_>, series: &Series<'_>, index: usize, axes: (&Axis, &Axis)) {
    let colour = series_colour(index);
    let points = path(sheet, series, series.y, axes);
    // A line of one point would not be seen.
    if series.joined == Joined::No || points.len() == 1 {
        for point in points {
            sheet.svg.circle("point", point, 2.75, colour, Some(sheet.ink.background), "");
        }
        return;
    }
    sheet.svg.polyline("line", &points, line_stroke(index), series.name);
}
