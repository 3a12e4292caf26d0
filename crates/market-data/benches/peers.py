#!/usr/bin/env python3
"""Reads the same candle files with Matrela, pandas and polars, in turns, on one core.

Usage: python crates/market-data/benches/peers.py [--rounds 7]

Needs pandas, polars and pyarrow (pip install pandas polars pyarrow). Run `cargo bench --bench read` first:
it makes the files. Each round runs every reader once in a fresh process pinned to one core; the table
shows medians and Matrela's ratio to each peer. Matrela also validates (grid, order, OHLC, gaps, hash);
the peers only parse, and pandas is given the column types.
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
FILES = pathlib.Path(tempfile.gettempdir()) / "matrela-bench-read"
TYPES = "{c: 'float64' for c in ('open','high','low','close','volume','turnover')} | {'timestamp': 'int64', 'symbol': 'str'}"

READERS = {
    "csv": {
        "pandas (C reader)": f"import pandas as p\nread=lambda f: p.read_csv(f, engine='c', dtype={TYPES})",
        "polars": "import polars as p\nread=lambda f: p.read_csv(f)",
    },
    "parquet": {
        "pandas (pyarrow)": "import pandas as p\nread=lambda f: p.read_parquet(f, engine='pyarrow')",
        "polars": "import polars as p\nread=lambda f: p.read_parquet(f)",
    },
}
TIMER = """
import json, sys, time, resource
{reader}
times = []
for _ in range(3):
    start = time.perf_counter(); frame = read(sys.argv[1]); times.append(time.perf_counter() - start)
print(json.dumps(dict(seconds=times, rows=len(frame), peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)))
"""


def one_core(command):
    environment = dict(os.environ, POLARS_MAX_THREADS="1", OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1")
    pinned = ["taskset", "-c", "0", *command]
    output = subprocess.run(pinned, env=environment, check=True, capture_output=True, text=True).stdout
    return json.loads(output.strip().splitlines()[-1])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=7)
    rounds = arguments.parse_args().rounds
    if not FILES.is_dir():
        sys.exit(f"{FILES} is absent; run `cargo bench --bench read` first")
    subprocess.run(["cargo", "build", "--release", "--workspace", "--examples"], cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    ours = str(target / "release" / "examples" / "time_read")
    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line), "?")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    print(f"machine: {processor}, one core; commit: {commit.strip()}; rounds: {rounds}")
    for kind, peers in READERS.items():
        file = str(FILES / f"bench-linear_SOLUSDT_1m_bench.{kind}")
        commands = {"matrela (validated)": [ours, file, "3"]}
        for name, reader in peers.items():
            commands[name] = [sys.executable, "-c", TIMER.format(reader=reader), file]
        seconds = {name: [] for name in commands}
        peak = {}
        for _ in range(rounds):
            for name, command in commands.items():
                report = one_core(command)
                # The first repetition of each process warms caches and allocators.
                seconds[name].append(min(report["seconds"][1:]))
                peak[name] = max(peak.get(name, 0), report["peak_bytes"])
        own = statistics.median(seconds["matrela (validated)"])
        print(f"\n{kind}, 1,000,000 rows")
        for name, values in seconds.items():
            median = statistics.median(values)
            print(f"  {name:22} {median * 1000:8.1f} ms   {median / own:5.2f} x matrela   peak {peak[name] / 2**20:6.0f} MiB")


if __name__ == "__main__":
    main()
