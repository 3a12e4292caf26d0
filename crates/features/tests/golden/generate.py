#!/usr/bin/env python3
"""Writes golden values of the C library TA-Lib, computed through its Python wrapper.

    pip install TA-Lib numpy
    python generate.py --data DIR --out ta_lib.json

Without --data the list of candle files stays empty; `cargo xtask test --peers` compares the rest then.

DIR holds the candle files named in FILES: CSV in gzip with the columns timestamp, open, high, low, close and
volume, oldest candle first, without gaps. Their candles belong to others and are not written out, only about 25
values of each column. The other series are generated from integers by a rule that any language can repeat to the
bit; see GENERATOR.

Layout of the file written:

    format        version of this layout
    provenance    what wrote it, when, and with which versions
    generator     the rule of the generated series, in words
    files         per candle file: name, candles (how many from its beginning), columns
    generated     per generated series: name, rule (the numbers of RULES), check, columns
    columns       per column: count of its values, and samples [[index of the candle, value], ...] in rising
                  order. The first sample is the first candle that has a value; every later candle has one, too.
                  Columns of whole numbers also have sum: value * (index of the candle + 1), over all values
    check         sums over all candles of open, high, low, close and volume as integers, in ticks, by which a
                  reader sees that it generates the same candles

The C library differs from its own Rust port in one rule: when a window has seen no change at all, RSI is 0 here
and 50 there.
"""

import argparse
import csv
import datetime
import gzip
import itertools
import json
import math
from pathlib import Path

import numpy
import talib
from talib import abstract

FORMAT = 1
FILES = (
    "binance-usdm_BTCUSDT_1m_typhonun.csv.gz",
    "binance-usdm_SOLUSDT_5m_chacal.csv.gz",
    "binance-spot_PEPEUSDT_5m_genetrader.csv.gz",
    "binance-usdm_BTCUSDT_1h_markettrend.csv.gz",
)
FILE_CANDLES = 5_000
GENERATED_CANDLES = 1_200
SAMPLES = 25

GENERATOR = (
    "state = (state * 6364136223846793005 + 1442695040888963407) mod 2^64, beginning at seed; "
    "below(n) = (next state >> 33) mod n. previous = start; flat_left = 0. For each candle: "
    "(1) if flat_per_mille > 0 and flat_left = 0 and below(1000) < flat_per_mille: "
    "flat_left = 1 + below(flat_longest). "
    "(2) if flat_left > 0: flat_left -= 1; open = high = low = close = previous; volume = 0; done. "
    "(3) open = max(1, previous + below(2 * gap + 1) - gap); "
    "close = max(1, open + drift + below(2 * step + 1) - step); "
    "high = max(open, close) + below(wick + 1); low = max(1, min(open, close) - below(wick + 1)); "
    "volume = (volume_base + below(volume_spread + 1)) * volume_scale; previous = close. "
    "(4) if spike_per_mille > 0 and below(1000) < spike_per_mille: kind = below(4); 0: high *= spike; "
    "1: low = max(1, low div spike); 2: close *= spike, high = max(high, close); "
    "3: close = max(1, close div spike), low = min(low, close); previous stays as set in (3). "
    "Prices are integers / 10^decimals, volumes integers / 10^volume_decimals, each one division of doubles."
)

RULE = {
    "seed": 1,
    "candles": GENERATED_CANDLES,
    "start": 10_000,
    "decimals": 2,
    "gap": 0,
    "drift": 0,
    "step": 0,
    "wick": 0,
    "volume_base": 1_000,
    "volume_spread": 100_000,
    "volume_scale": 1,
    "volume_decimals": 3,
    "flat_per_mille": 0,
    "flat_longest": 1,
    "spike_per_mille": 0,
    "spike": 1,
}

RULES = {
    "constant_price": {"seed": 11},
    "one_tick": {"seed": 12, "step": 1},
    "one_tick_gaps": {"seed": 13, "step": 1, "gap": 1, "wick": 1},
    "tiny_price": {"seed": 14, "start": 400, "decimals": 8, "step": 3, "wick": 2, "volume_decimals": 0},
    "huge_price": {"seed": 15, "start": 1_000_000_000, "decimals": 0, "step": 1, "gap": 1, "wick": 1},
    "zero_volume": {"seed": 16, "step": 20, "wick": 10, "volume_base": 0, "volume_spread": 0},
    "huge_volume": {"seed": 17, "step": 20, "wick": 10, "volume_scale": 10_000_000_000, "volume_decimals": 0},
    "flat_runs": {"seed": 18, "step": 15, "wick": 8, "gap": 2, "flat_per_mille": 60, "flat_longest": 70},
    "spikes": {"seed": 19, "step": 15, "wick": 8, "spike_per_mille": 15, "spike": 10},
    "rise": {"seed": 20, "drift": 3},
    "walk": {"seed": 21, "start": 2_500_000, "decimals": 2, "step": 1_500, "wick": 900, "gap": 1},
    "gaps": {"seed": 22, "start": 50_000, "decimals": 2, "step": 40, "wick": 12, "gap": 25},
}

