"""Lesions from boxes and clicks, where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from lesions import array, ball, box_around, dice, grid, places, turned, with_lesion

from hccoutcome.errors import InputError
from hccoutcome.segmentation import Box, Clicks, Stroke, Task, segment
from hccoutcome.segmentation.builtin import _tidied
from hccoutcome.segmentation.lattice import Lattice, affordable

CENTRE, RADIUS = np.array([30.0, 28.0, 32.0]), np.array([14.0, 11.0, 12.0])


def tumour(images, prompt, modality="CT"):
    return array(segment(Task(images, ("tumor",), prompt, modality), "builtin").masks["tumor"])


def click(image, place):
    """One click at a place in mm along the image's own axes."""
    index = [float(v) for v in np.array(place) / image.GetSpacing()]
    return Clicks((image.TransformContinuousIndexToPhysicalPoint(index),))


@pytest.mark.parametrize(("room", "least"), [(0.0, 0.9), (5.0, 0.93), (8.0, 0.9)])
def test_a_plain_lesion_is_found_in_tight_and_loose_boxes(room, least):
    image = grid()
    lesion = ball(image, CENTRE, RADIUS)
    found = tumour({"portal": with_lesion(image, lesion)}, box_around(image, lesion, room))
    assert dice(found, lesion) > least


@pytest.mark.parametrize("room", [0.0, 5.0])
def test_a_small_lesion_is_found(room):
    image = grid()
    lesion = ball(image, CENTRE, 5.0)
    found = tumour({"portal": with_lesion(image, lesion, inside=50.0)}, box_around(image, lesion, room))
    assert dice(found, lesion) > 0.75


def test_a_lesion_that_no_ellipsoid_is_beats_the_ellipsoid():
    image = grid()
    lesion = ball(image, CENTRE - (6, 4, 0), 9.0) | ball(image, CENTRE + np.array([6, 4, 4]), 9.0)
    box = box_around(image, lesion, 4.0)
    plain = ball(image, CENTRE + np.array([0, 0, 2]), np.array(box.half))
    found = tumour({"portal": with_lesion(image, lesion)}, box)
    assert dice(found, lesion) > dice(plain, lesion) + 0.1


def test_a_turned_image_gives_the_same_lesion():
    masks = []
    for degrees in (0.0, 25.0):
        image = grid(direction=turned(degrees))
        lesion = ball(image, CENTRE, RADIUS)
        masks.append(tumour({"portal": with_lesion(image, lesion)}, box_around(image, lesion, 4.0)))
    assert dice(*masks) > 0.99


def test_a_box_oblique_to_the_image_is_taken_as_it_lies():
    image = grid()
    along = places(image) - CENTRE
    axes = np.reshape(turned(30.0), (3, 3))
    lesion = (((along @ axes) / (18.0, 8.0, 10.0)) ** 2).sum(axis=-1) <= 1
    middle = image.TransformContinuousIndexToPhysicalPoint((CENTRE / image.GetSpacing()).tolist())
    oblique = Box(middle, tuple(axes.ravel()), (21.0, 11.0, 13.0))
    found = tumour({"portal": with_lesion(image, lesion)}, oblique)
    assert dice(found, lesion) > 0.9


def test_a_second_phase_shows_what_the_first_does_not():
    image = grid()
    lesion = ball(image, CENTRE, RADIUS)
    blank = with_lesion(image, lesion, inside=110.0, seed=1)
    clear = with_lesion(image, lesion, inside=160.0, seed=2)
    box = box_around(image, lesion, 6.0)
    alone, both = tumour({"portal": blank}, box), tumour({"portal": blank, "arterial": clear}, box)
    assert dice(both, lesion) > 0.9
    assert dice(both, lesion) > dice(alone, lesion) + 0.03


def test_the_scale_of_an_mr_image_does_not_matter():
    image = grid()
    lesion = ball(image, CENTRE, RADIUS)
    voxels = with_lesion(image, lesion)
    box = box_around(image, lesion, 4.0)
    one = tumour({"t1": voxels}, box, "MR")
    other = tumour({"t1": sitk.ShiftScale(voxels, 500.0, 7.0)}, box, "MR")
    assert dice(one, lesion) > 0.9
    assert dice(one, other) > 0.999


def test_the_same_input_gives_the_same_voxels():
    image = grid()
    lesion = ball(image, CENTRE, RADIUS)
    voxels, box = with_lesion(image, lesion), box_around(image, lesion, 4.0)
    assert np.array_equal(tumour({"portal": voxels}, box), tumour({"portal": voxels}, box))


