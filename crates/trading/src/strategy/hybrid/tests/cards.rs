//! Cards: candles and signals in, targets and votes out.

use super::*;

// From the lines of Python that their test quotes.
const TREND: f64 = -0.060785942213343436;
const RATIO: f64 = 0.2328767123287671;
const ATR: f64 = 0.11879048945469434;
const EWMA: f64 = 0.09511847979030091;

const BOTH: &str = "combination = \"model-only\"\n[position]\nsides = \"long-and-short\"\n";

fn with(filter: &str) -> HybridStrategy {
    strategy(&format!("{BOTH}\n{filter}"))
}

#[test]
fn both_must_agree() {
    let mut agreed =
        strategy("[position]\nsides = \"long-and-short\"\nsize = { kind = \"exposure\", share = 0.5 }");
    let text = play(
        &mut agreed,
        "
        100 | 0.1 0.6 | buy  | - | - => +0.5 | model long 0.6 0.5; policy long 1 0.1
        100 | 0.6 0.1 | -0.3 | - | - => -0.5 | model short 0.6 0.5; policy short -0.3 0.1
        100 | 0.1 0.6 | sell | - | long => - | model long 0.6 0.5; policy short -1 0.1
        100 | -       | buy  | - | long => - | model abstains 0 0.5; policy long 1 0.1
        100 | 0.6 0.1 | sell | - | long => flat | model short 0.6 0.5; policy short -1 0.1
    ",
    );
    assert_eq!(text, "model: short, probability 0.60 ≥ 0.50\npolicy: short, exposure -1.00 < -0.10");
}

#[test]
fn trend() {
    // EMA of period 2, weight 2/3: (10 + 13)/2 = 11.5; 11.5 + 4.5·2/3 = 14.5; 17.5; 17.5 - 1.5·2/3 = 16.5;
    // 16.5 - 12.5·2/3 = 8.1667. The slope over two candles: 17.5 - 11.5; 16.5 - 14.5; 8.1667 - 17.5.
    // 19/17.5 - 1 = 0.0857143; 16 lies below a rising average; 4/8.1667 - 1 = -0.5102041.
    let text = play(
        &mut with("[filters.trend]\nperiod = 2\nslope_candles = 2\nminimum_distance = 0.01"),
        "
        10 | 0.1 0.6 | - | - | - => -    | model long 0.6 0.5; trend abstains 1 4
        13 | 0.1 0.6 | - | - | - => -    | model long 0.6 0.5; trend abstains 2 4
        16 | 0.1 0.6 | - | - | - => -    | model long 0.6 0.5; trend abstains 3 4
        19 | 0.1 0.6 | - | - | - => long 0.60 | model long 0.6 0.5; trend allows 0.0857143 0.01
        16 | 0.1 0.6 | - | - | - => flat | model long 0.6 0.5; trend vetoes 0 0.01
        4  | 0.1 0.6 | - | - | - => -    | model long 0.6 0.5; trend vetoes -0.5102041 0.01
    ",
    );
    assert_eq!(
        text,
        "model: long, probability 0.60 ≥ 0.50\ntrend: vetoes, price 51.02 % below its falling average"
    );
    play(
        &mut with("[filters.trend]\nperiod = 2\nslope_candles = 2\nminimum_distance = 0.09"),
        "
        10 | -       | - | - | - => - | model abstains 0 0.5; trend abstains 1 4
        13 | -       | - | - | - => - | model abstains 0 0.5; trend abstains 2 4
        16 | -       | - | - | - => - | model abstains 0 0.5; trend abstains 3 4
        19 | 0.1 0.6 | - | - | - => - | model long 0.6 0.5; trend vetoes 0.0857143 0.09
        16 | -       | - | - | - => - | model abstains 0 0.5; trend allows 0 0.09
        4  | 0.6 0.1 | - | - | - => short 0.60 | model short 0.6 0.5; trend allows -0.5102041 -0.09
    ",
    );
}

