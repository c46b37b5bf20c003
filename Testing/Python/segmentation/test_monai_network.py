"""A MONAI network: its description is plain and strict, what it sees is what MONAI would show it, and it runs."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.errors import Cancelled, InputError
from hccoutcome.imaging.geometry import Geometry, same_geometry
from hccoutcome.progress import silent
from hccoutcome.segmentation import Task
from hccoutcome.segmentation.monai_network import MonaiNetwork
from hccoutcome.segmentation.network_config import Intensity, config_from_json
from hccoutcome.segmentation.network_images import labels_on, network_grid, network_input, prepared
from hccoutcome.segmentation.setup import Setup

UNET = {"in_channels": 1, "out_channels": 3, "channels": [2, 4], "strides": [2], "norm": "batch"}
SEGRESNET = {"in_channels": 1, "out_channels": 3, "init_filters": 8, "blocks_down": [1, 1], "blocks_up": [1]}
DYNUNET = {
    "in_channels": 1,
    "out_channels": 3,
    "kernel_size": [3, [3, 3, 3], 3],
    "strides": [1, 2, 2],
    "upsample_kernel_size": [2, 2],
    "filters": [2, 4, 4],
}
NETWORKS = {"UNet": UNET, "SegResNet": SEGRESNET, "DynUNet": DYNUNET}


def description(network: str = "UNet", **changes) -> dict:
    return {
        "format": "hcc-monai-network/1",
        "name": "tiny liver",
        "licence": "CC0-1.0",
        "citation": "nobody",
        "network": {"class": network, "arguments": copy.deepcopy(NETWORKS[network])},
        "modality": ["CT"],
        "channels": ["any"],
        "orientation": "RAS",
        "spacing_mm": [2.0, 2.0, 2.0],
        "intensity": {"method": "window", "low": -100, "high": 300},
        "window": {"size": [16, 16, 16], "overlap": 0.5},
        "activation": "softmax",
        "labels": {"background": 0, "liver": 1, "tumor": 2},
        **changes,
    }


def ct() -> sitk.Image:
    """Return an oblong CT whose first axis runs to the patient's right: a bright block holds a brighter one."""
    values = np.full((17, 30, 28), -50, np.int16)
    values[4:12, 6:20, 5:22] = 120
    values[5:10, 8:14, 7:13] = 260
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((1.6, 1.6, 2.0))
    image.SetOrigin((100.0, 50.0, -300.0))
    image.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    return image


# --- the description ----------------------------------------------------------------------------------------------


def test_a_description_is_read_and_its_labels_are_named_by_our_regions():
    config = config_from_json(description(), "'n.json'")
    assert config.regions == {"liver": (1, 2), "tumor": (2,)}
    assert (config.spacing, config.window, config.overlap) == ((2.0, 2.0, 2.0), (16, 16, 16), 0.5)
    assert config_from_json(description(regions="liver=1"), "'n.json'").regions == {"liver": (1,)}


def changed(path: str, value: object) -> dict:
    data = description()
    *parents, name = path.split("/")
    place = data
    for parent in parents:
        place = place[parent]
    if value is KeyError:
        del place[name]
    else:
        place[name] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("name", "$__import__('os').system('x')", "an expression of a bundle: write plain values, none is evaluated"),
        ("network/arguments/out_channels", "@n", "an expression of a bundle"),
        ("network/arguments/$import", 1, "an expression of a bundle"),
        ("network/_target_", "UNet", "names a '_target_', as a bundle does"),
        ("network/class", "Eval", "'Eval' is not known"),
        ("network/arguments/spatial_dims", 2, "UNet takes no argument 'spatial_dims' here"),
        ("network/arguments/channels", [2, 99999], r"the argument 'channels' cannot be \[2, 99999\]"),
        ("network/arguments/num_res_units", True, "the argument 'num_res_units' cannot be True"),
        ("network/arguments/in_channels", KeyError, "lacks the argument 'in_channels'"),
        ("channels", ["portal", "arterial"], "takes 1 images, found 2 channels"),
        ("format", "hcc-monai-network/9", "'hcc-monai-network/9' is not known"),
        ("labels", {"spleen": 1}, r"expected to name a region \(liver, .* found spleen: say which label is which"),
        ("labels", {"liver": 3}, "the label 'liver' should be from 0 to 2, found 3"),
        ("regions", "liver=7", "The network has the labels 1, 2, found 7 asked for"),
        ("regions", "liver:1", "Labels are given as REGION=LABEL"),
        ("orientation", "RAP", "an orientation is like RAS or LPS, found 'RAP'"),
        ("spacing_mm", [1, 1], "should be three numbers from 0.1 to 50"),
        ("intensity", {"method": "window", "low": 5, "high": 5}, "low should be below high, found 5 and 5"),
        ("intensity", {"method": "none", "low": 5}, "has an unknown field 'low'"),
        ("window/size", [16, 16, 2], "three whole numbers from 4 to 512"),
        ("window/overlap", 1.0, "overlap should be from 0 to 0.9, found 1"),
        ("more", 1, "has an unknown field 'more'"),
        ("licence", KeyError, "lacks the field 'licence'"),
    ],
)
def test_what_a_description_may_not_hold_is_refused(path, value, message):
    with pytest.raises(InputError, match=message):
        config_from_json(changed(path, value), "'n.json'")


