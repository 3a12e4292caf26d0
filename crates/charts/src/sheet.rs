//! The page of a chart: title, key, the plot area and its axes, with margins from the lengths of the labels.

use crate::axis::{Axis, Room};
use crate::colour::{Colour, ColourRange};
use crate::style::{ChartStyle, Ink};
use crate::svg::{Anchor, Letters, Rectangle, Stroke, Svg};
use crate::text_width::{FONT_FAMILY, bold_width, text_width, wrap};

/// White space at the edges of the page.
const MARGIN: f64 = 14.0;
/// From a text to what it names.
const GAP: f64 = 7.0;
/// The least width of a plot area; long labels widen the page instead.
const LEAST_PLOT_WIDTH: f64 = 260.0;
/// Width of a colour bar.
const BAR_WIDTH: f64 = 13.0;
/// Rectangles that a colour bar consists of.
const BAR_STEPS: usize = 64;

/// A name in the key below the title.
#[derive(Clone, Debug)]
pub(crate) struct KeyEntry<'a> {
    pub(crate) name: &'a str,
    pub(crate) swatch: Swatch,
}

/// What stands before a name in the key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Swatch {
    Box(Colour),
    Dot(Colour),
    Line(Stroke),
}

/// A colour bar right of the plot area.
#[derive(Clone, Debug)]
pub(crate) struct ColourBar<'a> {
    pub(crate) label: &'a str,
    pub(crate) map: ColourRange,
    pub(crate) axis: Axis,
    /// Also say what cells without a value look like.
    pub(crate) missing: bool,
}

impl ColourBar<'_> {
    fn width(&self, font_size: f64, height: f64) -> f64 {
        let missing = if self.missing { BAR_WIDTH + GAP + text_width(NO_VALUE, font_size) } else { 0.0 };
        let lines = wrap(self.label, height, |text| text_width(text, font_size)).len() as f64;
        let ticks = 2.0 * GAP + BAR_WIDTH + GAP + self.axis.widest_label(font_size);
        (ticks + GAP + lines * LINE * font_size).max(2.0 * GAP + missing)
    }
}

const NO_VALUE: &str = "no value";
/// Height of a line of text in units of its letters.
const LINE: f64 = 1.3;

/// What a chart needs around its plot area.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan<'a> {
    pub(crate) title: &'a str,
    /// What the chart shows in a sentence, for those who cannot see it.
    pub(crate) description: String,
    pub(crate) key: Vec<KeyEntry<'a>>,
    pub(crate) colour_bar: Option<ColourBar<'a>>,
    /// Width of the labels left of the area.
    pub(crate) left_labels: f64,
    /// Width of what stands right of the area, before the colour bar.
    pub(crate) right_labels: f64,
    /// Heights of labels above and below the area.
    pub(crate) above: f64,
    pub(crate) below: f64,
    pub(crate) x_label: &'a str,
    pub(crate) y_label: &'a str,
    /// A width that the contents need; `None`: what the page leaves.
    pub(crate) plot_width: Option<f64>,
    /// Where the page decides, no less than this.
    pub(crate) least_plot_width: f64,
    pub(crate) plot_height: f64,
}

/// A chart being drawn.
#[derive(Debug)]
pub(crate) struct Sheet<'a> {
    pub(crate) svg: Svg,
    pub(crate) ink: Ink,
    pub(crate) area: Rectangle,
    pub(crate) font_size: f64,
    size: (f64, f64),
    plan: Plan<'a>,
    x_label_lines: Vec<String>,
    y_label_lines: Vec<String>,
}

