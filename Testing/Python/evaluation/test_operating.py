"""The threshold of a package: scikit-learn as reference, and no patient judged by a threshold of its own making."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve

from hccoutcome.errors import InputError
from hccoutcome.evaluation.crossvalidation import OutOfFold, out_of_fold
from hccoutcome.evaluation.operating import classes_by_others, out_of_fold_threshold, threshold_agreement


@pytest.fixture(scope="module")
def found() -> OutOfFold:
    random = np.random.default_rng(5)
    table = pd.DataFrame(random.normal(size=(90, 3)), [f"P{n:02}" for n in range(90)], ["a", "b", "c"])
    y = table["a"].to_numpy() + random.normal(size=90) > 0.4
    return out_of_fold(LogisticRegression(), table, y, folds=4, repeats=3, seed=2)


def test_the_threshold_is_youdens_on_what_models_said_of_patients_they_never_saw(found) -> None:
    y, said = np.tile(found.y, 3), found.predictions.ravel()
    lost, kept, borders = roc_curve(y, said, drop_intermediate=False)
    best = kept - lost
    threshold = out_of_fold_threshold(found)
    reached = (said[y] >= threshold).mean() - (said[~y] >= threshold).mean()
    assert reached == pytest.approx(best.max())
    # Halfway between two neighbours: scikit-learn names the upper one.
    assert said[said < threshold].max() < threshold < borders[best.argmax()] + 1e-12


def test_the_outcome_of_a_fold_does_not_move_the_threshold_that_judges_it(found) -> None:
    held = found.fold[0] == 1
    turned = replace(found, y=np.where(held, ~found.y, found.y))
    np.testing.assert_array_equal(classes_by_others(turned)[0, held], classes_by_others(found)[0, held])
    assert out_of_fold_threshold(turned) != out_of_fold_threshold(found)


def test_the_rates_are_those_of_the_classes(found) -> None:
    most = classes_by_others(found).mean(axis=0) >= 0.5
    classes = threshold_agreement(found)
    assert classes.sensitivity.value == pytest.approx(most[found.y].mean())
    assert classes.specificity.value == pytest.approx(1 - most[~found.y].mean())


def test_of_noise_the_rates_promise_nothing() -> None:
    """Chosen and measured on the same noise, Youden's index would be far above 0."""
    random = np.random.default_rng(0)
    indices, flattering = [], []
    for _ in range(40):
        y = np.arange(60) < 30
        fold = random.permuted(np.arange(60) % 5)[None]
        noise = OutOfFold(tuple(map(str, range(60))), y, random.uniform(size=(1, 60)), np.zeros((1, 60)), fold,
                          np.zeros((1, 5)), None, (), ())  # fmt: skip
        classes = threshold_agreement(noise)
        indices.append(classes.sensitivity.value + classes.specificity.value - 1)
        called = noise.predictions[0] >= (out_of_fold_threshold(noise) or 0.0)
        flattering.append(called[y].mean() - called[~y].mean())
    assert abs(np.mean(indices)) < 3 * np.std(indices) / np.sqrt(40) + 0.05
    assert np.mean(flattering) > 0.1


def test_where_nothing_tells_two_classes_apart_there_is_no_threshold(found) -> None:
    assert out_of_fold_threshold(replace(found, predictions=np.full((3, 90), 0.5))) is None
    with pytest.raises(InputError, match="Both classes are needed"):
        out_of_fold_threshold(replace(found, y=np.ones(90, bool)))