#[test]
fn a_price_that_stands_still_has_no_trend() {
    let mut still = with("[filters.trend]\nperiod = 3\nslope_candles = 2");
    let rows = "0.1 | 0.1 0.6 | - | - | - => - | model long 0.6 0.5; trend ";
    let rows: Vec<String> =
        ["abstains 1 5", "abstains 2 5", "abstains 3 5", "abstains 4 5", "vetoes 0 0", "vetoes 0 0"]
            .iter()
            .map(|vote| format!("{rows}{vote}"))
            .collect();
    play(&mut still, &rows.join("\n"));
}

#[test]
fn regime() {
    // |13 - 10| / (2 + 1 + 2) = 0.6; |11.5 - 12| / (1 + 2 + 1.5) = 0.1111111; nothing moves: 0.
    let rows = "
        10   | 0.1 0.6 | - | - | - => - | model long 0.6 0.5; regime abstains 1 4
        12   | 0.1 0.6 | - | - | - => - | model long 0.6 0.5; regime abstains 2 4
        11   | 0.1 0.6 | - | - | - => - | model long 0.6 0.5; regime abstains 3 4
        13   | 0.1 0.6 | - | - | - => A | model long 0.6 0.5; regime B 0.6 0.5
        11.5 | 0.1 0.6 | - | - | - => C | model long 0.6 0.5; regime D 0.1111111 0.5";
    let trending =
        rows.replace('A', "long 0.60").replace('B', "allows").replace('C', "flat").replace('D', "vetoes");
    play(&mut with("[filters.regime]\nperiod = 3\ntrending_from = 0.5"), &trending);
    let flat = rows.replace('A', "-").replace('B', "vetoes").replace('C', "long 0.60").replace('D', "allows");
    let text = play(&mut with("[filters.regime]\nperiod = 3\ntrending_from = 0.5\ntrade = \"flat\""), &flat);
    assert_eq!(text.lines().nth(1).unwrap(), "regime: allows, efficiency ratio 0.11 < 0.50");
}

#[test]
fn volatility_by_range() {
    // True ranges from the second candle on: 13 - 10 = 3; 16 - 12 = 4 (from the close before); 1; 0.
    // (3 + 4)/2 = 3.5 of 15; 3.5 + (1 - 3.5)/2 = 2.25 of 15; 1.125 of 15.
    let text = play(
        &mut with("[filters.volatility]\nperiod = 2\nminimum = 0.1\nmaximum = 0.2"),
        "
        12/10/11   | 0.1 0.6 | - | - | - => - | model long 0.6 0.5; volatility abstains 1 3
        13/10/12   | 0.1 0.6 | - | - | - => - | model long 0.6 0.5; volatility abstains 2 3
        16/14/15   | 0.1 0.6 | - | - | - => - | model long 0.6 0.5; volatility vetoes 0.2333333 0.2
        15.5/14.5/15 | 0.1 0.6 | - | - | - => long 0.60 | model long 0.6 0.5; volatility allows 0.15 0.2
        15/15/15   | 0.1 0.6 | - | - | - => flat | model long 0.6 0.5; volatility vetoes 0.075 0.1
    ",
    );
    assert_eq!(text.lines().nth(1).unwrap(), "volatility: vetoes, 0.075 < 0.100 of the price per candle");
}

#[test]
fn volatility_by_returns() {
    // np.sqrt(np.mean(np.log([1.1, 0.9, 1.1])**2)) = 0.0987740; λ = (3 - 1)/(3 + 1), so a candle without a return leaves
    // the root of half of its square: 0.0698438.
    play(
        &mut with("[filters.volatility]\nmeasure = \"ewma\"\nperiod = 3\nminimum = 0.07\nmaximum = 0.2"),
        "
        100   | 0.1 0.6 | - | - | - => - | model long 0.6 0.5; volatility abstains 1 4
        110   | 0.1 0.6 | - | - | - => - | model long 0.6 0.5; volatility abstains 2 4
        99    | 0.1 0.6 | - | - | - => - | model long 0.6 0.5; volatility abstains 3 4
        108.9 | 0.1 0.6 | - | - | - => long 0.60 | model long 0.6 0.5; volatility allows 0.0987740 0.2
        108.9 | 0.1 0.6 | - | - | - => flat | model long 0.6 0.5; volatility vetoes 0.0698438 0.07
    ",
    );
}

