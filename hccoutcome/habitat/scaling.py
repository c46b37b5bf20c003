"""Bring voxel features onto one scale, so that none rules the distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hccoutcome.errors import InputError
from hccoutcome.habitat.settings import ScalingRule

_REMEDY = {
    "minmax": "cut a smaller part (winsorise), or leave that feature out",
    "zscore": "cut a smaller part (winsorise), or leave that feature out",
    "robust": "scale by minmax, or leave that feature out",
}


@dataclass(frozen=True)
class Scaling:
    """A scale for each voxel feature: values are cut to ``low``..``high``, then ``(value - shift) / unit``.

    Attributes:
        names: the features.
        low, high: the values to which a feature is cut, shape (f,).
        shift, unit: shape (f,).
    """

    names: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    shift: np.ndarray
    unit: np.ndarray

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return scaled features, shape (n, f), float32: k-means is limited by memory, not by digits."""
        cut = np.clip(values, self.low, self.high)
        return np.ascontiguousarray((cut - self.shift) / self.unit, dtype=np.float32)

    def first(self, count: int) -> Scaling:
        """Return the scaling of the first features alone."""
        parts = (self.low, self.high, self.shift, self.unit)
        return Scaling(self.names[:count], *(numbers[:count] for numbers in parts))

    def to_json(self) -> dict[str, Any]:
        """Return JSON data that ``from_json`` reads."""
        numbers = {name: getattr(self, name).tolist() for name in ("low", "high", "shift", "unit")}
        return {"names": list(self.names), **numbers}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Scaling:
        """Return the scaling that ``to_json`` wrote."""
        numbers = {name: np.array(data[name], dtype=float) for name in ("low", "high", "shift", "unit")}
        return cls(tuple(data["names"]), **numbers)


def learn_scaling(values: np.ndarray, names: Sequence[str], rule: ScalingRule, winsorise: float = 0.0) -> Scaling:
    """Learn where to cut each feature and how to scale it.

    Args:
        values: features of the voxels to learn from, shape (n, f).
        names: name of each feature.
        rule: ``"minmax"`` to 0..1, ``"zscore"`` by mean and sample deviation, ``"robust"`` by median and distance of
            the quartiles, or ``"none"``.
        winsorise: part of the voxels at each end that is cut to the quantile there before the scale is learnt.

    Raises:
        InputError: after the cut a feature does not vary.
    """
    low, high = np.quantile(values, (winsorise, 1.0 - winsorise), axis=0)
    cut = np.clip(values, low, high)
    shift, unit = _scale(cut, rule)
    for name, size in zip(names, unit, strict=True):
        if not size > 0:
            raise InputError(
                f"The voxel feature '{name}' was expected to vary inside the region, found it constant after cutting "
                f"{100 * winsorise:g} % at each end and scaling by '{rule}': {_REMEDY[rule]}."
            )
    return Scaling(tuple(names), low, high, shift, unit)


def _scale(cut: np.ndarray, rule: ScalingRule) -> tuple[np.ndarray, np.ndarray]:
    """Return shift and unit of each feature."""
    if rule == "minmax":
        return cut.min(axis=0), np.ptp(cut, axis=0)
    if rule == "zscore":
        return cut.mean(axis=0), cut.std(axis=0, ddof=1)
    if rule == "robust":
        lower, middle, upper = np.quantile(cut, (0.25, 0.5, 0.75), axis=0)
        return middle, upper - lower
    return np.zeros(cut.shape[1]), np.ones(cut.shape[1])
