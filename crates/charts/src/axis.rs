//! From values to shares of an axis, and the ticks beside it.

use crate::error::{ChartError, Checked};
use crate::number_format::format_tick;
use crate::text_width::text_width;

/// How values lie along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum AxisScale<'a> {
    /// Equal differences, equal distances.
    #[default]
    Linear,
    /// Equal ratios, equal distances; every value is above zero.
    Logarithmic,
    /// One of these names; a value is the position in the list, as 0.0, 1.0 and so on.
    Categories(&'a [&'a str]),
}

/// A value marked on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    pub(crate) value: f64,
    pub(crate) label: String,
}

/// The room that tick labels have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Pixels from end to end.
    pub(crate) length: f64,
    pub(crate) font_size: f64,
    /// Labels lie side by side, rather than one above the other.
    pub(crate) across: bool,
}

/// A range of values and its ticks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    pub(crate) marks: Vec<Mark>,
}

/// More ticks than this tell no more.
const MOST_TICKS: usize = 9;

impl Axis {
    /// An axis over `values` with ends on ticks, as many ticks as have room.
    pub(crate) fn linear((low, high): (f64, f64), room: Room) -> Self {
        let (low, high) = widened(low, high);
        let mut axis = Self::rounded(low, high, 1);
        for intervals in 2..MOST_TICKS {
            let finer = Self::rounded(low, high, intervals);
            if finer.marks.len() > axis.marks.len() && finer.marks.len() <= MOST_TICKS && finer.fits(room) {
                axis = finer;
            }
        }
        if !axis.fits(room) {
            // On both sides of zero even the coarsest has three.
            axis.marks = [axis.marks.first(), axis.marks.last()].into_iter().flatten().cloned().collect();
        }
        axis
    }

    /// An axis from `low` to `high` exactly, with ticks where they are round; for shares and colour bars.
    pub(crate) fn exact((low, high): (f64, f64), room: Room) -> Self {
        let (low, high) = widened(low, high);
        let mut axis = Self { low, high, logarithmic: false, marks: Vec::new() };
        for intervals in 1..MOST_TICKS {
            let mut finer = Self::rounded(low, high, intervals);
            let slack = (high - low) * 1e-9;
            finer.marks.retain(|mark| mark.value >= low - slack && mark.value <= high + slack);
            (finer.low, finer.high) = (low, high);
            if finer.marks.len() > axis.marks.len() && finer.fits(room) {
                axis = finer;
            }
        }
        axis
    }

    /// A logarithmic axis a little beyond `low` and `high`, both above zero.
    pub(crate) fn logarithmic((low, high): (f64, f64), room: Room) -> Self {
        let (low, high) = if high / low < 1.0 + 1e-9 { (low / 2.0, high * 2.0) } else { (low, high) };
        let beyond = (high / low).powf(0.03);
        let (low, high) = (low / beyond, high * beyond);
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let within = |value: &f64| *value >= low && *value <= high;
        let mut axis = Self { low, high, logarithmic: true, marks: Vec::new() };
        let strides = [50, 20, 10, 5, 4, 3, 2, 1].into_iter().map(|stride| (stride, &[1.0][..]));
        let finer = [(1, &[1.0, 3.0][..]), (1, &[1.0, 2.0, 5.0][..])];
        for (stride, multiples) in strides.chain(finer) {
            let values: Vec<f64> = (first..=last)
                .filter(|exponent| exponent.rem_euclid(stride) == 0)
                .flat_map(|exponent| multiples.iter().map(move |multiple| multiple * 10_f64.powi(exponent)))
                .filter(within)
                .collect();
            axis.take_if_better(values, room);
        }
        // Less than a decade may hold none of those: round differences, then.
        for intervals in 1..MOST_TICKS {
            if axis.marks.len() < 3 {
                let values =
                    Self::rounded(low, high, intervals).marks.iter().map(|mark| mark.value).collect();
                axis.take_if_better(values, room);
            }
        }
        axis
    }

