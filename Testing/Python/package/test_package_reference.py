"""A reference distribution is what numpy says of the table, and its distance has the probability that it claims."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from hccoutcome.errors import InputError
from hccoutcome.package.reference import (
    Reference,
    parse_reference,
    read_reference,
    reference_from_table,
    write_reference,
)
from hccoutcome.strict_json import canonical_json

NAMES = ("portal_tumor_original_firstorder_Mean", "portal_tumor_original_glcm_Id", "portal_tumor_original_glszm_X")


def table(cases: int, seed: int = 1) -> list[dict[str, float]]:
    values = np.random.default_rng(seed).multivariate_normal(
        [10.0, 0.0, -5.0], [[4.0, 1.5, 0.0], [1.5, 1.0, 0.2], [0.0, 0.2, 9.0]], cases
    )
    return [dict(zip(NAMES, map(float, row), strict=True)) for row in values]


def reference(rows: list) -> Reference:
    return reference_from_table(rows, NAMES, "0" * 64, "made up")


def test_mean_deviation_and_correlation_are_those_of_numpy() -> None:
    rows = table(60)
    found = reference(rows)
    values = np.array([[row[name] for name in NAMES] for row in rows])
    for place, name in enumerate(NAMES):
        known = found.features[name]
        column = values[:, place]
        expected = (column.mean(), column.std(ddof=0), column.min(), column.max())
        assert (known.mean, known.deviation, known.low, known.high) == pytest.approx(expected, rel=1e-12)
    assert np.array(found.correlation) == pytest.approx(np.corrcoef(values, rowvar=False), abs=1e-12)
    assert (found.cases, found.cohort) == (60, "made up")


def test_text_from_a_csv_is_read_as_numbers() -> None:
    rows = [{name: repr(value) for name, value in row.items()} for row in table(12)]
    assert reference(rows) == reference(table(12))


def test_the_distance_is_the_mahalanobis_distance_of_the_sample_covariance() -> None:
    rows = table(40)
    found = reference(rows)
    values = np.array([[row[name] for name in NAMES] for row in rows])
    case = np.array([14.0, -1.0, 3.0])
    step = case - values.mean(axis=0)
    squared = step @ np.linalg.inv(np.cov(values, rowvar=False)) @ step
    from scipy.stats import f

    n, p = values.shape
    expected = f.sf(squared * n * (n - p) / (p * (n - 1) * (n + 1)), p, n - p)
    assert found.tail_probability(dict(zip(NAMES, case, strict=True))) == pytest.approx(expected, rel=1e-9)


def test_new_cases_of_the_same_kind_are_called_far_as_often_as_claimed() -> None:
    tails = []
    for seed in range(40):
        found = reference(table(30, seed))
        tails += [found.tail_probability(row) for row in table(50, seed + 1000)]
    assert np.mean(np.array(tails) < 0.05) == pytest.approx(0.05, abs=0.012)
    assert np.mean(tails) == pytest.approx(0.5, abs=0.02)


def test_too_few_cases_for_the_number_of_features_give_no_distance() -> None:
    found = reference(table(10)).restricted(NAMES[:1])
    many = [f"portal_tumor_original_glcm_F{place}" for place in range(9)]
    rows = [{name: float(value) for name, value in zip(many, row, strict=True)}
            for row in np.random.default_rng(0).normal(size=(12, 9))]  # fmt: skip
    assert reference_from_table(rows, many, "0" * 64, "x").tail_probability(rows[0]) is None
    assert found.correlation == ((pytest.approx(1.0),),)


def test_features_that_depend_on_each_other_give_no_distance() -> None:
    rows = [{**row, NAMES[2]: 2 * row[NAMES[0]]} for row in table(40)]
    assert reference(rows).tail_probability(rows[0]) is None


def test_a_restricted_reference_keeps_the_right_correlation() -> None:
    found = reference(table(40))
    part = found.restricted((NAMES[2], NAMES[0]))
    assert tuple(part.features) == (NAMES[2], NAMES[0])
    assert part.correlation[0][1] == found.correlation[2][0]


def test_a_reference_reads_back_as_it_was_written(tmp_path: Path) -> None:
    found = reference(table(40))
    write_reference(found, tmp_path / "reference.json")
    assert read_reference(tmp_path / "reference.json") == found


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (table(9), "needs the features of at least 10 cases, found 9: extract more cases"),
        ([{k: v for k, v in r.items() if k != NAMES[1]} for r in table(12)], "no column 'portal_tumor_original_glcm_I"),
        ([{**row, NAMES[0]: "n/a"} for row in table(12)], "Case 1 of the feature table has 'n/a' where the number"),
        ([{**row, NAMES[0]: math.inf} for row in table(12)], "Case 1 of the feature table has 'inf' where the number"),
        ([*table(11), {**table(1)[0], NAMES[0]: ""}], "Case 12 of the feature table has '' where the number"),
        ([{**row, NAMES[0]: 3.0} for row in table(12)], "is the same in all 12 cases: check their extraction"),
    ],
    ids=["few", "no column", "text", "infinite", "empty", "constant"],
)  # fmt: skip
def test_a_wrong_table_is_refused(rows: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        reference(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(cases=3), "'cases' should be at least 10, found 3"),
        (lambda d: d["features"][NAMES[0]].update(deviation=0.0), "should have a deviation above 0 and low <= mean"),
        (lambda d: d["features"][NAMES[0]].update(median=0.0), "has an unknown field 'median'"),
        (lambda d: d["order"].pop(), "'order' should name every feature of 'features' once"),
        (lambda d: d["correlation"].pop(), "'correlation' should be 3 rows of 3 numbers"),
        (lambda d: d["correlation"][0].__setitem__(0, "1"), "'correlation' should be 3 rows of 3 numbers"),
        (lambda d: d["correlation"][0].__setitem__(1, 0.9), "'correlation' is no correlation matrix"),
        (lambda d: d.update(patient="x"), "has an unknown field 'patient'"),
    ],
)
def test_a_wrong_reference_file_is_refused(change, message: str) -> None:
    data = reference(table(40)).to_json()
    change(data)
    with pytest.raises(InputError, match=message):
        parse_reference(canonical_json(data), "reference.json")


def test_a_missing_reference_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'none\.json' is not a file: make one with 'hcc package reference'"):
        read_reference(tmp_path / "none.json")
