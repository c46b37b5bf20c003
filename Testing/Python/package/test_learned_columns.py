"""Columns of numbers are learned and read in one go, and to the bit as value by value."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from hccoutcome.package.inputs import learn_columns, matrix, table_matrix

FEATURE = "arterial_tumor_original_firstorder_Mean"
NUMBERS = st.one_of(st.floats(1e-6, 1e6), st.just(float("nan")))


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.sampled_from(["A", "B", None])), min_size=4, max_size=30))
def test_in_one_go_gives_the_bits_of_value_by_value(rows) -> None:
    table = pd.DataFrame(rows, columns=[FEATURE, "afp", "bclc"])
    table = table.astype({FEATURE: float, "afp": float, "bclc": object})
    objects = table.astype(object)
    columns = learn_columns(table)
    assert columns == learn_columns(objects)
    read = table_matrix(columns, table)
    assert read.tobytes() == table_matrix(columns, objects).tobytes()
    each = [
        {name: None if value != value else value for name, value in row.items()} for row in table.to_dict("records")
    ]
    assert read.tobytes() == matrix(columns, each).tobytes()
    assert read.flags["C_CONTIGUOUS"]
    assert np.isfinite(read).all()
