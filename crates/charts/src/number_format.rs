//! Numbers as people read them on an axis.

/// The minus sign, as wide as a plus and not a hyphen.
const MINUS: char = '\u{2212}';

/// Ticks `step` apart: as many decimals as the step needs, powers of ten where zeros would crowd.
pub(crate) fn format_tick(value: f64, step: f64, largest: f64) -> String {
    let step = step.abs();
    if step == 0.0 || (1e-5..1e7).contains(&largest) && step >= 1e-5 {
        return plain(value, decimals_of(step));
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = (value.abs().log10().floor() - step.log10().floor()).clamp(0.0, 12.0) as usize;
    scientific(value, digits)
}

/// A value on its own, with `digits` significant ones.
pub(crate) fn format_value(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..7.0).contains(&magnitude) {
        return scientific(value, digits.saturating_sub(1));
    }
    let decimals = (digits as f64 - 1.0 - magnitude).clamp(0.0, 12.0) as usize;
    plain(value, decimals)
}

/// A share in [0, 1] as per cent with one decimal.
pub(crate) fn format_percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// An integer with thin spaces between groups of three digits (ISO 80000-1).
pub(crate) fn format_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digits.len() > 4 {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

fn decimals_of(step: f64) -> usize {
    if step >= 1.0 || step == 0.0 {
        return usize::from(step.fract() > 1e-9);
    }
    // 2.5 of a decade needs one more; the epsilon forgives 0.1 stored as 0.09999.
    let decimals = (-(step.log10() + 1e-9).floor()) as usize;
    let scaled = step * 10_f64.powi(decimals as i32);
    decimals + usize::from((scaled - scaled.round()).abs() > 1e-6)
}

fn plain(value: f64, decimals: usize) -> String {
    signed(&format!("{value:.decimals$}"))
}

fn scientific(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    signed(&format!("{mantissa}e{exponent}"))
}

/// The typographic minus, and none before a zero.
fn signed(text: &str) -> String {
    let zero = text.chars().all(|character| matches!(character, '-' | '0' | '.'));
    if zero { text.trim_start_matches('-').to_owned() } else { text.replace('-', &MINUS.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_have_the_decimals_of_their_step() {
        let cases = [
            (0.1, 0.1, 1.0, "0.1"),
            (0.30000000000000004, 0.1, 1.0, "0.3"),
            (-0.25, 0.25, 1.0, "\u{2212}0.25"),
            (-1e-17, 0.05, 1.0, "0.00"),
            (20.0, 20.0, 100.0, "20"),
            (2.5, 2.5, 10.0, "2.5"),
            (0.0025, 0.0025, 0.01, "0.0025"),
            (2e7, 1e7, 5e7, "2e7"),
            (3e-8, 1e-8, 5e-8, "3e\u{2212}8"),
            (1.5e9, 5e8, 3e9, "1.5e9"),
            (0.0, 1e9, 3e9, "0"),
        ];
        for (value, step, largest, wanted) in cases {
            assert_eq!(format_tick(value, step, largest), wanted);
        }
    }

    #[test]
    fn values_keep_their_digits() {
        let cases = [
            (0.012345, "0.0123"),
            (12.345, "12.3"),
            (123456.0, "123456"),
            (-0.5, "\u{2212}0.500"),
            (0.00003, "3e\u{2212}5"),
            (1.234e9, "1.23e9"),
            (0.0, "0"),
        ];
        for (value, wanted) in cases {
            assert_eq!(format_value(value, 3), wanted);
        }
        assert_eq!(format_count(9_876), "9876");
        assert_eq!(format_count(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(format_percent(0.12345), "12.3 %");
    }
}
