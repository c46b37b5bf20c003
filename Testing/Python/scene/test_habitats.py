from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer

from hccoutcome.case import Case
from hccoutcome.findings import Findings
from hccoutcome.habitat.find import find_habitats
from hccoutcome.habitat.preparation import RegistrationCheck, checkerboard
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.imaging.resample import grid_with_spacing, resample_image, resample_mask
from hccoutcome.scene.appearance import appearance
from hccoutcome.scene.build import add_case, add_findings
from hccoutcome.scene.exchange import image_from_node, mask_from_segment, region_from_segment, table_from_node
from hccoutcome.scene.habitats import TUMOUR_OPACITY, add_habitats, habitats_in
from hccoutcome.scene.nodes import nodes_of, remove_case
from hccoutcome.scene.store import load_scene, save_scene

HALVES = np.zeros((8, 10, 12), dtype=np.uint8)
HALVES[1:7, 1:9, 1:11] = 1
HALVES[1:7, 1:9, 6:11] = 2


def image(array: np.ndarray) -> sitk.Image:
    found = sitk.GetImageFromArray(array)
    found.SetOrigin((-20.0, 30.0, 100.0))
    found.SetSpacing((2.0, 2.0, 3.0))
    return found


def example_case() -> Case:
    draw = np.random.default_rng(0)
    levels = {"arterial": [50, 90, 200], "portal": [70, 60, 150]}
    images = {p: image(np.choose(HALVES, v) + draw.normal(0, 3, HALVES.shape)) for p, v in levels.items()}
    return Case("one", images, {"tumor": (image((HALVES > 0).astype(np.uint8)),)}, modality="CT")


@pytest.fixture(scope="module")
def found():
    case = example_case()
    settings = HabitatSettings(k_range=(2, 4), k=2, repeats=0)
    habitats = find_habitats(case.images, case.masks["tumor"][0], settings)
    board = checkerboard(case.images["portal"], case.images["arterial"])
    return case, habitats, (RegistrationCheck("arterial", "portal", 0.25, 0.5, 0.99, board),)


@pytest.fixture
def nodes(scene, found, tmp_path: Path):
    """The case's nodes after saving and reading back."""
    case, habitats, checks = found
    add_habitats(habitats, add_case(case), "tumor", checks)
    path = save_scene(tmp_path / "scene.mrb")
    scene.Clear(False)
    return nodes_of(load_scene(path), "one")


def test_each_habitat_is_a_named_coloured_and_coded_segment(nodes) -> None:
    segmentation = nodes.findings["habitats"]
    assert list(segmentation.GetSegmentation().GetSegmentIDs()) == ["habitat1", "habitat2"]
    for number in (1, 2):
        segment, look = segmentation.GetSegmentation().GetSegment(f"habitat{number}"), appearance(f"habitat{number}")
        assert (segment.GetName(), segment.GetTerminology()) == (f"Habitat {number}", look.terminology)
        np.testing.assert_allclose(segment.GetColor(), look.colour, atol=1e-6)
        mask = mask_from_segment(segmentation, f"habitat{number}", nodes.images["portal"])
        np.testing.assert_array_equal(sitk.GetArrayFromImage(mask) != 0, number == HALVES)
    assert segmentation.GetSegmentation().ContainsRepresentation("Closed surface")


def test_the_tumour_stands_beside_and_lets_its_habitats_be_seen(nodes) -> None:
    (regions,) = nodes.segmentations
    display = regions.GetDisplayNode()
    assert regions.GetSegmentation().GetSegment("tumor") is not None
    assert display.GetSegmentOpacity3D("tumor") == TUMOUR_OPACITY
    assert not display.GetSegmentVisibility2DFill("tumor")


def test_the_tables_hold_all_numbers(nodes, found) -> None:
    _, habitats, _ = found
    table = table_from_node(nodes.findings["habitats:table"])
    assert table["region"] == ["habitat1", "habitat2", "tumor"]
    np.testing.assert_array_equal(table["voxels"], [240, 240, 480])
    assert table["ith"][2] == habitats.measures["ith"]
    assert np.isnan(table["ith"][:2]).all()
    features = table_from_node(nodes.findings["habitats:features"])
    assert dict(zip(features["Feature"], features["Value"], strict=True)) == dict(habitats.features)
    interaction = table_from_node(nodes.findings["habitats:interaction"])
    np.testing.assert_array_equal(np.column_stack(list(interaction.values())[1:]), habitats.interaction)
    registration = table_from_node(nodes.findings["habitats:registration"])
    assert (registration["phase"], registration["mutual_information_after"].tolist()) == (["arterial"], [0.5])


def test_the_elbow_is_a_chart_of_the_curve_with_the_chosen_number(nodes, found) -> None:
    _, habitats, _ = found
    chart = nodes.findings["habitats:elbow"]
    names = vtk_names(chart)
    assert names == ["Inertia", "Chosen: 2"]
    curve = chart.GetNthPlotSeriesNode(0)
    assert (curve.GetXColumnName(), curve.GetYColumnName()) == ("k", "inertia")
    assert curve.GetTableNode() is nodes.findings["habitats:curve"]
    table = table_from_node(curve.GetTableNode())
    assert table["k"].tolist() == [2, 3, 4]
    np.testing.assert_array_equal(table["inertia"], [point.inertia for point in habitats.curve])
    chosen = table_from_node(chart.GetNthPlotSeriesNode(1).GetTableNode())
    assert chosen["k"].tolist() == [2]


def vtk_names(chart: slicer.vtkMRMLPlotChartNode) -> list[str]:
    return [chart.GetNthPlotSeriesNode(index).GetName() for index in range(chart.GetNumberOfPlotSeriesNodes())]


