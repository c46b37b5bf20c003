"""From images of phantoms to a trained SELECTION: what is planted is found in new anatomies, permuted it is not.

Small: few anatomies, each with many tumours. The planes are linear in the tumour's enhancement (as long as no grey
level leaves the window), so two phantoms of an anatomy give all. ``Testing/Studies/deep_study.py`` does it in full.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")
pytestmark = pytest.mark.usefixtures("one_thread")

from phantom_cohort import AFP_FACTOR, AFP_MEDIAN, HIGH, LOW, TUMOUR, planted_outcome  # noqa: E402

from hccoutcome.deep.learning import Place, learn_selection, response_targets  # noqa: E402
from hccoutcome.deep.samples import Samples, split_patients  # noqa: E402
from hccoutcome.deep.selection_inputs import SelectionView, selection_input  # noqa: E402
from hccoutcome.deep.selection_network import selection_size  # noqa: E402
from hccoutcome.deep.training_settings import TrainingSettings  # noqa: E402
from hccoutcome.evaluation.discrimination import auc  # noqa: E402
from hccoutcome.phantom import phantom_case  # noqa: E402

SEED = 1
COARSE = replace(TUMOUR, spacing=(8.0, 8.0, 8.0))
VIEW = SelectionView(pixels=112, pixel=2.0)
TRAINING, TEST, EACH = 20, 6, 12
"""Anatomies of either part, and tumours of each."""
SIZE = replace(selection_size("tiny"), pixels=VIEW.pixels, patch=28)
LOOP = TrainingSettings(epochs=30, batch=8, learning_rate=8e-3, patience=12, checkpoint_every=30)


def planes(seed: int, enhancement: float) -> np.ndarray:
    case = phantom_case(seed, replace(COARSE, arterial_enhancement=enhancement))
    images = {phase: case.images[phase] for phase in VIEW.phases}
    masks = {region: dict.fromkeys(images, case.masks[region][0]) for region in ("tumor", "liver")}
    return selection_input(images, masks, VIEW).pixels


@pytest.fixture(scope="module")
def anatomies() -> np.ndarray:
    """Planes of each anatomy with the weakest and the strongest enhancement, (anatomies, 2, phases, rows, columns)."""
    return np.array([[planes(SEED + number, hu) for hu in (LOW, HIGH)] for number in range(TRAINING + TEST)])


def cohort(anatomies: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return planes, clinical variables (logarithm of AFP, age, albumin) and who responds."""
    rng = np.random.default_rng(seed)
    count = EACH * len(anatomies)
    enhancement, afp = rng.uniform(LOW, HIGH, count), AFP_MEDIAN * AFP_FACTOR ** rng.normal(size=count)
    clinical = np.column_stack([np.log10(afp), rng.uniform(40, 75, count), rng.normal(38, 4, count)])
    weak, strong = np.moveaxis(anatomies[np.arange(count) % len(anatomies)], 1, 0)
    share = ((enhancement - LOW) / (HIGH - LOW)).astype(np.float32)[:, None, None, None]
    return weak + (strong - weak) * share, clinical.astype(np.float32), planted_outcome(enhancement, afp)


@pytest.mark.parametrize("permuted", [False, True])
def test_selection_learns_from_phantoms_what_was_planted_and_nothing_else(anatomies, tmp_path, permuted):
    images, clinical, outcome = cohort(anatomies[:TRAINING], SEED)
    new_images, new_clinical, truth = cohort(anatomies[TRAINING:], SEED + 1)
    if permuted:
        rng = np.random.default_rng(SEED)
        outcome, truth = rng.permutation(outcome), rng.permutation(truth)
    people = tuple(map(str, range(len(outcome))))
    split = split_patients(people, outcome, LOOP.validation, LOOP.seed)
    samples = Samples({"images": images, "clinical": clinical}, response_targets(outcome, split, LOOP), people)
    network, _ = learn_selection(samples, split, SIZE, LOOP, Place(tmp_path))
    with torch.inference_mode():
        logits = network(torch.from_numpy(new_images), torch.from_numpy(new_clinical)).numpy()
    found = auc(truth, logits)
    if permuted:
        assert found.lower <= 0.5 <= found.upper
    else:
        assert found.value >= 0.9
