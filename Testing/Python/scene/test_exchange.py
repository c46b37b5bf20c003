from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import worked_example
from hypothesis import given, settings
from hypothesis import strategies as st
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.scene.exchange import (
    image_from_node,
    mask_from_segment,
    node_from_image,
    node_from_table,
    segment_from_mask,
    table_from_node,
)
from hccoutcome.scene.host import clear_scene, start_host
from hccoutcome.scene.store import load_scene, save_scene

KEPT = [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64]


def random_image(dtype: type, oblique: bool = True) -> sitk.Image:
    array = (np.random.default_rng(1).normal(size=(4, 5, 6)) * 60).astype(np.int8).astype(dtype)
    return worked_example.image(array, oblique)


def assert_same(found: sitk.Image, expected: sitk.Image) -> None:
    assert found.GetPixelIDTypeAsString() == expected.GetPixelIDTypeAsString()
    assert found.GetSpacing() == expected.GetSpacing()
    assert found.GetOrigin() == expected.GetOrigin()
    assert found.GetDirection() == expected.GetDirection()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))


@pytest.mark.parametrize("dtype", KEPT)
def test_an_oblique_image_comes_back_exactly(dtype: type) -> None:
    image = random_image(dtype)
    assert_same(image_from_node(node_from_image(image, "volume")), image)


@pytest.mark.parametrize(("dtype", "wider"), [(np.int8, np.int16), (np.int64, np.float64), (np.uint64, np.float64)])
def test_types_that_slicer_cannot_write_become_wider(dtype: type, wider: type) -> None:
    found = image_from_node(node_from_image(random_image(dtype), "volume"))
    assert_same(found, sitk.Cast(random_image(dtype), sitk.GetImageFromArray(np.zeros((1, 1, 1), wider)).GetPixelID()))


def test_a_voxel_lies_at_the_same_point_of_the_patient() -> None:
    image = random_image(np.int16)
    node = node_from_image(image, "volume")

    matrix = vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    right, anterior, superior, _ = matrix.MultiplyPoint((5, 4, 3, 1))
    np.testing.assert_allclose(
        (-right, -anterior, superior), image.TransformIndexToPhysicalPoint((5, 4, 3)), atol=1e-12
    )


def left_handed(dtype: type) -> sitk.Image:
    image = random_image(dtype)
    turn = np.reshape(image.GetDirection(), (3, 3)) @ np.diag((-1.0, 1.0, 1.0))
    image.SetDirection(turn.ravel().tolist())
    return image


def values_by_point(image: sitk.Image) -> dict[tuple[float, ...], float]:
    indices = np.ndindex(*image.GetSize())
    return {tuple(np.round(image.TransformIndexToPhysicalPoint(at), 6) + 0.0): image[at] for at in indices}


def test_every_voxel_of_a_left_handed_image_lies_where_it_was_also_after_saving(tmp_path: Path) -> None:
    image, scene = left_handed(np.int16), start_host()
    clear_scene()
    stored = image_from_node(node_from_image(image, "flipped", scene))
    assert np.linalg.det(np.reshape(stored.GetDirection(), (3, 3))) > 0
    assert values_by_point(stored) == values_by_point(image)

    load_scene(save_scene(tmp_path / "scene.mrb"))
    again = image_from_node(scene.GetFirstNodeByName("flipped"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(again), sitk.GetArrayFromImage(stored))
    assert same_geometry(again, stored)


def test_a_mask_on_a_left_handed_grid_lies_where_it_was() -> None:
    mask = sitk.Cast(left_handed(np.int16) > 20, sitk.sitkUInt8)
    segmentation = slicer.vtkMRMLSegmentationNode()
    segmentation.GetSegmentation().AddSegment(segment_from_mask(mask, "Tumour"), "tumor")
    found = mask_from_segment(segmentation, "tumor", node_from_image(mask, "grid"))
    assert values_by_point(found) == values_by_point(mask)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_mask_comes_back_exactly_from_a_segment(seed: int, oblique: bool) -> None:
    generator = np.random.default_rng(seed)
    array = (generator.random((5, 6, 7)) < generator.uniform(0.02, 0.9)).astype(np.uint8)
    array[tuple(generator.integers(0, (5, 6, 7)))] = 1
    mask = worked_example.image(array, oblique)
    segmentation = slicer.vtkMRMLSegmentationNode()
    segmentation.GetSegmentation().AddSegment(segment_from_mask(mask, "Tumour"), "tumor")
    found = mask_from_segment(segmentation, "tumor", node_from_image(mask, "grid"))
    assert_same(found, mask)


def test_a_mask_is_brought_to_another_grid() -> None:
    mask = worked_example.image(worked_example.ball((16, 16, 16), (8, 8, 8), 5))
    fine = sitk.Resample(
        mask, [16, 16, 32], sitk.Transform(), sitk.sitkNearestNeighbor, mask.GetOrigin(), (0.7421875, 0.8, 1.25)
    )
    segmentation = slicer.vtkMRMLSegmentationNode()
    segmentation.GetSegmentation().AddSegment(segment_from_mask(mask, "Tumour"), "tumor")
    found = mask_from_segment(segmentation, "tumor", node_from_image(fine, "grid"))
    volume = float(np.prod(fine.GetSpacing()) * sitk.GetArrayViewFromImage(found).sum())
    assert volume == pytest.approx(float(np.prod(mask.GetSpacing()) * sitk.GetArrayViewFromImage(mask).sum()), rel=0.1)


def test_a_table_comes_back_with_its_types() -> None:
    columns = {
        "number": [1 / 3, float("nan"), -1e-300],
        "whole": [1, -2, 2**40],
        "text": ["a", "", "1.5"],
    }
    found = table_from_node(node_from_table(columns, "table"))
    np.testing.assert_array_equal(found["number"], columns["number"])
    np.testing.assert_array_equal(found["whole"], columns["whole"])
    assert found["text"] == columns["text"]


def test_a_cell_is_one_line_that_table_files_can_hold() -> None:
    found = table_from_node(node_from_table({"text": ['a "b"\tc\nd']}, "table"))
    assert found["text"] == ["a ”b” c d"]