impl<'a> Sheet<'a> {
    /// Lays the page out, and draws background, title, key, axis labels and colour bar.
    pub(crate) fn new(style: &ChartStyle, plan: Plan<'a>) -> Self {
        let size = style.font_size;
        let line = LINE * size;
        let plain = |text: &str| text_width(text, size);
        let y_label_lines = wrap(plan.y_label, plan.plot_height, plain);
        let labelled = |width: f64| if width > 0.0 { width + GAP } else { 0.0 };
        let left = MARGIN
            + if y_label_lines.is_empty() { 0.0 } else { y_label_lines.len() as f64 * line + GAP }
            + labelled(plan.left_labels);
        let bar = plan.colour_bar.as_ref().map_or(0.0, |bar| bar.width(size, plan.plot_height));
        // The last label of a horizontal axis reaches beyond its end.
        let right = MARGIN + (labelled(plan.right_labels) + bar).max(2.0 * size);
        let widest_key =
            plan.key.iter().map(|entry| 2.0 * MARGIN + key_width(entry, size)).fold(0.0, f64::max);
        let least = widest_key.max(style.width) - left - right;
        let plot_width =
            plan.plot_width.unwrap_or_else(|| least.max(LEAST_PLOT_WIDTH).max(plan.least_plot_width));
        let width = (left + plot_width + right).max(widest_key).max(style.width.min(2.0 * LEAST_PLOT_WIDTH));
        let x_label_lines = wrap(plan.x_label, plot_width, plain);

        let title_size = style.title_size();
        let title = wrap(plan.title, width - 2.0 * MARGIN, |text| bold_width(text, title_size));
        let mut top = MARGIN;
        let title_top = top;
        top += title.len() as f64 * LINE * title_size + if title.is_empty() { 0.0 } else { GAP };
        let key_top = top;
        let rows = key_rows(&plan.key, width - 2.0 * MARGIN, size);
        top += rows.len() as f64 * line * 1.1 + if rows.is_empty() { 0.0 } else { GAP };
        top += labelled(plan.above).max(size * 0.6);

        let area = Rectangle { left, top, width: plot_width, height: plan.plot_height };
        let label_height =
            if x_label_lines.is_empty() { 0.0 } else { x_label_lines.len() as f64 * line + GAP };
        // What says that a cell has no value stands below the colour bar.
        let below = labelled(plan.below) + label_height;
        let missing = plan.colour_bar.as_ref().is_some_and(|bar| bar.missing);
        let height = area.bottom() + below.max(if missing { GAP + line } else { 0.6 * size }) + MARGIN;

        let mut svg = Svg::default();
        let ink = style.ink();
        let page = Rectangle { left: 0.0, top: 0.0, width: width.ceil(), height: height.ceil() };
        svg.rectangle("background", page, ink.background, "");
        let mut sheet = Self {
            svg,
            ink,
            area,
            font_size: size,
            size: (width, height),
            plan,
            x_label_lines,
            y_label_lines,
        };
        for (index, text) in title.iter().enumerate() {
            let letters = Letters { size: title_size, bold: true, ..sheet.letters(Anchor::Start) };
            let baseline = title_top + (index as f64 * LINE + 1.0) * title_size;
            sheet.svg.text("title", (MARGIN, baseline), letters, text);
        }
        sheet.draw_key(&rows, key_top);
        sheet.draw_axis_labels();
        sheet.draw_colour_bar();
        sheet
    }

    /// The document.
    pub(crate) fn finish(self) -> String {
        self.svg.finish(self.size, self.plan.title, &self.plan.description, FONT_FAMILY)
    }

    /// The theme's letters.
    pub(crate) fn letters(&self, anchor: Anchor) -> Letters {
        Letters { size: self.font_size, colour: self.ink.text, anchor, bold: false, angle: 0.0, rim: None }
    }

    /// Text whose middle is at the height `y`.
    pub(crate) fn centred_text(&mut self, class: &str, (x, y): (f64, f64), letters: Letters, text: &str) {
        // Capitals and digits are about 0.72 em high.
        self.svg.text(class, (x, y + 0.36 * letters.size), letters, text);
    }

    /// The pixel of a share of the horizontal axis.
    pub(crate) fn x(&self, axis: &Axis, value: f64) -> f64 {
        self.area.left + axis.share(value) * self.area.width
    }