#[test]
fn spread() {
    let text = play(
        &mut with("[filters.spread]\nmaximum = 0.0005"),
        "
        100 | 0.1 0.6 | - | spread=0.0005  | - => long 0.60 | model long 0.6 0.5; spread allows 0.0005 0.0005
        100 | 0.1 0.6 | - | spread=0.00051 | - => flat | model long 0.6 0.5; spread vetoes 0.00051 0.0005
        100 | 0.1 0.6 | - | spread=-0.1    | - => - | model long 0.6 0.5; spread vetoes -1 0.0005
        100 | 0.1 0.6 | - | -              | - => - | model long 0.6 0.5; spread vetoes -1 0.0005
    ",
    );
    assert_eq!(text.lines().nth(1).unwrap(), "spread: vetoes, the spread is unknown");
    play(
        &mut with("[filters.spread]\nmaximum = 0.0005\nunknown = \"passes\""),
        "
        100 | 0.1 0.6 | - | - | - => long 0.60 | model long 0.6 0.5; spread allows -1 0.0005
    ",
    );
}

#[test]
fn confirmation() {
    let text = play(
        &mut with("[filters.confirmation]\ncandles = 3"),
        "
        100 | 0.1 0.6 | - | -   | - => -    | model long 0.6 0.5; confirmation vetoes 1 3
        100 | 0.1 0.6 | - | -   | - => -    | model long 0.6 0.5; confirmation vetoes 2 3
        100 | 0.1 0.6 | - | -   | - => long 0.60 | model long 0.6 0.5; confirmation allows 3 3
        100 | 0.6 0.1 | - | -   | - => flat | model short 0.6 0.5; confirmation vetoes 1 3
        100 | 0.2 0.2 | - | -   | - => -    | model flat 0.2 0.5; confirmation allows 0 3
        100 | 0.1 0.6 | - | -   | - => -    | model long 0.6 0.5; confirmation vetoes 1 3
        100 | 0.1 0.6 | - | -   | - => -    | model long 0.6 0.5; confirmation vetoes 2 3
        100 | 0.1 0.6 | - | gap | - => -    | model long 0.6 0.5; confirmation vetoes 1 3
    ",
    );
    assert_eq!(
        text.lines().nth(1).unwrap(),
        "confirmation: vetoes, candles with this direction: 1, needed: 3"
    );
}