    fn take_if_better(&mut self, mut values: Vec<f64>, room: Room) {
        values.retain(|value| *value >= self.low && *value <= self.high);
        let marks = values.iter().map(|&value| Mark { value, label: logarithmic_label(value) }).collect();
        let other = Self { marks, ..*self };
        if other.marks.len() > self.marks.len() && other.marks.len() <= MOST_TICKS && other.fits(room) {
            *self = other;
        }
    }

    /// An axis with one place for each of `names`, half a place left free at the ends.
    pub(crate) fn categories(names: &[&str]) -> Self {
        let marks = names
            .iter()
            .enumerate()
            .map(|(index, name)| Mark { value: index as f64, label: (*name).to_owned() })
            .collect();
        Self { low: -0.5, high: names.len() as f64 - 0.5, logarithmic: false, marks }
    }

    /// An axis from `low` to `high` with the caller's own ticks, of which those without room are left out.
    pub(crate) fn custom((low, high): (f64, f64), ticks: &[(f64, &str)], room: Room) -> Self {
        let (low, high) = widened(low, high);
        let mut axis = Self { low, high, logarithmic: false, marks: Vec::new() };
        for stride in 1..=ticks.len().max(1) {
            axis.marks = ticks
                .iter()
                .filter(|(value, _)| (low..=high).contains(value))
                .step_by(stride)
                .map(|(value, label)| Mark { value: *value, label: (*label).to_owned() })
                .collect();
            if axis.fits(room) {
                break;
            }
        }
        axis
    }

    /// Both ends of `scale`'s axis from the data.
    pub(crate) fn of(scale: AxisScale<'_>, values: impl IntoIterator<Item = f64>, room: Room) -> Self {
        let (low, high) = extent(values);
        match scale {
            AxisScale::Linear => Self::linear((low, high), room),
            AxisScale::Logarithmic => Self::logarithmic((low, high), room),
            AxisScale::Categories(names) => Self::categories(names),
        }
    }

    /// The height that `scale` needs upright, where names stand one above the other.
    pub(crate) fn least_height(scale: AxisScale<'_>, font_size: f64) -> f64 {
        let AxisScale::Categories(names) = scale else { return 0.0 };
        names.len() as f64 * 1.7 * font_size
    }

    fn rounded(low: f64, high: f64, intervals: usize) -> Self {
        let step = nice_step((high - low) / intervals as f64);
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let largest = (first * step).abs().max((last * step).abs());
        let marks = (0..=(last - first) as usize)
            .map(|index| (first + index as f64) * step)
            .map(|value| Mark { value, label: format_tick(value, step, largest) })
            .collect();
        Self { low: (first * step).min(low), high: (last * step).max(high), logarithmic: false, marks }
    }

    fn fits(&self, room: Room) -> bool {
        self.marks.windows(2).all(|pair| {
            let apart = (self.share(pair[1].value) - self.share(pair[0].value)) * room.length;
            let needed = if room.across {
                let widths: f64 = pair.iter().map(|mark| text_width(&mark.label, room.font_size)).sum();
                widths / 2.0 + 0.8 * room.font_size
            } else {
                1.7 * room.font_size
            };
            apart >= needed
        })
    }

    /// Where `value` lies, 0 at the lower end and 1 at the upper.
    pub(crate) fn share(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }

    pub(crate) fn widest_label(&self, font_size: f64) -> f64 {
        crate::text_width::widest(self.marks.iter().map(|mark| mark.label.as_str()), font_size)
    }
}

/// Refuses values that `scale` has no place for.
pub(crate) fn check_scale(
    checked: &Checked<'_>,
    scale: AxisScale<'_>,
    values: &[f64],
    name: &str,
) -> Result<(), ChartError> {
    checked.all_finite(values, name)?;
    for (index, &value) in values.iter().enumerate() {
        let entry = || format!("{name}, value {index}");
        match scale {
            AxisScale::Linear => {}
            AxisScale::Logarithmic if value < 1e-100 => {
                return Err(checked.value(
                    entry(),
                    value,
                    "a logarithmic axis shows values above zero (from 1e-100)",
                ));
            }
            AxisScale::Logarithmic => {}
            AxisScale::Categories(names) => {
                if value < 0.0 || value.fract() != 0.0 || value >= names.len() as f64 {
                    let remedy =
                        format!("give the position of one of the {} categories, from 0", names.len());
                    return Err(checked.value(entry(), value, &remedy));
                }
            }
        }
    }
    Ok(())
}