@pytest.mark.parametrize("network", list(NETWORKS))
def test_every_network_is_built_by_monai_with_its_arguments(network):
    torch = pytest.importorskip("torch")
    from hccoutcome.segmentation.monai_inference import build_network

    built = build_network(config_from_json(description(network), "'n.json'"))
    assert type(built).__module__.startswith("monai.networks.nets")
    with torch.inference_mode():
        assert built(torch.zeros(1, 1, 16, 16, 16)).shape == (1, 3, 16, 16, 16)


def test_arguments_that_do_not_fit_each_other_are_refused():
    pytest.importorskip("torch")
    from hccoutcome.segmentation.monai_inference import build_network

    with pytest.raises(InputError, match="'tiny liver' cannot be built from its arguments"):
        build_network(config_from_json(changed("network/arguments/channels", [2, 4, 8]), "'n.json'"))


# --- what it sees -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "ASR"])
def test_the_axes_are_those_that_monai_makes_of_the_same_image(orientation):
    pytest.importorskip("torch")
    pytest.importorskip("nibabel", reason="MONAI's Orientation needs nibabel, which is not installed")
    from monai.data import MetaTensor
    from monai.transforms import Orientation

    image = sitk.Cast(ct(), sitk.sitkFloat32)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ Geometry.from_image(image).affine  # LPS to RAS
    theirs = Orientation(axcodes=orientation, labels=(("L", "R"), ("P", "A"), ("I", "S")))(
        MetaTensor(sitk.GetArrayFromImage(image).T[None].copy(), affine=affine)
    )
    config = config_from_json({**description(), "orientation": orientation, "spacing_mm": None}, "'n.json'")
    ours = network_input([image], network_grid(image, config), Intensity("none"))
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)


def test_the_network_s_grid_fills_the_space_of_the_image():
    image = ct()
    grid = network_grid(image, config_from_json(description(), "'n.json'"))
    assert grid.GetSpacing() == (2.0, 2.0, 2.0)
    for index, far in (((-0.5,) * 3, (-0.5,) * 3), (tuple(n - 0.5 for n in grid.GetSize()), None)):
        corner = np.array(grid.TransformContinuousIndexToPhysicalPoint(index))
        turned = sitk.DICOMOrient(image, "RAS")
        end = far or tuple(n - 0.5 for n in turned.GetSize())
        assert np.abs(corner - turned.TransformContinuousIndexToPhysicalPoint(end)).max() <= 1.0


def test_values_are_prepared_as_the_description_says():
    values = np.array([-500.0, 0.0, 100.0, 900.0])
    np.testing.assert_allclose(prepared(values, Intensity("window", -100, 300)), [0, 0.25, 0.5, 1])
    np.testing.assert_allclose(prepared(values, Intensity("fixed", -100, 300, 50, 10)), [-15, -5, 5, 25])
    inside = values[values != 0]
    expected = (values - inside.mean()) / inside.std()
    np.testing.assert_allclose(prepared(values, Intensity("standardise"))[[0, 2, 3]], expected[[0, 2, 3]], rtol=1e-6)
    assert prepared(values, Intensity("standardise"))[1] == 0
    np.testing.assert_allclose(prepared(values, Intensity("none")), values)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "SAR"])
