"""Attention against a naive reference with loops, and its rollout against matrices by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytestmark = pytest.mark.usefixtures("one_thread")

from hccoutcome.deep.attention import BidirectionalBlock, Heads, SelfBlock, attended  # noqa: E402
from hccoutcome.deep.rollout import attention_rollout  # noqa: E402

WIDTH, HIDDEN, HEADS = 12, 20, 3


def tokens(count: int, seed: int, batch: int = 2):
    return torch.randn(batch, count, WIDTH, generator=torch.Generator().manual_seed(seed))


def naive(q, k, v, present=None):
    """Return attended values and weights for one head and one patient, in numpy, one query after the other."""
    q, k, v = (np.asarray(part.detach(), float) for part in (q, k, v))
    context, rows = [], []
    for query in q:
        scores = [query @ key / math.sqrt(len(query)) for key in k]
        powers = [math.exp(s) * (present is None or bool(present[n])) for n, s in enumerate(scores)]
        weights = np.array(powers) / sum(powers)
        rows.append(weights)
        context.append(sum(w * value for w, value in zip(weights, v, strict=True)))
    return np.array(context), np.array(rows)


def naive_norm(x, norm):
    x = np.asarray(x.detach(), float)
    mean, spread = x.mean(axis=-1, keepdims=True), x.std(axis=-1, keepdims=True)
    scaled = (x - mean) / np.sqrt(spread**2 + norm.eps)
    return scaled * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def linear(x, layer):
    return x @ layer.weight.detach().numpy().T.astype(float) + layer.bias.detach().numpy()


def naive_perceptron(x, perceptron):
    hidden = linear(x, perceptron[0])
    hidden = hidden * 0.5 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2)))
    return linear(hidden, perceptron[3])


def heads_of(x, layer):
    """Return what a linear layer makes of tokens, head by head, shape (heads, n, width / heads)."""
    return torch.from_numpy(linear(x, layer).reshape(len(x), HEADS, -1).transpose(1, 0, 2))


def joined(contexts):
    return np.concatenate(contexts, axis=-1)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_self_attention_equals_the_naive_reference(keep, masked):
    torch.manual_seed(1)
    block = SelfBlock(WIDTH, HIDDEN, HEADS, 0.3, 0.2).eval()
    given = tokens(5, 2)
    present = torch.tensor([[True] * 5, [True, False, True, True, False]]) if masked else None
    found, weights = block(given, present, keep)
    for patient in range(2):
        there = None if present is None else present[patient].numpy()
        normal = naive_norm(given[patient], block.attention_norm)
        q, k, v = (heads_of(normal, part) for part in (block.heads.query, block.heads.key, block.heads.value))
        contexts, rows = zip(*(naive(q[h], k[h], v[h], there) for h in range(HEADS)), strict=True)
        middle = given[patient].numpy() + linear(joined(contexts), block.heads.out)
        expected = middle + naive_perceptron(naive_norm(torch.from_numpy(middle), block.norm), block.perceptron)
        np.testing.assert_allclose(found[patient].detach(), expected, atol=1e-5)
        if keep:
            np.testing.assert_allclose(weights[patient].detach(), np.array(rows), atol=1e-6)
    assert (weights is not None) == keep


@pytest.mark.parametrize("keep", [False, True])
def test_bidirectional_attention_equals_the_naive_reference(keep):
    """IRENE's four maps: image-image, image-text, text-text and text-image; the two contexts of a token averaged."""
    torch.manual_seed(3)
    block = BidirectionalBlock(WIDTH, HIDDEN, HEADS, 0.3, 0.2).eval()
    image, text = tokens(4, 5), tokens(3, 6)
    found_image, found_text, weights = block(image, text, keep)
    for patient in range(2):
        parts = {}
        for kind, given in (("image", image[patient]), ("text", text[patient])):
            normal = naive_norm(given, block.attention_norm[kind])
            own = block.heads[kind]
            parts[kind] = [heads_of(normal, layer) for layer in (own.query, own.key, own.value)]
        rows = {}
        for kind, other, given, found in (
            ("image", "text", image, found_image),
            ("text", "image", text, found_text),
        ):
            own, cross = [], []
            for h in range(HEADS):
                own.append(naive(parts[kind][0][h], parts[kind][1][h], parts[kind][2][h]))
                cross.append(naive(parts[kind][0][h], parts[other][1][h], parts[other][2][h]))
            context = (joined([c for c, _ in own]) + joined([c for c, _ in cross])) / 2
            middle = given[patient].numpy() + linear(context, block.heads[kind].out)
            expected = middle + naive_perceptron(
                naive_norm(torch.from_numpy(middle), block.norm[kind]), block.perceptron[kind]
            )
            np.testing.assert_allclose(found[patient].detach(), expected, atol=1e-5)
            rows[kind] = np.array([w for _, w in own]), np.array([w for _, w in cross])
        if keep:
            top = np.concatenate(rows["image"], axis=-1)
            bottom = np.concatenate(rows["text"][::-1], axis=-1)
            expected = np.concatenate([top, bottom], axis=-2) / 2
            np.testing.assert_allclose(weights[patient].detach(), expected, atol=1e-6)
            np.testing.assert_allclose(weights[patient].detach().sum(-1), 1.0, atol=1e-5)


