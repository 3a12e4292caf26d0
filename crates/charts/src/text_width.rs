//! How wide text will be, without a font at hand.
//!
//! The viewer chooses the font, so a chart can only reserve enough. The estimate is an upper bound for what
//! [`FONT_FAMILY`] resolves to in practice: per character the wider of DejaVu Sans 2.37 and Liberation Sans (which has the
//! metrics of Arial and Helvetica), and one em for what is not ASCII.

/// The fonts asked for: what desktop systems have, widest last.
pub(crate) const FONT_FAMILY: &str = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

/// Advance widths of U+0020 to U+007E in thousandths of an em, rounded up.
#[rustfmt::skip]
const ADVANCE: [u16; 95] = [
    318, 401, 460, 838, 637, 951, 780, 275, 391, 391, 500, 838, 318, 361, 318, 337,
    637, 637, 637, 637, 637, 637, 637, 637, 637, 637, 337, 337, 838, 838, 838, 557,
    1016, 685, 687, 723, 771, 667, 611, 778, 752, 295, 500, 667, 558, 863, 749, 788,
    667, 788, 723, 667, 611, 732, 685, 989, 686, 667, 686, 391, 337, 391, 838, 557,
    500, 613, 635, 550, 635, 616, 353, 635, 634, 278, 278, 580, 278, 975, 634, 612,
    635, 635, 412, 521, 393, 634, 592, 818, 592, 592, 525, 637, 337, 637, 838,
];

/// Bold letters of DejaVu Sans are up to 1.27 times as wide as its regular ones.
const BOLD: f64 = 1.27;

/// An upper bound of the width of `text` in pixels at `font_size` pixels.
pub(crate) fn text_width(text: &str, font_size: f64) -> f64 {
    let thousandths: u32 = text
        .chars()
        .map(|character| {
            let index = (character as usize).checked_sub(0x20);
            index.and_then(|index| ADVANCE.get(index)).map_or(1_000, |&width| u32::from(width))
        })
        .sum();
    f64::from(thousandths) / 1_000.0 * font_size
}

/// As [`text_width`], for bold text.
pub(crate) fn bold_width(text: &str, font_size: f64) -> f64 {
    text_width(text, font_size) * BOLD
}

/// The widest of `texts`, or 0 of none.
pub(crate) fn widest<'a>(texts: impl IntoIterator<Item = &'a str>, font_size: f64) -> f64 {
    texts.into_iter().map(|text| text_width(text, font_size)).fold(0.0, f64::max)
}

/// Lines of `text` no wider than `limit`, broken at spaces (not at no-break spaces), and within a word only where the word alone is too wide.
pub(crate) fn wrap(text: &str, limit: f64, width: impl Fn(&str) -> f64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()) {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&longer) <= limit {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for character in word.chars() {
            line.push(character);
            if width(&line) > limit && line.chars().count() > 1 {
                line.pop();
                lines.push(std::mem::replace(&mut line, character.to_string()));
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Advances in thousandths of an em read from the `hmtx` tables of DejaVuSans.ttf 2.37 and
    /// LiberationSans-Regular.ttf 1.07.4: "W" 989 and 944, "i" 278 and 222, "_" 500 and 556, "7" 636.2 and 556.
    #[test]
    fn the_estimate_is_the_wider_of_the_two_fonts() {
        assert_eq!(text_width("Wi", 1_000.0), 989.0 + 278.0);
        assert_eq!(text_width("_7", 1_000.0), 557.0 + 637.0);
        // Widths of whole labels in DejaVu Sans, by the same tables.
        assert!(text_width("funding_rate_8h_zscore_96", 1_000.0) >= 13_608.4);
        assert!(text_width("mean |SHAP value| (log-odds)", 1_000.0) >= 14_936.5);
        assert!(text_width("mean |SHAP value| (log-odds)", 1_000.0) < 1.1 * 14_936.5);
        assert_eq!(text_width("δ−", 10.0), 20.0);
    }

    #[test]
    fn wrapping_keeps_every_word_and_the_limit() {
        let width = |text: &str| text_width(text, 10.0);
        let lines = wrap("macro-F1 of every baseline against the model supercalifragilistic", 60.0, width);
        assert!(lines.iter().all(|line| width(line) <= 60.0), "{lines:?}");
        assert_eq!(
            lines.concat().replace(' ', ""),
            "macro-F1ofeverybaselineagainstthemodelsupercalifragilistic"
        );
        assert!(wrap("  ", 60.0, width).is_empty());
        assert_eq!(wrap("W", 1.0, width), ["W"]);
    }
}