def test_the_axes_grow_in_the_directions_that_are_named(orientation):
    image = ct()
    config = config_from_json({**description(), "orientation": orientation, "spacing_mm": None}, "'n.json'")
    grid = network_grid(image, config)
    for axis, letter in enumerate(orientation):
        along = np.array(grid.GetDirection()).reshape(3, 3)[:, axis]
        expected = {"R": (-1, 0, 0), "L": (1, 0, 0), "A": (0, -1, 0), "P": (0, 1, 0), "I": (0, 0, -1), "S": (0, 0, 1)}
        np.testing.assert_allclose(along, expected[letter], atol=1e-9)
    seen = network_input([image], grid, Intensity("none"))[0]
    place = grid.TransformPhysicalPointToIndex(image.TransformIndexToPhysicalPoint((9, 10, 7)))
    assert seen[place] == 260
    assert (seen == 260).sum() == (sitk.GetArrayFromImage(image) == 260).sum()


def test_labels_come_back_onto_the_image_by_the_interpolated_probabilities():
    image = ct()
    truth = np.digitize(sitk.GetArrayFromImage(image), (35, 190))
    for spacing, least in ((None, 1.0), ([2.0, 2.0, 2.0], 0.75)):
        grid = network_grid(image, config_from_json({**description(), "spacing_mm": spacing}, "'n.json'"))
        seen = network_input([image], grid, Intensity("none"))[0]
        labels = labels_on(np.stack([seen < 35, (seen >= 35) & (seen < 190), seen >= 190]).astype(float), grid, image)
        assert same_geometry(labels, image)
        found = sitk.GetArrayFromImage(labels)
        for label in (1, 2):
            both = ((found == label) & (truth == label)).sum()
            assert 2 * both / ((found == label).sum() + (truth == label).sum()) >= least


# --- the engine ---------------------------------------------------------------------------------------------------


ARGUMENTS = {"in_channels": 1, "out_channels": 3, "channels": [1, 1], "strides": [1], "act": "relu", "norm": "batch"}


def by_hand() -> dict:
    """Return weights, set by hand, for a UNet whose label grows with the voxel's value: borders at 35 and 190 HU."""
    torch = pytest.importorskip("torch")
    from hccoutcome.segmentation.monai_inference import build_network

    config = config_from_json(changed("network", {"class": "UNet", "arguments": ARGUMENTS}), "'n.json'")
    state = build_network(config).state_dict()
    for name, value in state.items():
        if name.startswith("model.1") or "conv" in name:
            value.zero_()
    state["model.1.submodule.adn.N.running_var"] += 1
    state["model.0.conv.weight"][0, 0, 1, 1, 1] = 1
    # The window makes 35 HU 0.3375 and 190 HU 0.725.
    state["model.2.conv.weight"][0, :, 1, 1, 1] = torch.tensor([0.0, 10.0, 20.0])
    state["model.2.conv.bias"][:] = torch.tensor([0.0, -3.375, -3.375 - 7.25])
    return state


def engine(folder: Path, state: dict, ending: str = ".pt", **changes) -> MonaiNetwork:
    """Return the engine with a description and weights in a folder."""
    import torch
    from safetensors.torch import save_file

    data = {**changed("network", {"class": "UNet", "arguments": ARGUMENTS}), **changes}
    (folder / "network.json").write_text(json.dumps(data), encoding="utf-8")
    weights = folder / f"weights{ending}"
    if ending == ".safetensors":
        save_file(state, weights)
    else:
        torch.save({"state_dict": state, "epoch": 3}, weights)
    return MonaiNetwork(Setup(model=folder / "network.json", weights=weights, device="cpu"))


