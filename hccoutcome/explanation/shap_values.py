"""SHAP values of a fitted estimator, and out-of-fold ones of an estimator that is fitted in each fold.

The value function is the interventional one: what an input that is left out would be is drawn from background rows, and
the output averaged over them. An additive model has exact values (``explanation.additive``); any other is explained by
shap on the columns that it reads: over all their subsets where they are few, by permutations where they are many. In
any case base and values sum to the output, which is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hccoutcome.errors import InputError
from hccoutcome.evaluation.crossvalidation import fold_models
from hccoutcome.explanation.additive import exact_values, is_additive, take_apart
from hccoutcome.explanation.coding import Coding
from hccoutcome.explanation.environment import load_shap
from hccoutcome.explanation.explanation import Explanation
from hccoutcome.explanation.outputs import Function, additive_scale, columns_read, other_scale, output_function
from hccoutcome.explanation.words import Method, Scale
from hccoutcome.progress import Progress, part, silent


@dataclass(frozen=True)
class ShapSettings:
    """How SHAP values are computed where they are not exact.

    Attributes:
        background: most rows of the background; more are sampled without replacement.
        permutations: permutations of each case, each run forward and backward.
        evaluations: most rows shown to the model for one case; above it, fewer permutations, but never less than one.
        enumerated: most columns of which all subsets are tried, as far as ``evaluations`` allow; more are permuted.
        seed: of sample and permutations.
    """

    background: int = 100
    permutations: int = 10
    evaluations: int = 40_000
    enumerated: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings with which nothing can be computed."""
        for name in ("background", "permutations", "evaluations"):
            if getattr(self, name) < 1:
                raise InputError(f"'{name}' of an explanation should be at least 1, found {getattr(self, name)}.")


def explain(
    estimator: Any,
    cases: pd.DataFrame,
    background: pd.DataFrame,
    settings: ShapSettings | None = None,
    background_name: str = "training cohort",
    progress: Progress = silent,
) -> Explanation:
    """Return the SHAP values of a fitted estimator.

    Args:
        estimator: fitted; of response with ``predict_proba``, of survival with ``predict`` (higher is worse).
        cases: rows to explain, the columns that the estimator was fitted on.
        background: rows that stand in for inputs left out, the same columns.
        settings: sampling and permutations.
        background_name: what the background rows are, in words.
        progress: told how far the work is.

    Raises:
        InputError: the tables do not fit each other, or the model gives no such output.
        EnvironmentNeeded: the model is not additive and shap or its private folder is missing.
    """
    settings = settings or ShapSettings()
    (found,) = _explain_all([_Task(estimator, cases, background)], settings, background_name, progress)
    return found


def explain_out_of_fold(
    estimator: Any,
    X: pd.DataFrame,  # noqa: N803
    y: Any,
    *,
    folds: int = 5,
    seed: int = 0,
    groups: ArrayLike | None = None,
    settings: ShapSettings | None = None,
    progress: Progress = silent,
) -> Explanation:
    """Return SHAP values of every case from a model that never saw it; the background is each model's training part.

    The models are those of the first repeat of ``evaluation.crossvalidation.out_of_fold`` with the same arguments.

    Args:
        estimator: unfitted; everything that learns stands inside it.
        X: a row for each patient, index the case; one table, whatever the modalities that the model fuses.
        y: booleans, or a structured array (event, time).
        folds: held-out parts, stratified by response or event.
        seed: of folds and models.
        groups: patients (rows) with the same value are held out together.
        settings: sampling and permutations.
        progress: told how far the work is.

    Raises:
        InputError: too few patients for the folds, rows that do not match.
        EnvironmentNeeded: a model is not additive and shap or its private folder is missing.
    """
    settings = settings or ShapSettings(seed=seed)
    tasks, places = [], []
    for model, train, held in fold_models(estimator, X, y, folds=folds, seed=seed, groups=groups):
        tasks.append(_Task(model, X.iloc[held], X.iloc[train]))
        places.append(held)
        progress(0.3 * len(tasks) / folds, f"fold {len(tasks)} of {folds} is fitted")
    name = f"training part of each of {folds} folds"
    explained = _explain_all(tasks, settings, name, part(progress, 0.3, 1.0))
    order = np.argsort(np.concatenate(places), kind="stable")
    first = explained[0]
    return Explanation(
        data=X,
        values=np.vstack([found.values for found in explained])[order],
        base=np.concatenate([found.base for found in explained])[order],
        output=np.concatenate([found.output for found in explained])[order],
        scale=first.scale,
        method=first.method,
        background=first.background,
        provenance={**first.provenance, "folds": folds, "fold_seed": seed, "out_of_fold": True},
    )


