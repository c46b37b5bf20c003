"""What the networks see of a case: the right slice at the right place, whatever the axes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from oblique import ball, lattice, like, plain, positions, ramp, united
from scipy import ndimage

from hccoutcome.deep.dlopctr_inputs import DlopctrView, dlopctr_input
from hccoutcome.deep.frames import Frame, axial, slice_by_spline
from hccoutcome.deep.inputs import NetworkInput, plane_image
from hccoutcome.deep.lesions import largest_cross_section, largest_lesion
from hccoutcome.deep.selection_inputs import SelectionView, selection_input
from hccoutcome.deep.tci_inputs import TciView, grey_bins, tci_input
from hccoutcome.errors import InputError

AXES = ["LPS", "RAS", "SPL", "ASR"]
SMALL = {
    "LPS": {"size": (60, 50, 14), "spacing": (1.5, 1.5, 4.0)},
    "RAS": {"size": (60, 50, 14), "spacing": (1.5, 1.5, 4.0)},
    "SPL": {"size": (14, 50, 60), "spacing": (4.0, 1.5, 1.5)},
    "ASR": {"size": (50, 14, 60), "spacing": (1.5, 4.0, 1.5)},
}
SELECTION = SelectionView(pixels=32)
TCI = TciView(pixels=24, reach=2)
DLOPCTR = DlopctrView(pixels=20, patches=5)


def on_phases(image: sitk.Image, phases, **regions: sitk.Image):
    return dict.fromkeys(phases, image), {region: dict.fromkeys(phases, mask) for region, mask in regions.items()}


def case(phases, axes: str = "LPS", **shape):
    image = ramp(axes=axes, **(shape or SMALL[axes]))
    tumor = ball(image, (4.0, -3.0, 2.0), 9.0)
    return on_phases(image, phases, tumor=tumor, liver=united(ball(image, (0.0, 0.0, 0.0), 14.0), tumor))


def places(seen: NetworkInput, number: int) -> np.ndarray:
    """Return where the pixels of a plane say that they lie, shape (rows, columns, 3)."""
    frame = seen.planes[number].frame
    columns, rows = frame.size
    index = np.stack([*np.meshgrid(np.arange(columns), np.arange(rows)), np.zeros((rows, columns))], axis=-1)
    return index @ frame.affine[:3, :3].T + frame.affine[:3, 3]


@pytest.mark.parametrize("axes", AXES)
def test_selection_sees_at_every_pixel_the_grey_level_of_the_place_that_it_records(axes):
    seen = selection_input(*case(SELECTION.phases, axes), SELECTION)
    expected = (np.clip(plain(places(seen, 0)), -50, 350) + 50) / 400
    np.testing.assert_allclose(seen.pixels[0], expected, atol=1e-5)
    assert seen.pixels.shape == (2, 32, 32)
    assert [plane.phase for plane in seen.planes] == ["arterial", "portal"]


@pytest.mark.parametrize("axes", AXES)
def test_dlopctr_sees_at_every_pixel_the_grey_level_of_the_place_that_it_records(axes):
    seen = dlopctr_input(*case(["arterial"], axes), DLOPCTR)
    for number in range(5):
        expected = (np.clip(plain(places(seen, number)), -200, 300) + 200) / 500
        np.testing.assert_allclose(seen.pixels[number], expected, atol=1e-5)


@pytest.mark.parametrize("axes", AXES)
def test_tci_sees_at_every_pixel_the_bin_of_the_place_that_it_records(axes):
    seen = tci_input(*case(TCI.phases, axes), TCI)
    expected = grey_bins(np.stack([plain(places(seen, number)) for number in range(5)]), TCI, "")
    # A value on the edge of a bin may fall to either side.
    assert np.mean(np.abs(seen.pixels[:5] - expected) > 1e-6) < 0.01
    assert np.abs(seen.pixels[:5] - expected).max() <= 1 / 24 + 1e-6
    assert len(np.unique(seen.pixels[:5])) == 25


@pytest.mark.parametrize(("view", "see"), [(SELECTION, selection_input), (TCI, tci_input), (DLOPCTR, dlopctr_input)])
def test_flipped_and_permuted_files_give_the_same_planes(view, see):
    phases = getattr(view, "phases", ("arterial",))
    images, masks = case(phases)
    turned = [
        {phase: sitk.DICOMOrient(image, "SAR") for phase, image in images.items()},
        {
            region: {p: sitk.DICOMOrient(mask, "SAR") for p, mask in of_phase.items()}
            for region, of_phase in masks.items()
        },
    ]
    one, other = see(images, masks, view), see(*turned, view)
    np.testing.assert_allclose(one.pixels, other.pixels, atol=2e-6)
    for a, b in zip(one.planes, other.planes, strict=True):
        np.testing.assert_allclose(a.frame.affine, b.frame.affine, atol=1e-6)


def test_the_planes_run_from_right_to_left_and_front_to_back():
    seen = selection_input(*case(SELECTION.phases, "RAS"), SELECTION)
    axes = seen.planes[0].frame.affine[:3, :3]
    assert axes[0, 0] > 0.8 and axes[1, 1] > 0.8 and axes[2, 2] > 0.8


def test_selection_takes_the_slice_with_the_largest_tumour_area_of_each_phase_by_itself():
    image = ramp(tilt=0.0)
    low, high = (ball(image, (0.0, 0.0, z), 7.0) for z in (-14.0, 10.0))
    liver = ball(image, (0.0, 0.0, 0.0), 28.0)
    images = {"arterial": image, "portal": image}
    masks = {"tumor": {"arterial": low, "portal": high}, "liver": dict.fromkeys(images, liver)}
    seen = selection_input(images, masks, SELECTION)
    heights = [plane.frame.affine[2, 3] for plane in seen.planes]
    # Slices lie 4 mm apart at ..., -14, ..., 10, ...; of the four planes in one, none lies in its middle.
    np.testing.assert_allclose(heights, [-14.0, 10.0], atol=0.51)


def test_the_plane_of_selection_is_centred_on_the_liver_and_not_on_the_tumour():
    image = ramp(tilt=0.0)
    tumor = ball(image, (-9.0, 0.0, 2.0), 4.0)
    liver = ball(image, (3.0, -6.0, 2.0), 16.5)
    images, masks = on_phases(image, SELECTION.phases, tumor=tumor, liver=liver)
    seen = selection_input(images, masks, SELECTION)
    centre = places(seen, 0).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(centre[:2], [3.0, -6.0], atol=1.5)


def test_a_liver_wider_than_the_plane_is_noted_with_its_size():
    image = ramp(tilt=0.0)
    images, masks = on_phases(image, SELECTION.phases, tumor=ball(image, radius=6.0), liver=ball(image, radius=25.0))
    notes = selection_input(images, masks, SELECTION).notes
    assert len(notes) == 2
    assert "sees the middle 32 x 32 mm" in notes[0]
    assert not selection_input(images, masks, SelectionView(pixels=64)).notes


def test_the_spline_runs_along_the_slices_only_and_through_their_values():
    """Against scipy's interpolation of the same column, away from the ends; in the plane nothing is smoothed."""
    rng = np.random.default_rng(5)
    empty = lattice(size=(6, 5, 40), spacing=(1.0, 1.0, 2.5), tilt=0.2)
    image = like(empty, rng.normal(size=(40, 5, 6)))
    voxels = sitk.GetArrayFromImage(image).astype(float)
    for height in (17.0, 20.3):
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3))
        affine[:3, 3] = image.TransformContinuousIndexToPhysicalPoint((2.0, 2.0, height))
        found = sitk.GetArrayFromImage(slice_by_spline(image, Frame(affine, (6, 5))))[0]
        filtered = ndimage.spline_filter1d(voxels, 3, axis=0)
        weights = [ndimage.shift(np.eye(9)[4], d, order=3, prefilter=False)[4] for d in height - np.arange(15, 25)]
        expected = np.tensordot(weights, filtered[15:25], axes=1)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        if height == 17.0:
            np.testing.assert_allclose(found, voxels[17], atol=1e-5)