def test_a_tiny_network_outlines_liver_and_tumour_in_a_process_of_its_own(tmp_path):
    image = ct()
    said = []
    made = engine(tmp_path, by_hand())
    assert made.readiness().ready
    draft = made.segment(Task({"portal": image}, ("liver", "tumor")), lambda done, words: said.append(done))
    values = sitk.GetArrayFromImage(image)
    for region, border in (("liver", 35), ("tumor", 190)):
        assert same_geometry(draft.masks[region], image)
        found, truth = sitk.GetArrayFromImage(draft.masks[region]) != 0, values > border
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.75
    assert said == sorted(said)
    assert set(draft.provenance["weights"]) == {"network.json", "weights.pt"}
    assert draft.provenance["device"] == "cpu"
    assert draft.provenance["settings"]["regions"] == {"liver": [1, 2], "tumor": [2]}
    json.dumps(draft.provenance)


def test_outputs_that_need_not_exclude_each_other_are_cut_at_one_half():
    pytest.importorskip("torch")
    from hccoutcome.segmentation.monai_inference import masks_of

    image = ct()
    labels = {"liver": 1, "tumor": 2}
    data = description(activation="sigmoid", labels=labels, regions="liver=1,tumor=2", spacing_mm=None)
    config = config_from_json(data, "'n.json'")
    grid = network_grid(image, config)
    seen = network_input([image], grid, Intensity("none"))[0]
    masks = masks_of(np.stack([seen > 35, seen > 190]).astype(float), grid, image, config, {"liver": [1], "tumor": [2]})
    for region, border in (("liver", 35), ("tumor", 190)):
        np.testing.assert_array_equal(
            sitk.GetArrayFromImage(masks[region]) != 0, sitk.GetArrayFromImage(image) > border
        )


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_weights_are_read_as_they_were_written_and_those_of_another_network_refused_by_name(tmp_path, ending):
    state = by_hand()
    from hccoutcome.segmentation.checkpoints import check_parameters, read_parameters

    weights = engine(tmp_path, state, ending).setup.weights
    found = read_parameters(weights)
    assert list(found) == list(state) or ending == ".safetensors"
    assert all(found[name].equal(value) for name, value in state.items())
    check_parameters(found, state, "a network")
    del found["model.1.submodule.conv.bias"]
    with pytest.raises(InputError, match=r"'model\.1\.submodule\.conv\.bias' is missing: give the weights of that"):
        check_parameters(found, state, "a network")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_went_astray_in_training_are_named(value):
    from hccoutcome.segmentation.checkpoints import check_parameters

    state = by_hand()
    name = "model.1.submodule.conv.bias"
    astray = {**state, name: state[name].clone().fill_(value)}
    with pytest.raises(InputError, match=rf"'{name}' holds NaN or infinite ones".replace(".", r"\.")):
        check_parameters(astray, state, "a network")


def test_a_missing_phase_is_asked_for(tmp_path):
    made = engine(tmp_path, by_hand(), channels=["arterial"])
    with pytest.raises(InputError, match="'tiny liver' takes the arterial image, found portal: give it as well"):
        made.segment(Task({"portal": ct()}, ("liver",)), silent)


def test_a_cancel_ends_the_process(tmp_path, children):
    def cancel(fraction: float, message: str) -> None:
        if message == "loading the network":
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        engine(tmp_path, by_hand()).segment(Task({"portal": ct()}, ("liver",)), cancel)
    assert not children()


def test_what_is_missing_is_said_in_one_step(tmp_path):
    pytest.importorskip("torch")
    assert MonaiNetwork().readiness().step.startswith("name the network's description and weights: hcc engine monai")
    (tmp_path / "network.json").write_text(json.dumps(changed("more", 1)))
    (tmp_path / "w.pt").write_bytes(b"")
    wrong = MonaiNetwork(Setup(model=tmp_path / "network.json", weights=tmp_path / "w.pt"))
    assert "has an unknown field 'more'" in wrong.readiness().step
    assert [offer.region for offer in wrong.card.offers] == ["liver", "tumor"]


def test_the_description_in_the_documentation_is_a_valid_one():
    page = (Path(__file__).parents[3] / "Docs" / "engines.md").read_text(encoding="utf-8")
    config = config_from_json(json.loads(page.split("```json\n")[1].split("```")[0]), "'engines.md'")
    assert config.regions == {"liver": (1, 2), "tumor": (2,)}
    pytest.importorskip("torch")
    from hccoutcome.segmentation.monai_inference import build_network

    build_network(config)