@dataclass(frozen=True)
class _Task:
    """A fitted estimator with the rows to explain and the rows of its background."""

    estimator: Any
    cases: pd.DataFrame
    background: pd.DataFrame


@dataclass(frozen=True)
class _Prepared:
    """A task on one scale: its function of tables, its tables as codes, and the columns that are read."""

    function: Function
    coding: Coding
    rows: np.ndarray
    background: np.ndarray
    read: tuple[int, ...]


def _explain_all(
    tasks: Sequence[_Task], settings: ShapSettings, background_name: str, progress: Progress
) -> list[Explanation]:
    """Explain all tasks by one method on one scale: exactly where all models are additive, else by permutations."""
    for task in tasks:
        _check_tables(task)
    scale = additive_scale(tasks[0].estimator)
    exact = list(_exact(tasks, scale, settings))
    if len(exact) == len(tasks):
        words = f"{background_name}, {_sizes([len(task.background) for task in tasks])}"
        return [
            _explanation(task, *found, scale, "exact", words, {"seed": settings.seed})
            for task, found in zip(tasks, exact, strict=True)
        ]
    scale = other_scale(tasks[0].estimator)
    sampled = any(len(task.background) > settings.background for task in tasks)
    tasks = [replace(task, background=_sample(task.background, settings)) for task in tasks]
    prepared = [_prepare(task, scale, settings.seed) for task in tasks]
    method: Method = "subsets" if all(_few(item, settings) for item in prepared) else "permutation"
    permutations = min(_permutations(item, settings) for item in prepared)
    words = f"{background_name}, {_sizes([len(task.background) for task in tasks])}{' sampled' * sampled}"
    notes = {
        "seed": settings.seed,
        **({"permutations": permutations} if method == "permutation" else {}),
        "columns_read": max(len(item.read) for item in prepared),
    }
    found = []
    for number, (task, item) in enumerate(zip(tasks, prepared, strict=True)):
        step = part(progress, number / len(tasks), (number + 1) / len(tasks))
        values = _by_shap(item, 0 if method == "subsets" else permutations, settings.seed, step)
        found.append(_explanation(task, *values, scale, method, words, notes))
    return found


def _sizes(sizes: Sequence[int]) -> str:
    low, high = min(sizes), max(sizes)
    return f"{low} rows" if low == high else f"{low} to {high} rows"


def _check_tables(task: _Task) -> None:
    if list(task.cases.columns) != list(task.background.columns):
        odd = set(task.cases.columns) ^ set(task.background.columns)
        raise InputError(
            "An explanation needs the same columns in cases and background, found "
            f"{', '.join(sorted(map(str, odd))) or 'another order'}: give both tables alike."
        )
    if task.background.empty:
        raise InputError("An explanation needs at least one background row, found none.")


def _sample(table: pd.DataFrame, settings: ShapSettings) -> pd.DataFrame:
    """Return the background rows, sampled without replacement where there are more than asked for, in their order."""
    if len(table) <= settings.background:
        return table
    places = np.random.default_rng(settings.seed).choice(len(table), settings.background, replace=False)
    return table.iloc[np.sort(places)]


