"""Stability in the scene: tables that are read back as they were, and perturbed masks over their image."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from perturbation_case import case

from hccoutcome.cli import main
from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.scene.exchange import image_from_node, mask_from_segment, table_from_node
from hccoutcome.scene.nodes import find_case_nodes, nodes_of
from hccoutcome.scene.stability import (
    COHORT,
    add_cohort_stability,
    add_perturbations,
    add_stability,
    stability_columns,
    stability_in,
)
from hccoutcome.scene.store import load_scene, save_scene
from hccoutcome.stability.gate import stability_table, variation_table
from hccoutcome.stability.inspection import PerturbedCase, inspected, on_whole_grid
from hccoutcome.stability.perturbation import PerturbationSettings
from hccoutcome.stability.perturber import perturbations
from hccoutcome.stability.ratings import Ratings, ratings_of
from hccoutcome.stability.table import Gate


def ratings() -> Ratings:
    """Return three features of three subjects by two readers: steady, in perfect agreement, and constant."""
    values = {"a": (1.0, 1.1), "b": (2.0, 2.1), "c": (3.2, 3.1)}
    return ratings_of(
        [
            (subject, reader, {"steady": pair[place], "perfect": pair[0], "constant": 3.0})
            for subject, pair in values.items()
            for place, reader in enumerate("12")
        ]
    )


def perturbed_case(degrees: float = 25.0) -> PerturbedCase:
    image, mask = case()
    settings = PerturbationSettings("RTVC", rotation_degrees=degrees)
    found = [
        inspected(item.perturbation, item.mask, Geometry.from_image(image))
        for item in perturbations(image, mask, settings, 1, (1, 2, 3))
    ]
    rows = [{"perturbation": number, "degrees": 1.5, "dice": 0.9, "failure": ""} for number in (1, 2)]
    rows.append({"perturbation": 3, "degrees": 1.5, "dice": None, "failure": "The mask is too small."})
    table = variation_table(ratings_of([("p1", str(i), {"x": 10.0 + i}) for i in range(3)]))
    return PerturbedCase("p1", image, mask, found, rows, table, "portal", "tumor")


def segments(node: slicer.vtkMRMLSegmentationNode) -> dict[str, slicer.vtkSegment]:
    found = node.GetSegmentation()
    ids = [found.GetNthSegmentID(place) for place in range(found.GetNumberOfSegments())]
    return {identifier: found.GetSegment(identifier) for identifier in ids}


def test_a_cohorts_table_survives_the_scene_file(scene, tmp_path: Path) -> None:
    table = stability_table(ratings(), Gate(0.8, "lower", 0.15), provenance={"sources": {"f.csv": "ab" * 32}})
    add_cohort_stability(table, "Test-retest")
    path = save_scene(tmp_path / "scene.mrb")
    scene.Clear(False)
    found = stability_in(load_scene(path))
    assert list(found) == ["Test-retest"]
    assert found["Test-retest"].to_dict() == table.to_dict()
    node = slicer.util.getNode("Feature stability")
    columns = table_from_node(node)
    for name, values in stability_columns(table).items():
        if isinstance(values, np.ndarray):
            np.testing.assert_array_equal(columns[name], values)
        else:
            assert columns[name] == values
    assert columns["F"][1] == math.inf
    assert math.isnan(columns["icc"][2])
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
    assert hierarchy.GetItemName(folder) == "Test-retest"
    assert hierarchy.GetItemAttribute(folder, COHORT) == "Test-retest"


def test_adding_again_replaces_and_cohorts_stand_side_by_side(scene) -> None:
    first, second = stability_table(ratings()), stability_table(ratings(), Gate(0.9))
    for table, cohort in ((first, "A"), (first, "B"), (second, "A")):
        add_cohort_stability(table, cohort)
    found = stability_in(scene)
    assert {name: table.gate.icc for name, table in found.items()} == {"A": 0.9, "B": 0.75}
    assert len(slicer.util.getNodesByClass("vtkMRMLTableNode", scene)) == 2
    assert find_case_nodes(scene) == {}


def test_a_changed_text_is_no_table(scene) -> None:
    nodes = add_cohort_stability(stability_table(ratings()), "A")
    nodes["stability:source"].SetText(nodes["stability:source"].GetText().replace("true", "false"))
    with pytest.raises(InputError, match="table of 'A' in the scene, feature 1: 'steady' is called unstable"):
        stability_in(scene)
    nodes["stability:source"].SetText("{")
    with pytest.raises(InputError, match="table of 'A' in the scene was changed"):
        stability_in(scene)


def test_perturbed_masks_overlay_the_image_after_the_scene_file(scene, tmp_path: Path) -> None:
    study = perturbed_case()
    add_perturbations(study)
    path = save_scene(tmp_path / "scene.mrb")
    scene.Clear(False)
    nodes = nodes_of(load_scene(path), "p1")
    node, volume = nodes.findings["perturbations"], nodes.images["portal"]
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image_from_node(volume)), sitk.GetArrayFromImage(study.image))
    found = segments(node)
    assert [item.GetName() for item in found.values()] == ["Original outline", *(item.name for item in study.masks)]
    assert "turned" in found["perturbation001"].GetName()
    assert all("SCT^108369006^Neoplasm" in item.GetTerminology() for item in found.values())
    expected = [study.mask, *(on_whole_grid(item.mask, Geometry.from_image(study.image)) for item in study.masks)]
    for identifier, mask in zip(found, expected, strict=True):
        np.testing.assert_array_equal(
            sitk.GetArrayFromImage(mask_from_segment(node, identifier, volume)), sitk.GetArrayFromImage(mask)
        )


def test_the_study_lies_under_its_case_with_its_tables(scene, tmp_path: Path) -> None:
    study = perturbed_case()
    add_perturbations(study)
    nodes = nodes_of(load_scene(save_scene(tmp_path / "scene.mrb")), "p1")
    assert set(nodes.findings) == {"perturbations", "perturbations:table", "stability", "stability:source"}
    rows = table_from_node(nodes.findings["perturbations:table"])
    assert rows["perturbation"].tolist() == [1, 2, 3]
    assert math.isnan(rows["dice"][2])
    assert rows["failure"][2] == "The mask is too small."
    assert stability_in(scene)["p1"].to_dict() == study.table.to_dict()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    parents = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in nodes.findings.values()}
    assert len(parents) == 1
    assert hierarchy.GetItemAttribute(parents.pop(), "HCC.case") == "p1"


def test_a_table_added_to_a_case_replaces_the_earlier_one(scene) -> None:
    nodes = add_perturbations(perturbed_case())
    nodes = add_stability(stability_table(ratings()), nodes)
    assert stability_in(scene)["p1"].model == "2,1"
    assert "perturbations" in nodes.findings


def test_a_study_without_masks_to_show_has_its_outline(scene) -> None:
    study = perturbed_case()
    bare = PerturbedCase("p1", study.image, study.mask, (), study.rows, study.table)
    nodes = add_perturbations(bare)
    assert list(segments(nodes.findings["perturbations"])) == ["original"]


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    image, mask = case()
    sitk.WriteImage(image, str(tmp_path / "image.nrrd"))
    sitk.WriteImage(mask, str(tmp_path / "mask.nrrd"))
    (tmp_path / "parameters.json").write_text('{"featureClass": {"firstorder": ["Mean"]}}')
    return [
        *("--image", f"portal={tmp_path / 'image.nrrd'}", "--mask", f"tumor={tmp_path / 'mask.nrrd'}"),
        *("--settings", str(tmp_path / "parameters.json"), "--n", "4", "--out", str(tmp_path / "p1")),
    ]


def test_perturb_writes_a_scene_with_as_many_masks_as_asked(
    scene, inputs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["perturb", *inputs, "--show", "2"]) == 0
    assert "scene.mrb shows the outline and 2 of 4 perturbed ones" in capsys.readouterr().out
    nodes = nodes_of(load_scene(tmp_path / "p1" / "scene.mrb"), "p1")
    found = segments(nodes.findings["perturbations"])
    assert list(found) == ["original", "perturbation001", "perturbation002"]
    assert main(["perturb", *inputs, "--show", "101"]) == 2
    assert "0 to 100 perturbed masks, found 101" in capsys.readouterr().err


def test_stability_writes_a_scene_and_keeps_another(scene, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = ["patient,reader,x", *(f"{s},{r},{v + int(r) / 10}" for s, v in (("a", 1.0), ("b", 2.0)) for r in "12")]
    (tmp_path / "features.csv").write_text("\n".join(rows))
    call = ["stability", str(tmp_path / "features.csv"), "--subject", "patient", "--rater", "reader"]
    call += ["--out", str(tmp_path / "out.csv"), "--scene", str(tmp_path / "readers.mrb")]
    assert main(call) == 0
    (table,) = stability_in(load_scene(tmp_path / "readers.mrb")).values()
    assert [item.feature for item in table.features] == ["x"]
    before = (tmp_path / "readers.mrb").read_bytes()
    assert main(call) == 2
    assert "found 'readers.mrb' there already" in capsys.readouterr().err
    assert (tmp_path / "readers.mrb").read_bytes() == before
