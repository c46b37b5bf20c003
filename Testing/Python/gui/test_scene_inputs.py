"""A case of the scene written to files: the same voxels, grids and regions, or a sentence why not."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.errors import InputError
from hccoutcome.loading import load_case


def image(seed, size=(24, 22, 12), spacing=(0.8, 0.8, 2.5), origin=(-12.0, 7.0, 100.0)):
    array = np.random.default_rng(seed).normal(60, 20, size[::-1]).astype(np.int16)
    found = sitk.GetImageFromArray(array)
    found.SetSpacing(spacing)
    found.SetOrigin(origin)
    found.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    return found


def mask_on(grid, *corners):
    array = np.zeros(grid.GetSize()[::-1], np.uint8)
    array[tuple(slice(low, high) for low, high in corners)] = 1
    mask = sitk.GetImageFromArray(array)
    mask.CopyInformation(grid)
    return mask


@pytest.fixture
def case():
    portal = image(1)
    masks = {
        "tumor": (mask_on(portal, (3, 7), (4, 9), (5, 12)),),
        "liver": (mask_on(portal, (1, 10), (2, 20), (2, 22)),),
    }
    return Case("P001", {"portal": portal, "arterial": image(2)}, masks, {"alb": 41.0}, "CT", synthetic=True)


@pytest.fixture
def scene_case(scene, case):
    from hccoutcome.scene.build import add_case
    from hccoutcome.scene.inputs import SceneCase

    nodes = add_case(case)
    return SceneCase(
        case_id="P001",
        volumes=nodes.images,
        segmentation=nodes.segmentations[0],
        segments={"tumor": ("tumor",), "liver": ("liver",)},
        clinical={"alb": "41 g/L"},
        modality="CT",
    )


def changed(case, **fields):
    from dataclasses import replace

    return replace(case, **fields)


def write(case, folder):
    from hccoutcome.scene.inputs import write_case

    return write_case(case, folder)


def test_what_the_worker_reads_is_what_lies_in_the_scene(case, scene_case, tmp_path):
    read = load_case(write(scene_case, tmp_path))
    assert read.case_id == "P001"
    assert read.modality == "CT"
    assert read.synthetic
    assert dict(read.clinical) == {"alb": 41.0}
    for phase, expected in case.images.items():
        np.testing.assert_array_equal(sitk.GetArrayFromImage(read.images[phase]), sitk.GetArrayFromImage(expected))
        assert read.images[phase].GetSpacing() == pytest.approx(expected.GetSpacing(), rel=1e-12)
        assert read.images[phase].GetOrigin() == pytest.approx(expected.GetOrigin(), rel=1e-12)
        assert read.images[phase].GetDirection() == pytest.approx(expected.GetDirection(), abs=1e-12)
    for region, (expected,) in case.masks.items():
        (mask,) = read.masks[region]
        np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), sitk.GetArrayFromImage(expected))


def test_several_segments_of_a_region_are_united(case, scene_case, tmp_path):
    files = write(changed(scene_case, segments={"tumor": ("tumor", "liver")}), tmp_path)
    (mask,) = load_case(files).masks["tumor"]
    both = np.maximum(*(sitk.GetArrayFromImage(masks[0]) for masks in case.masks.values()))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), both)


def test_a_region_is_written_once_for_each_grid(scene, case, scene_case, tmp_path):
    from hccoutcome.scene.exchange import node_from_image

    other = image(3, size=(30, 30, 20), spacing=(0.7, 0.7, 1.5))
    volumes = {**scene_case.volumes, "delayed": node_from_image(other, "delayed", scene)}
    files = write(changed(scene_case, volumes=volumes), tmp_path)
    assert len(files.masks["tumor"]) == 2
    masks = load_case(files).masks["tumor"]
    assert {mask.GetSize() for mask in masks} == {case.images["portal"].GetSize(), other.GetSize()}


def test_the_files_are_not_compressed(scene_case, tmp_path):
    files = write(scene_case, tmp_path)
    assert b"encoding: raw" in files.images["portal"].path.read_bytes()[:1000]


def habitats_on(scene, grid):
    """Return a segmentation with one habitat on a grid of its own."""
    import slicer

    from hccoutcome.scene.exchange import segment_from_mask

    node = slicer.vtkMRMLSegmentationNode()
    node.SetName("Habitats")
    scene.AddNode(node)
    node.GetSegmentation().AddSegment(segment_from_mask(mask_on(grid, (6, 10), (10, 16), (9, 20)), "H"), "habitat1")
    return node


def test_habitats_are_regions_too(scene, case, scene_case, tmp_path):
    habitats = habitats_on(scene, case.images["portal"])
    files = write(changed(scene_case, habitats=habitats), tmp_path)
    assert list(files.masks) == ["tumor", "liver", "habitat1"]
    (mask,) = load_case(files).masks["habitat1"]
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(mask),
        sitk.GetArrayFromImage(mask_on(case.images["portal"], (6, 10), (10, 16), (9, 20))),
    )


def test_habitats_of_prepared_images_are_written_as_they_were_drawn_too(scene, case, scene_case, tmp_path):
    from hccoutcome.imaging.resample import grid_with_spacing

    wanted = grid_with_spacing(case.images["portal"], (1.0, 1.0, 1.0))
    grid = sitk.Image(wanted.size, sitk.sitkUInt8)
    grid.SetSpacing(wanted.spacing)
    grid.SetOrigin(wanted.origin)
    grid.SetDirection(wanted.direction)
    habitats = habitats_on(scene, grid)
    masks = load_case(write(changed(scene_case, habitats=habitats), tmp_path)).masks["habitat1"]
    assert [mask.GetSpacing()[0] for mask in masks] == pytest.approx([0.8, 1.0])
    own = masks[1]
    assert sitk.GetArrayFromImage(own).sum() == 4 * 6 * 11
    drawn = mask_on(grid, (6, 10), (10, 16), (9, 20))
    first = np.argwhere(sitk.GetArrayFromImage(drawn))[0][::-1].tolist()
    at = own.TransformPhysicalPointToIndex(drawn.TransformIndexToPhysicalPoint(first))
    assert at == (1, 1, 1), "in its place, with a voxel around it"


def test_a_case_without_images_is_its_record_alone(scene_case, tmp_path):
    files = write(changed(scene_case, volumes={}), tmp_path)
    assert (dict(files.images), dict(files.masks)) == ({}, {})
    assert files.clinical == {"alb": "41 g/L"}


def test_the_looks_of_a_case_go_by_region_whatever_the_segments_are_called(scene_case):
    from hccoutcome.scene.looks import apply_looks, looks_of, windows_of
    from hccoutcome.scene.nodes import nodes_of

    segment = scene_case.segmentation.GetSegmentation().GetSegment("liver")
    segment.SetName("Foie")
    segment.SetColor(0.1, 0.2, 0.3)
    scene_case.volumes["portal"].GetDisplayNode().SetWindowLevel(123.0, 45.0)
    looks = looks_of(changed(scene_case, segments={"tumor": ("liver",)}))
    assert looks == {"tumor": {"title": "Foie", "colour": [0.1, 0.2, 0.3], "opacity": 0.25}}
    windows = windows_of(scene_case)
    assert windows["portal"] == (123.0, 45.0)
    scene_case.volumes["portal"].GetDisplayNode().SetWindowLevel(1.0, 1.0)
    nodes = nodes_of(slicer_scene(), "P001")
    apply_looks(nodes, looks, windows)
    drawn = nodes.segmentations[0].GetSegmentation().GetSegment("tumor")
    assert (drawn.GetName(), drawn.GetColor()) == ("Foie", (0.1, 0.2, 0.3))
    assert nodes.images["portal"].GetDisplayNode().GetWindow() == 123.0


def slicer_scene():
    import slicer

    return slicer.mrmlScene


@pytest.mark.parametrize("other", ["same", "coarser", "shifted", "oblique"])
def test_a_region_is_put_together_as_slicer_resamples_it(scene, scene_case, tmp_path, other):
    """Box by box and slab by slab the same voxels as the whole segment resampled at once."""
    from hccoutcome.scene import handover
    from hccoutcome.scene.exchange import image_from_node, mask_from_segment, node_from_image

    grids = {
        "same": image(3),
        "coarser": image(3, size=(14, 13, 9), spacing=(1.5, 1.4, 3.0)),
        "shifted": image(3, origin=(-10.9, 8.3, 104.0)),
        "oblique": image(3),
    }
    grid = grids[other]
    if other == "oblique":
        turn = np.deg2rad(20)
        middle = [(size - 1) / 2 for size in grid.GetSize()]
        centre = np.array(grid.TransformContinuousIndexToPhysicalPoint(middle))
        grid.SetDirection((np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1))
        now = np.array(grid.TransformContinuousIndexToPhysicalPoint(middle))
        grid.SetOrigin((np.array(grid.GetOrigin()) + centre - now).tolist())
    volume = node_from_image(grid, "Grid", scene)
    for key in ("liver", "tumor"):
        expected = mask_from_segment(scene_case.segmentation, key, volume)
        part = handover.part_of_segment(scene_case.segmentation, key, volume)
        path = tmp_path / f"{key}.nrrd"
        for fraction in handover.write_region([part], volume, path):
            assert 0 < fraction <= 1
        found = sitk.ReadImage(str(path))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))
        assert found.GetSize() == expected.GetSize()
        np.testing.assert_allclose(found.GetOrigin(), expected.GetOrigin(), atol=1e-9)
        np.testing.assert_allclose(found.GetDirection(), expected.GetDirection(), atol=1e-9)
        assert sitk.GetArrayFromImage(image_from_node(volume)).shape == part_shape(found)


def part_shape(found):
    return sitk.GetArrayFromImage(found).shape


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64])
def test_a_volume_is_written_as_it_lies_in_memory(scene, tmp_path, kind, monkeypatch):
    from hccoutcome.scene import handover
    from hccoutcome.scene.exchange import image_from_node, node_from_image

    monkeypatch.setattr(handover, "SLAB_BYTES", 2000)
    array = np.random.default_rng(1).integers(0, 100, (12, 22, 24)).astype(kind)
    given = sitk.GetImageFromArray(array)
    given.CopyInformation(image(1))
    volume = node_from_image(given, "Volume", scene)
    fractions = list(handover.write_volume(volume, tmp_path / "v.nrrd"))
    assert len(fractions) > 3, "in small steps"
    assert fractions[-1] == 1.0
    found, expected = sitk.ReadImage(str(tmp_path / "v.nrrd")), image_from_node(volume)
    assert found.GetPixelID() == expected.GetPixelID()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))
    np.testing.assert_allclose(found.GetSpacing(), expected.GetSpacing(), rtol=1e-12)
    np.testing.assert_allclose(found.GetOrigin(), expected.GetOrigin(), rtol=1e-12)


def test_a_case_that_is_not_marked_as_synthetic_is_not(scene, scene_case, tmp_path):
    from hccoutcome.scene.exchange import node_from_image

    volume = node_from_image(image(4), "CT of a patient", scene)
    assert not write(changed(scene_case, volumes={"portal": volume}), tmp_path).synthetic


def test_a_segment_that_is_gone_is_named(scene_case, tmp_path):
    with pytest.raises(InputError, match="no longer has the segment 'old': choose its regions again"):
        write(changed(scene_case, segments={"tumor": ("old",)}), tmp_path)


def test_an_empty_region_is_named(scene_case, tmp_path):
    scene_case.segmentation.GetSegmentation().AddEmptySegment("empty", "Lesion")
    with pytest.raises(InputError, match="The region 'tumor' was expected to hold at least one voxel of the volume"):
        write(changed(scene_case, segments={"tumor": ("empty",)}), tmp_path)


def test_a_volume_without_voxels_is_named(scene, scene_case, tmp_path):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    with pytest.raises(InputError, match="The volume 'Empty' has no voxels: choose another, or load it again"):
        write(changed(scene_case, volumes={"portal": empty}), tmp_path)


def test_a_segmentation_under_a_transform_is_refused(scene, scene_case, tmp_path):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Shift")
    scene_case.segmentation.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(InputError, match="lies under the transform 'Shift': harden the transform first"):
        write(scene_case, tmp_path)


def sheared(volume):
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    matrix.SetElement(0, 2, 0.5)
    volume.SetIJKToRASMatrix(matrix)


def coloured(volume):
    volume.GetImageData().AllocateScalars(4, 3)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (sheared, "to have axes at right angles, found sheared ones: resample it"),
        (coloured, "to hold one value per voxel, found 3"),
    ],
)
def test_a_volume_that_cannot_be_measured_is_named(spoil, sentence, scene_case, tmp_path):
    """A tilted gantry, hardened: shape and volume would silently be wrong."""
    spoil(next(iter(scene_case.volumes.values())))
    with pytest.raises(InputError, match=sentence):
        write(scene_case, tmp_path)
