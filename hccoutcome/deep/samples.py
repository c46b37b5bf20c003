"""Patients to learn from as arrays: what a network reads of each, and what became of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from hccoutcome.deep.inputs import NetworkInput
from hccoutcome.errors import InputError

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Samples:
    """Cases in one order.

    Attributes:
        inputs: what the network reads, by name in the order of its arguments; the first axis is the case. Arrays may
            lie on disk (``stack_inputs``).
        targets: what the loss reads, by name; the first axis is the case.
        patients: whose case it is: cases of one patient never lie on both sides of a split.
        varied: name of an input whose second axis holds variants of the same case, the first as it is and the others
            augmented; training draws one of them each time.
    """

    inputs: Mapping[str, NDArray[Any]]
    targets: Mapping[str, NDArray[Any]]
    patients: tuple[str, ...]
    varied: str | None = None

    def __post_init__(self) -> None:
        for name, array in {**self.inputs, **self.targets}.items():
            if len(array) != len(self.patients):
                raise ValueError(f"{len(self.patients)} cases and {len(array)} of '{name}'")

    def __len__(self) -> int:
        return len(self.patients)

    def fingerprint(self) -> str:
        """Return a SHA256 over everything: training may only go on with what it began with."""
        total = hashlib.sha256("\0".join(self.patients).encode())
        for name, array in {**self.inputs, **self.targets}.items():
            total.update(f"{name} {array.dtype} {array.shape}".encode())
            for row in array:
                total.update(np.ascontiguousarray(row).data)
        return total.hexdigest()


@dataclass(frozen=True, eq=False)
class Split:
    """Which cases train, and which tell when to stop; indices in ascending order, no patient on both sides."""

    training: Indices
    validation: Indices


def split_patients(patients: Iterable[str], strata: NDArray[Any], share: float = 0.2, seed: int = 0) -> Split:
    """Return a split by patient with about ``share`` of the cases for validation, every stratum on both sides.

    Args:
        patients: whose case it is, case by case.
        strata: what is to be as frequent on both sides (response, event), shape (cases,).
        share: for validation, up to a half.
        seed: of the draw.

    Raises:
        InputError: too few patients for that, or the share is not between 0 and a half.
    """
    names, outcome = np.array(list(patients), dtype=str), np.asarray(strata)
    if not 0 < share <= 0.5:
        raise InputError(f"The validation part is a share above 0 and up to 0.5 of the patients, found {share:g}.")
    folds = max(round(1 / share), 2)
    per_stratum = [len(set(names[outcome == value])) for value in np.unique(outcome)]
    if len(per_stratum) < 2 or min(per_stratum) < folds:
        found = ", ".join(map(str, per_stratum)) or "none"
        raise InputError(
            f"Each outcome needs at least {folds} patients for a validation part of {share:g}, found {found}: "
            "add patients or choose a larger share."
        )
    drawn = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    training, validation = next(iter(drawn.split(names, outcome, names)))
    return Split(np.sort(training), np.sort(validation))


def stack_inputs(seen: Iterable[NetworkInput], count: int, path: Path | None = None) -> tuple[NDArray, NDArray]:
    """Return planes (cases, planes, rows, columns) and which are present (cases, planes).

    Args:
        seen: one after the other, all of one shape; none needs to be kept.
        count: how many.
        path: a ``.npy`` file on which the planes lie instead of in memory.
    """
    pixels: NDArray | None = None
    present: list[NDArray[np.bool_]] = []
    for number, one in enumerate(seen):
        if pixels is None:
            shape = (count, *one.pixels.shape)
            pixels = (
                np.empty(shape, np.float32)
                if path is None
                else np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
            )
        pixels[number] = one.pixels
        present.append(one.present)
    if pixels is None or len(present) != count:
        raise ValueError(f"{count} cases and {len(present)} inputs")
    return pixels, np.stack(present)


def class_weights(outcome: NDArray[np.bool_], training: Indices) -> NDArray[np.float32]:
    """Return a weight for every case by which both outcomes of the training part count alike, with a mean of 1 there.

    Raises:
        InputError: the training part has one outcome only.
    """
    known = np.asarray(outcome, bool)
    positive = known[training].mean()
    if positive in (0.0, 1.0):
        raise InputError("Both outcomes were expected in the training part, found one only: add patients.")
    return np.where(known, 0.5 / positive, 0.5 / (1 - positive)).astype(np.float32)
