"""TCI and DLOPCTR through the same loop, splits by patient, views of planes, features computed beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")
pytestmark = pytest.mark.usefixtures("one_thread")

from planted_planes import names  # noqa: E402

from hccoutcome.deep.augmentation import Augmentation, Augmenter  # noqa: E402
from hccoutcome.deep.cache import Cache  # noqa: E402
from hccoutcome.deep.devices import check_device, training_device  # noqa: E402
from hccoutcome.deep.dlopctr_network import DlopctrNetwork  # noqa: E402
from hccoutcome.deep.hazards import breaks_by_events, survival_at  # noqa: E402
from hccoutcome.deep.inputs import NetworkInput, Plane  # noqa: E402
from hccoutcome.deep.learning import (  # noqa: E402
    Place,
    case_features,
    concordance,
    learn_dlopctr,
    learn_from_scratch,
    learn_tci,
    response_targets,
    survival_targets,
)
from hccoutcome.deep.resnet import FeatureExtractor, ResNetSize  # noqa: E402
from hccoutcome.deep.samples import Samples, class_weights, split_patients, stack_inputs  # noqa: E402
from hccoutcome.deep.tci_network import TciNetwork, TciSize  # noqa: E402
from hccoutcome.deep.training_settings import TrainingSettings  # noqa: E402
from hccoutcome.errors import EnvironmentNeeded, InputError  # noqa: E402

EXTRACTOR = ResNetSize((1, 1, 1, 1), widen=0.125, stages=3)
QUICK = TrainingSettings(epochs=25, batch=32, learning_rate=3e-3, patience=25, seed=2, variants=2)
SMALL = TciSize(features=10, phases=2, slices=3, width=16, hidden=16, heads=4, dropout=0.0)


def instances(cases: int = 150, seed: int = 0):
    """Return features (n, 3 variants, 6 instances, 10), which are present, and a score that one of them decides."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(cases, 3, 6, 10)).astype(np.float32)
    score = rng.normal(size=cases)
    features[:, :, 3:, 4] += 3 * score[:, None, None].astype(np.float32)
    present = np.ones((cases, 6), bool)
    present[rng.random(cases) < 0.3, :3] = False
    return features, present, score


def test_tci_finds_the_phase_that_decides_and_needs_not_the_others(tmp_path):
    features, present, score = instances()
    outcome = score > 0
    split = split_patients(names(150), outcome, 0.2, 0)
    targets = response_targets(outcome, split, QUICK)
    samples = Samples({"features": features, "present": present}, targets, names(150), varied="features")
    network, trained = learn_tci(samples, split, SMALL, QUICK, Place(tmp_path))
    assert trained.epochs[trained.best].metric > 0.9
    fresh, there, other = instances(200, 9)
    with torch.inference_mode():
        logits = network(torch.from_numpy(fresh[:, 0]), torch.from_numpy(there)).numpy()
    assert np.corrcoef(logits, other)[0, 1] > 0.8


def test_dlopctr_ranks_survival_and_its_curves_follow_the_risk(tmp_path):
    features, present, score = instances(240)
    rng = np.random.default_rng(4)
    time = rng.exponential(24 * np.exp(-score)) + 0.01
    event = rng.random(240) < 0.75
    breaks = breaks_by_events(time, event, 6)
    settings = replace(QUICK, optimiser="adam", plateau=10, epochs=60, learning_rate=1e-2)
    split = split_patients(names(240), event, 0.2, 0)
    samples = Samples(
        {"features": features, "present": present}, survival_targets(time, event, breaks), names(240), varied="features"
    )
    network, trained = learn_dlopctr(samples, split, settings, Place(tmp_path))
    assert trained.epochs[trained.best].metric > 0.7
    fresh, there, hidden = instances(100, 9)
    with torch.inference_mode():
        logits = network(torch.from_numpy(fresh[:, 0]), torch.from_numpy(there)).double().numpy()
    curves = survival_at(1 / (1 + np.exp(-logits)), breaks, np.linspace(0, breaks[-1], 20))
    assert np.corrcoef(curves[:, 10], hidden)[0, 1] < -0.6


def test_the_concordance_is_harrells():
    from lifelines.utils import concordance_index

    rng = np.random.default_rng(0)
    logits, time, event = rng.normal(size=(30, 3)), rng.exponential(size=30), rng.random(30) < 0.6
    risk = -np.log(1 - 1 / (1 + np.exp(-logits))).sum(axis=1)
    expected = concordance_index(time, -risk, event)
    assert concordance(logits, {"time": time, "event": event}) == pytest.approx(expected)
    assert concordance(logits, {"time": time, "event": np.zeros(30, bool)}) is None


