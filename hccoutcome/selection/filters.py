"""Selection without any model: what hardly varies, what repeats another column, what cannot be measured reliably."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from hccoutcome.clinical.columns import is_clinical
from hccoutcome.errors import InputError
from hccoutcome.selection.base import Bools, Floats, Selector, checked_outcome
from hccoutcome.selection.univariate import association
from hccoutcome.stability.gate import regate
from hccoutcome.stability.table import Gate, StabilityTable

_ENOUGH_PAIRS = 3


class NearZeroVariance(Selector):
    """Leave out columns that are almost the same in all patients (Kuhn 2008, caret's ``nearZeroVar``).

    A column goes that has one value, no value, or a commonest value more than ``frequency_ratio`` times as frequent as
    the second while its different values are fewer than ``unique_share`` of the patients.
    """

    def __init__(self, frequency_ratio: float = 19.0, unique_share: float = 0.1, at_least: int = 1) -> None:
        self.frequency_ratio = frequency_ratio
        self.unique_share = unique_share
        self.at_least = at_least

    def _choose(self, frame: pd.DataFrame, y: Any) -> tuple[Bools, Floats]:
        counts = [
            np.sort(np.unique(column[~np.isnan(column)], return_counts=True)[1])[::-1] for column in frame.to_numpy().T
        ]
        return np.array([self._varies(count) for count in counts]), np.array([float(len(count)) for count in counts])

    def _varies(self, counts: np.ndarray) -> bool:
        if len(counts) < 2:
            return False
        dominated = counts[0] / counts[1] > self.frequency_ratio
        return not (dominated and len(counts) / counts.sum() < self.unique_share)


class CorrelationFilter(Selector):
    """Of columns that correlate by more than ``threshold`` keep one.

    Columns are gone through in an order of preference; each is kept unless it correlates too much with one that is kept
    already. The order is that of the table (``keep="first"``), or that of the association with the outcome
    (``keep="stronger"``: distance of the AUC from 0.5, or of the Cox score test's z from 0). Correlations are of the
    patients in whom both are known.

    Attributes:
        replaced_by_: kept column by the one that was left out for it.
    """

    def __init__(
        self,
        threshold: float = 0.9,
        method: Literal["pearson", "spearman"] = "pearson",
        keep: Literal["first", "stronger"] = "first",
        at_least: int = 1,
    ) -> None:
        self.threshold = threshold
        self.method = method
        self.keep = keep
        self.at_least = at_least

    def _choose(self, frame: pd.DataFrame, y: Any) -> tuple[Bools, Floats]:
        if self.keep not in ("first", "stronger"):
            raise InputError(f"The column to keep is the 'first' or the 'stronger', found '{self.keep}': choose one.")
        strength = -np.arange(frame.shape[1], dtype=float)
        if self.keep == "stronger":
            strength = association(frame, checked_outcome(y, len(frame)))
        r = np.abs(correlations(frame, self.method))
        kept: list[int] = []
        self.replaced_by_: dict[str, str] = {}
        for column in np.argsort(-np.nan_to_num(strength, nan=-np.inf), kind="stable"):
            rivals = [other for other in kept if r[column, other] > self.threshold]
            if rivals:
                self.replaced_by_[str(frame.columns[column])] = str(frame.columns[rivals[0]])
            else:
                kept.append(int(column))
        return np.isin(np.arange(frame.shape[1]), kept), strength


def correlations(frame: pd.DataFrame, method: Literal["pearson", "spearman"] = "pearson") -> Floats:
    """Return the correlations of columns, shape (columns, columns); 0 where a column is constant.

    Missing values are left out pair by pair.
    """
    if method not in ("pearson", "spearman"):
        raise InputError(f"Correlations are 'pearson' or 'spearman', found '{method}': choose one.")
    if frame.isna().to_numpy().any():
        return np.nan_to_num(frame.corr(method, min_periods=_ENOUGH_PAIRS).to_numpy())
    values = (frame.rank() if method == "spearman" else frame).to_numpy(float)
    centred = values - values.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    varies = length > 1e-10 * np.maximum(np.abs(values).max(axis=0), np.finfo(float).tiny)
    unit = np.where(varies, centred / np.where(varies, length, 1.0), 0.0)
    return np.clip(unit.T @ unit, -1.0, 1.0)


def correlated_pairs(
    frame: pd.DataFrame, threshold: float = 0.8, method: Literal["pearson", "spearman"] = "spearman"
) -> pd.DataFrame:
    """Return the pairs of columns that correlate by more than a threshold, the closest first.

    Returns:
        Columns ``first``, ``second``, ``r``.
    """
    r = correlations(frame, method)
    first, second = np.triu_indices(len(r), 1)
    close = np.abs(r[first, second]) > threshold
    pairs = pd.DataFrame(
        {
            "first": frame.columns[first[close]],
            "second": frame.columns[second[close]],
            "r": r[first[close], second[close]],
        }
    )
    return pairs.sort_values("r", key=np.abs, ascending=False, kind="stable", ignore_index=True)


class StabilityGate(Selector):
    """Keep the features that a stability table calls stable; clinical columns pass.

    The table comes from repeated measurements, never from the outcome. A feature that it does not hold is not stable.

    Args:
        table: measured by ``hcc stability``; None lets everything pass.
        gate: thresholds in place of the table's.
    """

    def __init__(self, table: StabilityTable | None = None, gate: Gate | None = None, at_least: int = 1) -> None:
        self.table = table
        self.gate = gate
        self.at_least = at_least

    def _choose(self, frame: pd.DataFrame, y: Any) -> tuple[Bools, Floats]:
        if self.table is None:
            return np.ones(frame.shape[1], bool), np.zeros(frame.shape[1])
        table = regate(self.table, self.gate) if self.gate else self.table
        stable = set(table.stable)
        icc = {item.feature: item.icc for item in table.features}
        names = [str(name) for name in frame.columns]
        return (
            np.array([is_clinical(name) or name in stable for name in names]),
            np.array([np.inf if is_clinical(name) else icc.get(name, np.nan) for name in names]),
        )
