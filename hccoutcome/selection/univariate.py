"""One column at a time: t and Mann-Whitney tests with effect sizes for response, Cox models for survival.

P values are adjusted over all columns for the false discovery rate (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hccoutcome.errors import InputError
from hccoutcome.evaluation.outcomes import is_survival
from hccoutcome.selection.base import Bools, Floats, Selector, as_numbers, checked_outcome
from hccoutcome.selection.cox_scan import cox_scan

Z95 = float(stats.norm.ppf(0.975))
_LEAST_OF_A_GROUP = 2
Test = Literal["either", "both", "t", "mannwhitney"]
_TESTS = ("either", "both", "t", "mannwhitney")

RESPONSE_COLUMNS = (
    "responders", "others", "mean_responders", "mean_others", "sd_responders", "sd_others",
    "t", "t_p", "t_q", "d", "d_low", "d_high",
    "u", "u_p", "u_q", "rank_biserial",
)  # fmt: skip
SURVIVAL_COLUMNS = ("patients", "events", "coefficient", "error", "hr", "hr_low", "hr_high", "z", "p", "q", "note")


def univariate_table(X: Any, y: Any) -> pd.DataFrame:  # noqa: N803
    """Test each column alone against the outcome.

    Args:
        X: shape (patients, columns), numbers; patients without a value are left out of that column's test.
        y: responders (booleans) or survival (structured array).

    Returns:
        One row a column. For response (``RESPONSE_COLUMNS``): numbers, means and deviations of both groups; Welch's t
        test with Cohen's d (pooled deviation) and its 95 % interval; the Mann-Whitney test with the rank-biserial
        correlation (2 AUC - 1). For survival (``SURVIVAL_COLUMNS``): the Cox model's hazard ratio of one unit with its
        95 % interval, Wald's p. ``_q`` is p adjusted for the false discovery rate. A column that does not vary has NaN
        throughout, and counts as not tested.
    """
    frame = as_numbers(X)
    outcome = checked_outcome(y, len(frame))
    return _survival_table(frame, outcome) if is_survival(outcome) else _response_table(frame, outcome)


def association(frame: pd.DataFrame, y: Any) -> Floats:
    """Return how strongly each column goes with the outcome, shape (columns,); NaN where it does not vary.

    The distance of the AUC from 0.5 for response, the absolute z of the Cox score test for survival.
    """
    strength = np.full(frame.shape[1], np.nan)
    for columns, rows in _by_missing(frame):
        values, outcome = frame.to_numpy()[np.ix_(rows, columns)], y[rows]
        varies = values.max(axis=0, initial=-np.inf) > values.min(axis=0, initial=np.inf)
        if is_survival(outcome):
            if outcome["event"].any():
                strength[columns] = np.abs(cox_scan(values, outcome["event"], outcome["time"]).score)
        elif 0 < outcome.sum() < len(outcome):
            strength[columns] = np.where(varies, np.abs(_auc(values, outcome) - 0.5), np.nan)
    return strength


def _auc(values: Floats, responders: Bools) -> Floats:
    """Return the AUC of each column by its ranks."""
    n = int(responders.sum())
    ranks = stats.rankdata(values, axis=0)[responders].sum(axis=0)
    return (ranks - n * (n + 1) / 2) / (n * (len(responders) - n))


def _by_missing(frame: pd.DataFrame) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the positions of the columns that are known of the same patients, and those patients."""
    known = frame.notna().to_numpy()
    patterns, group = np.unique(known.T, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        if pattern.any():
            yield np.flatnonzero(group == number), np.flatnonzero(pattern)


def _response_table(frame: pd.DataFrame, responders: Bools) -> pd.DataFrame:
    table = pd.DataFrame(np.nan, index=frame.columns, columns=list(RESPONSE_COLUMNS))
    values = frame.to_numpy()
    for columns, rows in _by_missing(frame):
        yes, no = values[np.ix_(rows[responders[rows]], columns)], values[np.ix_(rows[~responders[rows]], columns)]
        table.iloc[columns, :2] = [len(yes), len(no)]
        if min(len(yes), len(no)) >= _LEAST_OF_A_GROUP:
            for name, column in _two_groups(yes, no).items():
                table.iloc[columns, RESPONSE_COLUMNS.index(name)] = column
    for test in ("t", "u"):
        table[f"{test}_q"] = adjusted(table[f"{test}_p"].to_numpy())
    return table


def _two_groups(yes: Floats, no: Floats) -> dict[str, Floats]:
    n, m = len(yes), len(no)
    means = yes.mean(axis=0), no.mean(axis=0)
    deviations = yes.std(axis=0, ddof=1), no.std(axis=0, ddof=1)
    pooled = np.sqrt(((n - 1) * deviations[0] ** 2 + (m - 1) * deviations[1] ** 2) / (n + m - 2))
    both = np.concatenate([yes, no])
    size = np.maximum(np.abs(both).max(axis=0), np.finfo(float).tiny)
    varies, spreads = np.ptp(both, axis=0) > 1e-12 * size, pooled > 1e-12 * size
    found: dict[str, Floats] = {
        "mean_responders": means[0], "mean_others": means[1],
        "sd_responders": deviations[0], "sd_others": deviations[1],
    }  # fmt: skip
    nothing = np.full(yes.shape[1], np.nan)
    found |= {name: nothing.copy() for name in RESPONSE_COLUMNS[6:]}
    if spreads.any():
        with warnings.catch_warnings():
            # Of a column that one group hardly varies in; its variance in the other carries the test.
            warnings.filterwarnings("ignore", message="Precision loss occurred in moment calculation")
            t = stats.ttest_ind(yes[:, spreads], no[:, spreads], equal_var=False)
        d = (means[0] - means[1])[spreads] / pooled[spreads]
        half = Z95 * np.sqrt((n + m) / (n * m) + d**2 / (2 * (n + m)))
        for name, column in (
            ("t", t.statistic),
            ("t_p", t.pvalue),
            ("d", d),
            ("d_low", d - half),
            ("d_high", d + half),
        ):
            found[name][spreads] = column
    if varies.any():
        u = stats.mannwhitneyu(yes[:, varies], no[:, varies])
        for name, column in (("u", u.statistic), ("u_p", u.pvalue), ("rank_biserial", 2 * u.statistic / (n * m) - 1)):
            found[name][varies] = column
    return found


def _survival_table(frame: pd.DataFrame, outcome: NDArray[Any]) -> pd.DataFrame:
    table = pd.DataFrame(np.nan, index=frame.columns, columns=list(SURVIVAL_COLUMNS[:-1]))
    notes = pd.Series("", index=frame.columns, dtype=object)
    for columns, rows in _by_missing(frame):
        event, time = outcome["event"][rows], outcome["time"][rows]
        names = frame.columns[columns]
        table.loc[names, ["patients", "events"]] = [len(rows), int(event.sum())]
        if not event.any():
            notes[names] = "no event"
            continue
        scan = cox_scan(frame.to_numpy()[np.ix_(rows, columns)], event, time)
        table.loc[names, "coefficient"], table.loc[names, "error"] = scan.coefficient, scan.error
        notes[names] = np.where(
            scan.converged, "", np.where(np.isnan(scan.score), "does not vary", "orders the events all but perfectly")
        )
        # Where the likelihood rises without end, Wald's test fails; the score test holds.
        table.loc[names, "z"] = np.where(scan.converged, scan.coefficient / scan.error, scan.score)
    b, half = table["coefficient"], Z95 * table["error"]
    with np.errstate(over="ignore"):
        table["hr"], table["hr_low"], table["hr_high"] = np.exp(b), np.exp(b - half), np.exp(b + half)
    table["p"] = 2 * stats.norm.sf(np.abs(table["z"]))
    table["q"] = adjusted(table["p"].to_numpy())
    table["note"] = notes
    return table


def adjusted(p: Floats) -> Floats:
    """Return p values adjusted for the false discovery rate; NaN stays NaN and is not counted."""
    q = np.full(len(p), np.nan)
    tested = ~np.isnan(p)
    if tested.any():
        q[tested] = stats.false_discovery_control(p[tested])
    return q


class UnivariateFilter(Selector):
    """Keep columns that differ between responders and others, or that go with survival.

    Args:
        threshold: largest p (or q) that passes.
        test: for response, whether the t test, the Mann-Whitney test, either or both have to pass; survival is tested
            by Cox models.
        adjust: whether ``"p"`` counts or ``"q"``, adjusted for the false discovery rate.
        most: keep at most so many, those with the smallest p.

    Attributes:
        table_: the tests, see ``univariate_table``.
    """

    def __init__(
        self,
        threshold: float = 0.05,
        test: Test = "either",
        adjust: Literal["p", "q"] = "p",
        most: int | None = None,
        at_least: int = 1,
    ) -> None:
        self.threshold = threshold
        self.test = test
        self.adjust = adjust
        self.most = most
        self.at_least = at_least

    def _choose(self, frame: pd.DataFrame, y: Any) -> tuple[Bools, Floats]:
        if self.test not in _TESTS or self.adjust not in ("p", "q"):
            raise InputError(
                f"Tests are {', '.join(_TESTS)}, judged by p or q, found '{self.test}' and '{self.adjust}': choose."
            )
        self.table_ = univariate_table(frame, y)
        p = self._decisive().to_numpy()
        with np.errstate(divide="ignore"):
            merit = -np.log(p)
        passed = np.nan_to_num(p, nan=1.0) <= self.threshold
        if self.most is not None:
            best = np.argsort(np.nan_to_num(p, nan=np.inf), kind="stable")[: self.most]
            passed &= np.isin(np.arange(len(p)), best)
        return passed, merit

    def _decisive(self) -> pd.Series:
        if "t_p" not in self.table_:
            return self.table_[self.adjust]
        t, u = self.table_[f"t_{self.adjust}"], self.table_[f"u_{self.adjust}"]
        combine: dict[str, Callable[[], pd.Series]] = {
            "t": lambda: t,
            "mannwhitney": lambda: u,
            "either": lambda: np.fmin(t, u),
            "both": lambda: np.maximum(t, u),
        }
        return combine[self.test]()
