"""Time of training systems inside a cross-validation against the plain ways of doing it: ``python bench_training.py``.

Made-up patients with as many columns as radiomics of two phases have. The peers are the same library code without what
we do about its speed: columns read value by value and linear algebra in as many threads as the machine has cores, and a
grid search that fits every ensemble of PRIME-R's grid anew.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rows import Row, write_rows
from sklearn.model_selection import StratifiedKFold
from sksurv.util import Surv

from hccoutcome.evaluation.crossvalidation import out_of_fold, predict
from hccoutcome.response.candidates import DEPTHS, ESTIMATORS, SPLITS, Configuration, fitted, held_out_probabilities
from hccoutcome.trainable import make_estimator

PATIENTS, COLUMNS, KEPT = 100, 1888, 10


def patients() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return features of shape (patients, columns), response and survival."""
    rng = np.random.default_rng(0)
    names = [f"arterial_tumor_wavelet-HLL_glcm_Feature{k}" for k in range(COLUMNS)]
    table = pd.DataFrame(rng.normal(size=(PATIENTS, COLUMNS)), [f"P{k:03}" for k in range(PATIENTS)], names)
    response = table.iloc[:, 0].to_numpy() + rng.normal(size=PATIENTS) > 0
    return table, response, Surv.from_arrays(rng.random(PATIENTS) < 0.7, rng.exponential(20, PATIENTS))


def seconds(run: Callable[[], object], repeats: int = 3) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def plainly(estimator: Any, table: pd.DataFrame, y: np.ndarray, folds: int) -> None:
    """Fit and apply an estimator in each fold, value by value, with the threads that the environment gives."""
    strata = y if y.dtype == bool else y["event"]
    for train, held in StratifiedKFold(folds, shuffle=True, random_state=0).split(table, strata):
        predict(estimator.fit(table.iloc[train], y[train]), table.iloc[[*train, *held]])


def linear_systems() -> list[Row]:
    """Compare ridge regressions in three folds."""
    table, response, survival = patients()
    rows, objects = [], table.astype(object)
    for name, y, task in (("logistic-ridge", response, "response"), ("cox-ridge", survival, "survival")):
        estimator = make_estimator(name, task=task, modality="imaging")
        ours = seconds(lambda estimator=estimator, y=y: out_of_fold(estimator, table, y, folds=3))
        theirs = seconds(lambda estimator=estimator, y=y: plainly(estimator, objects, y, 3))
        case = f"{name}, 3 folds, {PATIENTS} patients x {COLUMNS:,} columns"
        rows.append(Row("training", case, ours, "value by value, in all threads", theirs))
    return rows


def grid_of_prime_r() -> Row:
    """Compare the grid over boosted forests: the largest ensembles alone, or every ensemble anew."""
    table, response, _ = patients()
    values = table.iloc[:, :KEPT].to_numpy()

    def every_one() -> None:
        for size, depth, split in product(ESTIMATORS, DEPTHS, SPLITS):
            fitted(Configuration("adaboost-forest", size, depth, split), values, response, 0).predict_proba(values)

    ours = seconds(lambda: held_out_probabilities("adaboost-forest", values, response, values, 0), 1)
    case = f"PRIME-R's grid of boosted forests, one fold, {PATIENTS} patients x {KEPT} columns"
    return Row("training", case, ours, "every ensemble of the grid anew", seconds(every_one, 1))


def main() -> None:
    """Print what is measured, and write it as rows where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, help="JSON file for the rows of the table")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = [*linear_systems(), grid_of_prime_r()]
    for row in rows:
        print(f"{row.case}: {row.ours:.2f} s, {row.peer} {row.theirs:.2f} s")
    write_rows(options.rows, rows)


if __name__ == "__main__":
    main()
