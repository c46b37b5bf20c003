"""The ICC against Shrout and Fleiss, pingouin and real tables, and its laws."""

from __future__ import annotations

import csv
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hccoutcome.errors import InputError
from hccoutcome.stability.icc import MODELS, all_forms, intraclass_correlation

SHROUT_FLEISS = np.array([[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]], float).T
PRINTED = {"1,1": 0.17, "2,1": 0.29, "3,1": 0.71, "1,k": 0.44, "2,k": 0.62, "3,k": 0.91}
WINE = {"1,1": 0.73, "2,1": 0.73, "3,1": 0.73, "1,k": 0.91, "2,k": 0.91, "3,k": 0.92}
PINGOUIN_NAMES = {
    "1,1": "ICC(1,1)",
    "2,1": "ICC(A,1)",
    "3,1": "ICC(C,1)",
    "1,k": "ICC(1,k)",
    "2,k": "ICC(A,k)",
    "3,k": "ICC(C,k)",
}


def oracle(table: np.ndarray):
    """Return pingouin's result for one feature (subjects, raters), rows by the names of its forms."""
    pingouin = pytest.importorskip("pingouin", reason="pingouin, the oracle, is not installed")
    import pandas as pd

    subjects, raters = table.shape
    data = pd.DataFrame(
        {
            "subject": np.repeat(np.arange(subjects), raters),
            "rater": np.tile(np.arange(raters), subjects),
            "rating": table.ravel(),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own use of pandas
        return pingouin.intraclass_corr(data, "subject", "rater", "rating", nan_policy="omit").set_index("Type")


def assert_equal_to_oracle(table: np.ndarray) -> None:
    expected = oracle(table)
    for model, found in all_forms(table).items():
        row = expected.loc[PINGOUIN_NAMES[model]]
        values = [found.icc[0], found.f[0], found.df1[0], found.df2[0], found.p[0]]
        np.testing.assert_allclose(values, list(row[["ICC", "F", "df1", "df2", "pval"]]), rtol=1e-9, atol=1e-12)
        # pingouin rounds limits to two digits.
        np.testing.assert_allclose([found.lower[0], found.upper[0]], np.array(row["CI95"], float), atol=0.00501)


@pytest.mark.parametrize("model", MODELS)
def test_shrout_and_fleiss_table_gives_their_printed_values(model: str) -> None:
    assert round(intraclass_correlation(SHROUT_FLEISS, model).icc[0], 2) == PRINTED[model]


def test_shrout_and_fleiss_table_gives_mcgraw_and_wongs_limits() -> None:
    # The limits that R's psych and irr print for this table (psych::ICC, help page).
    limits = {"1,1": (-0.13, 0.72), "2,1": (0.02, 0.76), "3,1": (0.34, 0.95), "1,k": (-0.88, 0.91), "3,k": (0.68, 0.99)}
    for model, (lower, upper) in limits.items():
        found = intraclass_correlation(SHROUT_FLEISS, model)
        assert (round(found.lower[0], 2), round(found.upper[0], 2)) == (lower, upper)


def test_wine_gives_pingouins_printed_values(data: Path) -> None:
    with (data / "reference_stats" / "icc" / "pingouin_icc_wine.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = np.array([[float(r["Scores"]) for r in rows if r["Judge"] == judge] for judge in "ABCD"]).T
    assert {model: round(found.icc[0], 2) for model, found in all_forms(table).items()} == WINE
    assert_equal_to_oracle(table)


@pytest.mark.parametrize("shape", [(5, 2), (12, 3), (30, 10), (2, 3)])
def test_random_tables_equal_pingouin(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(7)
    signal = random.normal(size=(shape[0], 1)) * 3e5 + 1e6
    table = signal + random.normal(size=shape) * 1e5 + random.normal(size=(1, shape[1])) * 5e4
    assert_equal_to_oracle(table)


def test_real_repeats_of_107_features_equal_pingouin(data: Path) -> None:
    path = data / "hcc_tace_tables" / "radiomics_original_sheared_translated.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name.startswith("original_")]
    kinds = ("original", "sheared", "translated")
    values = np.array(
        [[[float(r[n] or "nan") for n in names] for r in rows if r["transformation"] == k] for k in kinds]
    )
    values = values.swapaxes(0, 1)
    assert values.shape == (104, 3, 107)
    found = all_forms(values)
    assert set(found["2,1"].subjects) == {103}  # HCC_089 has no values
    for index in (0, 13, 40, 70, 106):
        expected = oracle(values[:, :, index])
        for model in MODELS:
            row = expected.loc[PINGOUIN_NAMES[model]]
            np.testing.assert_allclose(found[model].icc[index], row["ICC"], rtol=1e-9)
            np.testing.assert_allclose(found[model].f[index], row["F"], rtol=1e-8)


def test_real_measurements_of_three_readers_equal_pingouin(data: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    path = data / "hcc_tace_tables" / "HCC-TACE-Seg_clinical_data-V2.xlsx"
    with closing(openpyxl.load_workbook(path)) as book:
        header, *rows = [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
    columns = [index for index, name in enumerate(header) if str(name).strip().endswith("mRECIST_BL")]
    assert len(columns) == 3, [header[index] for index in columns]
    table = np.array(
        [[row[index] if isinstance(row[index], int | float) else np.nan for index in columns] for row in rows]
    )
    assert np.isfinite(table).all(axis=1).sum() > 90
    assert_equal_to_oracle(table.astype(float))


def test_features_are_computed_on_their_own_complete_subjects() -> None:
    random = np.random.default_rng(3)
    ratings = random.normal(size=(9, 3, 2)) + random.normal(size=(9, 1, 2))
    ratings[4, 1, 0] = np.nan
    ratings[7, 2, 1] = np.inf
    found = all_forms(ratings)
    for feature, subject in ((0, 4), (1, 7)):
        alone = all_forms(np.delete(ratings[:, :, feature], subject, axis=0))
        for model in MODELS:
            for name in ("icc", "lower", "upper", "f", "p"):
                np.testing.assert_allclose(getattr(found[model], name)[feature], getattr(alone[model], name)[0])
            assert found[model].subjects[feature] == 8


def test_perfect_agreement_is_one_with_limits_of_one() -> None:
    for model, found in all_forms(np.array([[0.1, 0.1], [0.7, 0.7], [0.2, 0.2]])).items():
        assert (found.icc[0], found.lower[0], found.upper[0], found.f[0], found.p[0]) == (1, 1, 1, np.inf, 0), model


def test_limits_of_perfect_agreement_have_no_rounding() -> None:
    subjects = np.random.default_rng(5).normal(size=(10, 1, 200))
    for model, found in all_forms(np.repeat(subjects, 3, axis=1)).items():
        assert np.all(found.lower == 1), model
        assert np.all(found.upper == 1), model


def test_rounding_is_no_disagreement() -> None:
    table = np.array([[0.1 + 0.2, 0.3], [0.7, 0.7], [1 / 3 * 3, 1.0]])
    assert intraclass_correlation(table).icc[0] == 1


@pytest.mark.parametrize(
    ("table", "models", "reason"),
    [
        (np.full((4, 3), 0.1 + 0.2), MODELS, "all ratings are equal"),
        (np.zeros((4, 3)), MODELS, "all ratings are equal"),
        (np.array([[1.0, 2], [1, 2], [1, 2]]), ("2,1", "3,1", "1,k", "2,k", "3,k"), "the subjects do not differ"),
        (np.array([[1, np.nan], [1, 2], [np.nan, 2]]), MODELS, "1 subjects have all ratings, 2 are needed"),
        (
            np.array([[0.0, 1.0], [1.2, 0.4], [0.0, 0.9], [1.0, 0.2]]),
            ("2,k",),
            "the variance of the mean rating is not positive",
        ),
    ],
)
def test_what_has_no_icc_is_nan_with_the_reason(table: np.ndarray, models: tuple[str, ...], reason: str) -> None:
    for model in models:
        found = intraclass_correlation(table, model)
        assert np.isnan([found.icc[0], found.lower[0], found.upper[0], found.f[0], found.p[0]]).all(), model
        assert found.reasons[0] == reason


def test_negative_values_are_reported_as_they_are() -> None:
    table = np.array([[1.0, 3.1], [2, 2], [3, 1]])
    found = intraclass_correlation(table, "3,1")
    assert -1 <= found.icc[0] < -0.9
    assert found.reasons[0] == ""


@pytest.mark.parametrize(
    ("shape", "model", "confidence", "message"),
    [
        ((1, 3), "2,1", 0.95, "at least 2 subjects by at least 2 raters"),
        ((3, 1), "2,1", 0.95, r"found \(3, 1, 1\)"),
        ((3, 3), "4,1", 0.95, "An ICC is one of 1,1; 2,1; 3,1; 1,k; 2,k; 3,k, found '4,1'"),
        ((3, 3), "2,1", 95, "lies between 0 and 1, found 95"),
    ],
)
def test_wrong_input_is_refused(shape: tuple[int, int], model: str, confidence: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        intraclass_correlation(np.ones(shape), model, confidence)


TABLES = st.tuples(st.integers(3, 8), st.integers(2, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-50, 50).map(float))
)
LAWS = settings(derandomize=True, deadline=None, max_examples=150)


def same(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


@LAWS
@given(TABLES, st.sampled_from(MODELS))
def test_estimates_and_limits_stay_in_bounds(table: np.ndarray, model: str) -> None:
    found = intraclass_correlation(table, model)
    if found.reasons[0]:
        return
    raters = table.shape[1]
    assert found.icc[0] <= 1 + 1e-12
    if model in ("1,1", "3,1"):
        assert found.icc[0] >= -1 / (raters - 1) - 1e-12
    if not np.isnan([found.lower[0], found.upper[0]]).any():
        assert found.lower[0] <= found.icc[0] + 1e-9
        assert found.icc[0] <= found.upper[0] + 1e-9
    assert 0 <= found.p[0] <= 1


@LAWS
@given(TABLES, st.floats(0.01, 1e6), st.integers(-1000, 1000), st.sampled_from(MODELS))
def test_another_unit_changes_nothing(table: np.ndarray, scale: float, shift: int, model: str) -> None:
    before, after = intraclass_correlation(table, model), intraclass_correlation((table + shift) * scale, model)
    same(before.icc, after.icc)
    same(before.lower, after.lower)
    assert list(before.reasons) == list(after.reasons)


@LAWS
@given(TABLES, st.integers(1, 100))
def test_a_raters_offset_lowers_agreement_and_not_consistency(table: np.ndarray, offset: int) -> None:
    shifted = table + offset * np.arange(table.shape[1])
    same(intraclass_correlation(table, "3,1").icc, intraclass_correlation(shifted, "3,1").icc)
    level = table - table.mean(axis=0)  # raters with equal means
    before, after = intraclass_correlation(level, "2,1"), intraclass_correlation(level + shifted - table, "2,1")
    if before.reasons[0] == "" and before.icc[0] > 0.01:
        assert after.icc[0] < before.icc[0]


@LAWS
@given(TABLES, st.randoms(use_true_random=False), st.sampled_from(MODELS))
def test_order_of_subjects_and_raters_does_not_matter(table: np.ndarray, random, model: str) -> None:
    rows, columns = list(range(table.shape[0])), list(range(table.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    same(intraclass_correlation(table, model).icc, intraclass_correlation(table[rows][:, columns], model).icc)


@pytest.mark.parametrize("model", ["1,1", "2,1", "3,1"])
def test_limits_cover_the_true_value_as_often_as_they_say(model: str) -> None:
    random = np.random.default_rng(11)
    subjects, raters, features = 20, 3, 4000
    judge = {"1,1": 0.0, "2,1": 0.3, "3,1": 0.0}[model]
    ratings = random.normal(size=(subjects, 1, features)) * np.sqrt(2) + random.normal(
        size=(subjects, raters, features)
    )
    ratings += random.normal(size=(1, raters, features)) * np.sqrt(judge)
    truth = 2 / (3 + judge)
    found = intraclass_correlation(ratings, model, 0.9)
    assert np.mean((found.lower <= truth) & (truth <= found.upper)) == pytest.approx(0.9, abs=0.025)