def test_the_largest_cross_section_is_that_of_counting_voxels():
    image = lattice(tilt=0.0)
    mask = united(ball(image, (5.0, 0.0, -10.0), 8.0), ball(image, (-12.0, 4.0, 10.0), 9.0))
    sizes = sitk.GetArrayFromImage(mask).sum(axis=(1, 2))
    section = largest_cross_section(mask)
    assert section.height == pytest.approx(sizes.argmax(), abs=0.13)
    assert section.area == pytest.approx(sizes.max() * 1.5**2)


def test_the_largest_lesion_is_the_one_of_most_voxels():
    image = lattice(tilt=0.0)
    small, large = ball(image, (15.0, 10.0, -10.0), 6.0), ball(image, (-12.0, -4.0, 10.0), 9.0)
    found = sitk.GetArrayFromImage(largest_lesion(united(small, large)))
    np.testing.assert_array_equal(found, sitk.GetArrayFromImage(large))


def test_tci_follows_the_largest_lesion_up_and_down_in_steps_of_a_millimetre():
    image = ramp(tilt=0.0)
    tumor = united(ball(image, (15.0, 10.0, -10.0), 6.0), ball(image, (-12.0, -4.0, 10.0), 9.0))
    seen = tci_input(*on_phases(image, TCI.phases, tumor=tumor), TCI)
    heights = [plane.frame.affine[2, 3] for plane in seen.planes[:5]]
    np.testing.assert_allclose(np.diff(heights), 1.0)
    assert heights[2] == pytest.approx(10.0, abs=0.51)
    assert [plane.offset for plane in seen.planes[:5]] == [-2, -1, 0, 1, 2]


