#!/usr/bin/env python3
"""Computes features of the same candles with Matrela and with pandas + TA-Lib, in turns, on one core.

Usage: python crates/features/benches/peers.py --csv FILE [--rounds 5]

Needs numpy, pandas and TA-Lib (pip install numpy pandas TA-Lib). FILE is a candle file with the header
timestamp,open,high,low,close,volume,turnover,symbol; `cargo bench --workspace --bench read` leaves one of a
million candles in the temporary directory, which is the default. Each round runs each program once in a fresh
process pinned to one core. The peer computes 61 columns, as such pipelines usually do: (a) the TA-Lib calls
alone, (b) these, a pandas frame of them, robust scaling and single precision. Matrela computes its default
set: (a) the masked frame, (b) that, robust scaling and single precision.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FILE = pathlib.Path(tempfile.gettempdir()) / "matrela-bench-read" / "bench-linear_SOLUSDT_1m_bench.csv"

PEER = r'''
import json, sys, time
import numpy as np, pandas as pd, talib as t

def calls(o, h, l, c, v):
    f = {}
    for p in (9, 12, 20, 26, 50, 100, 200): f[f"ema_{p}"] = t.EMA(c, p)
    f["macd"], f["macd_signal"], f["macd_histogram"] = t.MACD(c)
    f["kama"] = t.KAMA(c, 30)
    for p in (7, 14, 21): f[f"rsi_{p}"] = t.RSI(c, p)
    f["cmo"] = t.CMO(c, 14)
    for p in (1, 5, 10, 20): f[f"roc_{p}"] = t.ROC(c, p)
    f["obv"], f["mfi"], f["ad"], f["adosc"] = t.OBV(c, v), t.MFI(h, l, c, v, 14), t.AD(h, l, c, v), t.ADOSC(h, l, c, v)
    f["atr"], f["natr"] = t.ATR(h, l, c, 14), t.NATR(h, l, c, 14)
    for p in (5, 20, 60): f[f"stddev_{p}"] = t.STDDEV(c, p)
    f["bb_upper"], f["bb_middle"], f["bb_lower"] = t.BBANDS(c, 20)
    f["stoch_rsi_k"], f["stoch_rsi_d"] = t.STOCHRSI(c)
    f["stoch_k"], f["stoch_d"] = t.STOCH(h, l, c)
    f["willr"], f["cci"] = t.WILLR(h, l, c, 14), t.CCI(h, l, c, 20)
    f["adx"], f["plus_di"], f["minus_di"] = t.ADX(h, l, c), t.PLUS_DI(h, l, c), t.MINUS_DI(h, l, c)
    f["aroon_down"], f["aroon_up"] = t.AROON(h, l)
    f["ultosc"], f["trix"], f["ppo"] = t.ULTOSC(h, l, c), t.TRIX(c), t.PPO(c)
    f["sar"] = t.SAR(h, l)
    f["ht_period"], f["ht_phase"] = t.HT_DCPERIOD(c), t.HT_DCPHASE(c)
    f["ht_sine"], f["ht_lead_sine"] = t.HT_SINE(c)
    f["ht_trend"] = t.HT_TRENDMODE(c).astype(float)
    f["ht_in_phase"], f["ht_quadrature"] = t.HT_PHASOR(c)
    for n in ("CDLDOJI", "CDLENGULFING", "CDLHAMMER", "CDLMORNINGSTAR"): f[n] = getattr(t, n)(o, h, l, c).astype(float)
    f["min_60"], f["max_60"] = t.MIN(l, 60), t.MAX(h, 60)
    f["slope_20"], f["correlation"] = t.LINEARREG_SLOPE(c, 20), t.CORREL(h, l, 30)
    return f

d = pd.read_csv(sys.argv[1], usecols=["open", "high", "low", "close", "volume"]).astype("float64")
o, h, l, c, v = (np.ascontiguousarray(d[k].to_numpy()) for k in ("open", "high", "low", "close", "volume"))
raw, whole = [], []
for _ in range(3):
    s = time.perf_counter(); f = calls(o, h, l, c, v); raw.append(time.perf_counter() - s)
    s = time.perf_counter()
    x = pd.DataFrame(calls(o, h, l, c, v)).replace([np.inf, -np.inf], np.nan).ffill().fillna(0.0)
    a, b, e = (x.quantile(q) for q in (.25, .5, .75))
    x = ((x - b) / (e - a).replace(0, 1)).astype("float32"); whole.append(time.perf_counter() - s)
print(json.dumps({"rows": len(d), "columns": len(f), "frame_seconds": raw, "scaled_seconds": whole}))
'''


def one_core(command):
    environment = dict(os.environ, OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    pinned = ["taskset", "-c", "0", *command]
    output = subprocess.run(pinned, env=environment, check=True, capture_output=True, text=True).stdout
    return json.loads(output.strip().splitlines()[-1])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--csv", default=str(FILE))
    arguments.add_argument("--rounds", type=int, default=5)
    arguments = arguments.parse_args()
    if not pathlib.Path(arguments.csv).is_file():
        sys.exit(f"{arguments.csv} is absent; run `cargo bench --workspace --bench read` first, or give --csv")
    subprocess.run(["cargo", "build", "--release", "--workspace", "--examples"], cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    commands = {
        "matrela": [str(target / "release" / "examples" / "time_features"), arguments.csv, "3"],
        "pandas + TA-Lib": [sys.executable, "-c", PEER, arguments.csv],
    }
    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line), "?")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    print(f"machine: {processor}, one core; commit: {commit.strip()}; rounds: {arguments.rounds}")
    found = {name: {"frame_seconds": [], "scaled_seconds": []} for name in commands}
    for _ in range(arguments.rounds):
        for name, command in commands.items():
            report = one_core(command)
            found[name].update(rows=report["rows"], columns=report["columns"])
            for kind in ("frame_seconds", "scaled_seconds"):
                found[name][kind].append(statistics.median(report[kind]))
    ours, peer = found["matrela"], found["pandas + TA-Lib"]
    for name, one in found.items():
        for kind, what in (("frame_seconds", "indicators"), ("scaled_seconds", "indicators, frame, scaled, f32")):
            seconds = statistics.median(one[kind])
            print(
                f"  {name:16} {what:31} {one['columns']:4} columns {seconds * 1000:9.1f} ms"
                f" {one['rows'] / seconds / 1e6:7.3f} M rows/s {one['rows'] * one['columns'] / seconds / 1e6:8.1f} M values/s"
            )
    rate = lambda one, kind: one["rows"] / statistics.median(one[kind])
    values = lambda one, kind: rate(one, kind) * one["columns"]
    print(f"rows/s, masked frame against pandas pipeline:        {rate(ours, 'frame_seconds') / rate(peer, 'scaled_seconds'):6.2f}")
    print(f"rows/s, scaled f32 against pandas pipeline:          {rate(ours, 'scaled_seconds') / rate(peer, 'scaled_seconds'):6.2f}")
    print(f"values/s, masked frame against TA-Lib calls alone:   {values(ours, 'frame_seconds') / values(peer, 'frame_seconds'):6.2f}")


if __name__ == "__main__":
    main()
