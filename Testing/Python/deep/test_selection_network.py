"""SELECTION's network: tokens and parameters as configured, everything that goes in changes what comes out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytestmark = pytest.mark.usefixtures("one_thread")

from hccoutcome.deep.selection_network import (  # noqa: E402
    SIZES,
    SelectionNetwork,
    SelectionSize,
    selection_size,
)
from hccoutcome.deep.standardise import Standardise  # noqa: E402
from hccoutcome.errors import InputError  # noqa: E402

SMALL = SelectionSize(pixels=32, patch=16, width=24, hidden=40, heads=4, joint=2, dropout=0.2, attention_dropout=0.1)
VARIABLES = 20


@pytest.fixture
def network():
    torch.manual_seed(4)
    return SelectionNetwork(SMALL, VARIABLES).eval()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(8)
    return torch.rand(3, 2, 32, 32, generator=generator), torch.randn(3, VARIABLES, generator=generator)


def parameters_by_hand(size: SelectionSize, variables: int) -> int:
    """Count from the description: maps, class tokens, positions, layers, norm and head."""
    linear = size.width**2 + size.width
    perceptron = size.width * size.hidden + size.hidden + size.hidden * size.width + size.width
    layer = 4 * linear + perceptron + 2 * 2 * size.width
    tokens = size.phases * (1 + size.patches) * size.width + size.phases * size.width
    maps = size.patch**2 * size.width + size.width + 2 * variables * size.width
    double = size.bidirectional if variables else 0
    single = size.joint + (0 if variables else size.bidirectional)
    return maps + tokens + double * 2 * layer + single * layer + 2 * size.width + size.width + 1


@pytest.mark.parametrize("variables", [0, VARIABLES])
@pytest.mark.parametrize("size", [SMALL, SIZES["tiny"], replace(SIZES["base"], joint=1)])
def test_the_parameters_are_those_of_the_configuration(size, variables):
    with torch.device("meta"):
        network = SelectionNetwork(size, variables)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters_by_hand(size, variables)


def test_the_base_size_is_the_papers():
    """ViT-B: patch 16, width 768, perceptron 3072, 12 heads, 12 layers of which two bidirectional; 85.8 M in the blocks
    of a ViT-B, here two of twelve layers double."""
    base = selection_size("base")
    assert (base.patch, base.width, base.hidden, base.heads) == (16, 768, 3072, 12)
    assert (base.bidirectional, base.joint, base.dropout, base.attention_dropout) == (2, 10, 0.3, 0.2)
    with torch.device("meta"):
        network = SelectionNetwork(base, VARIABLES)
    assert network.tokens.count == 2 * (196 + 1) + 20
    layer = 7_087_872  # parameters of one layer of ViT-B
    blocks = sum(p.numel() for part in (network.bidirectional, network.joint) for p in part.parameters())
    assert blocks == (2 * 2 + 10) * layer


def test_logits_and_attention_have_the_shapes_of_the_tokens(network, batch):
    logits = network(*batch)
    again, layers = network.attention(*batch)
    assert logits.shape == (3,)
    torch.testing.assert_close(logits, again, rtol=1e-4, atol=1e-5)
    tokens = network.tokens
    assert tokens.count == 2 * (4 + 1) + 20
    assert [tuple(layer.shape) for layer in layers] == [(3, 4, 30, 30)] * 4
    assert tokens.class_token(1) == 5
    assert tokens.patches(1) == slice(6, 10)
    assert tokens.variable(19) == 29


@pytest.mark.parametrize("variable", range(VARIABLES))
def test_every_clinical_variable_changes_the_output(network, batch, variable):
    images, clinical = batch
    other = clinical.clone()
    other[:, variable] += 1.0
    assert (network(images, other) - network(images, clinical)).abs().min() > 1e-5


@pytest.mark.parametrize("phase", [0, 1])
@pytest.mark.parametrize("corner", [(0, 0), (0, 16), (16, 0), (16, 16)])
def test_every_patch_of_every_phase_changes_the_output(network, batch, phase, corner):
    images, clinical = batch
    other = images.clone()
    row, column = corner
    other[:, phase, row : row + 16, column : column + 16] = 0.0
    assert (network(other, clinical) - network(images, clinical)).abs().min() > 1e-5


def test_the_phases_and_the_places_are_told_apart(network, batch):
    images, clinical = batch
    straight = network(images, clinical)
    assert (network(images.flip(1), clinical) - straight).abs().min() > 1e-5
    assert (network(images.roll(16, dims=3), clinical) - straight).abs().min() > 1e-5


def test_without_variables_it_is_a_vit_of_all_layers(batch):
    torch.manual_seed(4)
    network = SelectionNetwork(SMALL, 0).eval()
    images, clinical = batch
    nothing = clinical[:, :0]
    logits, layers = network.attention(images, nothing)
    assert logits.shape == (3,)
    assert len(layers) == 4
    assert layers[0].shape[-1] == 10


def test_patches_are_projected_like_a_linear_map_of_their_pixels(network, batch):
    images, _ = batch
    tokens = network._image_tokens(images)
    patch = images[1, 1, 16:32, 0:16].flatten()
    weight = network.patches.weight.flatten(1)
    expected = weight @ patch + network.patches.bias + network.positions[1, 3]
    torch.testing.assert_close(tokens[1, network.tokens.patches(1).start + 2], expected, rtol=1e-4, atol=1e-5)


def test_a_missing_variable_counts_as_the_median_of_the_training_part(network, batch):
    images, clinical = batch
    training = np.random.default_rng(0).lognormal(size=(40, VARIABLES))
    network.learn_statistics(np.random.default_rng(1).random((40, 2, 32, 32)), training)
    with_hole, filled = clinical.clone(), clinical.clone()
    with_hole[:, 7] = float("nan")
    filled[:, 7] = float(np.median(training[:, 7]))
    torch.testing.assert_close(network(images, with_hole), network(images, filled), rtol=1e-4, atol=1e-5)


def test_grey_levels_and_variables_are_standardised_by_the_training_part(network):
    rng = np.random.default_rng(2)
    images = rng.random((20, 2, 32, 32)) * np.array([0.2, 0.7])[None, :, None, None] + 0.1
    network.learn_statistics(images, rng.normal(50, 7, (20, VARIABLES)))
    np.testing.assert_allclose(network.grey.centre, images.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(network.grey.spread, images.std(axis=(0, 2, 3)), rtol=1e-4)


def test_z_scores_equal_those_of_scipy():
    from scipy import stats

    rng = np.random.default_rng(3)
    values = rng.gamma(2.0, 3.0, (30, 4))
    standard = Standardise(4)
    standard.learn(values)
    found = standard(torch.from_numpy(values.astype(np.float32))).numpy()
    np.testing.assert_allclose(found, stats.zscore(values), atol=1e-5)


def test_constant_and_wholly_missing_columns_give_zeros():
    standard = Standardise(2)
    standard.learn(np.array([[3.0, np.nan], [3.0, np.nan]]))
    assert standard(torch.tensor([[3.0, float("nan")]])).tolist() == [[0.0, 0.0]]


def test_the_gradient_reaches_every_parameter(batch):
    torch.manual_seed(0)
    network = SelectionNetwork(SMALL, VARIABLES).train()
    network(*batch).sum().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # A key's bias adds the same to all scores of a row, which the softmax takes away again.
    assert [name for name in without if not name.endswith("key.bias")] == []


def test_unknown_sizes_are_refused():
    with pytest.raises(InputError, match="'huge' is not a size of the network"):
        selection_size("huge")
    with pytest.raises(ValueError, match="cannot be cut into patches"):
        SelectionNetwork(SelectionSize(pixels=30), 3)
