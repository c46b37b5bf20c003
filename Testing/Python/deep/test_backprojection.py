"""Maps brought back into the image: a known function of the place is found again at that place, however all lies."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from oblique import ball, lattice, like, plain, positions, ramp, united

from hccoutcome.deep.backprojection import back_projected, frame_of_cells
from hccoutcome.deep.dlopctr_inputs import DlopctrView, dlopctr_input
from hccoutcome.deep.frames import Frame
from hccoutcome.deep.inputs import NetworkInput, Plane
from hccoutcome.deep.selection_inputs import SelectionView, selection_input
from hccoutcome.deep.tci_inputs import TciView, tci_input
from hccoutcome.imaging.geometry import same_lattice

LAYS = [("LPS", 0.0), ("LPS", 0.3), ("RAS", 0.3), ("PSL", -0.5), ("AIR", 0.2)]


def places_of(frame: Frame) -> np.ndarray:
    """Return where the pixels of a plane lie in mm, shape (rows, columns, 3)."""
    row, column = np.indices(frame.size[::-1])
    index = np.stack([column, row, np.zeros_like(row), np.ones_like(row)], axis=-1)
    return (index @ frame.affine.T)[..., :3]


def maps_of(seen: NetworkInput, cells: int = 1) -> list[np.ndarray]:
    """Return ``plain`` on every plane, in cells of so many pixels."""
    found = []
    for plane in seen.planes:
        if plane.frame is None:
            found.append(np.full((4, 4), 1e9))  # would stand out
            continue
        columns, rows = (length // cells for length in plane.frame.size)
        found.append(plain(places_of(frame_of_cells(plane.frame, rows, columns))))
    return found


def scene(axes="LPS", tilt=0.3, **shape):
    image = ramp(axes=axes, tilt=tilt, **shape)
    tumor = united(ball(image, (8, -6, 2), 9.0), ball(image, (8, -6, 7), 6.0))
    return image, {"tumor": {"p": tumor}, "liver": {"p": ball(image, radius=28)}}


def inner(volume: sitk.Image, seen: NetworkInput, cells: int = 1) -> np.ndarray:
    """Return the voxels half a cell within all planes: beyond, the outermost values hold on."""
    frames = [plane.frame for plane in seen.planes if plane.frame is not None]
    where = np.ones(volume.GetSize()[::-1], bool)
    places = np.concatenate([positions(volume), np.ones((*where.shape, 1))], axis=-1)
    index = places @ np.linalg.inv(frames[0].affine).T
    for axis in (0, 1):
        edge = (cells - 1) / 2
        where &= (index[..., axis] >= edge) & (index[..., axis] <= frames[0].size[axis] - 1 - edge)
    heights = [(np.linalg.inv(frames[0].affine) @ frame.affine[:, 3])[2] for frame in frames]
    return where & (index[..., 2] >= min(heights)) & (index[..., 2] <= max(heights))


@pytest.mark.parametrize(("axes", "tilt"), LAYS)
@pytest.mark.parametrize("cells", [1, 8])
def test_a_linear_map_of_a_stack_comes_back_at_every_place(axes, tilt, cells):
    image, masks = scene(axes, tilt)
    masks = {region: {"arterial": found["p"]} for region, found in masks.items()}
    view = TciView(pixels=32, voxel=1.0, phases=("arterial",))
    seen = tci_input({"arterial": image}, masks, view)
    volume = back_projected(seen, maps_of(seen, cells), "arterial", image)
    found, expected = sitk.GetArrayFromImage(volume), plain(positions(volume))
    where = inner(volume, seen, cells)
    assert same_lattice(volume, image)
    assert where.sum() > 100
    np.testing.assert_allclose(found[where], expected[where], rtol=0, atol=2e-3)


@pytest.mark.parametrize(("axes", "tilt"), LAYS)
def test_a_single_plane_colours_the_one_slice_in_which_it_lies(axes, tilt):
    image, masks = scene(axes, tilt)
    view = SelectionView(phases=("arterial",), pixels=32)
    seen = selection_input({"arterial": image}, {name: {"arterial": m["p"]} for name, m in masks.items()}, view)
    volume = back_projected(seen, maps_of(seen), "arterial", image)
    found = sitk.GetArrayFromImage(volume)
    assert min(found.shape) == 1
    normal = seen.planes[0].frame.affine[:3, 2]
    apart = (positions(volume) - seen.planes[0].frame.affine[:3, 3]) @ normal
    assert np.abs(apart).max() <= max(image.GetSpacing()) / 2 + 1e-6
    # The value is that of the foot of the perpendicular onto the plane.
    expected = plain(positions(volume) - apart[..., None] * normal)
    where = np.isfinite(found)
    border = np.abs(found - expected)[where]
    assert np.quantile(border, 0.8) < 1e-3
    assert border.max() < 1.5  # half a pixel beyond the border the outermost value holds on


def test_patches_apart_are_joined_by_straight_lines():
    image, masks = scene(spacing=(1.5, 1.5, 2.0), size=(60, 50, 30))
    view = DlopctrView(patches=3, pixels=24)
    seen = dlopctr_input({"arterial": image}, {"tumor": {"arterial": masks["tumor"]["p"]}}, view)
    volume = back_projected(seen, maps_of(seen), "arterial", image)
    where = inner(volume, seen)
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(volume)[where], plain(positions(volume))[where], rtol=0, atol=2e-3
    )
    assert volume.GetSize()[2] > 5  # slices between the patches have values too


def test_planes_without_a_place_are_passed_over():
    image, _ = scene()
    nowhere = NetworkInput(
        np.zeros((2, 4, 4), np.float32),
        (Plane("arterial", origin="screenshot"), Plane("arterial", present=False)),
    )
    assert back_projected(nowhere, [np.ones((4, 4))] * 2, "arterial", image) is None


def test_a_plane_beside_the_image_gives_nothing():
    image = lattice()
    away = np.eye(4)
    away[:3, 3] = 1e4
    seen = NetworkInput(np.zeros((1, 4, 4), np.float32), (Plane("arterial", 0, Frame(away, (4, 4))),))
    assert back_projected(seen, [np.ones((4, 4))], "arterial", image) is None


def test_planes_that_are_no_stack_are_a_defect():
    other = np.eye(4)
    other[:3, :3] = other[:3, [1, 0, 2]]
    seen = NetworkInput(
        np.zeros((2, 4, 4), np.float32),
        (Plane("arterial", 0, Frame(np.eye(4), (4, 4))), Plane("arterial", 1, Frame(other, (4, 4)))),
    )
    with pytest.raises(ValueError, match="no stack"):
        back_projected(seen, [np.ones((4, 4))] * 2, "arterial", like(lattice(), np.zeros((14, 50, 60))))


def test_cells_cover_the_plane_of_their_pixels():
    frame = Frame(np.diag([2.0, 3.0, 1.0, 1.0]), (8, 12))
    cells = frame_of_cells(frame, 3, 2)
    outer = cells.affine @ [-0.5, -0.5, 0, 1], cells.affine @ [1.5, 2.5, 0, 1]
    np.testing.assert_allclose(outer, [frame.affine @ [-0.5, -0.5, 0, 1], frame.affine @ [7.5, 11.5, 0, 1]])
