"""Holds the trades of Matrela's backtest against those of backtesting.py (0.6.6), trade by trade.

    python backtesting_trades.py CROSSOVER [CANDLES.csv | CANDLES.csv.gz]

CROSSOVER is the built example: cargo build --release -p sim --example crossover. Without a file of candles the script makes a
seeded walk of 20,000 hours. Needs backtesting and numpy. Exits with 1 where anything differs.

The rule, on both sides: averages of the last 10 and 30 closes, begun anew after missing candles; long while the fast one is above
the slow one, below it short or flat; while they are equal, as before. At each change of heading, market orders at the next open, of
half the equity at the close, for a fee of 0.055 % of the notional on each side. Nothing slips and volume limits nothing.

Sizes: backtesting.py trades whole units, so its prices are those of one lot of ours (the way of its FractionalBacktest), and the
script orders floor(share x equity / close) lots. Brackets: ours lie at the entry price -3 % and +6 %, which is known when the entry
has filled; backtesting.py wants them with the order, so the script looks the next open up, and uses it for nothing else. Both take a
stop before a target in the same candle, both let a bracket act in the candle of its entry, and with touch_fills both fill a target
that was touched (our default asks that the price goes through it).
"""

import gzip
import json
import math
import subprocess
import sys
import tempfile
import warnings
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np
import pandas as pd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import backtesting
    from backtesting import Backtest, Strategy

FAST, SLOW, SHARE, FEE, CASH, STOP, TARGET = 10, 30, 0.5, 0.00055, 10_000, "0.03", "0.06"
# Two floats of the same exact amount, after some thousand additions of theirs.
TOLERANCE = 1e-9


def synthetic(count=20_000, seed=7, step_ms=3_600_000):
    """A Gaussian walk with prices of two places, and wicks of their own."""
    random = np.random.default_rng(seed)
    closes = np.round(1000 * np.exp(np.cumsum(0.005 * random.standard_normal(count))), 2)
    opens = np.r_[closes[0], closes[:-1]]
    # A gap of price at every seventh open.
    opens[::7] = np.round(opens[::7] * (1 + 0.002 * random.standard_normal(len(opens[::7]))), 2)
    wick = 1 + 0.004 * random.random((2, count))
    high = np.round(np.maximum(opens, closes) * wick[0], 2)
    low = np.round(np.minimum(opens, closes) / wick[1], 2)
    time = 1_640_995_200_000 + step_ms * np.arange(count)
    volume = np.full(count, 1e6)
    return pd.DataFrame(dict(timestamp=time, open=opens, high=high, low=low, close=closes, volume=volume))


def read(path):
    with gzip.open(path, "rt") if path.endswith(".gz") else open(path) as file:
        table = pd.read_csv(file)
    return table[["timestamp", "open", "high", "low", "close", "volume"]]


def headings(times, closes, down):
    """1 for long, 0 for flat, -1 for short after each candle, and whether the averages are known."""
    averages = []
    for length in (FAST, SLOW):
        means = np.full(len(closes), np.nan)
        means[length - 1 :] = np.lib.stride_tricks.sliding_window_view(closes, length).mean(axis=1)
        averages.append(means)
    step = np.diff(times).min()
    begins = np.r_[True, np.diff(times) != step]
    since = np.arange(len(closes)) - np.maximum.accumulate(np.where(begins, np.arange(len(closes)), 0))
    distance = np.where(since >= SLOW - 1, averages[0] / averages[1] - 1, 0.0)
    distance = np.nan_to_num(distance)
    heading, result = 0, np.zeros(len(closes), dtype=int)
    for at, far in enumerate(distance):
        if far > 1e-12:
            heading = 1
        elif far < -1e-12:
            heading = down
        result[at] = heading
    return result


def bracket(price, fraction, tick, is_long):
    """A price on the grid: rounded up for a long position, down for a short one."""
    raw = Decimal(str(price)) * (1 + fraction) / tick
    return float(raw.to_integral_value(ROUND_CEILING if is_long else ROUND_FLOOR) * tick)


