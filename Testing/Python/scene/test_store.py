from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import worked_example
from vtkmodules.util.vtkConstants import VTK_LONG_LONG
from vtkmodules.vtkCommonCore import vtkObject
from vtkmodules.vtkCommonDataModel import vtkImageData

from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.scene import store
from hccoutcome.scene.appearance import appearance
from hccoutcome.scene.build import add_case, add_findings, masks_by_grid
from hccoutcome.scene.exchange import image_from_node, mask_from_segment, table_from_node
from hccoutcome.scene.nodes import CaseNodes, nodes_of
from hccoutcome.scene.places import point_of_interest
from hccoutcome.scene.store import load_scene, save_scene


@pytest.fixture(params=[False, True], ids=["straight", "oblique"])
def saved(scene, tmp_path: Path, request: pytest.FixtureRequest):
    """Save a case with findings, empty the scene and read it back: the case, its nodes and the file."""
    case = worked_example.case(oblique=request.param)
    add_findings(worked_example.findings(), add_case(case))
    tables = {role: table_from_node(node) for role, node in tables_of(nodes_of(scene, case.case_id)).items()}
    path = save_scene(tmp_path / "scene.mrb")
    scene.Clear(False)
    return case, nodes_of(load_scene(path), case.case_id), tables


def tables_of(nodes: CaseNodes) -> dict:
    return {role: node for role, node in nodes.findings.items() if node.IsA("vtkMRMLTableNode")}


def test_voxels_and_positions_survive(saved) -> None:
    case, nodes, _ = saved
    assert set(nodes.images) == set(case.images)
    for phase, image in case.images.items():
        found = image_from_node(nodes.images[phase])
        assert found.GetPixelIDTypeAsString() == image.GetPixelIDTypeAsString()
        np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(image))
        for part in ("GetOrigin", "GetSpacing", "GetDirection"):
            np.testing.assert_allclose(getattr(found, part)(), getattr(image, part)(), rtol=0, atol=1e-12)


def test_window_and_attributes_survive(saved) -> None:
    _, nodes, _ = saved
    display = nodes.images["portal"].GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel()) == (350.0, 50.0, 0)
    assert nodes.images["portal"].GetName() == "Portal venous phase"
    assert nodes.images["portal"].GetAttribute("HCC.modality") == "CT"


def test_masks_survive_with_name_colour_and_code(saved) -> None:
    case, nodes, _ = saved
    groups = masks_by_grid(case)
    assert len(nodes.segmentations) == len(groups) == 2
    for segmentation, masks in zip(nodes.segmentations, groups, strict=True):
        volume = segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole())
        assert volume in nodes.images.values()
        assert set(segmentation.GetSegmentation().GetSegmentIDs()) == set(masks)
        for region, mask in masks.items():
            segment = segmentation.GetSegmentation().GetSegment(region)
            look = appearance(region)
            assert segment.GetName() == look.title
            np.testing.assert_allclose(segment.GetColor(), look.colour, atol=1e-5)
            assert segment.GetTerminology() == look.terminology
            found = mask_from_segment(segmentation, region, volume)
            np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(mask))


def test_surfaces_are_there_when_the_scene_opens(saved) -> None:
    _, nodes, _ = saved
    for segmentation in nodes.segmentations:
        assert segmentation.GetSegmentation().ContainsRepresentation("Closed surface")


def test_tables_survive_to_the_last_digit(saved) -> None:
    _, nodes, tables = saved
    assert set(tables_of(nodes)) == set(tables)
    for role, columns in tables.items():
        found = table_from_node(nodes.findings[role])
        assert list(found) == list(columns)
        for title, values in columns.items():
            if isinstance(values, list):
                assert found[title] == values
            else:
                np.testing.assert_array_equal(found[title], values)


def test_charts_survive_with_their_series_and_table(saved) -> None:
    _, nodes, _ = saved
    chart = nodes.findings["chart:radscore-tace-ct"]
    series = chart.GetNthPlotSeriesNode(0)
    assert chart.GetTitle() == worked_example.RADSCORE.title
    assert series.GetTableNode() is nodes.findings["contributions:radscore-tace-ct"]
    assert (series.GetYColumnName(), series.GetLabelColumnName()) == ("Contribution", "Input")
    assert series.GetPlotType() == slicer.vtkMRMLPlotSeriesNode.PlotTypeBar