    /// The pixel of a share of the vertical axis, which grows upwards.
    pub(crate) fn y(&self, axis: &Axis, value: f64) -> f64 {
        self.area.bottom() - axis.share(value) * self.area.height
    }

    /// The room of tick labels along the lower edge.
    pub(crate) fn room_across(&self) -> Room {
        Room { length: self.area.width, font_size: self.font_size, across: true }
    }

    /// Grid lines, and tick labels below the area.
    pub(crate) fn draw_x_axis(&mut self, axis: &Axis) {
        let baseline = self.area.bottom() + GAP + 0.8 * self.font_size;
        for mark in &axis.marks {
            let x = self.x(axis, mark.value);
            let grid = Stroke::solid(self.ink.grid, 1.0);
            self.svg.line("grid", (x, self.area.top), (x, self.area.bottom()), grid);
            let half = text_width(&mark.label, self.font_size) / 2.0;
            let middle = x.clamp(half + 1.0, (self.size.0 - half - 1.0).max(half + 1.0));
            self.svg.text("x-tick", (middle, baseline), self.letters(Anchor::Middle), &mark.label);
        }
        let (left, right, bottom) = (self.area.left, self.area.right(), self.area.bottom());
        self.svg.line("axis", (left, bottom), (right, bottom), Stroke::solid(self.ink.axis, 1.0));
    }

    /// Grid lines, and tick labels left of the area.
    pub(crate) fn draw_y_axis(&mut self, axis: &Axis) {
        for mark in &axis.marks {
            let y = self.y(axis, mark.value);
            let grid = Stroke::solid(self.ink.grid, 1.0);
            self.svg.line("grid", (self.area.left, y), (self.area.right(), y), grid);
            self.row_label("y-tick", y, &mark.label);
        }
    }

    /// Text that ends left of the area.
    pub(crate) fn row_label(&mut self, class: &str, y: f64, text: &str) {
        let letters = self.letters(Anchor::End);
        self.centred_text(class, (self.area.left - GAP, y), letters, text);
    }

    /// A line over the area at a horizontal value that everything is compared with.
    pub(crate) fn vertical_reference(&mut self, x: f64, colour: Colour) {
        let stroke = Stroke { colour, width: 1.25, dash: "5 3", opacity: 1.0 };
        self.svg.line("reference", (x, self.area.top), (x, self.area.bottom()), stroke);
    }

    fn draw_key(&mut self, rows: &[Vec<usize>], top: f64) {
        let size = self.font_size;
        for (row, entries) in rows.iter().enumerate() {
            let mut left = MARGIN;
            let middle = top + (row as f64 + 0.5) * LINE * 1.1 * size;
            for &index in entries {
                let entry = self.plan.key[index].clone();
                match entry.swatch {
                    Swatch::Box(colour) => {
                        let swatch =
                            Rectangle { left, top: middle - size / 2.0, width: 1.4 * size, height: size };
                        self.svg.rectangle("key", swatch, colour, "");
                    }
                    Swatch::Dot(colour) => {
                        self.svg.circle("key", (left + 0.7 * size, middle), 0.36 * size, colour, None, "");
                    }
                    Swatch::Line(stroke) => {
                        self.svg.line("key", (left, middle), (left + 1.7 * size, middle), stroke);
                    }
                }
                let letters = self.letters(Anchor::Start);
                self.centred_text("key-name", (left + 2.1 * size, middle), letters, entry.name);
                left += key_width(&entry, size);
            }
        }
    }

    fn draw_axis_labels(&mut self) {
        let line = LINE * self.font_size;
        let middle = self.area.left + self.area.width / 2.0;
        let ticks = if self.plan.below > 0.0 { self.plan.below + GAP } else { 0.0 };
        for (index, text) in std::mem::take(&mut self.x_label_lines).iter().enumerate() {
            let baseline = self.area.bottom() + ticks + GAP + (index as f64 + 0.75) * line;
            self.svg.text("x-label", (middle, baseline), self.letters(Anchor::Middle), text);
        }
        let middle = self.area.top + self.area.height / 2.0;
        for (index, text) in std::mem::take(&mut self.y_label_lines).iter().enumerate() {
            let letters = Letters { angle: -90.0, ..self.letters(Anchor::Middle) };
            self.svg.text("y-label", (MARGIN + (index as f64 + 0.75) * line, middle), letters, text);
        }
    }