def test_convolutions_and_reader_learn_together_from_scratch(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.random((40, 2, 32, 32)).astype(np.float32) * 0.2
    outcome = np.arange(40) % 2 == 0
    images[outcome, :, ::2] += 0.6
    settings = TrainingSettings(epochs=6, batch=8, learning_rate=3e-3, patience=6, augmentation=None)
    split = split_patients(names(40), outcome, 0.25, 0)
    samples = Samples(
        {"images": images, "present": np.ones((40, 2), bool)}, response_targets(outcome, split, settings), names(40)
    )
    extractor = FeatureExtractor(EXTRACTOR, frozen=False)
    before = extractor.stem[0].weight.clone()
    reader = TciNetwork(TciSize(EXTRACTOR.channels, 1, 2, 16, 16, 4, dropout=0.0))
    network, trained = learn_from_scratch(extractor, reader, samples, split, settings, Place(tmp_path))
    assert trained.epochs[-1].training_loss < 0.7 * trained.epochs[0].training_loss
    assert not torch.equal(network.extractor.stem[0].weight, before)


def test_dlopctr_from_scratch_starts_at_the_cohorts_hazards(tmp_path):
    rng = np.random.default_rng(0)
    time, event = rng.exponential(10, 30) + 0.1, np.arange(30) % 3 > 0
    breaks = breaks_by_events(time, event, 3)
    targets = survival_targets(time, event, breaks)
    settings = TrainingSettings(epochs=1, batch=8, learning_rate=1e-6, patience=1, augmentation=None)
    split = split_patients(names(30), event, 0.2, 0)
    images = rng.random((30, 2, 32, 32)).astype(np.float32)
    samples = Samples({"images": images, "present": np.ones((30, 2), bool)}, targets, names(30))
    reader = DlopctrNetwork(EXTRACTOR.channels, 3)
    learn_from_scratch(FeatureExtractor(EXTRACTOR, frozen=False), reader, samples, split, settings, Place(tmp_path))
    at_risk = (targets["survived"] + targets["failed"])[split.training].sum(axis=0)
    expected = targets["failed"][split.training].sum(axis=0) / at_risk
    np.testing.assert_allclose(torch.sigmoid(reader.head.bias).detach(), expected, atol=0.08)


def test_features_beforehand_are_those_of_the_planes_and_of_their_views(tmp_path):
    torch.manual_seed(0)
    extractor = FeatureExtractor(EXTRACTOR, frozen=True)
    images = np.random.default_rng(0).random((3, 4, 32, 32)).astype(np.float32)
    present = np.array([[True] * 4, [True, False, True, False], [True] * 4])
    told = []
    place = Place(tmp_path, progress=lambda fraction, message: told.append(fraction))
    found = case_features(extractor, images, present, QUICK, place)
    assert found.shape == (3, 3, 4, EXTRACTOR.channels)
    with torch.inference_mode():
        plain = extractor(torch.from_numpy(images[1, [0, 2]])).numpy()
    np.testing.assert_allclose(found[1, 0, [0, 2]], plain, atol=1e-5)
    assert (found[1, :, [1, 3]] == 0).all()
    assert np.abs(found[0, 1] - found[0, 2]).max() > 1e-3
    np.testing.assert_array_equal(found, case_features(extractor, images, present, QUICK, place))
    assert case_features(extractor, images, present, replace(QUICK, augmentation=None), place).shape[1] == 1
    # What was computed is kept, under all that it depends on.
    cache = Cache(tmp_path / "cache")
    for _ in range(2):
        np.testing.assert_array_equal(found, case_features(extractor, images, present, QUICK, place, cache))
    kept = len(list((tmp_path / "cache").glob("*.npz")))
    assert kept == len(images)
    with torch.no_grad():
        next(iter(extractor.parameters())).mul_(1.1)
    assert not np.array_equal(found, case_features(extractor, images, present, QUICK, place, cache))
    case_features(extractor, images, present, replace(QUICK, seed=QUICK.seed + 1), place, cache)
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 3 * kept
    assert told[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_views_are_drawn_by_their_seed_within_the_grey_levels():
    planes = torch.rand(2, 64, 64, generator=torch.Generator().manual_seed(0))
    draw = Augmenter(Augmentation(chance=1.0), 64)
    one, two, again = draw(planes, 1), draw(planes, 2), draw(planes, 1)
    assert torch.equal(one, again)
    assert not torch.equal(one, two)
    assert type(one) is torch.Tensor
    assert one.shape == planes.shape
    assert one.min() >= 0 and one.max() <= 1


def test_all_planes_of_a_case_are_moved_alike():
    plane = torch.rand(1, 64, 64, generator=torch.Generator().manual_seed(0))
    view = Augmenter(Augmentation(noise=1e-9, chance=1.0), 64)(plane.expand(3, -1, -1).clone(), 5)
    torch.testing.assert_close(view[0], view[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(view[0], view[2], atol=1e-5, rtol=0)


def test_planes_are_never_mirrored_and_move_no_further_than_said():
    """A bright spot on the right stays there: turned by 10 degrees, moved by 5% and scaled by 10% at most."""
    plane = torch.zeros(1, 100, 100)
    plane[0, 45:55, 20:30] = 1.0
    draw = Augmenter(Augmentation(chance=1.0, noise=1e-9), 100)
    for seed in range(40):
        view = draw(plane, seed)[0]
        rows, columns = torch.nonzero(view > 0.5 * view.max(), as_tuple=True)
        row, column = rows.float().mean().item(), columns.float().mean().item()
        assert abs(row - 49.5) < 11
        assert abs(column - 24.5) < 9


def test_cases_of_a_patient_never_lie_on_both_sides():
    rng = np.random.default_rng(1)
    patients = [f"P{n}" for n in rng.integers(0, 40, 120)]
    outcome = np.array([int(name[1:]) % 3 == 0 for name in patients])
    for seed in range(5):
        split = split_patients(patients, outcome, 0.2, seed)
        there = {patients[n] for n in split.training}, {patients[n] for n in split.validation}
        assert not there[0] & there[1]
        assert sorted([*split.training, *split.validation]) == list(range(120))
        assert 0.1 < len(split.validation) / 120 < 0.3
        assert 0 < outcome[split.validation].mean() < 1
    assert split_patients(patients, outcome, 0.2, 0).training.tolist() == (
        split_patients(patients, outcome, 0.2, 0).training.tolist()
    )


def test_too_few_patients_to_split_are_refused():
    outcome = np.array([True] * 3 + [False] * 30)
    with pytest.raises(InputError, match=r"at least 5 patients for a validation part of 0\.2, found 30, 3"):
        split_patients(names(33), outcome, 0.2)
    with pytest.raises(InputError, match="found 33"):
        split_patients(names(33), np.zeros(33, bool), 0.2)
    with pytest.raises(InputError, match=r"a share above 0 and up to 0\.5"):
        split_patients(names(33), outcome, 0.7)


def test_weights_let_both_outcomes_count_alike_in_the_training_part():
    outcome = np.array([True] * 3 + [False] * 9 + [True] * 8)
    training = np.arange(12)
    weights = class_weights(outcome, training)
    assert weights[training][outcome[training]].sum() == pytest.approx(weights[training][~outcome[training]].sum())
    assert weights[training].mean() == pytest.approx(1.0)
    with pytest.raises(InputError, match="Both outcomes were expected"):
        class_weights(np.ones(12, bool), training)


def test_planes_of_many_cases_may_lie_on_disk(tmp_path):
    rng = np.random.default_rng(0)
    seen = [
        NetworkInput(rng.random((2, 4, 4)).astype(np.float32), (Plane("arterial"), Plane("portal", present=n > 0)))
        for n in range(3)
    ]
    pixels, present = stack_inputs(iter(seen), 3, tmp_path / "planes.npy")
    assert isinstance(pixels, np.memmap)
    np.testing.assert_array_equal(pixels, stack_inputs(seen, 3)[0])
    assert present.tolist() == [[True, False], [True, True], [True, True]]
    np.testing.assert_array_equal(np.load(tmp_path / "planes.npy", mmap_mode="r"), pixels)


def test_devices_are_checked_by_name_and_by_what_there_is(monkeypatch):
    with pytest.raises(InputError, match=r"'gpu' is not a device; .*Known: auto, cpu, cuda, mps"):
        check_device("gpu")
    monkeypatch.setattr("hccoutcome.deep.devices.devices_here", lambda: ("cpu",))
    assert training_device("auto").type == "cpu"
    with pytest.raises(EnvironmentNeeded, match="The device 'cuda' was asked for, found cpu"):
        training_device("cuda")
    monkeypatch.setattr("hccoutcome.deep.devices.devices_here", lambda: ("cuda", "cpu"))
    assert training_device("auto").type == "cuda"
    assert training_device("cpu").type == "cpu"
