"""How much each phase and each slice counts: the AUC where one of them is left out, as in TCI's Table 2.

TCI (J Cancer 2025;16:2663-2672, Table 2): "-PRE", "-AP", "-PVP", "-DP" leave a phase out, "-0", "+-2", "+-4" a slice
and its counterpart. What is left out is missing to TCI (its mask says so); SELECTION knows no missing phase, so the
plane takes the mean grey level of the training part. Each AUC is compared with the one of everything by DeLong's paired
test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hccoutcome.deep.model import DeepModel
from hccoutcome.deep.package_network import as_batch
from hccoutcome.deep.selection_network import SelectionNetwork
from hccoutcome.deep.whole_network import planes_features
from hccoutcome.evaluation.discrimination import auc, compare_aucs
from hccoutcome.evaluation.estimate import Comparison, Estimate

Bools = NDArray[np.bool_]
BASELINE = "nothing"


@dataclass(frozen=True)
class Occlusion:
    """What leaving something out does.

    Attributes:
        left_out: a phase, ``"slice 0"``, ``"slices +-2"``; ``"nothing"`` for the baseline.
        auc: without it.
        change: from the baseline to it, by DeLong; None for the baseline.
        patients: of whom something was left to look at.
    """

    left_out: str
    auc: Estimate
    change: Comparison | None
    patients: int


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
    whole = np.ones(cases.present.shape[1], bool)
    baseline = _numbers(model, cases, whole)
    rows = [Occlusion(BASELINE, auc(cases.outcome, baseline), None, len(baseline))]
    for name, kept in _masks(phases, offsets):
        found = _numbers(model, cases, kept)
        known = np.isfinite(found)
        if known.any() and 1 < cases.outcome[known].sum() < known.sum() - 1:
            outcome = cases.outcome[known]
            change = compare_aucs(outcome, found[known], baseline[known])
            rows.append(Occlusion(name, auc(outcome, found[known]), change, int(known.sum())))
    return tuple(rows)


def _masks(phases: Sequence[str], offsets: Sequence[int]) -> Iterator[tuple[str, Bools]]:
    """Yield what is left out, and which planes are kept."""
    phase, offset = np.repeat(np.arange(len(phases)), len(offsets)), np.tile(np.array(offsets), len(phases))
    if len(phases) > 1:
        yield from ((name, phase != number) for number, name in enumerate(phases))
    if len(offsets) > 1:
        for size in sorted({abs(each) for each in offsets}):
            yield ("slice 0" if size == 0 else f"slices +-{size}"), np.abs(offset) != size


def _numbers(model: DeepModel, cases: Judged, kept: Bools) -> NDArray[np.float64]:
    """Return the number of every case without some planes; NaN where nothing is left."""
    found = np.full(len(cases.outcome), np.nan)
    with torch.no_grad():
        for number, (pixels, present, row) in enumerate(zip(cases.pixels, cases.present, cases.clinical, strict=True)):
            if (present & kept).any():
                batch = as_batch(np.array(pixels), present & kept, list(row), model.device)
                found[number] = float(_without(model, *batch))
    return found


def _without(model: DeepModel, images: Tensor, present: Tensor, clinical: Tensor) -> Tensor:
    network = model.network
    if isinstance(network, SelectionNetwork):
        level = network.grey.centre[None, :, None, None]
        return model(torch.where(present[..., None, None], images, level), present, clinical)
    features = planes_features(network.extractor, images[0], present[0]).to(images.device)
    return network.reader(features[None], present)
