"""What a network looks at: rollout, Grad-CAM and SHAP against plain computations and other libraries."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytestmark = pytest.mark.usefixtures("one_thread")

from small_models import PHASES, SLICES, VARIABLES, case, dlopctr, selection, tci  # noqa: E402

from hccoutcome.deep.gradcam import gradcam  # noqa: E402
from hccoutcome.deep.model import DeepModel, number_of  # noqa: E402
from hccoutcome.deep.shap_maps import backgrounds, expected_gradients, shap_maps  # noqa: E402
from hccoutcome.deep.token_maps import attention_parts  # noqa: E402
from hccoutcome.errors import Cancelled, InputError  # noqa: E402

INSTANCES = PHASES * SLICES


def rollout_by_loops(layers: list[np.ndarray]) -> np.ndarray:
    """Attention rollout of one case written out token by token; each layer is (heads, tokens, tokens)."""
    tokens = layers[0].shape[-1]
    total = [[float(i == j) for j in range(tokens)] for i in range(tokens)]
    for layer in layers:
        step = []
        for i in range(tokens):
            row = [sum(head[i][j] for head in layer) / len(layer) + (i == j) for j in range(tokens)]
            step.append([value / sum(row) for value in row])
        total = [[sum(step[i][k] * total[k][j] for k in range(tokens)) for j in range(tokens)] for i in range(tokens)]
    return np.array(total)


# --- rollout --------------------------------------------------------------------------------------------------------


def test_the_rollout_of_selection_is_the_mean_row_of_the_naive_one():
    model, (images, present, clinical) = selection(), case(2, VARIABLES)
    parts = attention_parts(model, images, present, clinical)
    _, layers = model.network.attention(images, clinical)
    expected = rollout_by_loops([layer[0].detach().numpy().astype(float) for layer in layers]).mean(axis=0)
    tokens = model.network.tokens
    for phase in (0, 1):
        np.testing.assert_allclose(parts.planes[phase].ravel(), expected[tokens.patches(phase)], rtol=1e-4)
        np.testing.assert_allclose(parts.whole[phase], expected[tokens.class_token(phase)], rtol=1e-4)
    np.testing.assert_allclose(parts.variables, expected[-VARIABLES:], rtol=1e-4)
    assert parts.of_planes.sum() + parts.variables.sum() == pytest.approx(1)


def test_the_rollout_of_tci_gives_missing_slices_nothing():
    model, (images, present, clinical) = tci(), case(INSTANCES, missing=(1, 4))
    parts = attention_parts(model, images, present, clinical)
    with torch.no_grad():
        _, layers = model.network.reader.attention(model.network.features(images, present), present)
    there = present[0].numpy()
    kept = [layer[0].numpy().astype(float)[:, there][:, :, there] for layer in layers]
    expected = rollout_by_loops(kept).mean(axis=0)
    found = np.array([cells.item() for cells in parts.planes])
    np.testing.assert_allclose(found[there], expected, rtol=1e-4)
    assert (found[~there] == 0).all()


def test_a_vit_has_no_variables_to_attend_to():
    parts = attention_parts(selection(0), *case(2))
    assert parts.variables.shape == (0,)
    assert parts.of_planes.sum() == pytest.approx(1)


def test_a_network_without_attention_has_no_rollout():
    with pytest.raises(InputError, match="gradcam"):
        attention_parts(dlopctr(), *case(4))


# --- Grad-CAM -------------------------------------------------------------------------------------------------------


class OnePlane(torch.nn.Module):
    """A network of one input and two classes, as MONAI's Grad-CAM wants it."""

    def __init__(self, model: DeepModel, planes: int) -> None:
        super().__init__()
        self.model, self.planes = model, planes

    def forward(self, x):
        present = torch.zeros(1, self.planes, dtype=torch.bool)
        present[0, 0] = True
        images = torch.cat([x, x.new_zeros(1, self.planes - 1, *x.shape[2:])], dim=1)
        number = self.model(images, present, x.new_zeros(1, 0))
        return torch.stack([-number, number], dim=1)


@pytest.mark.parametrize(("make", "planes", "stage"), [(tci, INSTANCES, 2), (dlopctr, 3, 3)])
def test_gradcam_is_monais(make, planes, stage):
    from monai.visualize import GradCAM

    model, (images, _, clinical) = make(), case(planes, pixels=64)
    present = torch.zeros(1, planes, dtype=torch.bool)
    present[0, 0] = True
    wrapped = OnePlane(model, planes).eval()
    theirs = GradCAM(nn_module=wrapped, target_layers=f"model.network.extractor.stages.{stage}")
    expected = theirs.compute_map(images[:, :1].requires_grad_(), class_idx=1)[0, 0].detach().numpy()
    found = gradcam(model, images, present, clinical)[0]
    assert expected.max() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("make", [tci, dlopctr])
def test_gradcam_of_missing_planes_is_nothing(make):
    planes = INSTANCES
    found = gradcam(make(), *case(planes, missing=(2,)))
    assert [cells.max() > 0 for cells in found].count(True) >= 1
    assert found[2].max() == 0


