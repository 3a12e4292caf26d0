"""Indicators: computes the kept values of features anew with the C library TA-Lib.

Kept: crates/features/tests/golden/ta_lib.json, which `golden_ta_lib.rs` holds the features against.
"""

import pathlib
import subprocess
import sys
import tempfile
import json

from agreement import ROOT, Agreement, kept_json

FOLDER = "crates/features/tests/golden"
# Sums over thousands of candles in another order of additions.
TOLERANCE = 1e-10


def main():
    agreement = Agreement()
    kept = kept_json(f"{FOLDER}/ta_lib.json")
    data = ROOT.parent / "shared" / "data"
    has_files = all((data / one["name"]).is_file() for one in kept["files"])
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "ta_lib.json"
        command = [sys.executable, str(ROOT / FOLDER / "generate.py"), "--out", str(out)]
        done = subprocess.run(command + ["--data", str(data)] * has_files, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"generate.py failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}")
        found = json.loads(out.read_text(encoding="utf-8"))
    parts = ["generator", "generated"] + ["files"] * has_files
    agreement.document("ta_lib", {part: found[part] for part in parts}, {part: kept[part] for part in parts}, TOLERANCE)
    if not has_files:
        agreement.notes.append("generated series only, for there are no real candles in ../shared/data")
    agreement.end()


main()