/// The smallest and the largest of `values`; (0, 0) of none.
pub(crate) fn extent(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let ends = values.into_iter().fold(None, |ends: Option<(f64, f64)>, value| {
        Some(ends.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
    });
    ends.unwrap_or((0.0, 0.0))
}

/// Values next to each other to the last digits get an axis around them.
fn widened(low: f64, high: f64) -> (f64, f64) {
    let largest = low.abs().max(high.abs());
    if largest < 1e-100 {
        (-1.0, 1.0)
    } else if high - low < largest * 1e-9 {
        (low - largest * 0.5, high + largest * 0.5)
    } else {
        (low, high)
    }
}

/// The least of 1, 2, 2.5, 5 times a power of ten that is not below `rough` (after Heckbert, "Nice Numbers for Graph
/// Labels", Graphics Gems, 1990).
fn nice_step(rough: f64) -> f64 {
    let decade = 10_f64.powf(rough.log10().floor());
    let share = rough / decade;
    let nice = [1.0, 2.0, 2.5, 5.0].into_iter().find(|nice| share <= nice * (1.0 + 1e-9)).unwrap_or(10.0);
    nice * decade
}

/// Plain numbers from 0.01 to below a million, powers of ten beyond.
fn logarithmic_label(value: f64) -> String {
    let step = 10_f64.powf(value.log10().floor().min(0.0));
    let largest = if (0.0099..999_999.0).contains(&value) { value } else { f64::INFINITY };
    let fraction = (value / step).fract().min(1.0 - (value / step).fract());
    format_tick(value, if fraction < 1e-6 { step } else { step / 10.0 }, largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Room = Room { length: 600.0, font_size: 12.0, across: true };

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.marks.iter().map(|mark| mark.label.as_str()).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_cover_the_data() {
        let axis = Axis::linear((0.03, 0.97), WIDE);
        assert_eq!(labels(&axis), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!((axis.share(0.0), axis.share(0.5), axis.share(1.0)), (0.0, 0.5, 1.0));
        let narrow = Axis::linear((0.03, 0.97), Room { length: 90.0, ..WIDE });
        assert!(narrow.marks.len() < 5 && narrow.marks.len() >= 2, "{narrow:?}");
        let constant = Axis::linear((7.0, 7.0), WIDE);
        assert!(constant.share(7.0) > 0.2 && constant.share(7.0) < 0.8);
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten_or_round() {
        assert_eq!(
            labels(&Axis::logarithmic((1e-5, 1e-1), WIDE)),
            [
                "1e\u{2212}5",
                "3e\u{2212}5",
                "1e\u{2212}4",
                "3e\u{2212}4",
                "1e\u{2212}3",
                "3e\u{2212}3",
                "0.01",
                "0.03",
                "0.1"
            ]
        );
        let axis = Axis::logarithmic((16.0, 512.0), WIDE);
        assert!(labels(&axis).contains(&"100"), "{axis:?}");
        // Halfway in ratios.
        assert!((axis.share((16.0_f64 * 512.0).sqrt()) - 0.5).abs() < 1e-12);
        assert!(Axis::logarithmic((3.1, 3.3), WIDE).marks.len() >= 2);
    }

    #[test]
    fn labels_never_overlap() {
        for length in [60.0, 120.0, 240.0, 900.0] {
            for (low, high) in
                [(0.0, 1.0), (-1e-9, 3e-9), (123456.0, 123457.0), (-5e12, 1e13), (0.001, 5000.0)]
            {
                let room = Room { length, ..WIDE };
                let mut axes = vec![Axis::linear((low, high), room), Axis::exact((low, high), room)];
                if low > 0.0 {
                    axes.push(Axis::logarithmic((low, high), room));
                }
                for axis in axes {
                    // Two ends stay even where there is no room for them.
                    assert!(axis.marks.len() <= 2 || axis.fits(room), "{length} {low} {high} {axis:?}");
                }
            }
        }
    }
}