def _exact(
    tasks: Sequence[_Task], scale: Scale, settings: ShapSettings
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield values, base and output of each task as long as the models are additive."""
    for task in tasks:
        prepared = _prepare(task, scale, settings.seed)
        model = take_apart(prepared.function, prepared.coding, prepared.read)
        codes = np.vstack([prepared.rows, prepared.background])
        if not is_additive(model, prepared.function, codes, settings.seed, scale == "log-odds"):
            return
        values, base = exact_values(model, prepared.rows, prepared.background)
        yield values, np.full(len(values), base), prepared.function(task.cases)


def _prepare(task: _Task, scale: Scale, seed: int) -> _Prepared:
    coding = Coding.of(task.cases, task.background)
    rows, background = coding.encode(task.cases), coding.encode(task.background)
    function = output_function(task.estimator, scale)
    names = list(task.cases.columns)
    said = set(columns_read(task.estimator, names))
    read = tuple(place for place, name in enumerate(names) if name in said)
    if len(read) < len(names) and not _suffice(function, coding, rows, background, read, seed):
        read = tuple(range(len(names)))
    return _Prepared(function, coding, rows, background, read)


def _suffice(
    function: Function, coding: Coding, rows: np.ndarray, background: np.ndarray, read: tuple[int, ...], seed: int
) -> bool:
    """Return whether the output stays the same when all columns but those ``read`` come from background rows."""
    partners = np.random.default_rng(seed).integers(len(background), size=len(rows))
    mixed = background[partners].copy()
    mixed[:, read] = rows[:, read]
    return np.array_equal(function(coding.decode(mixed)), function(coding.decode(rows)), equal_nan=True)


def _permutations(prepared: _Prepared, settings: ShapSettings) -> int:
    """Return how many permutations of each case fit into the evaluations allowed."""
    each = (2 * len(prepared.read) + 1) * len(prepared.background)
    return max(1, min(settings.permutations, settings.evaluations // each))


def _few(prepared: _Prepared, settings: ShapSettings) -> bool:
    """Return whether so few columns are read that all their subsets can be tried."""
    count = len(prepared.read)
    return count <= settings.enumerated and 2**count * len(prepared.background) <= settings.evaluations


def _by_shap(
    prepared: _Prepared, permutations: int, seed: int, progress: Progress
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values, base and output by shap; each case's values do not depend on which others are explained.

    Args:
        prepared: what is explained.
        permutations: of each case; 0 for all subsets.
        seed: of the permutations.
        progress: told how far the work is.
    """
    shap = load_shap()
    rows, background, read = prepared.rows, prepared.background, list(prepared.read)

    def function(codes: np.ndarray) -> np.ndarray:
        # The columns that are not read keep the values of any row.
        full = np.repeat(background[:1], len(codes), axis=0)
        full[:, read] = codes
        return prepared.function(prepared.coding.decode(full))

    def values_of(row: np.ndarray) -> np.ndarray:
        masker = shap.maskers.Independent(background[:, read], max_samples=len(background))
        if permutations:
            explainer = shap.PermutationExplainer(function, masker, seed=seed)
            return explainer(row[None], max_evals=permutations * (2 * len(read) + 1), silent=True).values[0]
        size = 2 ** len(read)
        return shap.ExactExplainer(function, masker)(row[None], max_evals=size, batch_size=size, silent=True).values[0]

    values = np.zeros(rows.shape)
    base = np.full(len(rows), float(prepared.function(prepared.coding.decode(background)).mean()))
    output = prepared.function(prepared.coding.decode(rows)) if len(rows) else np.zeros(0)
    state = np.random.get_state()  # noqa: NPY002 -- shap seeds and uses numpy's global generator
    try:
        for place, row in enumerate(rows):
            progress(place / len(rows), f"explaining case {place + 1} of {len(rows)}")
            if read:
                values[place, read] = values_of(row[read])
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return values, base, output


def _explanation(
    task: _Task,
    values: np.ndarray,
    base: np.ndarray,
    output: np.ndarray,
    scale: Scale,
    method: Method,
    background: str,
    provenance: dict[str, Any],
) -> Explanation:
    return Explanation(task.cases, values, base, output, scale, method, background, provenance)