def test_the_registration_can_be_looked_at(nodes, found) -> None:
    case, _, (check,) = found
    volume = nodes.findings["habitats:check-arterial"]
    assert volume.GetName() == "Check: Arterial phase on Portal venous phase"
    seen = sitk.GetArrayFromImage(image_from_node(volume)).astype(float)
    np.testing.assert_allclose(seen, sitk.GetArrayFromImage(check.checkerboard), atol=0.5)
    assert set(nodes.images) == set(case.images)


def test_the_summary_survives_as_json(nodes, found) -> None:
    _, habitats, _ = found
    summary = json.loads(nodes.findings["habitats:summary"].GetText())
    assert summary["ordering"] == habitats.ordering
    assert summary["settings"] == habitats.settings.to_dict()


def test_adding_again_replaces_and_removing_leaves_nothing(scene, found) -> None:
    case, habitats, checks = found
    before = scene.GetNumberOfNodes()
    nodes = add_habitats(habitats, add_case(case), "tumor", checks)
    once = scene.GetNumberOfNodes()
    add_habitats(habitats, nodes, "tumor", checks)
    assert scene.GetNumberOfNodes() == once
    remove_case(scene, "one")
    hierarchy_and_views = scene.GetNumberOfNodes() - before
    add_case(case)
    remove_case(scene, "one")
    assert scene.GetNumberOfNodes() - before == hierarchy_and_views


def test_findings_and_habitats_leave_each_other_alone(scene, found) -> None:
    case, habitats, _ = found
    nodes = add_habitats(habitats, add_case(case), provenance={"time": "now"})
    of_habitats = dict(nodes.findings)
    findings = Findings("one", features={"portal_tumor_original_firstorder_Mean": 1.0}, provenance={"a": 1})
    nodes = add_findings(findings, nodes)
    assert all(nodes.findings[role] is node for role, node in of_habitats.items())
    of_findings = {role: node for role, node in nodes.findings.items() if role not in of_habitats}
    assert set(of_findings) == {"features", "findings", "provenance"}
    nodes = add_habitats(habitats, nodes, provenance={"time": "later"})
    assert all(nodes.findings[role] is node for role, node in of_findings.items())
    assert json.loads(nodes.findings["habitats:provenance"].GetText()) == {"time": "later"}
    before = scene.GetNumberOfNodes()
    add_findings(findings, nodes)
    assert scene.GetNumberOfNodes() == before


def test_habitats_are_found_again_in_the_scene(nodes, found) -> None:
    _, habitats, _ = found
    seen = habitats_in(nodes.scene, "one")
    assert seen.segmentation is nodes.findings["habitats"]
    assert seen.chart is nodes.findings["habitats:elbow"]
    assert seen.summary["measures"] == dict(habitats.measures)
    assert set(seen.nodes) >= {"table", "measures", "features", "curve", "interaction"}
    assert habitats_in(nodes.scene, "two") is None
    nodes.scene.RemoveNode(seen.chart)
    assert habitats_in(nodes.scene, "one") is None


def test_the_measures_are_a_table_to_read(nodes, found) -> None:
    _, habitats, _ = found
    table = table_from_node(nodes.findings["habitats:measures"])
    assert dict(zip(table["Name"], table["Value"], strict=True)) == dict(habitats.measures)
    assert table["Measure"][0] == "Heterogeneity (ITH)"


def test_habitats_lie_beside_the_tumour_wherever_the_user_keeps_it(scene, found) -> None:
    case, habitats, _ = found
    nodes = add_case(case)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    own = hierarchy.CreateStudyItem(hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "From DICOM"), "MRI")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(nodes.segmentations[0]), own)
    for _ in range(2):
        nodes = add_habitats(habitats, nodes)
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes.findings["habitats"])) == own
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes.findings["habitats:elbow"])) == own


def test_a_map_on_a_prepared_grid_keeps_that_grid_and_its_place(scene, found) -> None:
    case, _, _ = found
    grid = grid_with_spacing(case.images["portal"], (1.0, 1.0, 1.0))
    images = {phase: resample_image(image, grid, "linear") for phase, image in case.images.items()}
    mask = resample_mask(case.masks["tumor"][0], grid)
    habitats = find_habitats(images, mask, HabitatSettings(k=2, k_range=(2, 2), repeats=0, radiomics=None))
    nodes = add_habitats(habitats, add_case(case))
    segmentation = nodes.findings["habitats"]
    labelmap = slicer.vtkOrientedImageData()
    segmentation.GetBinaryLabelmapRepresentation("habitat1", labelmap)
    np.testing.assert_allclose(labelmap.GetSpacing(), (1.0, 1.0, 1.0))
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    kept = slicer.vtkOrientedImageData()
    converter = slicer.vtkSegmentationConverter
    converter.DeserializeImageGeometry(segmentation.GetSegmentation().GetConversionParameter(name), kept)
    np.testing.assert_allclose(kept.GetSpacing(), (1.0, 1.0, 1.0))
    mine = region_from_segment(segmentation, "habitat2")
    volume = np.count_nonzero(sitk.GetArrayFromImage(mine)) * np.prod(mine.GetSpacing()) / 1000
    assert volume == pytest.approx(habitats.sizes[1].volume_ml)
    centre = mine.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in mine.GetSize()])
    inside = np.argwhere(sitk.GetArrayFromImage(habitats.labels) == 2)[:, ::-1]
    middle = habitats.labels.TransformContinuousIndexToPhysicalPoint(
        ((inside.min(axis=0) + inside.max(axis=0)) / 2).tolist()
    )
    np.testing.assert_allclose(centre, middle, atol=1e-9)
