"""Metrics: figures of QuantStats, twice.

1. The kept values of crates/sim/src/metrics/tests/quantstats.rs: beside each stands the expression that gave it, which is
   evaluated anew here.
2. What the program CURVE_METRICS (the example `curve_metrics` of the crate `sim`) says of a drawn hourly curve of two years.

    python against_quantstats.py CURVE_METRICS
"""

import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
import quantstats.stats as qs

from agreement import ROOT, Agreement, rust_function, rust_value

KEPT = "crates/sim/src/metrics/tests/quantstats.rs"
PROGRAM = "crates/sim/benches/peers/quantstats_metrics.py"
TOLERANCE = 1e-9


def curve(seed, n=500):
    """As in the head of the kept file."""
    state, equity = seed, [10000.0]
    for _ in range(n):
        total = 0.0
        for _ in range(3):
            state = (1103515245 * state + 12345) % 2147483648
            total += state / 2147483648.0
        equity.append(equity[-1] * (1.0 + (0.001 + 0.04 * (total - 1.5))))
    return equity


def series(seed):
    equity = curve(seed)
    days = pd.date_range("2022-12-31", periods=len(equity), freq="D")
    return pd.Series(equity, index=days).pct_change().dropna()


# Expressions that say in words what is not worth code in a test.
WORDS = {
    "qs.drawdown_details(...)['max drawdown'].mean()": "-details['max drawdown'].astype(float).mean() / 100",
    "the 201st of them": "{previous}.dropna().iloc[200]",
    "the last of them": "{previous}.dropna().iloc[-1]",
    "a constant rate changes no slope": "beta",
}


def kept_values(agreement):
    returns, benchmark = series(1), series(7)
    names = {"np": np, "qs": qs, "r": returns, "b": benchmark, "rate": 1.03 ** (1 / 365) - 1}
    names["beta"] = qs.greeks(returns, benchmark, 365)["beta"]
    names["details"] = qs.drawdown_details(qs.to_drawdown_series(returns))
    text = (ROOT / KEPT).read_text(encoding="utf-8")
    rows = re.findall(r'near\(\s*([\w.|() \[\]]+?),\s*(-?[\d.e-]+),\s*"([^"]+)"\s*\)', text)
    if len(rows) < 30:
        sys.exit(f"only {len(rows)} expressions found in {KEPT}")
    previous = ""
    for place, value, words in rows:
        if words.startswith("qs.rolling"):
            previous = words
        expression = WORDS.get(words, words).format(previous=previous) if words in WORDS else words
        found = eval(expression, dict(names))
        if isinstance(found, pd.Series):
            found = found.dropna().iloc[0]
        agreement.near(f"{place.strip()} = {words}", float(found), float(value), TOLERANCE)
    months = rust_value(rust_function(KEPT, "months_agree"), "let expected =")
    table = qs.monthly_returns(returns)
    for year, month, value in months:
        agreement.near(f"month {year}-{month}", float(table.loc[str(year)].iloc[month - 1]), value, TOLERANCE)


def program(agreement, curve_metrics):
    source = random.Random(5)
    equity, rows, hour = 10000.0, ["time,equity"], 3_600_000
    for index in range(2 * 365 * 24 + 1):
        rows.append(f"{1_672_531_200_000 + index * hour},{equity!r}")
        equity *= 1 + source.gauss(0.00002, 0.004)
    with tempfile.TemporaryDirectory() as folder:
        table, metrics = pathlib.Path(folder) / "equity.csv", pathlib.Path(folder) / "metrics.json"
        table.write_text("\n".join(rows) + "\n")
        metrics.write_bytes(subprocess.run([curve_metrics, str(table)], check=True, capture_output=True).stdout)
        command = [sys.executable, str(ROOT / PROGRAM), str(table), str(metrics)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1) or not done.stdout:
        sys.exit(f"{PROGRAM} failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}")
    report = json.loads(done.stdout)
    for name, value in report["quantstats"].items():
        ours = report["sim"][name]
        agreement.near(f"curve_metrics, {name}", float("nan") if ours is None else float(ours), value, TOLERANCE)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    agreement = Agreement()
    kept_values(agreement)
    program(agreement, sys.argv[1])
    agreement.end()


main()