#[test]
fn cool_down() {
    let text = play(&mut with("[filters.cool_down]\ncandles = 1\ncandles_after_loss = 3"), "
        100 | 0.1 0.6 | - | - | - => long 0.60 | model long 0.6 0.5; cool-down allows -1 1
        105 | 0.1 0.6 | - | - | long entry=100 profit=10 held=1 => - | model long 0.6 0.5; cool-down allows -1 1
        106 | 0.1 0.6 | - | - | - => -         | model long 0.6 0.5; cool-down vetoes 0 1
        106 | 0.1 0.6 | - | - | - => long 0.60 | model long 0.6 0.5; cool-down allows 1 1
        105 | 0.1 0.6 | - | - | long entry=106 profit=-2 held=1 => - | model long 0.6 0.5; cool-down allows 2 1
        110 | 0.1 0.6 | - | gap | - => -       | model long 0.6 0.5; cool-down vetoes 0 3
        110 | 0.1 0.6 | - | gap | - => -       | model long 0.6 0.5; cool-down vetoes 1 3
        110 | 0.1 0.6 | - | - | - => -         | model long 0.6 0.5; cool-down vetoes 2 3
        110 | 0.1 0.6 | - | - | - => long 0.60 | model long 0.6 0.5; cool-down allows 3 3
    ");
    assert_eq!(
        text.lines().nth(1).unwrap(),
        "cool-down: allows, candles since a position closed: 3, needed: 3"
    );
    // It was winning when last seen, but the candle in which it went closed above the entry of a short position; and a
    // position that is younger than it was is another one.
    play(&mut with("[filters.cool_down]\ncandles = 1\ncandles_after_loss = 2"), "
        99  | 0.6 0.1 | - | - | short entry=100 profit=2 held=5 => - | model short 0.6 0.5; cool-down allows -1 1
        101 | 0.6 0.1 | - | - | - => - | model short 0.6 0.5; cool-down vetoes 0 2
        99  | 0.6 0.1 | - | - | short entry=100 profit=2 held=5 => - | model short 0.6 0.5; cool-down vetoes 1 2
        99  | 0.6 0.1 | - | - | short entry=100 profit=2 held=1 => - | model short 0.6 0.5; cool-down vetoes 0 1
    ");
}

#[test]
fn session() {
    // 2024-01-05 was a Friday: 4 days of 24 hours after Monday. 22:00 is hour 118, Saturday 02:00 hour 122; the next session
    // begins a week later, at 118 + 168 = 286.
    let rows = "
        100 | 0.1 0.6 | - | t=2024-01-05T01:00:00Z | - => - | model long 0.6 0.5; session vetoes 97 118
        100 | 0.1 0.6 | - | t=2024-01-05T21:30:00Z | - => - | model long 0.6 0.5; session vetoes 117.5 118
        100 | 0.1 0.6 | - | t=2024-01-05T22:00:00Z | - => long 0.60 | model long 0.6 0.5; session allows 118 122
        100 | 0.1 0.6 | - | t=2024-01-06T01:45:00Z | - => long 0.60 | model long 0.6 0.5; session allows 121.75 122
        100 | 0.1 0.6 | - | t=2024-01-06T02:00:00Z | - => flat | model long 0.6 0.5; session vetoes 122 286";
    let mut friday = with("[filters.session]\nweekdays = [\"friday\"]\nhours = [{ from = 22, until = 2 }]");
    let text = play(&mut friday, rows);
    assert_eq!(text.lines().nth(1).unwrap(), "session: vetoes, Sat 02:00 UTC, until Fri 22:00 UTC");
    // Sunday 23:00 to Monday 01:00 goes over the end of the week; a time before 1970 has a weekday too.
    play(&mut with("[filters.session]\nweekdays = [\"sunday\"]\nhours = [{ from = 23, until = 1 }]"), "
        100 | 0.1 0.6 | - | t=2024-01-08T00:30:00Z | - => long 0.60 | model long 0.6 0.5; session allows 0.5 1
        100 | 0.1 0.6 | - | t=1969-12-28T23:00:00Z | - => long 0.60 | model long 0.6 0.5; session allows 167 169
    ");
    play(
        &mut with("[filters.session]"),
        "
        100 | 0.1 0.6 | - | t=2024-01-01T05:00:00Z | - => long 0.60 | model long 0.6 0.5; session allows 5 173
    ",
    );
}

#[test]
fn opposite_signals() {
    let text = play(
        &mut with(""),
        "
        100 | 0.6 0.1 | - | - | long  => flat | model short 0.6 0.5
        100 | 0.1 0.6 | - | - | short => flat | model long 0.6 0.5
        100 | 0.1 0.6 | - | - | long  => -    | model long 0.6 0.5
    ",
    );
    assert_eq!(text, "model: long, probability 0.60 ≥ 0.50");
    play(
        &mut strategy(&format!("{BOTH}on_opposite = \"ignore\"")),
        "
        100 | 0.6 0.1 | - | - | long  => - | model short 0.6 0.5
    ",
    );
    play(
        &mut strategy(&format!("{BOTH}on_opposite = \"flip\"")),
        "
        100 | 0.6 0.1 | - | - | long  => short 0.60 | model short 0.6 0.5
        100 | 0.1 0.6 | - | - | short => long 0.60  | model long 0.6 0.5
    ",
    );
    // What may not be turned round is closed.
    play(
        &mut strategy(&format!("{BOTH}on_opposite = \"flip\"\n[filters.spread]")),
        "
        100 | 0.6 0.1 | - | spread=0.1 | long => flat | model short 0.6 0.5; spread vetoes 0.1 0.001
        100 | 0.6 0.1 | - | spread=0.0 | long => short 0.60 | model short 0.6 0.5; spread allows 0 0.001
    ",
    );
}

#[test]
fn the_policy_forbids_opening_but_not_closing() {
    let veto = "combination = \"model-with-policy-veto\"\n[position]\nsides = \"long-and-short\"\non_opposite = \"flip\"";
    let text = play(
        &mut strategy(veto),
        "
        100 | 0.1 0.6 | hold | - | -    => long 0.60 | model long 0.6 0.5; policy allows 0 0.1
        100 | 0.1 0.6 | sell | - | -    => flat | model long 0.6 0.5; policy vetoes -1 0.1
        100 | 0.6 0.1 | buy  | - | long => flat | model short 0.6 0.5; policy vetoes 1 0.1
        100 | 0.6 0.1 | -    | - | long => short 0.60 | model short 0.6 0.5; policy abstains 0 0.1
        100 | 0.2 0.2 | sell | - | long => - | model flat 0.2 0.5; policy allows -1 0.1
        100 | 0.6 0.1 | 0.5  | - | long => flat | model short 0.6 0.5; policy vetoes 0.5 0.1
    ",
    );
    assert_eq!(text.lines().nth(1).unwrap(), "policy: vetoes, exposure 0.50 > 0.10");
}

#[test]
fn holds_and_silence() {
    let rows = "
        100 | 0.2 0.2 | - | - | long => A | model flat 0.2 0.5
        100 | -       | - | - | long => - | model abstains 0 0.5";
    play(&mut with(""), &rows.replace('A', "-"));
    let text = play(&mut strategy(&format!("{BOTH}on_hold = \"close\"")), &rows.replace('A', "flat"));
    assert_eq!(text, "model: abstains, no usable probabilities");
}

#[test]
fn minimum_holding() {
    let text = play(
        &mut strategy(&format!("{BOTH}minimum_holding = 3\non_hold = \"close\"")),
        "
        100 | 0.6 0.1 | - | - | long held=2 => -    | model short 0.6 0.5; rule vetoes 2 3
        100 | 0.2 0.2 | - | - | long held=2 => -    | model flat 0.2 0.5; rule vetoes 2 3
        100 | 0.1 0.6 | - | - | long held=2 => -    | model long 0.6 0.5
        100 | 0.6 0.1 | - | - | long held=3 => flat | model short 0.6 0.5; rule allows 3 3
        100 | 0.6 0.1 | - | - | long held=2 => -    | model short 0.6 0.5; rule vetoes 2 3
    ",
    );
    assert_eq!(
        text.lines().nth(1).unwrap(),
        "rule: vetoes, the position is held on: 2 of at least 3 candles"
    );
}

#[test]
fn long_positions_alone() {
    let text = play(
        &mut strategy("combination = \"policy-only\""),
        "
        100 | 0.1 0.6 | buy  | - | -    => long - | policy long 1 0.1
        100 | 0.6 0.1 | sell | - | long => flat   | policy short -1 0.1
        100 | 0.6 0.1 | sell | - | -    => -      | policy short -1 0.1; rule vetoes -1 0
    ",
    );
    assert_eq!(text.lines().nth(1).unwrap(), "rule: vetoes, short positions are not allowed");
}

#[test]
fn what_was_wanted_and_did_not_come_is_taken_back_once() {
    play(
        &mut with(""),
        "
        100 | 0.1 0.6 | - | - | -    => long 0.60 | model long 0.6 0.5
        100 | 0.1 0.6 | - | - | -    => long 0.60 | model long 0.6 0.5
        100 | 0.2 0.2 | - | - | -    => flat | model flat 0.2 0.5
        100 | 0.2 0.2 | - | - | -    => -    | model flat 0.2 0.5
        100 | 0.1 0.6 | - | - | -    => long 0.60 | model long 0.6 0.5
        100 | 0.2 0.2 | - | - | long => -    | model flat 0.2 0.5
        100 | 0.2 0.2 | - | - | -    => -    | model flat 0.2 0.5
    ",
    );
}

#[test]
fn a_gap_and_a_broken_candle_reset_the_folds() {
    // After the gap, 20 alone is no market; then |22 - 20| / 2 = 1 over two candles. A high below the low is no candle.
    play(
        &mut with("[filters.regime]\nperiod = 2"),
        "
        10 | 0.1 0.6 | - | -   | - => - | model long 0.6 0.5; regime abstains 1 3
        11 | 0.1 0.6 | - | -   | - => - | model long 0.6 0.5; regime abstains 2 3
        12 | 0.1 0.6 | - | -   | - => long 0.60 | model long 0.6 0.5; regime allows 1 0.3
        20 | 0.1 0.6 | - | gap | - => flat | model long 0.6 0.5; regime abstains 1 3
        21 | 0.1 0.6 | - | -   | - => - | model long 0.6 0.5; regime abstains 2 3
        22 | 0.1 0.6 | - | -   | - => long 0.60 | model long 0.6 0.5; regime allows 1 0.3
        1/9/5 | 0.1 0.6 | - | - | - => flat | model long 0.6 0.5; regime abstains 0 3
        23 | 0.1 0.6 | - | -   | - => - | model long 0.6 0.5; regime abstains 1 3
    ",
    );
}

#[test]
fn folds_agree_with_numpy_over_many_candles() {
    // c = [100 + i*37 % 23 for i in range(39)]; h = c + 1 + i % 3; l = c - 1 - i % 2
    // def ema(x, p, a): v = mean(x[:p]); for y in x[p:]: v += a*(y - v)
    // trend: c[-1]/ema(c, 5, 1/3) - 1; ratio: abs(c[-1] - c[-8]) / abs(diff(c[-8:])).sum();
    // tr[i] = max(h[i], c[i-1]) - min(l[i], c[i-1]); ema(tr, 6, 1/6)/c[-1]; sqrt(ema(diff(log(c))**2, 6, 2/7))
    let filters = |measure: &str| {
        format!(
            "[filters]\ntrend = {{ period = 5, slope_candles = 3 }}\nregime = {{ period = 7 }}\n\
             volatility = {{ measure = \"{measure}\", period = 6 }}"
        )
    };
    for (measure, volatility) in [("atr", ATR), ("ewma", EWMA)] {
        let mut strategy = with(&filters(measure));
        let mut votes = Vec::new();
        for index in 0..39_u32 {
            let close = f64::from(100 + index * 37 % 23);
            let bar = candle(close + 1.0 + f64::from(index % 3), close - 1.0 - f64::from(index % 2), close);
            votes = decide(&mut strategy, Timestamp::from_millis(0), update(bar, None, None), None).votes;
        }
        let values: Vec<f64> = votes.iter().skip(1).map(|vote| vote.value).collect();
        for (got, expected) in values.iter().zip([TREND, RATIO, volatility]) {
            assert!((got - expected).abs() < 1e-12, "{values:?}");
        }
        assert_eq!(values.len(), 3);
    }
}
