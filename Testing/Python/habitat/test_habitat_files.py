from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import planted
import pytest
import SimpleITK as sitk

from hccoutcome.case import MaskFile
from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.habitat.find import find_habitats
from hccoutcome.habitat.habitats import Habitats
from hccoutcome.habitat.palette import habitat_colour
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.habitat.writing import TERMINOLOGY, write_habitats, write_segmentation
from hccoutcome.imaging.reading import read_mask

LABELS = planted.layers()


@pytest.fixture(scope="module")
def habitats() -> Habitats:
    oblique = sitk.Euler3DTransform()
    oblique.SetRotation(0.1, -0.2, 0.3)
    images = planted.images(LABELS)
    mask = planted.mask(LABELS)
    for image in (*images.values(), mask):
        image.SetDirection(oblique.GetMatrix())
        image.SetSpacing((0.7, 0.8, 2.5))
    return find_habitats(images, mask, HabitatSettings(k=3, k_range=(2, 4), repeats=0))


@pytest.fixture(scope="module")
def folder(habitats: Habitats, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "a" / "b"
    write_habitats(habitats, out)
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_segment_reads_back_as_its_habitat(habitats: Habitats, folder: Path) -> None:
    for number in (1, 2, 3):
        mask = read_mask(MaskFile(folder / "habitats.seg.nrrd", f"Habitat {number}"))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(mask) != 0, number == LABELS)
        for part in ("GetOrigin", "GetSpacing", "GetDirection"):
            np.testing.assert_allclose(getattr(mask, part)(), getattr(habitats.labels, part)(), atol=1e-12)


def test_the_real_mrml_reads_the_segmentation(habitats: Habitats, folder: Path) -> None:
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    from hccoutcome.scene.appearance import appearance
    from hccoutcome.scene.exchange import image_from_node, mask_from_segment, node_from_image
    from hccoutcome.scene.host import clear_scene, start_host

    clear_scene()
    scene = start_host()
    node = slicer.vtkMRMLSegmentationNode()
    scene.AddNode(node)
    storage = slicer.vtkMRMLSegmentationStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(str(folder / "habitats.seg.nrrd"))
    assert storage.ReadData(node) == 1
    volume = node_from_image(habitats.labels, "grid", scene)
    segmentation = node.GetSegmentation()
    assert list(segmentation.GetSegmentIDs()) == ["habitat1", "habitat2", "habitat3"]
    for number in (1, 2, 3):
        segment = segmentation.GetSegment(f"habitat{number}")
        look = appearance(f"habitat{number}")
        assert (segment.GetName(), segment.GetTerminology()) == (look.title, look.terminology)
        np.testing.assert_allclose(segment.GetColor(), look.colour, atol=1e-6)
        mask = mask_from_segment(node, f"habitat{number}", volume)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(mask) != 0, number == LABELS)
    assert image_from_node(volume).GetSize() == habitats.labels.GetSize()


def test_colours_and_codes_are_those_of_the_scene() -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from hccoutcome.scene.appearance import appearance

    for number in range(1, 20):
        look = appearance(f"habitat{number}")
        assert [round(255 * part) for part in look.colour] == list(habitat_colour(number))
        assert look.terminology == TERMINOLOGY


def test_an_absent_habitat_has_no_segment_and_the_others_keep_name_and_colour(
    habitats: Habitats, tmp_path: Path
) -> None:
    from dataclasses import replace

    labels = sitk.Image(habitats.labels) * (habitats.labels != 1)
    path = write_segmentation(replace(habitats, labels=labels), tmp_path / "h.seg.nrrd")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    assert [reader.GetMetaData(f"Segment{n}_{name}") for n in (0, 1) for name in ("Name", "LabelValue")] == [
        "Habitat 2",
        "2",
        "Habitat 3",
        "3",
    ]
    assert not reader.HasMetaDataKey("Segment2_Name")


def test_the_label_image_holds_the_map(folder: Path) -> None:
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "habitats.nii.gz"))), LABELS)


def test_the_habitat_table_has_a_row_each_and_one_for_the_tumour(habitats: Habitats, folder: Path) -> None:
    *each, tumour = rows(folder / "habitats.csv")
    assert [row["region"] for row in each] == ["habitat1", "habitat2", "habitat3"]
    assert tumour["region"] == "tumor"
    for row, size in zip(each, habitats.sizes, strict=True):
        assert (int(row["voxels"]), float(row["volume_ml"])) == (size.voxels, size.volume_ml)
        assert float(row["proportion"]) == size.proportion
        assert row["ith"] == ""
    assert float(each[0]["volume_ml"]) == pytest.approx(int((LABELS == 1).sum()) * 0.7 * 0.8 * 2.5 / 1000)
    assert float(tumour["ith"]) == habitats.measures["ith"]
    assert float(tumour["msi_contrast"]) == habitats.measures["msi_contrast"]
    matrix = [[int(row[f"msi_{name}"]) for name in ("outside", "habitat1", "habitat2", "habitat3")] for row in each]
    np.testing.assert_array_equal(matrix, habitats.interaction[1:])
    assert [int(tumour[f"msi_habitat{number}"]) for number in (1, 2, 3)] == habitats.interaction[1:, 1:].sum(0).tolist()


def test_the_feature_table_has_one_row_with_all_digits(habitats: Habitats, folder: Path) -> None:
    (row,) = rows(folder / "features.csv")
    assert len(row) == 1140
    assert {name: float(text) for name, text in row.items()} == dict(habitats.features)


def test_the_curve_marks_the_chosen_number(habitats: Habitats, folder: Path) -> None:
    curve = rows(folder / "elbow.csv")
    assert [(int(row["k"]), int(row["chosen"])) for row in curve] == [(2, 0), (3, 1), (4, 0)]
    assert [float(row["inertia"]) for row in curve] == [point.inertia for point in habitats.curve]
    assert curve[0]["gap"] == ""


def test_the_summary_is_json(habitats: Habitats, folder: Path) -> None:
    assert json.loads((folder / "habitats.json").read_text(encoding="utf-8")) == habitats.summary()


def test_a_file_in_the_way_is_named(habitats: Habitats, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x", encoding="utf-8")
    with pytest.raises(EnvironmentNeeded, match="A file stands where the folder"):
        write_habitats(habitats, tmp_path / "out")