def test_provenance_survives(saved) -> None:
    _, nodes, _ = saved
    assert json.loads(nodes.findings["provenance"].GetText()) == worked_example.findings().provenance


def test_the_subject_hierarchy_survives(saved, scene) -> None:
    _, nodes, _ = saved
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    everything = [*nodes.images.values(), *nodes.segmentations, *nodes.findings.values()]
    studies = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in everything}
    assert len(studies) == 1
    study = studies.pop()
    assert hierarchy.GetItemLevel(study) == "Study"
    patient = hierarchy.GetItemParent(study)
    assert hierarchy.GetItemLevel(patient) == "Patient"
    assert hierarchy.GetItemName(patient) == "example-1 (synthetic)"


def test_another_process_reads_the_same(scene, tmp_path: Path) -> None:
    add_findings(worked_example.findings(), add_case(worked_example.case()))
    path = save_scene(tmp_path / "scene.mrb")
    code = (
        "import sys; from pathlib import Path; from hccoutcome.scene.store import load_scene\n"
        "from hccoutcome.scene.nodes import nodes_of; from hccoutcome.scene.exchange import image_from_node\n"
        "import SimpleITK as sitk; nodes = nodes_of(load_scene(Path(sys.argv[1])), 'example-1')\n"
        "print({phase: sitk.Hash(image_from_node(node)) for phase, node in nodes.images.items()})"
    )
    run = subprocess.run([sys.executable, "-W", "error", "-c", code, str(path)], capture_output=True, text=True)
    hashes = {phase: sitk.Hash(image) for phase, image in worked_example.case().images.items()}
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, str(hashes), "")


def test_a_scene_file_holds_one_folder_and_no_machine_path(scene, tmp_path: Path) -> None:
    add_findings(worked_example.findings(), add_case(worked_example.case()))
    with zipfile.ZipFile(save_scene(tmp_path / "scene.mrb")) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"scene"}
        assert b"/tmp" not in archive.read("scene/scene.mrml")


def test_saving_twice_replaces_the_file(scene, tmp_path: Path) -> None:
    path = tmp_path / "scene.mrb"
    path.write_bytes(b"old")
    save_scene(path)
    assert zipfile.is_zipfile(path)
    assert [file.name for file in tmp_path.iterdir()] == ["scene.mrb"]


def test_a_full_disk_leaves_the_old_file_and_no_half_one(scene, tmp_path: Path, monkeypatch) -> None:
    def full(bundle: Path, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_zip", full)
    (tmp_path / "scene.mrb").write_bytes(b"old")
    with pytest.raises(EnvironmentNeeded, match="full: free some space"):
        save_scene(tmp_path / "scene.mrb")
    assert [file.name for file in tmp_path.iterdir()] == ["scene.mrb"]
    assert (tmp_path / "scene.mrb").read_bytes() == b"old"


def test_a_disk_that_fills_while_slicer_writes_is_noticed(scene, tmp_path: Path, monkeypatch) -> None:
    class FullFile:
        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, _: bytes) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.tempfile, "TemporaryFile", lambda dir: FullFile())
    with pytest.raises(EnvironmentNeeded, match="full: free some space"):
        save_scene(tmp_path / "scene.mrb")
    assert list(tmp_path.iterdir()) == []


