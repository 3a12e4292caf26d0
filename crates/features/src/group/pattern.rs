//! Candlestick patterns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::{ColumnInfo, Group};
use crate::error::FeatureError;
use crate::indicator::candlestick::ChosenPatterns;
pub use crate::indicator::candlestick::Pattern;
use crate::plan::Planned;

/// Which pattern columns there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PatternOptions {
    /// Whether the group's columns are computed at all.
    pub enabled: bool,
    /// The patterns, each of which becomes a column, in this order.
    pub patterns: Vec<Pattern>,
}

impl Default for PatternOptions {
    fn default() -> Self {
        Self { enabled: true, patterns: Pattern::ALL.to_vec() }
    }
}

impl PatternOptions {
    pub(crate) fn plan(&self) -> Result<Vec<Planned>, FeatureError> {
        if !self.enabled || self.patterns.is_empty() {
            return Ok(Vec::new());
        }
        let columns: Vec<_> = self.patterns.iter().map(|pattern| describe(*pattern)).collect();
        for (index, pattern) in self.patterns.iter().enumerate() {
            if self.patterns[..index].contains(pattern) {
                let name = columns[index].name.replace('_', "-");
                return Err(FeatureError::spec("pattern.patterns", name, "name each pattern once"));
            }
        }
        Ok(vec![Planned { node: Box::new(ChosenPatterns::new(&self.patterns)), columns }])
    }
}

fn describe(pattern: Pattern) -> ColumnInfo {
    let (name, formula, source, smallest, largest) = match pattern {
        Pattern::Doji => (
            "doji",
            "100 if the body is at most a tenth of the average range of the 10 candles before, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLDOJI",
            0.0,
            100.0,
        ),
        Pattern::DragonflyDoji => (
            "dragonfly_doji",
            "100 for a doji with an upper shadow below and a lower shadow above a tenth of the average \
             range, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLDRAGONFLYDOJI",
            0.0,
            100.0,
        ),
        Pattern::GravestoneDoji => (
            "gravestone_doji",
            "100 for a doji with a lower shadow below and an upper shadow above a tenth of the average \
             range, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLGRAVESTONEDOJI",
            0.0,
            100.0,
        ),
        Pattern::Hammer => (
            "hammer",
            "100 for a short body, a lower shadow longer than it and hardly an upper one, near or below the \
             low before, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLHAMMER",
            0.0,
            100.0,
        ),
        Pattern::HangingMan => (
            "hanging_man",
            "-100 for a short body, a lower shadow longer than it and hardly an upper one, near or above \
             the high before, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLHANGINGMAN",
            -100.0,
            0.0,
        ),
        Pattern::InvertedHammer => (
            "inverted_hammer",
            "100 for a short body, an upper shadow longer than it and hardly a lower one, below the body \
             before, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLINVERTEDHAMMER",
            0.0,
            100.0,
        ),
        Pattern::ShootingStar => (
            "shooting_star",
            "-100 for a short body, an upper shadow longer than it and hardly a lower one, above the body \
             before, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLSHOOTINGSTAR",
            -100.0,
            0.0,
        ),
        Pattern::Engulfing => (
            "engulfing",
            "100 (white) or -100 (black) for a body around the one before of the other colour, 80 or -80 \
             where one end is the same, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLENGULFING",
            -100.0,
            100.0,
        ),
        Pattern::Harami => (
            "harami",
            "100 or -100 for a short body within the long black or white one before, 80 or -80 where one \
             end is the same, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLHARAMI",
            -100.0,
            100.0,
        ),
        Pattern::Piercing => (
            "piercing",
            "100 for a long white body that opens below the low of a long black one and closes in its upper \
             half, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLPIERCING",
            0.0,
            100.0,
        ),
        Pattern::DarkCloudCover => (
            "dark_cloud_cover",
            "-100 for a black body that opens above the high of a long white one and closes in its lower \
             half, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLDARKCLOUDCOVER, penetration \
             0.5",
            -100.0,
            0.0,
        ),
        Pattern::MorningStar => (
            "morning_star",
            "100 for a long black body, a short one below it, and a white one that closes more than 0.3 of \
             the first above its close, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLMORNINGSTAR, penetration 0.3",
            0.0,
            100.0,
        ),
        Pattern::EveningStar => (
            "evening_star",
            "-100 for a long white body, a short one above it, and a black one that closes more than 0.3 of \
             the first below its close, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDLEVENINGSTAR, penetration 0.3",
            -100.0,
            0.0,
        ),
        Pattern::ThreeWhiteSoldiers => (
            "three_white_soldiers",
            "100 for three white bodies with rising opens and closes and hardly an upper shadow, each \
             opening within or near the one before and not far shorter than it, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDL3WHITESOLDIERS",
            0.0,
            100.0,
        ),
        Pattern::ThreeBlackCrows => (
            "three_black_crows",
            "-100 for three black bodies after a white one, with falling closes and hardly a lower shadow, \
             each opening within the one before, else 0",
            "Nison, Japanese Candlestick Charting Techniques, 1991; TA-Lib CDL3BLACKCROWS",
            -100.0,
            0.0,
        ),
    };
    ColumnInfo::new(Group::Pattern, name, formula, source)
        .warm_up(pattern.lookback())
        .between(smallest, largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(options: &PatternOptions) -> Vec<String> {
        let plan = options.plan().unwrap();
        for planned in &plan {
            assert_eq!(planned.node.width(), planned.columns.len());
        }
        plan.into_iter().flat_map(|planned| planned.columns).map(|column| column.name).collect()
    }

    #[test]
    fn columns_are_the_patterns_chosen() {
        let all = names(&PatternOptions::default());
        assert_eq!(all.len(), 15);
        for (name, pattern) in all.iter().zip(Pattern::ALL) {
            let written = format!("patterns = [\"{}\"]", name.replace('_', "-"));
            let options: PatternOptions = toml::from_str(&written).unwrap();
            assert_eq!(options.patterns, [pattern]);
            assert_eq!(names(&options), [name.as_str()]);
        }
        assert!(names(&PatternOptions { patterns: Vec::new(), ..PatternOptions::default() }).is_empty());
        assert!(names(&PatternOptions { enabled: false, ..PatternOptions::default() }).is_empty());
    }

    #[test]
    fn a_pattern_named_twice_is_refused() {
        let twice = vec![Pattern::Doji, Pattern::HangingMan, Pattern::HangingMan];
        let error = PatternOptions { enabled: true, patterns: twice.clone() }.plan().err().unwrap();
        assert_eq!(error.to_string(), "`pattern.patterns` is hanging-man; name each pattern once");
        assert!(PatternOptions { enabled: false, patterns: twice }.plan().is_ok());
    }
}