def test_tokens_that_are_absent_change_nothing():
    torch.manual_seed(1)
    block = SelfBlock(WIDTH, HIDDEN, HEADS, 0.0, 0.0).eval()
    given = tokens(5, 2)
    present = torch.tensor([[True, True, False, True, False]] * 2)
    other = given.clone()
    other[:, [2, 4]] = 100.0
    some, _ = block(given, present)
    same, _ = block(other, present)
    few, _ = block(given[:, [0, 1, 3]])
    torch.testing.assert_close(some[:, [0, 1, 3]], same[:, [0, 1, 3]])
    torch.testing.assert_close(some[:, [0, 1, 3]], few)


def test_dropout_acts_in_training_only():
    torch.manual_seed(1)
    block = SelfBlock(WIDTH, HIDDEN, HEADS, 0.5, 0.5)
    given = tokens(5, 2)
    assert not torch.equal(block(given)[0], block(given)[0])
    block.eval()
    assert torch.equal(block(given)[0], block(given)[0])


def test_dropped_attention_keeps_its_mean():
    query, key, value = (torch.randn(1, 1, 6, 4, generator=torch.Generator().manual_seed(n)) for n in range(3))
    torch.manual_seed(0)
    whole, _ = attended(query, key, value, 0.0, None, True)
    for keep in (True, False):
        drawn = torch.stack([attended(query, key, value, 0.3, None, keep)[0] for _ in range(4000)]).mean(dim=0)
        assert (drawn - whole).abs().max() < 0.06


def test_a_width_that_heads_cannot_share_is_a_defect():
    with pytest.raises(ValueError, match="cannot be divided among 5 heads"):
        Heads(12, 5, 0.0)


def test_rollout_of_two_layers_by_hand():
    """Two heads averaged, identity added, rows normalised: (A + I) / 2 of each layer, multiplied."""
    one = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]]])
    two = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]]])
    # Means of heads: [[.5, .5], [.5, .5]], [[0, 1], [1, 0]]; with the identity [[.75, .25], [.25, .75]] and all .5.
    expected = torch.tensor([[[0.5, 0.5], [0.5, 0.5]]])
    torch.testing.assert_close(attention_rollout([one, two]), expected)
    torch.testing.assert_close(attention_rollout([one]), torch.tensor([[[0.75, 0.25], [0.25, 0.75]]]))
    mixed = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
    # (M + I) / 2 = [[.5, .5], [0, 1]] times [[.75, .25], [.25, .75]].
    torch.testing.assert_close(attention_rollout([one, mixed]), torch.tensor([[[0.5, 0.5], [0.25, 0.75]]]))


def test_rows_of_a_rollout_sum_to_one():
    generator = torch.Generator().manual_seed(0)
    layers = [torch.randn(3, 4, 7, 7, generator=generator).softmax(dim=-1) for _ in range(5)]
    torch.testing.assert_close(attention_rollout(layers).sum(dim=-1), torch.ones(3, 7))