def test_what_slicer_could_not_write_is_said(scene, tmp_path: Path) -> None:
    unwritable = slicer.vtkMRMLScalarVolumeNode()
    unwritable.SetAndObserveImageData(vtkImageData())
    unwritable.GetImageData().SetDimensions(2, 2, 2)
    unwritable.GetImageData().AllocateScalars(VTK_LONG_LONG, 1)
    scene.AddNode(unwritable)
    with pytest.raises(EnvironmentNeeded, match="The scene could not be written to") as refused:
        save_scene(tmp_path / "scene.mrb")
    assert str(tmp_path) in str(refused.value)
    assert ".partial" not in str(refused.value), "the folder that was asked for is named, not the hidden one"
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_libraries_are_silent_while_a_scene_cannot_be_written_and_speak_again_after(
    scene, tmp_path: Path, capfd
) -> None:
    unwritable = slicer.vtkMRMLScalarVolumeNode()
    unwritable.SetAndObserveImageData(vtkImageData())
    unwritable.GetImageData().SetDimensions(2, 2, 2)
    unwritable.GetImageData().AllocateScalars(VTK_LONG_LONG, 1)
    scene.AddNode(unwritable)
    before = vtkObject.GetGlobalWarningDisplay()
    capfd.readouterr()
    with pytest.raises(EnvironmentNeeded):
        save_scene(tmp_path / "scene.mrb")
    assert capfd.readouterr() == ("", "")
    assert vtkObject.GetGlobalWarningDisplay() == before == 1


def test_an_image_that_no_longer_fits_is_told_in_one_sentence_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; import numpy as np; import SimpleITK as sitk\n"
        "from hccoutcome.case import Case; from hccoutcome.errors import EnvironmentNeeded\n"
        "from hccoutcome.scene.build import add_case; from hccoutcome.scene.host import start_host\n"
        "from hccoutcome.scene.store import save_scene\n"
        "noise = np.random.default_rng(1).integers(0, 30000, (30, 256, 256), np.int16)\n"
        "start_host(); add_case(Case('a', {'portal': sitk.GetImageFromArray(noise)}, modality='CT'))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))\n"
        "try:\n    save_scene(Path(sys.argv[1]))\n"
        "except EnvironmentNeeded as error:\n    print(error)\n"
        "sys.stderr.write('heard again')"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "scene.mrb")], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "heard again")
    assert run.stdout.startswith(f"The scene could not be written to '{tmp_path}' (")
    assert run.stdout.count("\n") == 1
    assert ".partial" not in run.stdout


def test_a_table_that_no_longer_fits_names_the_folder_that_was_asked_for(scene, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    add_findings(worked_example.findings(), add_case(worked_example.case()))
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(EnvironmentNeeded) as refused:
        save_scene(tmp_path / "scene.mrb")
    assert str(refused.value) == f"The disk of '{tmp_path}' is full: free some space and run again."


def test_a_relative_path_is_read(scene, tmp_path: Path, monkeypatch) -> None:
    add_case(worked_example.case())
    (tmp_path / "deep").mkdir()
    save_scene(tmp_path / "deep" / "scene.mrb")
    scene.Clear(False)
    monkeypatch.chdir(tmp_path)
    assert nodes_of(load_scene(Path("deep/scene.mrb")), "example-1").images


def test_a_file_where_the_folder_should_be_is_explained(scene, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(EnvironmentNeeded, match="A file stands where the folder"):
        save_scene(tmp_path / "out" / "scene.mrb")


def test_another_ending_is_refused(scene, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"A scene is saved as one .mrb file, found 'scene.zip'"):
        save_scene(tmp_path / "scene.zip")


@pytest.mark.parametrize("name", ["scene.mrb", "scene.mrml"])
def test_a_missing_or_damaged_scene_is_refused(scene, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="found none at"):
        load_scene(tmp_path / name)
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(InputError, match=f"'{name}' could not be read as a scene"):
        load_scene(tmp_path / name)


def test_the_saved_scene_opens_on_the_tumour(saved, scene) -> None:
    _, nodes, _ = saved
    point = point_of_interest(nodes, nodes.images["arterial"])
    for name, axis in (("Red", 2), ("Green", 1), ("Yellow", 0)):
        view = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        layers = scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
        assert layers.GetBackgroundVolumeID() == nodes.images["arterial"].GetID()
        assert view.GetSliceToRAS().GetElement(axis, 3) == pytest.approx(point[axis], abs=1e-4)
    (camera,) = slicer.util.getNodesByClass("vtkMRMLCameraNode", scene)
    assert camera.GetLayoutName() == "1"
    assert camera.GetPosition()[1] > point[1], "the camera stands before the patient"
