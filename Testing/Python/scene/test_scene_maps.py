"""Feature maps in the scene: the same values, seen in colours over their image, also after a scene file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import worked_example
from vtkmodules.util.numpy_support import vtk_to_numpy

from hccoutcome.case import Case
from hccoutcome.naming import FeatureName
from hccoutcome.radiomics.maps import FeatureMap
from hccoutcome.scene.build import add_case
from hccoutcome.scene.exchange import image_from_node
from hccoutcome.scene.maps import add_maps, colour_range
from hccoutcome.scene.nodes import CaseNodes, nodes_of
from hccoutcome.scene.store import load_scene, save_scene

CONTRAST = "map:portal_tumor_original_glcm_Contrast"
MEAN = "map:arterial_tumor_log-sigma-3-mm-3D_firstorder_Mean"


def feature_map(case: Case, phase: str, radiomic: str) -> FeatureMap:
    """Return made-up values in the tumour, on the image's grid cut to a box around it."""
    values = np.random.default_rng(len(radiomic)).lognormal(size=case.masks["tumor"][0].GetSize()[::-1])
    inside = sitk.GetArrayViewFromImage(case.masks["tumor"][0]) == 1
    values[~inside] = np.nan
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(case.images[phase])
    return FeatureMap(FeatureName(phase, "tumor", radiomic), image[8:30, 6:32, 2:14], values[inside])


def both_maps(case: Case) -> list[FeatureMap]:
    return [
        feature_map(case, "portal", "original_glcm_Contrast"),
        feature_map(case, "arterial", "log-sigma-3-mm-3D_firstorder_Mean"),
    ]


@pytest.fixture(params=[False, True], ids=["straight", "oblique"])
def saved(scene, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[list[FeatureMap], CaseNodes]:
    """Save a case with two maps, empty the scene and read it back."""
    case = worked_example.case(oblique=request.param)
    maps = both_maps(case)
    add_maps(maps, add_case(case))
    path = save_scene(tmp_path / "scene.mrb")
    scene.Clear(False)
    return maps, nodes_of(load_scene(path), case.case_id)


def test_values_places_and_names_survive(saved) -> None:
    maps, nodes = saved
    for found, role in zip(maps, (CONTRAST, MEAN), strict=True):
        image = image_from_node(nodes.findings[role])
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(found.image))
        for part in ("GetOrigin", "GetSpacing", "GetDirection"):
            np.testing.assert_allclose(getattr(image, part)(), getattr(found.image, part)(), rtol=0, atol=1e-12)
    assert nodes.findings[CONTRAST].GetName() == "glcm Contrast, Tumour, Portal venous phase"
    assert nodes.findings[MEAN].GetName() == "firstorder Mean (log-sigma-3-mm-3D), Tumour, Arterial phase"


def test_colours_and_window_survive_and_the_first_colour_alone_is_transparent(saved) -> None:
    maps, nodes = saved
    for found, role in zip(maps, (CONTRAST, MEAN), strict=True):
        display = nodes.findings[role].GetDisplayNode()
        low, high = colour_range(found.values)
        assert display.GetWindow() == pytest.approx(high - low, rel=1e-5)
        assert display.GetLevel() == pytest.approx((high + low) / 2, rel=1e-5)
        assert display.GetColorNode() is nodes.findings["map:colours"]
        assert (display.GetApplyThreshold(), display.GetInterpolate()) == (1, 0)
        assert display.GetLowerThreshold() < np.nanmin(found.values)
        assert display.GetUpperThreshold() > np.nanmax(found.values)
    colours = nodes.findings["map:colours"]
    alpha = [colours.GetLookupTable().GetTableValue(k)[3] for k in range(colours.GetNumberOfColors())]
    assert alpha == [0.0] + 255 * [1.0]


def test_brightness_rises_along_the_colours(saved) -> None:
    """So the order of values is seen whatever the reader's colour vision, and in print."""
    _, nodes = saved
    table = nodes.findings["map:colours"].GetLookupTable()
    weights = np.array([0.2126, 0.7152, 0.0722])
    brightness = [weights @ np.array(table.GetTableValue(k)[:3]) ** 2.2 for k in range(256)]
    assert (np.diff(brightness[::8]) > 0).all()


def test_the_picture_is_opaque_in_the_region_and_transparent_elsewhere(saved) -> None:
    maps, nodes = saved
    volume = nodes.findings[CONTRAST]
    display = volume.GetDisplayNode()
    display.SetInputImageDataConnection(volume.GetImageDataConnection())
    connection = display.GetOutputImageDataConnection()
    connection.GetProducer().Update()
    picture = connection.GetProducer().GetOutputDataObject(0)
    pixels = vtk_to_numpy(picture.GetPointData().GetScalars()).reshape(*picture.GetDimensions()[::-1], 4)
    inside = ~np.isnan(sitk.GetArrayViewFromImage(maps[0].image))
    assert (pixels[inside][:, 3] == 255).all()
    assert (pixels[~inside][:, 3] == 0).all()


def test_legends_survive_and_that_of_the_map_in_view_alone_shows(saved) -> None:
    _, nodes = saved
    legends = {
        role: slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(nodes.findings[role]) for role in (CONTRAST, MEAN)
    }
    assert {role: legend.GetVisibility() for role, legend in legends.items()} == {CONTRAST: 1, MEAN: 0}
    assert legends[CONTRAST].GetPrimaryDisplayNode() is nodes.findings[CONTRAST].GetDisplayNode()
    assert legends[CONTRAST].GetTitleText().split() == ["glcm", "Contrast"]


def test_the_first_map_lies_over_its_image_in_the_slice_views(saved) -> None:
    _, nodes = saved
    layers = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", nodes.scene)
    assert len(layers) == 3
    for layer in layers:
        assert layer.GetBackgroundVolumeID() == nodes.images["portal"].GetID()
        assert layer.GetForegroundVolumeID() == nodes.findings[CONTRAST].GetID()
        assert 0 < layer.GetForegroundOpacity() < 1


def test_maps_lie_in_the_study_of_their_case(saved) -> None:
    _, nodes = saved
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(nodes.scene)
    volumes = [nodes.images["portal"], nodes.findings[CONTRAST], nodes.findings[MEAN]]
    assert len({hierarchy.GetItemParent(hierarchy.GetItemByDataNode(volume)) for volume in volumes}) == 1


def test_maps_added_again_replace_those_before(scene) -> None:
    case = worked_example.case()
    maps = both_maps(case)
    nodes = add_maps(maps, add_case(case))
    before = scene.GetNumberOfNodes()
    nodes = add_maps(maps, nodes)
    assert scene.GetNumberOfNodes() == before
    nodes = add_maps(maps[:1], nodes)
    assert [role for role in nodes.findings if role.startswith("map:")] == ["map:colours", CONTRAST]


@pytest.mark.parametrize(
    "values", [[2.5, 2.5, 2.5], [np.nan, np.nan], [0.0, 0.0, 7.0] + 500 * [0.0], [-3.0, np.nan, 9.0]]
)
def test_every_map_has_a_range_of_colours_that_holds_its_least_value(values: list[float]) -> None:
    low, high = colour_range(np.array(values))
    assert low < high
    assert np.isnan(values).all() or low < np.nanmin(values)


def test_a_map_without_any_value_is_transparent(scene) -> None:
    case = worked_example.case()
    found = both_maps(case)[0]
    empty = replace(found, image=found.image * float("nan"), values=found.values * np.nan)
    nodes = add_maps([empty], add_case(case))
    assert nodes.findings[CONTRAST].GetDisplayNode().GetWindow() > 0
