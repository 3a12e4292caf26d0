"""The simulator: trades of CROSSOVER (the example `crossover` of the crate `sim`) beside those of backtesting.py.

    python against_backtesting.py CROSSOVER

The comparison itself is crates/sim/benches/peers/backtesting_trades.py, on its seeded walk of 20,000 hours.
"""

import json
import subprocess
import sys

from agreement import ROOT, Agreement

SCRIPT = "crates/sim/benches/peers/backtesting_trades.py"
# That of the script: two floats of the same exact amount after some thousand additions of theirs.
TOLERANCE = 1e-9


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    done = subprocess.run([sys.executable, str(ROOT / SCRIPT), sys.argv[1]], capture_output=True, text=True)
    if done.returncode not in (0, 1) or not done.stdout:
        sys.exit(f"{SCRIPT} failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}")
    agreement, trades = Agreement(), 0
    for name, report in json.loads(done.stdout).items():
        if not isinstance(report, dict):
            continue
        trades += report["trades"]
        agreement.same(f"{name}, trades", report["trades"], report["of_backtesting"])
        agreement.same(f"{name}, equal", report["equal"], True)
        for field, gap in report["differences"].items():
            agreement.near(f"{name}, {field}", gap, 0.0, TOLERANCE)
    agreement.notes.append(f"{trades} trades")
    agreement.end()


main()
