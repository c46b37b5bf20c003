"""Boxes, clicks and strokes: from voxels and from Slicer's own markup files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from lesions import grid, turned

from hccoutcome.errors import InputError
from hccoutcome.segmentation import Box, Clicks, Stroke
from hccoutcome.segmentation.markups import read_roi, read_seeds
from hccoutcome.segmentation.order import DraftOrder
from hccoutcome.segmentation.prompts import check_in_image


def write(path, *markups):
    path.write_text(json.dumps({"markups": list(markups)}), encoding="utf-8")
    return path


def roi(**changes):
    return {"type": "ROI", "coordinateSystem": "LPS", "center": [1, 2, 3], "size": [10, 20, 30], **changes}


def fiducials(*labels, **changes):
    points = [{"label": label, "position": [10.0 * k, 1.0, 2.0]} for k, label in enumerate(labels)]
    return {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": points, **changes}


def test_a_box_in_voxels_holds_its_first_and_last_voxel():
    image = grid(direction=turned(30.0))
    box = Box.from_voxels(image, (3, 5, 10, 10, 0, 3))
    assert box.half == pytest.approx((1.5, 0.5, 4.0))
    assert box.centre == pytest.approx(image.TransformContinuousIndexToPhysicalPoint((4.0, 10.0, 1.5)))
    indices = [image.TransformPhysicalPointToContinuousIndex(point.tolist()) for point in box.points]
    assert np.min(indices, axis=0) == pytest.approx([2.5, 9.5, -0.5])
    assert np.max(indices, axis=0) == pytest.approx([5.5, 10.5, 3.5])


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        ((0, 5, 0, 5, 0), r"six voxel indices .* found 5: correct it"),
        ((5, 4, 0, 5, 0, 5), r"box's i was expected from 0 to 63, the smaller one first, found 5 to 4"),
        ((0, 5, 0, 60, 0, 5), r"box's j was expected from 0 to 59.* found 0 to 60"),
        ((0, 5, 0, 5, -1, 5), r"box's k was expected from 0 to 31.* found -1 to 5"),
    ],
)
def test_a_box_that_is_none_is_refused(bounds, sentence):
    with pytest.raises(InputError, match=sentence):
        Box.from_voxels(grid(), bounds)


@pytest.mark.parametrize("system", ["LPS", "RAS"])
def test_a_roi_that_slicer_wrote_lies_where_slicer_has_it(tmp_path, system):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    import vtk

    from hccoutcome.scene.host import clear_scene, start_host

    start_host()
    clear_scene()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    place = vtk.vtkTransform()
    place.Translate(10, 20, 30)
    place.RotateZ(30)
    place.RotateX(20)
    node.SetAndObserveObjectToNodeMatrix(place.GetMatrix())
    node.SetSize(10, 20, 40)
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROIJsonStorageNode")
    storage.SetCoordinateSystem(
        {"LPS": slicer.vtkMRMLStorageNode.CoordinateSystemLPS, "RAS": slicer.vtkMRMLStorageNode.CoordinateSystemRAS}[
            system
        ]
    )
    storage.SetFileName(str(tmp_path / "R.mrk.json"))
    assert storage.WriteData(node) == 1
    box = read_roi(tmp_path / "R.mrk.json")
    signs = np.array(list(np.ndindex(2, 2, 2))) * 2 - 1
    corners = [place.TransformPoint((corner * (5, 10, 20)).tolist()) for corner in signs]
    assert box.points == pytest.approx(np.array(corners) * (-1, -1, 1), abs=1e-6)


def test_fiducials_that_slicer_wrote_lie_where_slicer_has_them(tmp_path):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    from hccoutcome.scene.host import clear_scene, start_host

    start_host()
    clear_scene()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    node.AddControlPoint(10, 20, 30, "F-1")
    node.AddControlPoint(-5, 6, 7, "outside 1")
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsJsonStorageNode")
    storage.SetFileName(str(tmp_path / "F.mrk.json"))
    assert storage.WriteData(node) == 1
    assert read_seeds(tmp_path / "F.mrk.json") == Clicks(((-10.0, -20.0, 30.0),), ((5.0, -6.0, 7.0),))


def test_ras_and_the_numbers_of_early_files_are_understood(tmp_path):
    boxes = [
        read_roi(write(tmp_path / "R.mrk.json", roi(coordinateSystem=system))).centre for system in ("RAS", "0", "1", 0)
    ]
    assert boxes == [(-1.0, -2.0, 3.0), (-1.0, -2.0, 3.0), (1.0, 2.0, 3.0), (-1.0, -2.0, 3.0)]


def test_a_curve_is_a_stroke_and_takes_clicks_with_it(tmp_path):
    curve = fiducials("a", "b", "c")
    open_curve, closed = {**curve, "type": "Curve"}, {**curve, "type": "ClosedCurve"}
    found = read_seeds(write(tmp_path / "C.mrk.json", open_curve, fiducials("in", "- out")))
    assert isinstance(found, Stroke)
    assert [len(line) for line in found.strokes] == [3, 1]
    assert found.outside == ((10.0, 1.0, 2.0),)
    assert found.points.shape == (4, 3)
    (ring,) = read_seeds(write(tmp_path / "C.mrk.json", closed)).strokes
    assert ring[0] == ring[-1]


def test_points_that_were_not_placed_do_not_count(tmp_path):
    markup = fiducials("a", "b")
    markup["controlPoints"][0]["positionStatus"] = "undefined"
    assert read_seeds(write(tmp_path / "F.mrk.json", markup)).inside == ((10.0, 1.0, 2.0),)


@pytest.mark.parametrize(
    ("read", "content", "sentence"),
    [
        (read_roi, "not JSON", r"should be JSON"),
        (read_roi, '{"points": []}', r"lacks the field 'markups'"),
        (read_roi, '{"markups": [{"type": "ROI", "center": [1, 2, NaN]}]}', r"holds NaN where a finite number"),
        (read_roi, json.dumps({"markups": [fiducials("a")]}), r"expected to hold one ROI, found Fiducial"),
        (read_roi, json.dumps({"markups": [roi(), roi()]}), r"expected to hold one ROI, found ROI, ROI"),
        (read_roi, json.dumps({"markups": [roi(size=[1, 0, 2])]}), r"to have some size, found 1 x 0 x 2 mm"),
        (read_roi, json.dumps({"markups": [roi(center=[1, 2])]}), r"'center' should be a list of 3 numbers"),
        (read_roi, json.dumps({"markups": [roi(insideOut=True)]}), r"turned inside out"),
        (read_roi, json.dumps({"markups": [roi(roiType="Sphere")]}), r"to be a box, found type 'Sphere'"),
        (read_roi, json.dumps({"markups": [roi(orientation=[1.0] * 9)]}), r"not at right angles"),
        (read_roi, json.dumps({"markups": [roi(coordinateSystem="IJK")]}), r"'IJK' is not known"),
        (read_roi, json.dumps({"markups": [roi(coordinateUnits="m")]}), r"expected in mm, found m"),
        (read_seeds, json.dumps({"markups": [roi()]}), r"fiducials or curves, found a ROI"),
        (read_seeds, json.dumps({"markups": [fiducials()]}), r"at least one point in the region, found none"),
        (read_seeds, json.dumps({"markups": [fiducials("outside")]}), r"at least one point in the region"),
        (
            read_seeds,
            json.dumps({"markups": [fiducials("a", controlPoints=[{"position": "x"}])]}),
            r"'position' should",
        ),
    ],
)
def test_a_markup_file_that_is_wrong_is_answered_with_a_sentence(tmp_path, read, content, sentence):
    path = tmp_path / "M.mrk.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        read(path)


def test_a_markup_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"'M.mrk.json' was expected, found no such file"):
        read_roi(tmp_path / "M.mrk.json")


def test_a_prompt_outside_the_image_is_refused():
    image = grid()
    check_in_image(Clicks((image.TransformIndexToPhysicalPoint((0, 0, 0)),)), image)
    with pytest.raises(InputError, match=r"point was expected inside the image, found one at \(500.0, 0.0, 0.0\) mm"):
        check_in_image(Clicks(((500.0, 0.0, 0.0),)), image)
    with pytest.raises(InputError, match=r"box was expected inside the image"):
        check_in_image(Box((500.0, 0.0, 0.0), (1.0, 0, 0, 0, 1, 0, 0, 0, 1), (5.0, 5.0, 5.0)), image)


@pytest.mark.parametrize("widths", [(1e-9, 1e-9, 1e-9), (0.01, 40.0, 40.0), (2000.0, 20.0, 20.0), (1e300, 20.0, 20.0)])
def test_a_box_of_no_lesions_size_is_refused(widths):
    image = grid()
    middle = image.TransformIndexToPhysicalPoint((30, 30, 15))
    with pytest.raises(InputError, match=r"at least 0.5 mm wide and no larger than the image, found .* mm: draw it"):
        check_in_image(Box(middle, (1.0, 0, 0, 0, 1, 0, 0, 0, 1), tuple(width / 2 for width in widths)), image)


def test_a_box_of_one_voxel_of_a_fine_image_is_no_mistake():
    image = grid(spacing=(0.2, 0.2, 0.2))
    check_in_image(Box.from_voxels(image, (30, 30, 30, 30, 15, 15)), image)


def test_prompts_are_plain_data():
    for prompt in (
        Box((1.0, 2.0, 3.0), (1.0,) * 9, (1.0, 1.0, 1.0)),
        Clicks(((1.0, 2.0, 3.0),)),
        Stroke((((1.0, 2.0, 3.0),),)),
    ):
        assert json.loads(json.dumps(prompt.to_json()))["kind"] == prompt.kind


def test_an_order_survives_a_job_and_points_in_one_way(tmp_path):
    order = DraftOrder("builtin", seeds=tmp_path / "F.mrk.json")
    assert DraftOrder.from_json(json.loads(json.dumps(order.to_json()))) == order
    boxed = DraftOrder(box=(0, 1, 2, 3, 4, 5))
    assert DraftOrder.from_json(json.loads(json.dumps(boxed.to_json()))) == boxed
    assert boxed.prompt(grid()) == Box.from_voxels(grid(), (0, 1, 2, 3, 4, 5))
    assert DraftOrder().prompt(grid()) is None
    with pytest.raises(InputError, match=r"in one way, found box and roi"):
        DraftOrder(box=(0, 1, 2, 3, 4, 5), roi=tmp_path / "R.mrk.json")
