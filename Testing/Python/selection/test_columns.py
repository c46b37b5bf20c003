"""Gaps and categories become numbers by what the training patients teach, and by nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.impute import SimpleImputer

from hccoutcome.errors import InputError
from hccoutcome.selection.columns import ColumnEncoder

TABLE = pd.DataFrame(
    {
        "age": [50.0, 60, 71, np.nan],
        "sex": ["male", "female", None, "male"],
        "cirrhosis": [1.0, 1, np.nan, 0],
        "child_pugh": ["A", "B", "A", None],
        "tumor_morphology": ["uninodular", "massive", "multinodular", "uninodular"],
        "ldh": [np.nan] * 4,
    },
    index=["p1", "p2", "p3", "p4"],
)


def test_categories_have_the_schema_s_numbers_and_gaps_what_is_typical() -> None:
    encoder = ColumnEncoder().fit(TABLE)
    encoded = encoder.transform(TABLE)
    assert encoded["age"].tolist() == [50, 60, 71, 60]
    assert encoded["sex"].tolist() == [1, 0, 1, 1]
    assert encoded["cirrhosis"].tolist() == [1, 1, 1, 0]
    assert encoded["child_pugh"].tolist() == [1, 2, 1, 1]
    assert encoded["tumor_morphology=multinodular"].tolist() == [0, 0, 1, 0]
    assert encoded["tumor_morphology=massive"].tolist() == [0, 1, 0, 0]
    assert encoder.empty_ == ["ldh"]
    assert list(encoded.columns) == list(encoder.get_feature_names_out())
    assert encoder.sources_["tumor_morphology=massive"] == "tumor_morphology"
    assert list(encoded.index) == list(TABLE.index)


def test_nominal_categories_may_be_coded_and_gaps_marked() -> None:
    encoded = ColumnEncoder(nominal="code", indicators=True).fit_transform(TABLE)
    assert encoded["tumor_morphology"].tolist() == [0, 2, 1, 0]
    assert encoded["age=missing"].tolist() == [0, 0, 0, 1]
    assert "tumor_morphology=missing" not in encoded, "it has no gaps in training"


def test_what_stands_for_gaps_comes_from_training_alone() -> None:
    encoder = ColumnEncoder().fit(TABLE.iloc[:2])
    new = TABLE.iloc[2:].assign(age=[np.nan, 1000.0])
    assert encoder.transform(new)["age"].tolist() == [55, 1000]
    # A category that training has not seen has no column of its own.
    assert encoder.transform(new).filter(like="tumor_morphology").to_numpy().tolist() == [[0], [0]]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=3, max_size=3), min_size=1, max_size=20))
def test_numbers_are_imputed_as_scikit_learn_does(rows) -> None:
    table = pd.DataFrame(np.array(rows, float), columns=["a_b_c_d_1", "a_b_c_d_2", "a_b_c_d_3"])
    known = table.notna().any()
    encoder = ColumnEncoder().fit(table)
    assert encoder.empty_ == list(table.columns[~known])
    if known.any():
        expected = SimpleImputer(strategy="median").fit_transform(table.loc[:, known])
        np.testing.assert_allclose(encoder.transform(table), expected)


def test_logarithms_are_taken_where_asked() -> None:
    table = pd.DataFrame({"afp": [1.0, 1000, np.nan]})
    assert ColumnEncoder(log10=("afp",)).fit_transform(table)["afp"].tolist() == [0, 3, 1.5]
    with pytest.raises(InputError, match="A logarithm needs values above 0, found -1 in 'afp'"):
        ColumnEncoder(log10=("afp",)).fit(pd.DataFrame({"afp": [-1.0, 5]}))


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (pd.DataFrame({"sex": ["male", "other"]}), "sex is one of female, male, found 'other'"),
        (
            pd.DataFrame({"centre": ["X", "Y"]}),
            "Text belongs to clinical variables only, found some in the column 'centre",
        ),
        (pd.DataFrame({"age": [np.inf, 2]}), "found an infinite one in 'age'"),
    ],
)
def test_what_cannot_be_a_number_is_refused(table: pd.DataFrame, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ColumnEncoder().fit(table)


def test_it_can_be_cloned_and_names_the_column_that_a_new_table_lacks() -> None:
    encoder = clone(ColumnEncoder(indicators=True)).fit(TABLE)
    assert encoder.indicators
    with pytest.raises(InputError, match="'age' was expected, as in training"):
        encoder.transform(TABLE.drop(columns="age"))