def test_missing_phases_are_marked_and_said():
    images, masks = case(("precontrast", "portal"))
    seen = tci_input(images, masks, TCI)
    there = {plane.phase for plane in seen.planes if plane.present}
    assert there == {"precontrast", "portal"}
    assert (seen.pixels[~seen.present] == 0).all()
    assert seen.notes == (
        "The arterial phase is missing: TCI predicts without it.",
        "The delayed phase is missing: TCI predicts without it.",
    )


def test_a_phase_without_an_outline_is_read_where_another_one_is_outlined():
    """Its image may have another grid and other axes: the place in the patient counts."""
    images, masks = case(TCI.phases)
    whole = tci_input(images, masks, TCI)
    images["delayed"] = ramp(axes="SPL", **SMALL["SPL"])
    del masks["tumor"]["delayed"]
    seen = tci_input(images, masks, TCI)
    assert seen.present.all()
    assert seen.notes == ("The delayed slices were taken where the tumour is outlined on the portal image.",)
    for number in range(15, 20):
        np.testing.assert_allclose(seen.planes[number].frame.affine, whole.planes[number].frame.affine, atol=1e-9)
        assert np.mean(np.abs(seen.pixels[number] - whole.pixels[number]) > 1e-6) < 0.01


def test_slices_beyond_the_image_are_missing():
    image = ramp(tilt=0.0)
    tumor = ball(image, (0.0, 0.0, 26.0), 3.0)
    seen = tci_input(*on_phases(image, TCI.phases, tumor=tumor), TciView(pixels=24, reach=4))
    assert seen.present[:9].tolist() == [True] * 7 + [False] * 2
    assert "The slices +3, +4 of the precontrast phase lie outside its image." in seen.notes


def test_dlopctr_spreads_its_patches_over_the_box_and_leaves_out_what_a_flat_tumour_lacks():
    image = ramp(tilt=0.0)
    tumor = ball(image, (0.0, 0.0, 0.0), 15.0)
    seen = dlopctr_input(*on_phases(image, ["arterial"], tumor=tumor), DLOPCTR)
    inside = positions(image)[sitk.GetArrayFromImage(tumor) > 0][:, 2]
    heights = [plane.frame.affine[2, 3] for plane in seen.planes]
    # Nearest neighbour fills half a slice of 4 mm beyond the outer ones.
    assert heights[0] == pytest.approx(inside.min() - 2, abs=1.0)
    assert heights[-1] == pytest.approx(inside.max() + 2, abs=1.0)
    np.testing.assert_allclose(np.diff(heights), np.diff(heights)[0], atol=1.01)
    flat = ball(ramp(tilt=0.0, spacing=(1.5, 1.5, 1.0)), radius=1.4)
    few = dlopctr_input(*on_phases(ramp(tilt=0.0, spacing=(1.5, 1.5, 1.0)), ["arterial"], tumor=flat), DLOPCTR)
    assert few.present.tolist() == [True, True, False, False, False]


def test_a_patch_shows_the_whole_box_with_its_margin():
    image = ramp(tilt=0.0)
    tumor = ball(image, (0.0, 0.0, 0.0), 15.0)
    seen = dlopctr_input(*on_phases(image, ["arterial"], tumor=tumor), DLOPCTR)
    width = seen.planes[0].frame.geometry.spacing[0] * 20
    assert 30 + 10 <= width <= 30 + 10 + 3


def test_a_tumour_of_one_thin_voxel_is_seen():
    image = ramp(tilt=0.0, spacing=(0.4, 0.4, 0.4), size=(90, 90, 30))
    voxels = np.zeros(image.GetSize()[::-1])
    voxels[12, 40, 41] = 1
    tumor = like(image, voxels, np.uint8)
    assert dlopctr_input(*on_phases(image, ["arterial"], tumor=tumor), DLOPCTR).present.tolist()[0]


