//! Writing SVG 1.1 elements: numbers to a hundredth of a pixel, text and attributes escaped.
//!
//! No element has an id and nothing is referred to, so that several charts can stand in one HTML page.

use std::fmt::Write as _;

use crate::colour::Colour;

/// Where a text's position lies within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line's look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stroke {
    pub(crate) colour: Colour,
    pub(crate) width: f64,
    /// `stroke-dasharray`, or empty for an unbroken line.
    pub(crate) dash: &'static str,
    pub(crate) opacity: f64,
}

impl Stroke {
    pub(crate) fn solid(colour: Colour, width: f64) -> Self {
        Self { colour, width, dash: "", opacity: 1.0 }
    }
}

/// A text's look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letters {
    pub(crate) size: f64,
    pub(crate) colour: Colour,
    pub(crate) anchor: Anchor,
    pub(crate) bold: bool,
    /// Degrees clockwise around the position.
    pub(crate) angle: f64,
    /// A rim in this colour keeps text readable over lines.
    pub(crate) rim: Option<Colour>,
}

/// A rectangle by its upper left corner, in pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rectangle {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Rectangle {
    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// The elements written so far.
#[derive(Debug, Default)]
pub(crate) struct Svg {
    body: String,
}

impl Svg {
    /// The whole document around the elements: size, title and description for screen readers, fonts.
    pub(crate) fn finish(
        self,
        (width, height): (f64, f64),
        title: &str,
        description: &str,
        font_family: &str,
    ) -> String {
        let (width, height) = (width.ceil(), height.ceil());
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"{}\">\n<title>{}</title>\n\
             <desc>{}</desc>\n{}</svg>\n",
            escape(font_family),
            escape(title),
            escape(description),
            self.body
        )
    }

    fn begin(&mut self, tag: &str, class: &str) {
        self.body.push('<');
        self.body.push_str(tag);
        if !class.is_empty() {
            self.string("class", class);
        }
    }

    fn string(&mut self, name: &str, value: &str) {
        // Writing into a string cannot fail.
        let _ = write!(self.body, " {name}=\"{}\"", escape(value));
    }

    fn number(&mut self, name: &str, value: f64) {
        let _ = write!(self.body, " {name}=\"{}\"", Pixels(value));
    }

    fn stroke(&mut self, stroke: Stroke) {
        let _ = write!(self.body, " stroke=\"{}\" stroke-width=\"{}\"", stroke.colour, Pixels(stroke.width));
        if !stroke.dash.is_empty() {
            self.string("stroke-dasharray", stroke.dash);
        }
        if stroke.opacity < 1.0 {
            self.number("stroke-opacity", stroke.opacity);
        }
    }

    /// Ends an element, with the text that a pointer resting on it shows.
    fn end(&mut self, tag: &str, tooltip: &str) {
        if tooltip.is_empty() {
            self.body.push_str("/>\n");
        } else {
            let _ = writeln!(self.body, "><title>{}</title></{tag}>", escape(tooltip));
        }
    }

    /// Opens a group; every element until [`Svg::close_group`] lies in it.
    pub(crate) fn open_group(&mut self, class: &str) {
        self.begin("g", class);
        self.body.push_str(">\n");
    }

    pub(crate) fn close_group(&mut self) {
        self.body.push_str("</g>\n");
    }

    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        self.begin("line", class);
        for (name, value) in [("x1", from.0), ("y1", from.1), ("x2", to.0), ("y2", to.1)] {
            self.number(name, value);
        }
        self.stroke(stroke);
        self.end("line", "");
    }

    pub(crate) fn rectangle(&mut self, class: &str, rectangle: Rectangle, fill: Colour, tooltip: &str) {
        self.begin("rect", class);
        self.number("x", rectangle.left);
        self.number("y", rectangle.top);
        self.number("width", rectangle.width);
        self.number("height", rectangle.height);
        self.string("fill", &fill.to_string());
        // Without smoothing, neighbours meet without a seam.
        self.body.push_str(" shape-rendering=\"crispEdges\"");
        self.end("rect", tooltip);
    }

    pub(crate) fn circle(
        &mut self,
        class: &str,
        center: (f64, f64),
        radius: f64,
        fill: Colour,
        rim: Option<Colour>,
        tooltip: &str,
    ) {
        self.begin("circle", class);
        self.number("cx", center.0);
        self.number("cy", center.1);
        self.number("r", radius);
        self.string("fill", &fill.to_string());
        if let Some(rim) = rim {
            self.stroke(Stroke::solid(rim, 0.75));
        }
        self.end("circle", tooltip);
    }

    pub(crate) fn polyline(&mut self, class: &str, points: &[(f64, f64)], stroke: Stroke, tooltip: &str) {
        self.begin("polyline", class);
        self.points(points);
        self.body.push_str(" fill=\"none\" stroke-linejoin=\"round\"");
        self.stroke(stroke);
        self.end("polyline", tooltip);
    }

    pub(crate) fn polygon(&mut self, class: &str, points: &[(f64, f64)], fill: Colour, opacity: f64) {
        self.begin("polygon", class);
        self.points(points);
        self.string("fill", &fill.to_string());
        self.number("fill-opacity", opacity);
        self.end("polygon", "");
    }

    fn points(&mut self, points: &[(f64, f64)]) {
        self.body.push_str(" points=\"");
        for (index, &(x, y)) in points.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            let _ = write!(self.body, "{separator}{},{}", Pixels(x), Pixels(y));
        }
        self.body.push('"');
    }

    /// Text on the baseline `position.1`.
    pub(crate) fn text(&mut self, class: &str, position: (f64, f64), letters: Letters, content: &str) {
        self.begin("text", class);
        self.number("x", position.0);
        self.number("y", position.1);
        self.number("font-size", letters.size);
        match letters.anchor {
            Anchor::Start => {}
            Anchor::Middle => self.string("text-anchor", "middle"),
            Anchor::End => self.string("text-anchor", "end"),
        }
        if letters.bold {
            self.string("font-weight", "bold");
        }
        self.string("fill", &letters.colour.to_string());
        if let Some(rim) = letters.rim {
            self.stroke(Stroke::solid(rim, 3.0));
            self.body.push_str(" paint-order=\"stroke\" stroke-linejoin=\"round\"");
        }
        if letters.angle != 0.0 {
            let (x, y) = (Pixels(position.0), Pixels(position.1));
            let _ = write!(self.body, " transform=\"rotate({} {x} {y})\"", Pixels(letters.angle));
        }
        let _ = writeln!(self.body, ">{}</text>", escape(content));
    }
}

/// A length with at most two decimals, so that the same chart has the same bytes on every machine.
struct Pixels(f64);

impl std::fmt::Display for Pixels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Adding zero makes a negative zero positive.
        write!(formatter, "{}", (self.0 * 100.0).round() / 100.0 + 0.0)
    }
}

/// XML's five, and U+FFFD for what XML 1.0 does not admit at all (section 2.2).
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_comes_back_through_a_parser() {
        let label = "a<b & \"c\" > 'd' ]]> \u{1F600}";
        let text = format!("<t a=\"{0}\">{0}</t>", escape(label));
        let document = roxmltree::Document::parse(&text).unwrap();
        assert_eq!(document.root_element().text(), Some(label));
        assert_eq!(document.root_element().attribute("a"), Some(label));
        assert_eq!(escape("\u{0}\u{8}\n\u{ffff}"), "\u{fffd}\u{fffd} \u{fffd}");
    }

    #[test]
    fn lengths_have_two_decimals_at_most() {
        let shown = |value: f64| Pixels(value).to_string();
        assert_eq!([shown(1.0), shown(0.126), shown(-0.001), shown(1.0 / 3.0)], ["1", "0.13", "0", "0.33"]);
    }
}