PATTERNS = {
    "doji": "CDLDOJI",
    "dragonfly_doji": "CDLDRAGONFLYDOJI",
    "gravestone_doji": "CDLGRAVESTONEDOJI",
    "hammer": "CDLHAMMER",
    "hanging_man": "CDLHANGINGMAN",
    "inverted_hammer": "CDLINVERTEDHAMMER",
    "shooting_star": "CDLSHOOTINGSTAR",
    "engulfing": "CDLENGULFING",
    "harami": "CDLHARAMI",
    "piercing": "CDLPIERCING",
    "dark_cloud_cover": "CDLDARKCLOUDCOVER",
    "morning_star": "CDLMORNINGSTAR",
    "evening_star": "CDLEVENINGSTAR",
    "three_white_soldiers": "CDL3WHITESOLDIERS",
    "three_black_crows": "CDL3BLACKCROWS",
}


def generated(rule):
    """The candles of a rule as integers: rows of open, high, low, close, volume. See GENERATOR."""
    state = rule["seed"]

    def below(bound):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % bound

    previous = rule["start"]
    flat_left = 0
    candles = []
    for _ in range(rule["candles"]):
        if rule["flat_per_mille"] > 0 and flat_left == 0 and below(1000) < rule["flat_per_mille"]:
            flat_left = 1 + below(rule["flat_longest"])
        if flat_left > 0:
            flat_left -= 1
            candles.append((previous, previous, previous, previous, 0))
            continue
        open_ = max(1, previous + below(2 * rule["gap"] + 1) - rule["gap"])
        close = max(1, open_ + rule["drift"] + below(2 * rule["step"] + 1) - rule["step"])
        high = max(open_, close) + below(rule["wick"] + 1)
        low = max(1, min(open_, close) - below(rule["wick"] + 1))
        volume = (rule["volume_base"] + below(rule["volume_spread"] + 1)) * rule["volume_scale"]
        previous = close
        if rule["spike_per_mille"] > 0 and below(1000) < rule["spike_per_mille"]:
            kind = below(4)
            if kind == 0:
                high *= rule["spike"]
            elif kind == 1:
                low = max(1, low // rule["spike"])
            elif kind == 2:
                close *= rule["spike"]
                high = max(high, close)
            else:
                close = max(1, close // rule["spike"])
                low = min(low, close)
        candles.append((open_, high, low, close, volume))
    return candles


def columns(open_, high, low, close, volume):
    """Name of each column and its values, with NaN (whole numbers: 0) where it has none yet."""
    bars = (high, low, close)
    for period in (9, 12, 20, 26, 50, 100, 200):
        yield f"ema_{period}", talib.EMA(close, period)
    for period in (20, 50, 200):
        yield f"sma_{period}", talib.SMA(close, period)
    yield "dema_20", talib.DEMA(close, 20)
    yield "tema_20", talib.TEMA(close, 20)
    macd, signal, histogram = talib.MACD(close, 12, 26, 9)
    yield "macd_12_26_9", macd
    yield "macd_signal_12_26_9", signal
    yield "macd_histogram_12_26_9", histogram
    yield "kama_30", talib.KAMA(close, 30)
    line, direction = talib.SUPERTREND(*bars, 10, 3.0)
    yield "supertrend_10_3", line
    yield "supertrend_direction_10_3", direction
    yield "adx_14", talib.ADX(*bars, 14)
    yield "plus_di_14", talib.PLUS_DI(*bars, 14)
    yield "minus_di_14", talib.MINUS_DI(*bars, 14)
    down, up = talib.AROON(high, low, 14)
    yield "aroon_down_14", down
    yield "aroon_up_14", up
    yield "sar", talib.SAR(high, low, 0.02, 0.2)
    for period in (20, 60):
        yield f"linear_regression_slope_{period}", talib.LINEARREG_SLOPE(close, period)
    for period in (7, 14, 21):
        yield f"rsi_{period}", talib.RSI(close, period)
    yield "cmo_14", talib.CMO(close, 14)
    for period in (5, 10, 20):
        yield f"roc_{period}", talib.ROC(close, period)
    yield "cci_20", talib.CCI(*bars, 20)
    k, d = talib.STOCH(*bars, 5, 3, 0, 3, 0)
    yield "stoch_k_5_3_3", k
    yield "stoch_d_5_3_3", d
    k, d = talib.STOCHRSI(close, 14, 5, 3, 0)
    yield "stoch_rsi_k_14_5_3", k
    yield "stoch_rsi_d_14_5_3", d
    yield "willr_14", talib.WILLR(*bars, 14)
    yield "ultosc_7_14_28", talib.ULTOSC(*bars, 7, 14, 28)
    yield "trix_30", talib.TRIX(close, 30)
    yield "ppo_12_26", talib.PPO(close, 12, 26)
    for period in (7, 28):
        yield f"atr_{period}", talib.ATR(*bars, period)
    yield "natr_14", talib.NATR(*bars, 14)
    for period in (5, 20, 60):
        yield f"stddev_{period}", talib.STDDEV(close, period)
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0, 0)
    yield "bollinger_upper_20_2", upper
    yield "bollinger_middle_20_2", middle
    yield "bollinger_lower_20_2", lower
    upper, middle, lower = talib.KC(*bars, 20, 10, 2.0)
    yield "keltner_upper_20_10_2", upper
    yield "keltner_middle_20_10_2", middle
    yield "keltner_lower_20_10_2", lower
    upper, middle, lower = talib.DONCHIAN(high, low, 20)
    yield "donchian_upper_20", upper
    yield "donchian_middle_20", middle
    yield "donchian_lower_20", lower
    yield "obv", talib.OBV(close, volume)
    yield "mfi_14", talib.MFI(*bars, volume, 14)
    yield "ad", talib.AD(*bars, volume)
    yield "adosc_3_10", talib.ADOSC(*bars, volume, 3, 10)
    yield "cmf_20", talib.CMF(*bars, volume, 20)
    yield "ht_dcperiod", talib.HT_DCPERIOD(close)
    yield "ht_dcphase", talib.HT_DCPHASE(close)
    in_phase, quadrature = talib.HT_PHASOR(close)
    yield "ht_inphase", in_phase
    yield "ht_quadrature", quadrature
    sine, lead_sine = talib.HT_SINE(close)
    yield "ht_sine", sine
    yield "ht_lead_sine", lead_sine
    yield "ht_trendmode", talib.HT_TRENDMODE(close)
    for name, function in PATTERNS.items():
        yield name, getattr(talib, function)(open_, *bars)


def whole_number_lookbacks():
    """Where whole numbers begin: the wrapper has 0 before, which could be a value."""
    functions = {"supertrend_direction_10_3": "SUPERTREND", "ht_trendmode": "HT_TRENDMODE", **PATTERNS}
    return {name: abstract.Function(function).lookback for name, function in functions.items()}


LOOKBACKS = whole_number_lookbacks()


def sampled(name, values):
    """What is written of a column."""
    first = LOOKBACKS[name] if name in LOOKBACKS else int(numpy.argmax(~numpy.isnan(values)))
    length = len(values)
    if first >= length or not numpy.isfinite(values[first:]).all():
        raise ValueError(f"{name}: a value that is not finite after the first one")
    chosen = set(range(first, min(first + 5, length)))
    if name in LOOKBACKS:
        # Most patterns are rare, so the candles that show one are sampled first.
        occurring = first + numpy.flatnonzero(values[first:])
        chosen.update(occurring[spread(len(occurring), 10)].tolist())
    chosen.update(first + index for index in spread(length - first, SAMPLES - len(chosen) + 1))
    number = int if name in LOOKBACKS else float
    samples = [[index, number(values[index])] for index in sorted(chosen)]
    column = {"count": length - first, "samples": samples}
    if name in LOOKBACKS:
        column["sum"] = int(sum(int(values[index]) * (index + 1) for index in range(first, length)))
    return column


def spread(length, count):
    """About `count` indices from 0 up to `length - 1`, the last one included."""
    if length == 0:
        return []
    return sorted({math.ceil((length - 1) * step / max(count - 1, 1)) for step in range(count)})


def all_columns(candles):
    """`candles`: open, high, low, close, volume as arrays of doubles."""
    return {name: sampled(name, values) for name, values in columns(*candles)}


def of_file(directory, name):
    """Golden values of a candle file."""
    path = directory / name
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(itertools.islice(csv.DictReader(file), FILE_CANDLES))
    times = [int(row["timestamp"]) for row in rows]
    if len({later - earlier for earlier, later in itertools.pairwise(times)}) != 1:
        raise ValueError(f"{name}: the first {FILE_CANDLES} candles have a gap, which TA-Lib would not see")
    fields = ("open", "high", "low", "close", "volume")
    candles = [numpy.array([float(row[field]) for row in rows]) for field in fields]
    return {"name": name, "candles": len(rows), "columns": all_columns(candles)}


def of_rule(name, changes):
    """Golden values of a generated series."""
    rule = RULE | changes
    rows = generated(rule)
    prices = 10 ** rule["decimals"]
    volumes = 10 ** rule["volume_decimals"]
    by_column = list(zip(*rows))
    candles = [numpy.array([ticks / prices for ticks in column]) for column in by_column[:4]]
    candles.append(numpy.array([units / volumes for units in by_column[4]]))
    check = [sum(column) for column in by_column]
    return {"name": name, "rule": rule, "check": check, "columns": all_columns(candles)}


def main():
    """Reads the arguments and writes the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the candle files")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    arguments = parser.parse_args()
    golden = {
        "format": FORMAT,
        "provenance": {
            "script": "features/tests/golden/generate.py",
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "ta_lib_c": talib.__ta_version__.decode(),
            "ta_lib_python": talib.__version__,
            "numpy": numpy.__version__,
        },
        "generator": GENERATOR,
        "files": [of_file(arguments.data, name) for name in FILES if arguments.data is not None],
        "generated": [of_rule(name, changes) for name, changes in RULES.items()],
    }
    # One column per line keeps the file small and its changes readable.
    text = json.dumps(golden, separators=(",", ":"), allow_nan=False)
    text = text.replace('},"', '},\n"').replace('{"ema_9"', '{\n"ema_9"')
    arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
