"""MedSAM: the network against the published one, the slices of a box, and a tiny checkpoint run out of process."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import transform

from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.progress import silent
from hccoutcome.segmentation import Box, Clicks, Task
from hccoutcome.segmentation.medsam import Medsam, MedsamSettings
from hccoutcome.segmentation.sam_settings import SamSettings
from hccoutcome.segmentation.setup import Setup
from hccoutcome.segmentation.slices import as_seen, between, outline, rectangles, slices_to_do, squared

HERE = Path(__file__).parent
TINY = SamSettings(
    size=64, patch=8, width=16, depth=3, heads=2, everywhere=(1,), window=3, features=16, mask_channels=8,
    decoder_depth=2, decoder_heads=4, decoder_hidden=32, iou_hidden=16,
)  # fmt: skip
PUBLISHED_OUTPUT = (
    -1.3185452, -1.2172029, -1.0091047, -1.2687016, -1.3185667, -1.2171798, -1.0088432, -1.2687036,
    -1.3186694, -1.2170662, -1.0088929, -1.2687827, -1.3187808, -1.2171004, -1.0089687, -1.2687712,
    -1.3185623, -1.2173392, -1.0093597, -1.2687728, -1.3184793, -1.2174295,
)  # fmt: skip
"""Every 97th logit that the code of facebookresearch/segment-anything gives for what the test below gives ours."""


def made_up_state(shapes: dict[str, tuple[int, ...]]) -> dict:
    """Return parameters that are the same wherever they are made."""
    import torch

    return {
        name: (torch.sin(torch.arange(math.prod(shape), dtype=torch.float64) * 0.37 + number) * 0.6)
        .reshape(shape)
        .float()
        for number, (name, shape) in enumerate(sorted(shapes.items()))
    }


def tiny_state() -> dict:
    torch = pytest.importorskip("torch")
    from hccoutcome.segmentation.sam import Sam

    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in Sam(TINY).state_dict().items()}
    return made_up_state(shapes)


def lesion(spacing: tuple[float, float, float] = (1.0, 1.0, 2.0), radius: float = 9.0) -> tuple[sitk.Image, np.ndarray]:
    """Return a CT with a bright ball off the middle, and the ball."""
    z, y, x = np.indices((20, 40, 44))
    apart = np.sqrt(((x - 24) * spacing[0]) ** 2 + ((y - 18) * spacing[1]) ** 2 + ((z - 9) * spacing[2]) ** 2)
    ball = apart <= radius
    image = sitk.GetImageFromArray(np.where(ball, 150, 60).astype(np.int16))
    image.SetSpacing(spacing)
    image.SetOrigin((-12.0, 5.0, 100.0))
    return image, ball


# --- the network --------------------------------------------------------------------------------------------------


def test_the_parameters_are_those_of_the_published_vit_b():
    torch = pytest.importorskip("torch")
    from hccoutcome.segmentation.sam import Sam

    with torch.device("meta"):
        ours = {name: list(value.shape) for name, value in Sam(SamSettings()).state_dict().items()}
    assert ours == json.loads((HERE / "sam_vit_b.json").read_text(encoding="utf-8"))
    # The published network has so many; the random directions of the places are a buffer and not counted.
    assert sum(math.prod(shape) for shape in ours.values()) == 93_735_472 + 2 * 128


def test_the_network_computes_what_the_published_one_does():
    torch = pytest.importorskip("torch")
    from hccoutcome.segmentation.sam import load_sam

    network = load_sam(tiny_state(), TINY)
    waves = torch.sin(torch.arange(3 * 64 * 64, dtype=torch.float64) * 0.01).reshape(1, 3, 64, 64) * 0.5 + 0.5
    boxes = torch.tensor([[10.0, 12.0, 40.0, 50.0], [3.5, 30.0, 60.0, 63.0]])
    with torch.inference_mode():
        logits = network(waves.float(), boxes)
    assert logits.shape == (2, 1, 32, 32)
    np.testing.assert_allclose(logits.flatten()[::97].numpy(), PUBLISHED_OUTPUT, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state.pop("image_encoder.pos_embed"),
            r"'image_encoder\.pos_embed' is missing: give the weights",
        ),
        (lambda state: state.update(extra=state["image_encoder.pos_embed"]), "which has no 'extra'"),
        (
            lambda state: state.update({"image_encoder.pos_embed": state["image_encoder.pos_embed"][:, :4]}),
            r"'image_encoder\.pos_embed' has the shape \(1, 4, 8, 16\) and not \(1, 8, 8, 16\)",
        ),
    ],
)
def test_a_checkpoint_of_another_network_is_refused_by_the_name_of_what_differs(change, message):
    pytest.importorskip("torch")
    from hccoutcome.segmentation.sam import load_sam

    state = tiny_state()
    change(state)
    with pytest.raises(InputError, match=message):
        load_sam(state, TINY)


# --- what it sees -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 44), (70, 64), (90, 130)])
def test_a_slice_is_resized_as_medsam_does_with_scikit_image(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    theirs = transform.resize(pixels, (64, 64), order=3, preserve_range=True, anti_aliasing=True).astype(np.uint8)
    theirs = (theirs - theirs.min()) / np.clip(theirs.max() - theirs.min(), 1e-8, None)
    np.testing.assert_allclose(squared(pixels, 64), theirs, atol=1.5 / 255)


def test_ct_is_seen_in_its_window_and_mr_by_its_percentiles():
    ct = np.array([-1000, -160, 40, 240, 3000])
    np.testing.assert_array_equal(as_seen(ct, "CT"), [0, 0, 127, 255, 255])
    mr = np.concatenate([np.zeros(50), np.arange(1, 1001)])
    seen = as_seen(mr, "MR")
    assert (seen[:50] == 0).all()
    assert seen[-1] == 255
    low, high = np.percentile(np.arange(1, 1001), (0.5, 99.5))
    assert seen[549] == int((500 - low) / (high - low) * 255)
    with pytest.raises(InputError, match="expected to hold positive values, found none"):
        as_seen(np.zeros(4), "MR")


# --- the slices of a box ------------------------------------------------------------------------------------------


def test_a_straight_box_has_the_same_rectangle_in_every_slice_that_it_meets():
    image, _ = lesion()
    found = rectangles(Box.from_voxels(image, [10, 20, 5, 9, 3, 6]), image)
    assert sorted(found) == [3, 4, 5, 6]
    for rectangle in found.values():
        np.testing.assert_allclose(rectangle, (9.5, 4.5, 20.5, 9.5), atol=1e-9)


def test_a_box_thinner_than_a_slice_has_one_and_one_beside_the_image_none():
    image, _ = lesion()
    axes = (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)
    thin = Box((10.0, 25.0, 112.8), axes, (5.0, 5.0, 0.1))
    assert list(rectangles(thin, image)) == [6]
    with pytest.raises(InputError, match="expected to lie in the image, found it beside"):
        rectangles(Box((500.0, 25.0, 112.0), axes, (5.0, 5.0, 5.0)), image)


def test_a_box_turned_in_the_slice_has_the_rectangle_around_it():
    image, _ = lesion()
    turn = np.radians(45)
    axes = (np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1)
    found = rectangles(Box((10.0, 25.0, 112.0), axes, (4.0, 4.0, 3.0)), image)
    half = 4 * np.sqrt(2)
    np.testing.assert_allclose(found[6], (22 - half, 20 - half, 22 + half, 20 + half), atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(low=st.integers(0, 30), count=st.integers(1, 30), step=st.integers(1, 8))
def test_the_slices_to_do_hold_both_ends_and_leave_no_wider_gap(low, count, step):
    up, down = slices_to_do(range(low, low + count), step)
    done = sorted((*up, *down))
    assert len(set(done)) == len(done)
    assert (done[0], done[-1]) == (low, low + count - 1)
    assert np.diff(done).max(initial=0) <= step
    assert up[0] == low + (count - 1) // 2


def test_a_ball_is_found_whole_from_a_loose_box_by_a_predictor_that_keeps_to_its_rectangle():
    image, ball = lesion()
    found = rectangles(Box.from_voxels(image, [10, 38, 4, 32, 5, 13]), image)
    asked = []

    def predict(index, rectangle):
        asked.append(index)
        mask = np.zeros(ball.shape[1:], bool)
        x0, y0, x1, y1 = (round(v) for v in rectangle)
        mask[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1] = True
        return mask & ball[index]

    for step in (1, 3):
        asked.clear()
        masks = dict(outline(predict, found, step, (3.0, 3.0)))
        voxels = between(masks, (1.0, 1.0), len(ball))
        assert asked[0] == 9
        assert 2 * (voxels & ball).sum() / (voxels.sum() + ball.sum()) > (0.99 if step == 1 else 0.9)
        assert not voxels[:5].any()
        assert not voxels[14:].any()


def test_the_box_of_a_slice_is_that_of_the_mask_before_it_grown_and_within_the_box():
    boxes = {}

    def predict(index, rectangle):
        boxes[index] = rectangle
        mask = np.zeros((40, 44), bool)
        mask[15:21, 20:29] = True
        return mask

    list(outline(predict, dict.fromkeys(range(4, 9), (18.0, 5.0, 40.0, 30.0)), 1, (4.0, 2.0)))
    assert boxes[6] == (18.0, 5.0, 40.0, 30.0)
    assert boxes[5] == boxes[7] == boxes[8] == (18.0, 13.0, 32.0, 22.0)


def test_nothing_is_made_up_between_a_mask_and_an_empty_slice():
    masks = {0: np.ones((5, 5), bool), 4: np.zeros((5, 5), bool)}
    assert between(masks, (1.0, 1.0), 6).sum() == 25


# --- the engine ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """Return a tiny checkpoint in the format of the published one, whose masks fill the slice."""
    torch = pytest.importorskip("torch")
    state = tiny_state()
    for name in ("weight", "bias"):
        state[f"mask_decoder.output_hypernetworks_mlps.0.layers.2.{name}"] *= -1
    path = tmp_path_factory.mktemp("medsam") / "medsam_vit_b.pth"
    torch.save(state, path)
    return path


def engine(checkpoint: Path | None, network: SamSettings = TINY) -> Medsam:
    return Medsam(Setup(weights=checkpoint, device="cpu"), MedsamSettings(every_mm=4.0, network=network))


@pytest.mark.parametrize("flipped", [False, True])
def test_a_tiny_checkpoint_outlines_the_slices_of_a_box_in_a_process_of_its_own(checkpoint, flipped):
    image, _ = lesion()
    if flipped:
        image = sitk.DICOMOrient(image, "RAI")
    box = Box.from_voxels(image, [10, 38, 4, 32, 5, 14])
    said = []
    draft = engine(checkpoint).segment(
        Task({"portal": image}, ("tumor",), box), lambda done, words: said.append((done, words))
    )
    mask = draft.masks["tumor"]
    assert same_geometry(mask, image)
    assert np.flatnonzero(sitk.GetArrayFromImage(mask).any(axis=(1, 2))).tolist() == list(range(5, 15))
    assert draft.provenance["device"] == "cpu"
    assert list(draft.provenance["weights"]) == ["medsam_vit_b.pth"]
    assert len(draft.provenance["settings"]["slices"]) == 6
    assert draft.provenance["settings"]["network"] == {**asdict(TINY), "everywhere": (1,)}
    assert [done for done, _ in said] == sorted(done for done, _ in said)
    json.dumps(draft.provenance)


def test_a_click_becomes_a_box_by_the_built_in_engine(checkpoint):
    image, ball = lesion()
    place = image.TransformIndexToPhysicalPoint((24, 18, 9))
    draft = engine(checkpoint).segment(Task({"portal": image}, ("tumor",), Clicks((place,))), silent)
    found = np.flatnonzero(sitk.GetArrayFromImage(draft.masks["tumor"]).any(axis=(1, 2)))
    wanted = np.flatnonzero(ball.any(axis=(1, 2)))
    assert found[0] <= wanted[0]
    assert found[-1] >= wanted[-1]
    assert draft.provenance["settings"]["box"]["kind"] == "box"


def test_a_checkpoint_of_another_size_is_refused_from_the_other_process(checkpoint):
    image, _ = lesion()
    task = Task({"portal": image}, ("tumor",), Box.from_voxels(image, [10, 38, 4, 32, 5, 14]))
    with pytest.raises(InputError, match="expected to be those of MedSAM"):
        engine(checkpoint, SamSettings(size=64, patch=8, width=24, depth=1, heads=2)).segment(task, silent)


def test_a_checkpoint_that_holds_code_is_not_loaded(tmp_path):
    torch = pytest.importorskip("torch")
    from hccoutcome.segmentation.checkpoints import read_parameters

    torch.save({"state_dict": {"a": torch.zeros(1)}, "hook": Path("x")}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="hold more than tensors, which could run code and is not loaded"):
        read_parameters(tmp_path / "evil.pth")
    (tmp_path / "cut.pth").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(InputError, match=r"'cut\.pth' cannot be read, the file is damaged"):
        read_parameters(tmp_path / "cut.pth")


def test_without_a_checkpoint_it_says_where_to_get_it(tmp_path):
    pytest.importorskip("torch")
    readiness = engine(None).readiness()
    assert not readiness.ready
    assert "get medsam_vit_b.pth from https://github.com/bowang-lab/MedSAM and name it" in readiness.step
    assert "found no such file" in engine(tmp_path / "away.pth").readiness().step
    image, _ = lesion()
    with pytest.raises(EnvironmentNeeded, match="The engine 'medsam' is not ready on this machine: get"):
        engine(None).segment(Task({"portal": image}, ("tumor",), Box.from_voxels(image, [1, 3, 1, 3, 1, 3])), silent)


def test_a_python_without_pytorch_is_named_as_what_is_missing(tmp_path):
    readiness = Medsam(Setup(python=tmp_path / "bin" / "python")).readiness()
    assert readiness.step.startswith("install torch ")