@pytest.mark.parametrize("radius", [6.0, 13.0])
def test_a_click_finds_lesions_of_different_sizes(radius):
    image = grid((44, 90, 90))
    lesion = ball(image, (44.0, 46.0, 42.0), radius)
    click = image.TransformIndexToPhysicalPoint((45, 44, 21))
    found = tumour({"portal": with_lesion(image, lesion)}, Clicks((click,)))
    assert dice(found, lesion) > 0.8


def test_a_stroke_along_a_lesion_finds_it_whole():
    image = grid((44, 90, 90))
    lesion = ball(image, (44.0, 46.0, 42.0), (24.0, 10.0, 10.0))
    line = tuple(image.TransformIndexToPhysicalPoint((i, 46, 21)) for i in range(26, 64, 4))
    found = tumour({"portal": with_lesion(image, lesion)}, Stroke((line,)))
    assert dice(found, lesion) > 0.8


def test_a_point_outside_cuts_off_what_is_nearer_to_it():
    image = grid((44, 90, 90))
    lesion = ball(image, (44.0, 46.0, 42.0), (17.0, 12.0, 12.0))
    inside, outside = (image.TransformIndexToPhysicalPoint((i, 46, 21)) for i in (40, 56))
    voxels = {"portal": with_lesion(image, lesion)}
    free = tumour(voxels, Clicks((inside,)))
    held = tumour(voxels, Clicks((inside,), (outside,)))
    assert free[21, 46, 54]
    assert not held[:, :, 49:].any()
    assert held[21, 46, 44]


def test_a_stroke_reaches_between_its_points_where_another_is_outside():
    image = grid((44, 90, 90))
    lesion = ball(image, (44.0, 46.0, 42.0), (24.0, 10.0, 10.0))
    ends, beside = [(28, 46, 21), (60, 46, 21)], (44, 62, 21)
    line = tuple(image.TransformIndexToPhysicalPoint(end) for end in ends)
    outside = (image.TransformIndexToPhysicalPoint(beside),)
    images = {"portal": with_lesion(image, lesion)}
    free, held = (tumour(images, Stroke((line,), points)) for points in ((), outside))
    assert held[21, 46, 28:61].all()
    assert not held[21, 55:, :].any()
    assert dice(free, held) > 0.9


def test_nothing_but_air_in_a_box_is_an_error():
    image = grid()
    air = with_lesion(image, ball(image, CENTRE, RADIUS + 5), inside=-900.0, outside=60.0)
    with pytest.raises(InputError, match=r"tumor was expected to be found from a box around it, found nothing"):
        tumour({"portal": air}, box_around(image, ball(image, CENTRE, RADIUS)))


def test_a_lattice_samples_a_linear_image_exactly():
    image = grid(direction=turned(20.0))
    ramp = places(image) @ np.array([1.0, 2.0, -0.5]) + 10
    voxels = sitk.GetImageFromArray(ramp.astype(np.float32))
    voxels.CopyInformation(image)
    middle = image.TransformContinuousIndexToPhysicalPoint((CENTRE / image.GetSpacing()).tolist())
    lattice = Lattice.around(np.array(middle), np.reshape(image.GetDirection(), (3, 3)), np.full(3, 8.0), 1.5)
    expected = (lattice.places()[::-1] - lattice.centre[::-1, None, None, None]).transpose(1, 2, 3, 0) + CENTRE
    assert lattice.sample(voxels) == pytest.approx(expected @ np.array([1.0, 2.0, -0.5]) + 10, abs=1e-2)


def test_a_level_comes_back_where_it_was():
    image = grid(direction=turned(20.0))
    middle = image.TransformContinuousIndexToPhysicalPoint((CENTRE / image.GetSpacing()).tolist())
    lattice = Lattice.around(np.array(middle), np.eye(3), np.full(3, 16.0), 1.0)
    far = np.sqrt(((lattice.places() - lattice.centre[:, None, None, None]) ** 2).sum(axis=0))
    assert dice(lattice.mask_on(10.0 - far, image), ball(image, CENTRE, 10.0)) > 0.99
    elsewhere = grid()
    elsewhere.SetOrigin((900.0, 0.0, 0.0))
    assert not lattice.mask_on(10.0 - far, elsewhere).any()


def test_specks_and_holes_are_tidied_away_but_not_a_second_part():
    mask = np.zeros((12, 30, 30), bool)
    mask[2:8, 2:12, 2:12] = True
    mask[4:6, 6:8, 6:8] = False
    mask[2:6, 20:26, 20:26] = True
    mask[10, 28, 28] = True
    found = _tidied(mask.copy())
    assert found[4:6, 6:8, 6:8].all()
    assert found[3, 22, 22]
    assert not found[10, 28, 28]
    assert not _tidied(np.zeros((3, 3, 3), bool)).any()


