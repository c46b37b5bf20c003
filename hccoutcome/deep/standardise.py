"""Standardisation that a network carries with its weights: learned from the training part, applied everywhere alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

SMALLEST_SPREAD = 1e-6
"""A column that varies less is only centred: its z-scores would be rounding errors."""


class Standardise(nn.Module):
    """Fills missing values with the median and gives z-scores, column by column.

    Args:
        columns: how many.

    Attributes:
        median, centre, spread: of the training part, shape (columns,); saved with the weights, never trained.
    """

    median: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("median", torch.zeros(columns))
        self.register_buffer("centre", torch.zeros(columns))
        self.register_buffer("spread", torch.ones(columns))

    def learn(self, values: NDArray[np.floating]) -> None:
        """Take median, mean and standard deviation of rows of the training part, shape (rows, columns).

        Missing values (NaN) count as the median. A column that is missing everywhere becomes 0.
        """
        known = np.asarray(values, np.float64)
        absent = np.isnan(known).all(axis=0)
        median = np.nanmedian(np.where(absent, 0.0, known), axis=0)
        filled = np.where(np.isnan(known), median, known)
        self.take(filled.mean(axis=0), filled.std(axis=0), median)

    def take(self, centre: NDArray[np.floating], spread: NDArray[np.floating], median: Any = None) -> None:
        """Take mean, standard deviation and median (the mean where None) of the training part, each (columns,)."""
        given = (centre if median is None else median, centre, np.where(spread < SMALLEST_SPREAD, 1.0, spread))
        for name, column in zip(("median", "centre", "spread"), given, strict=True):
            getattr(self, name).copy_(torch.from_numpy(np.asarray(column, np.float32)))

    def forward(self, values: Tensor) -> Tensor:
        """Return z-scores of values (..., columns)."""
        filled = torch.where(values.isnan(), self.median, values)
        return (filled - self.centre) / self.spread
