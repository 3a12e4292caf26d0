//! Writing the page: escaped text, tables, lists, figures. Everything is also well-formed XML, so that tests can parse it.

use charts::{ChartError, ChartStyle};

use crate::error::SimError;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A page while it is written.
#[derive(Debug, Default)]
pub(super) struct Page {
    body: String,
    /// Anchors and headings of the sections.
    sections: Vec<(&'static str, &'static str)>,
}

/// How wide a chart stands on a wide screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// Over the whole page.
    Whole,
    /// Two beside each other.
    Half,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    pub(super) name: &'a str,
    /// Numbers stand right.
    pub(super) number: bool,
}

impl<'a> Column<'a> {
    pub(super) fn text(name: &'a str) -> Self {
        Self { name, number: false }
    }

    pub(super) fn number(name: &'a str) -> Self {
        Self { name, number: true }
    }
}

/// Markup that is escaped already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markup(pub(super) String);

impl Markup {
    pub(super) fn text(text: &str) -> Self {
        Self(escape(text))
    }
}

impl Page {
    /// Opens a section with its heading.
    pub(super) fn open_section(&mut self, anchor: &'static str, heading: &'static str) {
        self.sections.push((anchor, heading));
        self.raw(&format!("<section id=\"{anchor}\" aria-labelledby=\"{anchor}-heading\">\n"));
        self.raw(&format!("<h2 id=\"{anchor}-heading\">{}</h2>\n", escape(heading)));
    }

    pub(super) fn close_section(&mut self) {
        self.raw("</section>\n");
    }

    /// Markup as it is.
    pub(super) fn raw(&mut self, markup: &str) {
        self.body.push_str(markup);
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.raw(&format!("<h3>{}</h3>\n", escape(text)));
    }

    /// A paragraph; `class` may be empty.
    pub(super) fn paragraph(&mut self, class: &str, text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        self.raw(&format!("<p{class}>{}</p>\n", escape(text)));
    }

    pub(super) fn list(&mut self, items: &[String]) {
        self.raw("<ul>\n");
        for item in items {
            self.raw(&format!("<li>{}</li>\n", escape(item)));
        }
        self.raw("</ul>\n");
    }

    /// A table that scrolls sideways where it is wider than the page.
    pub(super) fn table(&mut self, caption: &str, columns: &[Column<'_>], rows: &[Vec<Markup>]) {
        let label = escape(caption);
        self.raw(&format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">\n<table>\n"
        ));
        self.raw(&format!("<caption>{label}</caption>\n<thead><tr>"));
        for column in columns {
            self.raw(&format!("<th scope=\"col\"{}>{}</th>", class_of(*column), escape(column.name)));
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for (index, (cell, column)) in row.iter().zip(columns).enumerate() {
                let (open, close) = if index == 0 { ("th scope=\"row\"", "th") } else { ("td", "td") };
                self.raw(&format!("<{open}{}>{}</{close}>", class_of(*column), cell.0));
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody>\n</table>\n</div>\n");
    }

    pub(super) fn open_figures(&mut self) {
        self.raw("<div class=\"charts\">\n");
    }

    pub(super) fn close_figures(&mut self) {
        self.raw("</div>\n");
    }

    /// A chart with a note below it (may be empty), drawn for wide and for narrow screens, of which one is seen.
    pub(super) fn figure(
        &mut self,
        width: Width,
        note: &str,
        draw: impl Fn(&ChartStyle) -> Result<String, ChartError>,
    ) -> Result<(), SimError> {
        let wide = match width {
            Width::Whole => ChartStyle { width: 1_240.0, plot_height: 300.0, ..ChartStyle::default() },
            Width::Half => ChartStyle { width: 610.0, plot_height: 240.0, ..ChartStyle::default() },
        };
        let narrow = ChartStyle { width: 335.0, plot_height: 220.0, ..ChartStyle::default() };
        let (wide_chart, narrow_chart) = (draw(&wide)?, draw(&narrow)?);
        let class = if width == Width::Whole { "chart whole" } else { "chart half" };
        self.raw(&format!("<figure class=\"{class}\">\n"));
        if wide_chart == narrow_chart {
            self.raw(&format!("<div class=\"both\" tabindex=\"0\">{wide_chart}</div>\n"));
        } else {
            self.raw(&format!("<div class=\"wide\">{wide_chart}</div>\n"));
            self.raw(&format!("<div class=\"narrow\" tabindex=\"0\">{narrow_chart}</div>\n"));
        }
        if !note.is_empty() {
            self.raw(&format!("<figcaption>{}</figcaption>\n", escape(note)));
        }
        self.raw("</figure>\n");
        Ok(())
    }

    /// The whole document, with `header` before the table of contents.
    pub(super) fn finish(self, title: &str, header: &str) -> String {
        let contents: String = self
            .sections
            .iter()
            .map(|(anchor, heading)| format!("<li><a href=\"#{anchor}\">{}</a></li>\n", escape(heading)))
            .collect();
        // The policy makes a browser refuse to load anything, whatever the data hold.
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
             <body>\n<header>\n{header}</header>\n<nav aria-label=\"Contents\">\n<ul>\n{contents}</ul>\n</nav>\n\
             <main>\n{}</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
            escape(title),
            self.body
        )
    }
}

fn class_of(column: Column<'_>) -> &'static str {
    if column.number { " class=\"number\"" } else { "" }
}

/// Text as HTML and XML both read it; what XML 1.0 does not admit (section 2.2) becomes U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// JSON inside a script element: no `<` can end it or begin a comment, and it is text to XML as well.
pub(super) fn script_json(json: &str) -> String {
    // Outside strings JSON has none of these, and within them the escape means the same.
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A number with a minus as wide as a plus.
pub(super) fn number(value: impl std::fmt::Display) -> String {
    value.to_string().replace('-', "\u{2212}")
}
