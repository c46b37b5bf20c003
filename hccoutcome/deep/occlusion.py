"""How much each phase and each slice counts: the AUC where one of them is left out, as in TCI's Table 2.

TCI (J Cancer 2025;16:2663-2672, Table 2): "-PRE", "-AP", "-PVP", "-DP" leave a phase out, "-0", "+-2", "+-4" a slice
and its counterpart. What is left out is missing to TCI (its mask says so); SELECTION knows no missing phase, so the
plane takes the mean grey level of the training part. Each AUC is compared with the one of everything by DeLong's paired
test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hccoutcome.deep.model import DeepModel
from hccoutcome.deep.package_network import as_batch
from hccoutcome.deep.selection_network import SelectionNetwork
from hccoutcome.deep.whole_network import planes_features
from hccoutcome.evaluation.leaving_out import BASELINE, Occlusion, occlusion_table

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Judged:
    """Cases to judge.

    Attributes:
        pixels: grey levels (n, planes, rows, columns).
        present: which planes exist, (n, planes).
        clinical: variables (n, variables).
        outcome: (n,).
    """

    pixels: NDArray[np.float32]
    present: Bools
    clinical: NDArray[np.float32]
    outcome: Bools


def occlusions(
    model: DeepModel, cases: Judged, phases: Sequence[str], offsets: Sequence[int] = (0,)
) -> tuple[Occlusion, ...]:
    """Return the baseline and one row for each phase and, where a phase has several, each slice with its counterpart.

    Args:
        model: in evaluation; its number is higher where the outcome is expected.
        cases: that the network never saw.
        phases: of the planes, in order.
        offsets: slices of each phase, in order.

    Raises:
        InputError: too few cases of an outcome.
    """
    kept = planes_kept(phases, offsets)
    found = [
        numbers_without(model, kept, np.array(pixels), present, list(row))
        for pixels, present, row in zip(cases.pixels, cases.present, cases.clinical, strict=True)
    ]
    return occlusion_table(cases.outcome, {name: np.array([one[name] for one in found]) for name in kept})


def planes_kept(phases: Sequence[str], offsets: Sequence[int] = (0,)) -> dict[str, Bools]:
    """Return which planes are kept, (planes,), by what is left out: nothing, each phase, each slice."""
    planes = len(phases) * len(offsets)
    return {BASELINE: np.ones(planes, bool), **dict(_masks(phases, offsets))}


def _masks(phases: Sequence[str], offsets: Sequence[int]) -> Iterator[tuple[str, Bools]]:
    phase, offset = np.repeat(np.arange(len(phases)), len(offsets)), np.tile(np.array(offsets), len(phases))
    if len(phases) > 1:
        yield from ((name, phase != number) for number, name in enumerate(phases))
    if len(offsets) > 1:
        for size in sorted({abs(each) for each in offsets}):
            yield ("slice 0" if size == 0 else f"slices +-{size}"), np.abs(offset) != size


def numbers_without(
    model: DeepModel, kept: Mapping[str, Bools], pixels: NDArray[np.float32], present: Bools, row: Sequence[float]
) -> dict[str, float]:
    """Return a case's number by what is left out; NaN where nothing is left to look at.

    Args:
        model: in evaluation.
        kept: planes that are kept, by what is left out.
        pixels: grey levels (planes, rows, columns).
        present: which planes exist, (planes,).
        row: numbers of the clinical variables.
    """
    images, there, clinical = as_batch(pixels, present, row, model.device)
    masks = {name: torch.from_numpy(mask).to(model.device)[None] & there for name, mask in kept.items()}
    with torch.no_grad():
        # Convolutions look at each plane alone: their features are the same whatever is left out.
        features = None
        if not isinstance(model.network, SelectionNetwork):
            features = planes_features(model.network.extractor, images[0], there[0]).to(images.device)[None]
        return {
            name: float(_number(model, images, features, mask, clinical)) if bool(mask.any()) else float("nan")
            for name, mask in masks.items()
        }


def _number(model: DeepModel, images: Tensor, features: Tensor | None, present: Tensor, clinical: Tensor) -> Tensor:
    network = model.network
    if isinstance(network, SelectionNetwork):
        level = network.grey.centre[None, :, None, None]
        return model(torch.where(present[..., None, None], images, level), present, clinical)
    return network.reader(features, present)
