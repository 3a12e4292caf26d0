"""The search for settings: computes what Optuna says anew.

Kept: crates/supervised/tests/fixtures/tuning/optuna.json.
"""

import tempfile

from agreement import Agreement, kept_json, regenerated

FOLDER = "crates/supervised/tests/fixtures/tuning"


def main():
    agreement = Agreement()
    with tempfile.TemporaryDirectory() as folder:
        (found,) = regenerated(f"{FOLDER}/optuna_reference.py", ["optuna.json"], folder, stdout="optuna.json")
    agreement.document("optuna", found, kept_json(f"{FOLDER}/optuna.json"), 1e-9)
    agreement.end()


main()