    fn draw_colour_bar(&mut self) {
        let Some(bar) = self.plan.colour_bar.clone() else { return };
        let labels = if self.plan.right_labels > 0.0 { self.plan.right_labels + GAP } else { 0.0 };
        let left = self.area.right() + labels + 2.0 * GAP;
        let step = self.area.height / BAR_STEPS as f64;
        for index in 0..BAR_STEPS {
            let colour = bar.map.at((index as f64 + 0.5) / BAR_STEPS as f64);
            let top = self.area.bottom() - (index + 1) as f64 * step;
            // A little higher than its share, or the seams would show.
            let height = if index == 0 { step } else { step + 0.5 };
            self.svg.rectangle("colour-bar", Rectangle { left, top, width: BAR_WIDTH, height }, colour, "");
        }
        let ticks = left + BAR_WIDTH + GAP;
        for mark in &bar.axis.marks {
            let y = self.y(&bar.axis, mark.value);
            let stroke = Stroke::solid(self.ink.axis, 1.0);
            self.svg.line("axis", (left + BAR_WIDTH, y), (left + BAR_WIDTH + 3.0, y), stroke);
            let letters = self.letters(Anchor::Start);
            self.centred_text("colour-tick", (ticks, y), letters, &mark.label);
        }
        let line = LINE * self.font_size;
        let label_left = ticks + bar.axis.widest_label(self.font_size) + GAP;
        let middle = self.area.top + self.area.height / 2.0;
        let lines = wrap(bar.label, self.area.height, |text| text_width(text, self.font_size));
        for (index, text) in lines.iter().enumerate() {
            let letters = Letters { angle: -90.0, ..self.letters(Anchor::Middle) };
            self.svg.text("colour-label", (label_left + (index as f64 + 0.75) * line, middle), letters, text);
        }
        if bar.missing {
            let height = 0.9 * self.font_size;
            let top = self.area.bottom() + GAP;
            let swatch = Rectangle { left, top, width: BAR_WIDTH, height };
            self.missing_cell("key", swatch, "");
            let letters = self.letters(Anchor::Start);
            self.centred_text("key-name", (ticks, top + height / 2.0), letters, NO_VALUE);
        }
    }

    /// A cell without a value: grey, and struck through where colours are not seen.
    pub(crate) fn missing_cell(&mut self, class: &str, cell: Rectangle, tooltip: &str) {
        self.svg.rectangle(class, cell, self.ink.missing, tooltip);
        let stroke = Stroke::solid(self.ink.axis, 0.75);
        self.svg.line("missing", (cell.left, cell.bottom()), (cell.right(), cell.top), stroke);
    }
}

/// The room of tick labels along an upright edge of `length` pixels.
pub(crate) fn room_up(style: &ChartStyle, length: f64) -> Room {
    Room { length, font_size: style.font_size, across: false }
}

/// The height that tick labels below an area need.
pub(crate) fn tick_height(style: &ChartStyle) -> f64 {
    style.font_size
}

fn key_width(entry: &KeyEntry<'_>, size: f64) -> f64 {
    2.1 * size + text_width(entry.name, size) + 1.4 * size
}

/// The entries of each row of the key, by position.
fn key_rows(key: &[KeyEntry<'_>], limit: f64, size: f64) -> Vec<Vec<usize>> {
    let mut rows: Vec<Vec<usize>> = Vec::new();
    let mut filled = 0.0;
    for (index, entry) in key.iter().enumerate() {
        let width = key_width(entry, size);
        match rows.last_mut() {
            Some(row) if filled + width <= limit => row.push(index),
            _ => {
                rows.push(vec![index]);
                filled = 0.0;
            }
        }
        filled += width;
    }
    rows
}