def test_a_box_as_large_as_a_body_takes_no_more_memory_than_a_large_lesion():
    assert affordable(np.array([90.0, 90.0, 90.0]), 1.5) == 1.5
    half = np.array([250.0, 200.0, 600.0])
    lattice = Lattice.around(np.zeros(3), np.eye(3), half, affordable(half, 1.5))
    assert np.prod(lattice.shape) < 2.2e6


@pytest.mark.parametrize(("level", "noise"), [(0.0, 0.0), (60.0, 0.0), (1060.0, 9.0)])
def test_one_grey_level_is_no_lesion(level, noise):
    image = grid((60, 120, 120))
    middle = (60.0, 60.0, 60.0)
    flat = with_lesion(image, ball(image, middle, 1.0), inside=level, outside=level, noise=noise)
    for prompt in (box_around(image, ball(image, middle, RADIUS)), click(image, middle)):
        with pytest.raises(InputError, match="found one grey level only: point at the liver"):
            tumour({"portal": flat}, prompt)


def test_ct_that_is_not_in_hu_is_no_soft_tissue():
    image = grid((60, 120, 120))
    middle = (60.0, 60.0, 60.0)
    stored = with_lesion(image, ball(image, middle, RADIUS)) + 1024
    fat = array(stored < 0) | ball(image, (60.0, 76.0, 60.0), 3.0)
    voxels = sitk.GetArrayFromImage(stored)
    voxels[fat] = 390
    found = sitk.GetImageFromArray(voxels)
    found.CopyInformation(image)
    for prompt in (box_around(image, ball(image, middle, RADIUS)), click(image, middle)):
        with pytest.raises(InputError, match=r"among soft tissue \(-200 to 400 HU\), found hardly any: point at"):
            tumour({"portal": found}, prompt)


@pytest.mark.parametrize(
    ("level", "sentence"),
    [(-1000.0, "among soft tissue"), (60.0, "click in the lesion's middle, or draw a box around it")],
)
def test_a_click_far_from_all_that_differs_is_answered_with_a_sentence(level, sentence):
    image = grid((60, 120, 120))
    alike = with_lesion(image, ball(image, (12.0, 12.0, 12.0), 5.0), inside=100.0, outside=level, noise=0.0)
    with pytest.raises(InputError, match=sentence):
        tumour({"portal": alike}, click(image, (60.0, 60.0, 60.0)))


def test_a_phase_that_ends_within_the_box_goes_on_as_it_ends():
    image = grid()
    lesion = ball(image, CENTRE, RADIUS)
    portal, arterial = with_lesion(image, lesion), with_lesion(image, lesion, inside=150.0, seed=1)
    box = box_around(image, lesion, 2.0)
    middle = int(CENTRE[2] / image.GetSpacing()[2])
    whole, part = (tumour({"portal": portal, "arterial": one}, box) for one in (arterial, arterial[:, :, : middle + 4]))
    assert dice(part, whole) > 0.9
    assert part[middle + 5 :].sum() > 0.8 * whole[middle + 5 :].sum()


def test_a_phase_elsewhere_is_refused():
    image = grid()
    lesion = ball(image, CENTRE, RADIUS)
    portal, arterial = with_lesion(image, lesion), with_lesion(image, lesion)
    box = box_around(image, lesion)
    beside = arterial[:, :, :4]
    with pytest.raises(InputError, match=r"expected inside the arterial image, .* leave that phase out"):
        tumour({"portal": portal, "arterial": beside}, box)
    arterial.SetOrigin((5000.0, 0.0, 0.0))
    with pytest.raises(InputError, match="The arterial image was expected to show the same place as the portal one"):
        tumour({"portal": portal, "arterial": arterial}, box)


@pytest.mark.parametrize(("level", "noise"), [(50.0, 0.0), (60.0, 10.0), (1080.0, 20.0)])
def test_a_liver_is_not_sought_in_images_that_are_not_in_hu(level, noise):
    image = grid((40, 90, 90), spacing=(3.0, 3.0, 4.0))
    flat = with_lesion(image, ball(image, (0.0, 0.0, 0.0), 1.0), inside=level, outside=level, noise=noise)
    with pytest.raises(InputError, match="on CT in HU, where fat lies below -50, found no level below"):
        segment(Task({"portal": flat}, ("liver",)), "builtin")