def theirs(table, lot, tick, down, has_brackets):
    unit = float(lot)
    names = dict(open="Open", high="High", low="Low", close="Close", volume="Volume")
    data = table.rename(columns=names)
    for name in ("Open", "High", "Low", "Close"):
        data[name] = data[name] * unit
    data.index = pd.to_datetime(data["timestamp"], unit="ms")
    wanted = headings(table["timestamp"].to_numpy(), table["close"].to_numpy(), down)
    opens = table["open"].to_numpy()

    class Crossover(Strategy):
        def init(self):
            self.heading = 0

        def next(self):
            at = len(self.data) - 1
            heading = wanted[at]
            if heading == self.heading or at + 1 == len(opens):
                return
            self.heading = heading
            if self.position:
                self.position.close()
            lots = math.floor(SHARE * self.equity / self.data.Close[-1])
            if heading == 0 or lots == 0:
                return
            ends, is_long = {}, heading > 0
            if has_brackets:
                price = opens[at + 1]
                signs = (-1, 1) if is_long else (1, -1)
                for name, fraction, sign in zip(("sl", "tp"), (STOP, TARGET), signs):
                    ends[name] = bracket(price, sign * Decimal(fraction), tick, is_long) * unit
            (self.buy if is_long else self.sell)(size=lots, **ends)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = Backtest(data[list(names.values())], Crossover, cash=CASH, commission=FEE)
        result = test.run()
    trades = result["_trades"]
    return result, pd.DataFrame(
        dict(
            opened=trades["EntryTime"],
            closed=trades["ExitTime"],
            quantity=trades["Size"] * unit,
            entry_price=trades["EntryPrice"] / unit,
            exit_price=trades["ExitPrice"] / unit,
            fees=trades["Commission"],
            net=trades["PnL"],
        )
    )


def ours(program, path, is_long_only, has_brackets):
    command = [program, path, f"fast={FAST}", f"slow={SLOW}", f"share={SHARE}", f"fee={FEE}", f"cash={CASH}"]
    command += ["long-only"] * is_long_only + [f"stop={STOP}", f"target={TARGET}"] * has_brackets
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for count in ("refused", "rejected", "liquidations"):
        assert result[count] == 0, f"{result[count]} {count}"
    rows = [
        dict(
            opened=pd.Timestamp(trade["opened_ms"], unit="ms"),
            closed=pd.Timestamp(trade["closed_ms"], unit="ms"),
            quantity=float(trade["quantity"]) * (1 if trade["side"] == "buy" else -1),
            **{name: float(trade[name]) for name in ("entry_price", "exit_price", "fees", "net")},
        )
        for trade in result["trades"]
    ]
    return result, pd.DataFrame(rows)


def compare(program, table, path, is_long_only, has_brackets):
    result, mine = ours(program, path, is_long_only, has_brackets)
    lot, tick = Decimal(result["lot"]), Decimal(result["tick"])
    summary, other = theirs(table, lot, tick, 0 if is_long_only else -1, has_brackets)
    # Closed at the same time, a stopped position of theirs stands where it was opened.
    other = other.sort_values(["opened", "closed"]).reset_index(drop=True)
    mine = mine.sort_values(["opened", "closed"]).reset_index(drop=True)
    report = dict(trades=len(mine), of_backtesting=len(other), lot=str(lot), differences={})
    common = min(len(mine), len(other))
    step = pd.Timedelta(milliseconds=int(np.diff(table["timestamp"]).min()))
    for name in mine.columns:
        left, right = mine[name][:common], other[name][:common]
        if name in ("opened", "closed"):
            # Ours says where inside a candle something traded, as far as that is known; theirs names the candle.
            gap = (left.dt.floor(step) != right).astype(float)
        else:
            scale = np.maximum(1.0, np.abs(right)) if name in ("net", "fees") else np.abs(right)
            gap = (left - right).abs() / scale
        report["differences"][name] = float(gap.max()) if common else 0.0
    equity = float(summary["Equity Final [$]"])
    if not result["open_at_the_end"]:
        report["differences"]["final_equity"] = abs(result["final_equity"] - equity) / equity
    report["sum_of_net"] = float(mine["net"].sum())
    report["ends"] = {}
    for trade in result["trades"]:
        end = json.dumps(trade["exit"])
        report["ends"][end] = report["ends"].get(end, 0) + 1
    same = report["trades"] == report["of_backtesting"] > 0
    report["equal"] = bool(same and all(gap <= TOLERANCE for gap in report["differences"].values()))
    return report


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    table = read(sys.argv[2]) if len(sys.argv) == 3 else synthetic()
    reports = {}
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/candles.csv"
        table.to_csv(path, index=False)
        for name, is_long_only, has_brackets in (
            ("long-only", True, False),
            ("long-short", False, False),
            ("long-short, stop and target", False, True),
        ):
            reports[name] = compare(sys.argv[1], table, path, is_long_only, has_brackets)
    print(json.dumps(dict(backtesting=backtesting.__version__, candles=len(table), **reports), indent=1))
    sys.exit(0 if all(report["equal"] for report in reports.values()) else 1)


if __name__ == "__main__":
    main()
