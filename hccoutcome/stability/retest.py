"""Test and retest as a table: for each feature and pair of raters Bland-Altman and Lin, and repeatability over all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from hccoutcome.errors import InputError
from hccoutcome.stability.ratings import Ratings
from hccoutcome.stability.repeatability import bland_altman, concordance, repeatability

COLUMNS = (
    "feature", "first", "second", "pairs", "bias", "bias_lower", "bias_upper", "agreement_lower", "agreement_upper",
    "ccc", "ccc_lower", "ccc_upper", "repeatability", "repeatability_lower", "repeatability_upper",
)  # fmt: skip
MOST_RATERS = 10
"""More raters give more pairs than anyone reads; perturbations are no readers to be compared one by one."""


def retest_rows(ratings: Ratings) -> Iterator[dict[str, Any]]:
    """Yield a row for each feature and pair of raters; a number that is not defined is None (an empty cell).

    ``bias`` is the mean of first minus second, ``agreement_lower`` and ``_upper`` the 95% limits of agreement, ``ccc``
    Lin's concordance, ``repeatability`` the coefficient over all raters, which is the same in each row of a feature.

    Raises:
        InputError: one subject, one rater, or more than ``MOST_RATERS``.
    """
    subjects, raters, _ = ratings.values.shape
    if subjects < 2:
        raise InputError(
            f"Test and retest compare at least 2 subjects, found '{ratings.subjects[0]}' alone: add others."
        )
    if not 2 <= raters <= MOST_RATERS:
        raise InputError(
            f"Test and retest compare 2 to {MOST_RATERS} raters pair by pair, found {raters}: "
            f"{'add another' if raters < 2 else 'give the raters to compare in a table of their own'}."
        )
    overall = repeatability(ratings.values)
    for one, other in combinations(range(raters), 2):
        first, second = ratings.values[:, one], ratings.values[:, other]
        bland, lin = bland_altman(first, second), concordance(first, second)
        columns = (
            bland.pairs, bland.bias, *bland.bias_limits, bland.lower, bland.upper,
            lin.ccc, lin.lower, lin.upper, overall.coefficient, overall.lower, overall.upper,
        )  # fmt: skip
        for name, *numbers in zip(ratings.features, *(part.tolist() for part in columns), strict=True):
            cells = (name, ratings.raters[one], ratings.raters[other], *map(_cell, numbers))
            yield dict(zip(COLUMNS, cells, strict=True))


def _cell(value: float) -> float | None:
    return value if math.isfinite(value) else None
