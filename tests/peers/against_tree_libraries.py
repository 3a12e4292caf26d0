"""Tree models: computes what scikit-learn, LightGBM, XGBoost and shap say of small tables anew.

Kept: crates/supervised/tests/fixtures/{tree_shap,tree_model_scores,xgboost_round}.json.
"""

import tempfile

from agreement import Agreement, kept_json, regenerated

FOLDER = "crates/supervised/tests/fixtures"
NAMES = ["tree_shap.json", "tree_model_scores.json", "xgboost_round.json"]


def tolerance(place):
    # XGBoost sums in single precision, in an order that depends on the processor.
    return 1e-6 if "xgboost" in place else 1e-9


def main():
    agreement = Agreement()
    with tempfile.TemporaryDirectory() as folder:
        found = regenerated(f"{FOLDER}/tree_models.py", NAMES, folder)
    for name, document in zip(NAMES, found):
        agreement.document(name.removesuffix(".json"), document, kept_json(f"{FOLDER}/{name}"), tolerance)
    agreement.end()


main()
