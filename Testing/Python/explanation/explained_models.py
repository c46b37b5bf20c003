"""Cohorts and models of the tests of explanations; run as a script, what needs shap, in a process of its own.

pytest's own process keeps the real ``slicer`` for the tests of the scene, so nothing in it may load shap.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

CASES, TRAINING = 60, 45
NUMBERS = ["afp", "alb", "arterial_tumor_original_glcm_Contrast", "portal_tumor_original_firstorder_Mean"]


def cohort(seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return patients with numbers, one of them tiny, a category, missing values, and who responded."""
    draw = np.random.default_rng(seed)
    table = pd.DataFrame(draw.normal(size=(CASES, 4)), [f"P{place:02}" for place in range(CASES)], NUMBERS)
    table["alb"] = 40 + 5 * table["alb"]
    table[NUMBERS[2]] *= 1e-10
    table["bclc"] = draw.choice(["A", "B", "C"], CASES)
    signal = table["afp"] + table["afp"] * table[NUMBERS[3]] + (table["bclc"] == "C")
    responded = (signal + draw.normal(size=CASES) > 0.3).to_numpy()
    table.iloc[::7, 1] = np.nan
    table.iloc[::11, 4] = None
    return table, responded


def prepared() -> Pipeline:
    """Return the preparation that every response model begins with."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(missing_values=None, strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    return make_column_transformer((numbers, NUMBERS), (texts, ["bclc"]))


def logistic() -> Pipeline:
    return make_pipeline(prepared(), LogisticRegression())


def stumps() -> Pipeline:
    return make_pipeline(prepared(), GradientBoostingClassifier(n_estimators=20, max_depth=1, random_state=0))


def forest() -> Pipeline:
    return make_pipeline(prepared(), RandomForestClassifier(15, max_depth=4, random_state=0))


class Product(ClassifierMixin, BaseEstimator):
    """A probability that is a product of two inputs; it says that it uses no others."""

    def fit(self, X, y):
        self.classes_ = np.array([False, True])
        self.selected_features_ = ("afp", "bclc")
        return self

    def predict_proba(self, X):
        found = 0.5 + 0.1 * np.tanh(X["afp"].to_numpy(float)) * (X["bclc"] == "C").to_numpy(float)
        return np.column_stack([1 - found, found])


class Liar(Product):
    """It says that it does not use an input on which it depends."""

    def fit(self, X, y):
        super().fit(X, y)
        self.selected_features_ = ("afp",)
        return self


def shap_answers() -> dict:
    """Return what this project and shap itself say of the same models."""
    from hccoutcome.explanation.environment import load_shap
    from hccoutcome.explanation.shap_values import ShapSettings, explain, explain_out_of_fold

    shap = load_shap()
    table, responded = cohort()
    train, held = table[:TRAINING], table[TRAINING:]
    answers: dict = {"private_on_path": [path for path in sys.path if "hccoutcome/shap" in Path(path).as_posix()]}

    model = logistic().fit(train, responded[:TRAINING])
    before, after = (np.asarray(model[0].transform(part), float) for part in (train, held))
    linear = shap.LinearExplainer(model[1], shap.maskers.Independent(before, max_samples=len(before)))
    found = linear(after)
    answers["linear"] = np.column_stack([found.values[:, :4], found.values[:, 4:].sum(axis=1)]).tolist()
    answers["linear_base"] = float(np.ravel(found.base_values)[0])

    model = forest().fit(train, responded[:TRAINING])
    few = ShapSettings(background=20, permutations=40, evaluations=1_000_000, enumerated=0, seed=3)
    ours = explain(model, held[:6], train, few)
    answers["forest"] = ours.values.tolist()
    answers["forest_alone"] = explain(model, held[2:3], train, few).values.tolist()
    answers["forest_method"] = ours.method
    answers["forest_background"] = ours.background
    all_subsets = explain(model, held[:6], train, ShapSettings(background=20, seed=3))
    answers["forest_subsets"], answers["forest_subsets_method"] = all_subsets.values.tolist(), all_subsets.method
    answers["forest_exact"] = exact_by_subsets(shap, model, held[:6], train).tolist()

    product = Product().fit(table, responded)
    ours = explain(product, held[:3], train, ShapSettings(background=10, permutations=2))
    answers["product"], answers["product_read"] = ours.values.tolist(), ours.provenance["columns_read"]
    liar = Liar().fit(table, responded)
    answers["liar_read"] = explain(liar, held[:3], train, ShapSettings(background=10, permutations=1)).provenance[
        "columns_read"
    ]
    out = explain_out_of_fold(forest(), table, responded, seed=5, settings=ShapSettings(10, 1, enumerated=0, seed=5))
    again = explain_out_of_fold(forest(), table, responded, seed=5, settings=ShapSettings(10, 1, enumerated=0, seed=5))
    answers["out_of_fold"] = out.output.tolist()
    answers["same_again"] = out.values.tobytes() == again.values.tobytes()
    np.random.seed(11)  # noqa: NPY002
    state = np.random.get_state()[1].tobytes()  # noqa: NPY002
    explain(product, held[:1], train, ShapSettings(background=5, permutations=1))
    answers["random_state_kept"] = state == np.random.get_state()[1].tobytes()  # noqa: NPY002
    return answers


def exact_by_subsets(shap, model, cases: pd.DataFrame, train: pd.DataFrame) -> np.ndarray:
    """Return Shapley values over all 2^5 subsets, by shap's own ExactExplainer, against the same background sample."""
    places = np.sort(np.random.default_rng(3).choice(len(train), 20, replace=False))
    codes = {name: list(dict.fromkeys([*cases[name], *train[name]])) for name in cases.columns}
    known = {name: {repr(value): code for code, value in enumerate(values)} for name, values in codes.items()}

    def encode(table: pd.DataFrame) -> np.ndarray:
        return np.array(
            [[known[name][repr(value)] for name, value in row.items()] for _, row in table.iterrows()], float
        )

    def probability(rows: np.ndarray) -> np.ndarray:
        columns = {name: [codes[name][int(row[place])] for row in rows] for place, name in enumerate(codes)}
        return model.predict_proba(pd.DataFrame(columns))[:, 1]

    background = encode(train.iloc[places])
    explainer = shap.ExactExplainer(probability, shap.maskers.Independent(background, max_samples=len(background)))
    return explainer(encode(cases)).values


def run_here(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own that finds this package."""
    root = str(Path(__file__).resolve().parents[3])
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": root, **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=tempfile.gettempdir(),
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(shap_answers()))
