"""Baselines and selection: computes tabular_baselines.json anew with scikit-learn and statsmodels.

Kept: crates/supervised/tests/fixtures/tabular_baselines.json.
"""

import tempfile

from agreement import Agreement, kept_json, regenerated

FOLDER = "crates/supervised/tests/fixtures"


def tolerance(place):
    # Its solver stops at a gradient of 1e-12, and the coefficients differ in the last digits by the BLAS in use.
    return 1e-6 if ".logistic_regression" in place else 1e-12


def main():
    agreement = Agreement()
    with tempfile.TemporaryDirectory() as folder:
        (found,) = regenerated(f"{FOLDER}/tabular_baselines.py", ["tabular_baselines.json"], folder)
    agreement.document("tabular_baselines", found, kept_json(f"{FOLDER}/tabular_baselines.json"), tolerance)
    agreement.end()


main()