def test_gradcam_of_tokens_follows_differences_of_the_score():
    model, (images, present, clinical) = selection(), case(2, VARIABLES)
    network, tokens = model.network, model.network.tokens
    layer = network.joint[-1].attention_norm
    delta, kept = torch.zeros(1, tokens.count, network.size.width), []

    def moved(_module, _inputs, output):
        kept.append(output.detach())
        return output + delta

    hook = layer.register_forward_hook(moved)
    phase, places = 1, range(tokens.patches(1).start, tokens.patches(1).stop)
    slopes = np.zeros((len(places), network.size.width))
    with torch.no_grad():
        for row, place in enumerate(places):
            for channel in range(network.size.width):
                ends = []
                for step in (0.02, -0.02):
                    delta[0, place, channel] = step
                    ends.append(float(model(images, present, clinical)))
                delta[0, place, channel] = 0
                slopes[row, channel] = (ends[0] - ends[1]) / 0.04
    hook.remove()
    activation = kept[0][0, tokens.patches(phase)].numpy()
    expected = np.maximum((slopes.mean(axis=0) * activation).sum(axis=1), 0).reshape(tokens.side, tokens.side)
    found = gradcam(model, images, present, clinical)[phase]
    assert expected.max() > 0
    np.testing.assert_allclose(found, expected, atol=0.02 * expected.max())


# --- SHAP -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "planes", "variables"), [(selection, 2, VARIABLES), (tci, INSTANCES, 0), (dlopctr, 4, 0)]
)
def test_the_values_and_the_background_sum_to_the_score(make, planes, variables):
    found = shap_maps(make(), *case(planes, variables), steps=24)
    size = max(abs(found.output - found.base), 0.02)
    assert abs(found.error) < 0.1 * size
    assert max(np.abs(cells).max() for cells in found.planes) > 0


def test_a_missing_variable_and_a_missing_plane_add_nothing():
    images, present, clinical = case(2, VARIABLES)
    clinical[0, 1] = float("nan")
    found = shap_maps(selection(), images, present, clinical)
    assert found.variables[1] == 0
    assert (found.variables[[0, 2]] != 0).all()
    absent = shap_maps(tci(), *case(INSTANCES, missing=(0, 5)))
    assert [np.abs(cells).max() > 0 for cells in absent.planes] == [False, True, True, True, True, False]


class Linear(DeepModel):
    """A number that is linear in everything: its Shapley values are known exactly."""

    def __init__(self, weights, slopes) -> None:
        torch.nn.Module.__init__(self)
        self.weights, self.slopes = weights, slopes
        self.network = torch.nn.Linear(1, 1)

    def forward(self, images, present, clinical):
        return (images * self.weights).sum(dim=(1, 2, 3)) + clinical @ self.slopes

    def gradient(self, images, present, clinical):
        return self(images, present, clinical), self.weights[None], self.slopes[None]


def test_the_values_of_a_linear_score_are_exact():
    generator = torch.Generator().manual_seed(2)
    weights, slopes = torch.randn(2, 8, 8, generator=generator), torch.randn(3, generator=generator)
    images, present, clinical = case(2, 3, pixels=8)
    starts, median = backgrounds(images), torch.tensor([[0.1, 0.2, 0.3]])
    found = expected_gradients(Linear(weights, slopes), images, present, clinical, starts, median, 3)
    expected = weights * (images[0] - torch.stack(starts).mean(dim=0)[0])
    np.testing.assert_allclose(found[0], expected.numpy(), atol=1e-6)
    np.testing.assert_allclose(found[1], (slopes * (clinical - median)[0]).numpy(), atol=1e-6)


def test_the_gradient_by_parts_is_that_of_the_whole():
    """Planes go through the convolutions some at a time; autograd through everything at once is the reference."""
    model, (images, present, clinical) = tci(), case(INSTANCES, missing=(3,))
    number, found, _ = model.gradient(images, present, clinical)
    whole = images.clone().requires_grad_()
    expected = number_of(model.raw(whole, present, clinical))
    (gradient,) = torch.autograd.grad(expected.sum(), whole)
    torch.testing.assert_close(number, expected.detach())
    torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-7)


def test_the_user_may_stop_it():
    def stop(_fraction, _message):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        shap_maps(selection(), *case(2, VARIABLES), progress=stop)


SHAPS_OWN = """
import json, sys
import numpy as np
from hccoutcome.explanation.environment import load_shap
shap = load_shap()
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from small_models import VARIABLES, case, selection
from hccoutcome.deep.shap_maps import backgrounds, expected_gradients
model, (images, present, clinical) = selection(), case(2, VARIABLES)
starts, median = backgrounds(images), model.median()[None]

class Both(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model
    def forward(self, images, clinical):
        return self.model(images, present, clinical)[:, None]

background = [torch.cat(starts), median.expand(len(starts), -1).contiguous()]
explainer = shap.GradientExplainer(Both(), background, batch_size=100)
theirs = explainer.shap_values([images, clinical], nsamples=1000, rseed=0)
ours = expected_gradients(model, images, present, clinical, starts, median, 32)
cells = lambda values: np.asarray(values).reshape(2, 4, 8, 4, 8).sum(axis=(2, 4)).ravel().tolist()
print(json.dumps({"ours": cells(ours[0]) + ours[1].tolist(), "theirs": cells(theirs[0]) + theirs[1].ravel().tolist()}))
"""


def test_the_values_are_those_of_shaps_gradient_explainer(tmp_path):
    from hccoutcome.errors import EnvironmentNeeded
    from hccoutcome.explanation.environment import private_folder

    try:
        private_folder()
    except EnvironmentNeeded:
        pytest.skip("the private folder of shap is not there")
    done = subprocess.run(
        [sys.executable, "-c", SHAPS_OWN, str(__file__).rpartition("/")[0]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    values = json.loads(done.stdout.splitlines()[-1])
    ours, theirs = np.array(values["ours"]), np.array(values["theirs"])
    # Theirs are drawn at random: they agree to some percent of the largest.
    assert np.abs(ours - theirs).max() < 0.1 * np.abs(ours).max()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99
