"""The time of one backtest, side by side: Matrela, vectorbt and backtesting.py on the same candles and rule.

    python backtest_speed.py CROSSOVER [--candles 200000] [--rounds 5]

CROSSOVER is the built example: cargo build --release -p sim --example crossover. Needs vectorbt, backtesting and numpy; a peer that
is not installed is left out, and said to be. The candles are a seeded walk of minutes.

The rule is that of backtesting_trades.py, long and short: averages of 10 and 30 closes, market orders at the next open, half the
equity, 0.055 % a side. Signals are worked out before the clock starts for both peers, and inside it for Matrela, whose strategy sees
one candle at a time. vectorbt takes whole arrays (Portfolio.from_signals, price = next open) and compiles at its first call, which is
timed by itself; it cannot reverse a position by a share of equity, so its sizes are half the first cash (of
which it gets a thousand times as much, or fees end it early): its trades are as many but not of the same size. Equity is computed by each. Rounds go in turns; times are medians of wall time in seconds; one process each.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
import warnings
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pandas as pd
from backtesting_trades import CASH, FAST, FEE, SHARE, SLOW, headings, synthetic

warnings.simplefilter("ignore")


def timed(work):
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def crossover(program, path):
    command = [program, path, f"fast={FAST}", f"slow={SLOW}", f"share={SHARE}", f"fee={FEE}", f"cash={CASH}"]

    def run():
        whole, done = timed(lambda: subprocess.run(command, check=True, capture_output=True, text=True))
        result = json.loads(done.stdout)
        return result["loop_seconds"][0], whole, len(result["trades"])

    return run


def backtesting_py(table, wanted):
    import backtesting
    from backtesting import Backtest, Strategy

    # No bar of progress: it is not part of the work.
    backtesting.backtesting._tqdm = lambda rows, **_: rows
    unit = 0.001
    names = dict(open="Open", high="High", low="Low", close="Close", volume="Volume")
    data = table.rename(columns=names)[list(names.values())]
    data[["Open", "High", "Low", "Close"]] *= unit
    data.index = pd.to_datetime(table["timestamp"], unit="ms")

    class Crossover(Strategy):
        def init(self):
            self.heading = 0

        def next(self):
            heading = wanted[len(self.data) - 1]
            if heading != self.heading:
                self.heading = heading
                self.position.close()
                size = int(SHARE * self.equity / self.data.Close[-1])
                if size:
                    (self.buy if heading > 0 else self.sell)(size=size)

    def run():
        return len(Backtest(data, Crossover, cash=CASH, commission=FEE).run()["_trades"])

    return run


def vectorbt(table, wanted):
    import vectorbt as vbt

    close = pd.Series(table["close"].to_numpy(), index=pd.to_datetime(table["timestamp"], unit="ms"))
    # A signal after a candle trades at the next open.
    price = np.r_[table["open"].to_numpy()[1:], np.nan]
    price[-1] = close.iloc[-1]
    before = np.r_[0, wanted[:-1]]
    longs = pd.Series((wanted > 0) & (before <= 0), index=close.index)
    shorts = pd.Series((wanted < 0) & (before >= 0), index=close.index)

    def run():
        portfolio = vbt.Portfolio.from_signals(
            close, longs, short_entries=shorts, price=price, size=SHARE * CASH, size_type="value",
            fees=FEE, init_cash=1000 * CASH, freq="1min", upon_opposite_entry="reverse",
        )
        portfolio.value()
        return portfolio.trades.closed.count()

    return run


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?")


def installed(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crossover")
    parser.add_argument("--candles", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    table = synthetic(options.candles, step_ms=60_000)
    # Of a walk this long, steps of a minute: the price stays where accounts can trade it.
    for name in ("open", "high", "low", "close"):
        table[name] = np.round(1000 * (table[name] / 1000) ** 0.1, 2)
    table["high"] = table[["open", "high", "low", "close"]].max(axis=1)
    table["low"] = table[["open", "high", "low", "close"]].min(axis=1)
    wanted = headings(table["timestamp"].to_numpy(), table["close"].to_numpy(), -1)
    report = dict(
        machine=f"{processor()}, {os.cpu_count()} threads", python=platform.python_version(),
        versions={name: installed(name) for name in ("backtesting", "vectorbt", "numba", "numpy", "pandas")},
        command=f"backtest_speed.py --candles {options.candles} --rounds {options.rounds}",
        load_before=os.getloadavg(),
    )
    peers = {}
    for name, make in (("vectorbt", vectorbt), ("backtesting.py", backtesting_py)):
        try:
            peers[name] = make(table, wanted)
        except ImportError as error:
            report[f"without {name}"] = str(error)
    times, trades = {}, {}
    if "vectorbt" in peers:
        report["vectorbt, first call with compiling"] = timed(peers["vectorbt"])[0]
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/candles.csv"
        table.to_csv(path, index=False)
        ours = crossover(options.crossover, path)
        for _ in range(options.rounds):
            loop, whole, trades["Matrela"] = ours()
            times.setdefault("Matrela, the loop", []).append(loop)
            times.setdefault("Matrela, the process with reading CSV", []).append(whole)
            for name, run in peers.items():
                took, trades[name] = timed(run)
                times.setdefault(name, []).append(took)
    medians = {name: statistics.median(values) for name, values in times.items()}
    base = medians["Matrela, the loop"]
    report["load_after"] = os.getloadavg()
    report["trades"] = {name: int(count) for name, count in trades.items()}
    report["times"] = {
        name: dict(
            seconds=round(median, 5), fastest=round(min(times[name]), 5),
            candles_per_second=round(options.candles / median), against_ours=round(median / base, 2),
        )
        for name, median in medians.items()
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
