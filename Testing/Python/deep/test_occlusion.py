"""Leaving phases and slices out, against doing it by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytestmark = pytest.mark.usefixtures("one_thread")

from small_models import VARIABLES, selection, tci  # noqa: E402

from hccoutcome.deep.occlusion import Judged, occlusions  # noqa: E402

CASES = 16
OFFSETS = (-1, 0, 1)
PHASES = ("arterial", "portal")


def judged(planes: int, variables: int, missing: bool) -> Judged:
    draw = np.random.default_rng(7)
    present = np.ones((CASES, planes), bool)
    if missing:
        present[0, 3:] = False  # nothing of the portal phase
    pixels = draw.random((CASES, planes, 32, 32)).astype(np.float32) * present[..., None, None]
    outcome = np.arange(CASES) % 2 == 0
    return Judged(pixels, present, draw.normal(size=(CASES, variables)).astype(np.float32), outcome)


def test_slices_and_phases_of_tci_are_left_out_by_their_mask():
    model, cases = tci(), judged(6, 0, missing=True)
    found = occlusions(model, cases, PHASES, OFFSETS)
    gone = {
        "nothing": [],
        "arterial": [0, 1, 2],
        "portal": [3, 4, 5],
        "slice 0": [1, 4],
        "slices +-1": [0, 2, 3, 5],
    }
    assert [row.left_out for row in found] == list(gone)
    for row in found:
        kept = cases.present.copy()
        kept[:, gone[row.left_out]] = False
        known = kept.any(axis=1)
        with torch.no_grad():
            numbers = model(
                torch.from_numpy(cases.pixels[known]),
                torch.from_numpy(kept[known]),
                torch.zeros(int(known.sum()), 0),
            ).numpy()
        assert row.patients == known.sum() == (CASES - 1 if row.left_out == "arterial" else CASES)
        assert row.auc.value == pytest.approx(roc_auc_score(cases.outcome[known], numbers))
    changes = [abs(row.change.difference.value) for row in found[1:]]
    assert max(changes) > 0
    assert found[0].change is None


def test_a_phase_of_selection_becomes_its_mean_grey_level():
    model, cases = selection(), judged(2, VARIABLES, missing=False)
    with torch.no_grad():
        model.network.grey.centre.copy_(torch.tensor([0.4, 0.6]))
    found = occlusions(model, cases, PHASES)
    assert [row.left_out for row in found] == ["nothing", "arterial", "portal"]
    flat = cases.pixels.copy()
    flat[:, 1] = 0.6
    with torch.no_grad():
        present = torch.ones(CASES, 2, dtype=torch.bool)
        numbers = model(torch.from_numpy(flat), present, torch.from_numpy(cases.clinical)).numpy()
    assert found[2].auc.value == pytest.approx(roc_auc_score(cases.outcome, numbers))