def test_a_plane_can_be_shown_where_it_lies():
    seen = selection_input(*case(SELECTION.phases), SELECTION)
    shown = plane_image(seen, 1)
    np.testing.assert_allclose(positions(shown)[0], places(seen, 1), atol=1e-4)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(shown)[0], seen.pixels[1])


def test_a_missing_plane_cannot_be_shown():
    images, masks = case(("portal",))
    seen = tci_input(images, masks, TCI)
    with pytest.raises(InputError, match=r"precontrast plane -2 should lie .* is missing"):
        plane_image(seen, 0)


def test_axial_images_keep_their_obliqueness():
    image = axial(ramp(axes="SPL", **SMALL["SPL"]))
    np.testing.assert_allclose(np.reshape(image.GetDirection(), (3, 3)), np.eye(3), atol=0.35)
    np.testing.assert_allclose(sitk.GetArrayFromImage(image), plain(positions(image)), atol=1e-3)


@pytest.mark.parametrize(
    ("phases", "drop", "see", "sentence"),
    [
        (("arterial",), None, selection_input, "SELECTION reads the portal phase, found arterial"),
        (("arterial", "portal"), "liver", selection_input, "SELECTION needs the liver outlined on the arterial image"),
        (("arterial", "portal"), "tumor", selection_input, "SELECTION needs the tumor outlined on the arterial image"),
        (("portal",), None, dlopctr_input, "DLOPCTR reads the arterial phase, found portal: add the arterial image"),
        (("arterial",), "tumor", dlopctr_input, "DLOPCTR needs the tumor outlined on the arterial image"),
        (("arterial",), "tumor", tci_input, "TCI needs the tumour outlined on one of its phases"),
        ((), None, tci_input, "TCI reads at least one of precontrast, arterial, portal, delayed"),
    ],
)
def test_what_is_missing_is_refused_in_a_sentence(phases, drop, see, sentence):
    images, masks = case(phases)
    masks.pop(drop, None)
    with pytest.raises(InputError, match=sentence):
        see(images, masks)


def test_an_empty_tumour_mask_is_refused():
    images, masks = case(("arterial", "portal"))
    masks["tumor"]["portal"] = masks["tumor"]["portal"] * 0
    with pytest.raises(InputError, match="The tumor mask of the portal image is empty"):
        selection_input(images, masks)


def test_a_liver_that_does_not_reach_the_tumours_slice_is_refused():
    image = ramp(tilt=0.0)
    liver, tumor = ball(image, (0.0, 0.0, -18.0), 8.0), ball(image, (0.0, 0.0, 18.0), 8.0)
    with pytest.raises(InputError, match=r"its mask is empty there: correct the liver mask or the tumour mask\."):
        selection_input(*on_phases(image, ("arterial", "portal"), liver=liver, tumor=tumor), SELECTION)


def test_a_constant_phase_is_refused():
    image = lattice()
    with pytest.raises(InputError, match="Different grey levels around the tumour were expected, found 0"):
        tci_input(*on_phases(image, ("portal",), tumor=ball(image)), TCI)


def test_both_tumours_of_ircadb17_are_seen_by_every_network(data):
    folder = data / "ircadb17_ct"
    if not folder.is_dir():
        pytest.skip("ircadb17_ct is not among the real data")
    ct, liver, one, two = (
        sitk.ReadImage(str(folder / f"{name}.nii.gz")) for name in ("ct", "liver", "livertumor1", "livertumor2")
    )
    tumor = (one != 0) | (two != 0)
    images, masks = on_phases(ct, ("arterial", "portal"), tumor=tumor, liver=liver != 0)
    seen = selection_input(images, masks)
    assert seen.pixels.shape == (2, 224, 224)
    _, y, x = np.argwhere(sitk.GetArrayViewFromImage(one) != 0).mean(axis=0)
    inside = np.linalg.solve(
        seen.planes[0].frame.affine, [*ct.TransformContinuousIndexToPhysicalPoint((x, y, 0.0)), 1.0]
    )
    assert (inside[:2] > 0).all() and (inside[:2] < 223).all()
    # Liver tissue of a portal venous phase lies between 60 and 150 HU.
    assert 110 / 400 < np.median(seen.pixels[0][80:140, 80:140]) < 200 / 400
    assert dlopctr_input(images, masks).present.all()
    assert tci_input(images, masks).present.sum() == 18
