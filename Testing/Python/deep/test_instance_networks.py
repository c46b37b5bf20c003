"""The networks over instances, TCI and DLOPCTR: what is missing counts for nothing, what is there counts."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")
pytestmark = pytest.mark.usefixtures("one_thread")

from hccoutcome.deep.dlopctr_network import DlopctrNetwork  # noqa: E402
from hccoutcome.deep.resnet import FeatureExtractor, ResNetSize  # noqa: E402
from hccoutcome.deep.tci_network import TciNetwork, TciSize, mean_of_present  # noqa: E402
from hccoutcome.deep.whole_network import WholeNetwork, planes_features  # noqa: E402

SIZE = TciSize(features=16, phases=4, slices=3, width=24, hidden=32, heads=8)
EXTRACTOR = ResNetSize((1, 1, 1, 1), widen=0.125, stages=3)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return TciNetwork(SIZE).eval()


@pytest.fixture
def features():
    return torch.randn(2, 12, 16, generator=torch.Generator().manual_seed(1))


def everything(shape=(2, 12)):
    return torch.ones(shape, dtype=torch.bool)


def test_the_parameters_are_those_of_the_description():
    """Linear 1,024 to 512, two layers of attention with eight heads, a perceptron with one output."""
    size = TciSize()
    with torch.device("meta"):
        network = TciNetwork(size)
    linear = 512 * 512 + 512
    layer = 4 * linear + 2 * linear + 2 * 2 * 512
    head = 512 * 256 + 256 + 256 + 1
    expected = 1024 * 512 + 512 + (4 + 9) * 512 + 2 * layer + 2 * 512 + head
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert (size.features, size.width, size.heads, size.layers) == (1024, 512, 8, 2)


def test_attention_is_given_for_every_layer_and_instance(network, features):
    present = everything()
    present[1, 6:] = False
    logits, layers = network.attention(features, present)
    torch.testing.assert_close(logits, network(features, present), rtol=1e-4, atol=1e-6)
    assert [tuple(layer.shape) for layer in layers] == [(2, 8, 12, 12)] * 2
    for layer in layers:
        assert (layer[1, :, :, 6:] == 0).all()
        torch.testing.assert_close(layer.sum(dim=-1), torch.ones(2, 8, 12))


@pytest.mark.parametrize("instance", range(12))
def test_every_phase_and_slice_changes_the_output(network, features, instance):
    other = features.clone()
    other[:, instance] += 1.0
    assert (network(other, everything()) - network(features, everything())).abs().min() > 1e-5


@pytest.mark.parametrize("missing", [[0, 1, 2], [9, 10, 11], [1, 4, 7, 10], list(range(11))])
def test_missing_phases_and_slices_give_a_number_that_their_features_cannot_change(network, features, missing):
    present = everything()
    present[:, missing] = False
    found = network(features, present)
    garbage = features.clone()
    garbage[:, missing] = float("nan")
    assert torch.isfinite(found).all()
    torch.testing.assert_close(network(garbage, present), found)
    assert (found - network(features, everything())).abs().min() > 1e-6


def test_phases_and_slices_are_told_apart(network, features):
    straight = network(features, everything())
    of_phase = features.unflatten(1, (4, 3))
    assert (network(of_phase.flip(1).flatten(1, 2), everything()) - straight).abs().min() > 1e-6
    assert (network(of_phase.flip(2).flatten(1, 2), everything()) - straight).abs().min() > 1e-6


def test_statistics_come_from_the_instances_that_are_there(network):
    rng = np.random.default_rng(0)
    values = rng.normal(3.0, 2.0, (10, 12, 16))
    present = rng.random((10, 12)) < 0.6
    values[~present] = 1e6
    network.learn_statistics(values, present)
    np.testing.assert_allclose(network.scores.centre, values[present].mean(axis=0), rtol=1e-4)


def test_the_mean_of_those_present():
    values = torch.tensor([[[1.0], [5.0], [9.0]]])
    assert mean_of_present(values, torch.tensor([[True, False, True]])).item() == 5.0
    assert mean_of_present(values, torch.tensor([[False, True, False]])).item() == 5.0
    assert mean_of_present(values, torch.tensor([[True, True, False]])).item() == 3.0


def test_dlopctr_gives_one_logit_per_interval_of_the_mean_patch():
    torch.manual_seed(0)
    network = DlopctrNetwork(16, 5).eval()
    features = torch.randn(3, 4, 16)
    present = torch.tensor([[True] * 4, [True, True, False, False], [True, False, False, False]])
    found = network(features, present)
    assert found.shape == (3, 5)
    for patient in range(3):
        expected = network.head(features[patient][present[patient]].mean(dim=0))
        torch.testing.assert_close(found[patient], expected, rtol=1e-4, atol=1e-6)


def test_dlopctr_drops_half_of_the_features_in_training_only():
    torch.manual_seed(0)
    network = DlopctrNetwork(2000, 1)
    torch.nn.init.ones_(network.head.weight)
    ones = torch.ones(1, 1, 2000)
    sums = network.train()(ones, everything((1, 1))).item()
    # Half of 2,000 ones, doubled: 2,000 in the mean with a deviation of 45.
    assert sums != 2000 and abs(sums - 2000) < 250
    assert network.eval()(ones, everything((1, 1))).item() == pytest.approx(2000, rel=1e-5)


def test_dlopctr_starts_at_the_hazards_of_the_training_part():
    network = DlopctrNetwork(4, 2).eval()
    torch.nn.init.zeros_(network.head.weight)
    failed = np.array([[1, 0]] * 20 + [[0, 1]] * 40 + [[0, 0]] * 40, float)
    survived = np.array([[0, 0]] * 20 + [[1, 0]] * 40 + [[1, 1]] * 40, float)
    network.start_at(survived, failed)
    hazards = torch.sigmoid(network(torch.zeros(1, 1, 4), everything((1, 1))))[0].tolist()
    assert hazards == pytest.approx([20 / 100, 40 / 80], abs=0.01)


@pytest.mark.parametrize("kind", ["tci", "dlopctr"])
def test_a_whole_network_reads_planes_as_its_parts_do(kind):
    torch.manual_seed(0)
    reader = TciNetwork(SIZE) if kind == "tci" else DlopctrNetwork(EXTRACTOR.channels, 3)
    if kind == "tci":
        reader = TciNetwork(TciSize(EXTRACTOR.channels, 2, 2, 16, 16, 4))
    extractor = FeatureExtractor(EXTRACTOR, frozen=True)
    whole = WholeNetwork(extractor, reader).eval()
    images = torch.rand(2, 4, 32, 32)
    present = torch.tensor([[True, True, True, True], [True, False, True, False]])
    features = torch.stack([planes_features(extractor, images[n], present[n], at_once=3) for n in range(2)])
    torch.testing.assert_close(whole.features(images, present), features, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(whole(images, present), reader(features, present), rtol=1e-4, atol=1e-5)
    images[1, 1] = float("nan")
    assert torch.isfinite(whole(images, present)).all()
