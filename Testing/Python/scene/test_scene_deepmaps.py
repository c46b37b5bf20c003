"""What a network looks at in the scene: the same values at the same places, transparent where nothing is to see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import worked_example

from hccoutcome.deep.relevance import RelevanceMap
from hccoutcome.scene.build import add_case
from hccoutcome.scene.deepmaps import add_relevance, colour_range
from hccoutcome.scene.exchange import image_from_node
from hccoutcome.scene.nodes import CaseNodes, nodes_of
from hccoutcome.scene.store import load_scene, save_scene

CAM, SHAP = "relevance:net:portal_gradcam", "relevance:net:arterial_shap"


def made_up(case, phase: str, method: str, unit: str, signed: bool) -> RelevanceMap:
    """Return made-up values in a part of the phase's image, with a place without any."""
    image = case.images[phase]
    draw = np.random.default_rng(len(method))
    values = draw.normal(size=image.GetSize()[::-1]) if signed else draw.random(image.GetSize()[::-1])
    values[:, :3] = np.nan
    volume = sitk.GetImageFromArray(values.astype(np.float32))
    volume.CopyInformation(image)
    return RelevanceMap(phase, method, unit, signed, volume[4:20, 2:18, 3:5])


@pytest.fixture(params=[False, True], ids=["straight", "oblique"])
def saved(scene, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[list[RelevanceMap], CaseNodes]:
    """Save a case with two maps, empty the scene and read it back."""
    case = worked_example.case(oblique=request.param)
    maps = [
        made_up(case, "portal", "gradcam", "of the largest", False),
        made_up(case, "arterial", "shap", "log-odds/cm2", True),
    ]
    add_relevance(maps, add_case(case), "net")
    path = save_scene(tmp_path / "scene.mrb")
    scene.Clear(False)
    return maps, nodes_of(load_scene(path), case.case_id)


def test_values_places_and_names_survive(saved) -> None:
    maps, nodes = saved
    for found, role in zip(maps, (CAM, SHAP), strict=True):
        image = image_from_node(nodes.findings[role])
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(found.image))
        for part in ("GetOrigin", "GetSpacing", "GetDirection"):
            np.testing.assert_allclose(getattr(image, part)(), getattr(found.image, part)(), rtol=0, atol=1e-9)
    assert nodes.findings[CAM].GetName() == "Grad-CAM of net, Portal venous phase"
    assert nodes.findings[SHAP].GetName() == "SHAP of net, Arterial phase"


def colour_at(display, value: float) -> tuple[float, ...]:
    """Return the colour that a value gets, as VTK looks it up in the window."""
    table = display.GetColorNode().GetLookupTable()
    count = table.GetNumberOfTableValues()
    low = display.GetLevel() - display.GetWindow() / 2
    entry = min(max(int((value - low) / display.GetWindow() * count), 0), count - 1)
    return table.GetTableValue(entry)


def test_what_says_nothing_is_seen_through_and_what_says_most_is_not(saved) -> None:
    maps, nodes = saved
    cam, shap = (nodes.findings[role].GetDisplayNode() for role in (CAM, SHAP))
    (_, most), (_, strong) = (colour_range(sitk.GetArrayViewFromImage(found.image), found.signed) for found in maps)
    assert colour_at(cam, 0.0)[3] < 0.05
    assert colour_at(cam, most)[3] > 0.5
    assert colour_at(shap, 0.0)[3] < 0.05
    red, blue = colour_at(shap, strong), colour_at(shap, -strong)
    assert red[3] == pytest.approx(blue[3], abs=0.02)
    assert red[3] > 0.5
    assert red[0] > red[2]
    assert blue[2] > blue[0]


def test_the_first_colour_is_left_to_where_there_is_no_value(saved) -> None:
    for found, role in zip(saved[0], (CAM, SHAP), strict=True):
        display = saved[1].findings[role].GetDisplayNode()
        table = display.GetColorNode().GetLookupTable()
        assert table.GetTableValue(0)[3] == 0.0
        low, _ = colour_range(sitk.GetArrayViewFromImage(found.image), found.signed)
        assert display.GetLevel() - display.GetWindow() / 2 == pytest.approx(low, abs=1e-5)
        assert display.GetApplyThreshold() == 0


def test_the_first_map_is_shown_with_its_legend(saved) -> None:
    _, nodes = saved
    layers = nodes.scene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    assert layers.GetForegroundVolumeID() == nodes.findings[CAM].GetID()
    assert layers.GetBackgroundVolumeID() == nodes.images["portal"].GetID()
    shown = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(nodes.findings[CAM])
    hidden = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(nodes.findings[SHAP])
    assert (shown.GetVisibility(), hidden.GetVisibility()) == (1, 0)
    assert shown.GetTitleText() == "Grad-CAM\nof the largest"


def test_maps_of_the_same_package_are_replaced_and_others_stay(scene) -> None:
    case = worked_example.case()
    nodes = add_case(case)
    first = made_up(case, "portal", "gradcam", "of the largest", False)
    nodes = add_relevance([first], nodes, "net")
    nodes = add_relevance([first], nodes, "other")
    nodes = add_relevance([first], nodes, "net")
    volumes = [role for role in nodes.findings if role.endswith("gradcam")]
    assert sorted(volumes) == ["relevance:net:portal_gradcam", "relevance:other:portal_gradcam"]
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == len(case.images) + 2
    colours = [node for role, node in nodes.findings.items() if "colours" in role]
    assert len(colours) == 1
