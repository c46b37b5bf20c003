"""The built-in engine on a real CT against an expert, and against the ellipsoid in the same box, which sees no image.

A subset of ``Testing/Benchmarks/bench_segmentation.py``, with the same least values.
"""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from lesions import array, box_around, dice

from hccoutcome.segmentation import Box, Clicks, Stroke, Task, segment


@pytest.fixture(scope="module")
def ircad(data):
    folder = data / "ircadb17_ct"
    if not folder.is_dir():
        pytest.skip("3D-IRCADb-01 case 17 is not among the real data")
    masks = {name: sitk.ReadImage(str(folder / f"{name}.nii.gz")) for name in ("liver", "livertumor1", "livertumor2")}
    return sitk.ReadImage(str(folder / "ct.nii.gz")), masks


def tumour(image, prompt):
    return array(segment(Task({"portal": image}, ("tumor",), prompt), "builtin").masks["tumor"])


def ellipsoid(image, box):
    """The ellipsoid inscribed in a box along the image's axes."""
    middle = np.array(image.TransformPhysicalPointToContinuousIndex(box.centre))
    half = np.array(box.half) / image.GetSpacing()
    axes = [((np.arange(n) - m) / h) ** 2 for n, m, h in zip(image.GetSize(), middle, half, strict=True)]
    return axes[2][:, None, None] + axes[1][None, :, None] + axes[0][None, None, :] <= 1


@pytest.mark.parametrize(("room", "least", "above"), [(0.0, 0.82, 0.0), (5.0, 0.79, 0.10), (10.0, 0.65, 0.15)])
def test_tumours_from_boxes(ircad, room, least, above):
    image, masks = ircad
    gains = []
    for name in ("livertumor1", "livertumor2"):
        expert = array(masks[name])
        box = box_around(image, expert, room)
        found = dice(tumour(image, box), expert)
        assert found >= least, name
        gains.append(found - dice(ellipsoid(image, box), expert))
    assert np.mean(gains) >= above


@pytest.mark.parametrize("name", ["livertumor1", "livertumor2"])
def test_tumours_from_shifted_and_uneven_boxes(ircad, name):
    image, masks = ircad
    expert = array(masks[name])
    tight = box_around(image, expert)
    draw = np.random.default_rng(3)
    shifted = [Box(tuple(np.array(tight.centre) + shift), tight.axes, tight.half) for shift in 5 * np.eye(3)]
    assert min(dice(tumour(image, box), expert) for box in shifted) >= 0.75
    uneven = []
    for _ in range(3):
        low, high = draw.uniform(-2, 8, 3), draw.uniform(-2, 8, 3)
        centre = np.array(tight.centre) + (high - low) / 2
        uneven.append(Box(tuple(centre), tight.axes, tuple(np.array(tight.half) + (low + high) / 2)))
    assert min(dice(tumour(image, box), expert) for box in uneven) >= 0.77


def test_tumours_from_one_click_in_their_middle(ircad):
    image, masks = ircad
    found = []
    for name in ("livertumor1", "livertumor2"):
        far = sitk.GetArrayFromImage(
            sitk.SignedMaurerDistanceMap(
                sitk.Cast(masks[name] != 0, sitk.sitkUInt8),
                insideIsPositive=True,
                squaredDistance=False,
                useImageSpacing=True,
            )
        )
        place = np.unravel_index(far.argmax(), far.shape)[::-1]
        click = Clicks((image.TransformIndexToPhysicalPoint([int(v) for v in place]),))
        found.append(dice(tumour(image, click), array(masks[name])))
    assert np.median(found) >= 0.70


def test_the_liver_alone_and_with_its_lesions(ircad):
    image, masks = ircad
    expert, lesions = array(masks["liver"]), array(masks["livertumor1"]) | array(masks["livertumor2"])
    found = array(segment(Task({"portal": image}, ("liver",)), "builtin").masks["liver"])
    assert dice(found, expert) >= 0.90
    assert dice(found & ~lesions, expert & ~lesions) >= 0.92
    known = {"tumor": sitk.Or(masks["livertumor1"] != 0, masks["livertumor2"] != 0)}
    whole = array(segment(Task({"portal": image}, ("liver",), known=known), "builtin").masks["liver"])
    assert dice(whole, expert) >= 0.93


def test_a_stroke_in_a_lesion_does_not_ruin_the_liver(ircad):
    image, masks = ircad
    middle = np.argwhere(array(masks["livertumor1"])).mean(axis=0)[::-1]
    steps = [middle + np.array([d, 0, 0]) for d in range(-8, 9)]
    line = tuple(image.TransformContinuousIndexToPhysicalPoint(step.tolist()) for step in steps)
    found = array(segment(Task({"portal": image}, ("liver",), Stroke((line,))), "builtin").masks["liver"])
    assert dice(found, array(masks["liver"])) >= 0.90


def test_the_liver_of_one_patient_in_two_phases_is_one_liver(data):
    folder = data / "hcc011_ct_2phase"
    if not folder.is_dir():
        pytest.skip("HCC_011 is not among the real data")
    found = []
    for name, phase in (("ct_acq2", "arterial"), ("ct_acq3", "portal")):
        image = sitk.ReadImage(str(folder / f"{name}.nii.gz"))
        found.append(array(segment(Task({phase: image}, ("liver",)), "builtin").masks["liver"])[:79])
    assert dice(*found) >= 0.92


def test_a_network_agrees_on_the_liver_of_a_coarse_crop(data):
    folder = data / "totalseg_examples"
    if not folder.is_dir():
        pytest.skip("the examples of TotalSegmentator are not among the real data")
    image = sitk.ReadImage(str(folder / "example_ct_sm.nii.gz"))
    network = array(sitk.ReadImage(str(folder / "example_seg.nii.gz")) == 5)
    assert dice(array(segment(Task({"portal": image}, ("liver",)), "builtin").masks["liver"]), network) >= 0.88


def test_a_brain_tumour_in_mr_is_found_in_a_loose_box(data):
    folder = data / "brain_4seq_mri"
    if not folder.is_dir():
        pytest.skip("the MR of four sequences is not among the real data")
    image = sitk.ReadImage(str(folder / "fla_bet.nii.gz"))
    expert = array(sitk.ReadImage(str(folder / "fusion_mav.nii.gz")))
    box = box_around(image, expert, 5.0)
    found = array(segment(Task({"flair": image}, ("tumor",), box, "MR"), "builtin").masks["tumor"])
    assert dice(found, expert) > dice(ellipsoid(image, box), expert) + 0.15
