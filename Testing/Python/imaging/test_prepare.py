"""Preparation: settings that cannot be misread, and masks that follow their images."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.errors import Cancelled, InputError
from hccoutcome.imaging.geometry import Geometry, same_geometry
from hccoutcome.imaging.prepare import Preparation, prepare
from hccoutcome.imaging.resample import resample_image, resample_mask
from hccoutcome.phantom import PhantomSettings, phantom_case


def ball(radius: float, size=(24, 24, 16), spacing=(2.0, 2.0, 3.0), origin=(0.0, 0.0, 0.0)) -> sitk.Image:
    """Return a mask of a ball in the middle of a grid."""
    z, y, x = ((np.arange(n) - (n - 1) / 2) * width for n, width in zip(size[::-1], spacing[::-1], strict=True))
    inside = x**2 + y[:, None] ** 2 + z[:, None, None] ** 2 <= radius**2
    mask = sitk.GetImageFromArray(inside.astype(np.uint8))
    mask.SetSpacing(spacing)
    mask.SetOrigin(origin)
    return mask


def scan(mask: sitk.Image, seed: int = 0) -> sitk.Image:
    noise = np.random.default_rng(seed).normal(0, 5, mask.GetSize()[::-1])
    image = sitk.GetImageFromArray((100 + 50 * sitk.GetArrayFromImage(mask) + noise).astype(np.int16))
    image.CopyInformation(mask)
    return image


def values(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def volume(mask: sitk.Image) -> float:
    return float(values(mask).sum() * np.prod(mask.GetSpacing()))


@pytest.fixture(scope="module")
def mr() -> Case:
    """Four MR phases of one patient; before registration the arterial phase lies 8 mm too far up."""
    case = phantom_case(2, PhantomSettings(spacing=(5.0, 5.0, 6.0), modality="MR"))
    arterial = case.images["arterial"]
    shift = sitk.TranslationTransform(3, (3.0, -2.0, -8.0))
    moved = resample_image(arterial, Geometry.from_image(arterial), "linear", shift)
    return Case(case.case_id, {**case.images, "arterial": moved}, case.masks, modality="MR", synthetic=True)


def test_no_step_leaves_voxels_and_grids_as_they_are():
    mask = ball(12)
    other = ball(12, spacing=(1.5, 1.5, 3.0))
    images = {"arterial": scan(mask), "portal": scan(other)}
    found = prepare(images, {"tumor": (other, mask)})
    assert {phase: sitk.Hash(image) for phase, image in found.images.items()} == {
        phase: sitk.Hash(image) for phase, image in images.items()
    }
    for phase, image in images.items():
        assert same_geometry(found.masks["tumor"][phase], image)
    assert sitk.Hash(found.masks["tumor"]["arterial"]) == sitk.Hash(mask)
    assert found.registrations == {}
    assert found.notes == ()


def test_a_phase_on_which_a_region_was_not_outlined_is_left_out_and_named():
    mask = ball(12)
    images = {"arterial": scan(mask), "portal": scan(ball(12, spacing=(1.5, 1.5, 3.0)))}
    found = prepare(images, {"tumor": (mask,)})
    assert list(found.masks["tumor"]) == ["arterial"]
    assert found.notes == ("tumor was not outlined on the grid of the portal image, so nothing is measured there.",)


def test_each_image_is_resampled_with_its_mask():
    mask = ball(14)
    found = prepare({"portal": scan(mask)}, {"tumor": (mask,)}, Preparation(spacing=(1.0, 1.0, 1.0)))
    image, region = found.images["portal"], found.masks["tumor"]["portal"]
    assert image.GetSpacing() == (1.0, 1.0, 1.0)
    assert image.GetSize() == (48, 48, 48)
    assert same_geometry(image, region)
    assert volume(region) == pytest.approx(volume(mask), rel=0.02)
    assert values(image)[values(region) == 1].mean() == pytest.approx(150, abs=3)


def test_only_the_slices_are_made_thinner_where_the_pixels_are_to_stay():
    mask = ball(14)
    found = prepare({"portal": scan(mask)}, {}, Preparation.from_dict({"spacing": [0, 0, 1]}))
    assert found.images["portal"].GetSpacing() == (2.0, 2.0, 1.0)


def test_the_window_of_selection_clips_and_nothing_else():
    mask = ball(12)
    image = scan(mask)
    found = prepare({"portal": image}, {"tumor": (mask,)}, Preparation(normalisation="window", window=(90.0, 140.0)))
    np.testing.assert_array_equal(values(found.images["portal"]), np.clip(values(image), 90, 140))


def test_paper_003_carries_the_region_outlined_on_the_portal_phase_to_every_registered_phase(mr):
    wanted = Preparation(
        bias_correction=True, spacing=(5.0, 5.0, 5.0), registration="rigid", reference_phase="portal",
        normalisation="minmax",
    )  # fmt: skip
    told: list[float] = []
    found = prepare(mr.images, mr.masks, wanted, seed=3, progress=lambda fraction, _: told.append(fraction))
    assert list(found.images) == ["precontrast", "arterial", "portal", "delayed"]
    for image in found.images.values():
        assert image.GetSpacing() == (5.0, 5.0, 5.0)
        assert same_geometry(image, found.images["portal"])
        assert (values(image).min(), values(image).max()) == (0, pytest.approx(255))
    assert {sitk.Hash(mask) for mask in found.masks["tumor"].values()} == {sitk.Hash(found.masks["tumor"]["portal"])}
    assert volume(found.masks["liver"]["delayed"]) == pytest.approx(volume(mr.masks["liver"][0]), rel=0.02)
    point = (-50.0, 0.0, 20.0)
    landed = found.registrations["arterial"].transform.TransformPoint(point)
    np.testing.assert_allclose(np.subtract(landed, point), (-3.0, 2.0, 8.0), atol=0.8)
    assert set(found.registrations) == {"precontrast", "arterial", "delayed"}
    assert found.notes[1].startswith("arterial against portal: mutual information 0.")
    assert told == sorted(told)
    assert told[-1] == 1


def test_a_region_outlined_on_another_phase_moves_with_it(mr):
    portal, arterial = mr.images["portal"], mr.images["arterial"]
    coarse = Geometry.from_image(
        resample_image(arterial, Geometry((64, 64, 34), (5.3, 5.3, 6.3), arterial.GetOrigin(), arterial.GetDirection()))
    )
    outlined = resample_mask(mr.masks["liver"][0], coarse, sitk.TranslationTransform(3, (3.0, -2.0, -8.0)))
    images = {"arterial": resample_image(arterial, coarse, "linear"), "portal": portal}
    found = prepare(images, {"liver": (outlined,)}, Preparation(registration="rigid", reference_phase="portal"))
    carried, true = values(found.masks["liver"]["portal"]) > 0, values(mr.masks["liver"][0]) > 0
    assert 2 * (carried & true).sum() / (carried.sum() + true.sum()) > 0.9


def test_the_registration_can_be_told_to_match_around_the_liver(mr):
    wanted = Preparation(registration="rigid", reference_phase="portal", registration_region="liver")
    images = {phase: mr.images[phase] for phase in ("arterial", "portal")}
    found = prepare(images, mr.masks, wanted)
    landed = found.registrations["arterial"].transform.TransformPoint((-50.0, 0.0, 20.0))
    np.testing.assert_allclose(np.subtract(landed, (-50.0, 0.0, 20.0)), (-3.0, 2.0, 8.0), atol=0.7)
    with pytest.raises(InputError, match=r"match around 'liver', found no mask of it on the grid of the portal image"):
        prepare(images, {}, wanted)


def test_a_region_that_a_registered_phase_does_not_show_is_refused(mr):
    portal = mr.images["portal"]
    images = {"arterial": mr.images["arterial"][:, :, 18:], "portal": portal}
    with pytest.raises(InputError, match=r"At least 95 % of 'liver' should lie inside the arterial image, found \d+ %"):
        prepare(images, {"liver": mr.masks["liver"]}, Preparation(registration="rigid", reference_phase="portal"))


def test_a_missing_reference_phase_is_refused():
    with pytest.raises(InputError, match=r"registered to the portal phase, found only arterial: add the portal image"):
        prepare({"arterial": scan(ball(9))}, {}, Preparation(registration="rigid", reference_phase="portal"))


@pytest.mark.parametrize("registration", ["none", "rigid"])
def test_a_mask_drawn_on_prepared_voxels_is_taken_as_it_is(registration):
    """As habitats are: by way of the coarser voxels of the image their borders would move."""
    mask = ball(12)
    wanted = Preparation(spacing=(1.0, 1.0, 1.0), registration=registration, reference_phase="portal")
    images = {"portal": scan(mask)} | ({"arterial": scan(mask, 1)} if registration == "rigid" else {})
    first = prepare(images, {"tumor": (mask,)}, wanted)
    grid = first.images["portal"]
    stripes = values(first.masks["tumor"]["portal"]).astype(np.uint8)
    stripes[:, :, ::2] = 0
    half = sitk.GetImageFromArray(stripes)
    half.CopyInformation(grid)
    cropped = sitk.RegionOfInterest(half, [size - 2 for size in half.GetSize()], [1, 1, 1])
    found = prepare(images, {"tumor": (mask,), "habitat1": (mask, cropped)}, wanted)
    drawn = found.masks["habitat1"]["portal"]
    assert same_geometry(drawn, grid)
    assert sitk.Hash(drawn) == sitk.Hash(half)
    assert volume(prepare(images, {"habitat1": (mask,)}, wanted).masks["habitat1"]["portal"]) > 1.5 * volume(half)


def test_a_mask_on_no_grid_is_refused():
    with pytest.raises(
        InputError, match=r"mask of 'tumor' was expected on the grid of the portal image, found spacing"
    ):
        prepare({"portal": scan(ball(9))}, {"tumor": (ball(9, spacing=(1.9, 2.0, 3.0)),)})


def test_a_region_smaller_than_the_new_voxels_is_refused():
    mask = ball(1.8)
    with pytest.raises(InputError, match=r"region 'tumor' was expected to fill at least one voxel of 9 x 9 x 9 mm"):
        prepare({"portal": scan(mask)}, {"tumor": (mask,)}, Preparation(spacing=(9.0, 9.0, 9.0)))


def test_a_step_that_an_image_does_not_allow_names_its_phase():
    with pytest.raises(
        InputError, match=r"^portal image: N4 expects MR intensities of 0 and above, found a minimum of -"
    ):
        prepare({"portal": scan(ball(9)) - 1000}, {}, Preparation(bias_correction=True))


def test_no_image_is_refused():
    with pytest.raises(InputError, match=r"Images to prepare were expected, found none: add"):
        prepare({}, {})


def test_the_user_may_stop_it(mr):
    def stop(fraction: float, message: str) -> None:
        raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled):
        prepare(mr.images, mr.masks, Preparation(bias_correction=True), progress=stop)


def test_settings_survive_json():
    wanted = Preparation(
        bias_correction=True, spacing=(1.0, 1.0, 1.0), registration="deformable", reference_phase="portal",
        registration_region="liver", normalisation="window", window=(-50.0, 350.0), output_range=(0.0, 1.0),
    )  # fmt: skip
    assert Preparation.from_dict(json.loads(json.dumps(wanted.to_dict()))) == wanted
    assert Preparation.from_dict({}) == Preparation()
    assert Preparation.from_dict({"spacing": 1}).spacing == (1.0, 1.0, 1.0)
    assert Preparation.from_dict({"registration": "rigid", "reference_phase": "PVP"}).reference_phase == "portal"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"normalization": "minmax"},
            r"'normalization' is not a known setting of the preparation; did you mean 'normalis",
        ),
        (
            {"normalisation": "z-score"},
            r"'z-score' is not a known normalisation of the preparation; did you mean 'zscore'",
        ),
        ({"bias_correction": 1}, r"'bias_correction' of the preparation is true or false, found 1: correct it"),
        ({"spacing": [1, 1]}, r"'spacing' of the preparation is a length in mm or three of them .*found \[1, 1\]"),
        ({"spacing": -1}, r"'spacing' .*found \[-1, -1, -1\]|'spacing' .*found -1"),
        ({"window": [350, -50], "normalisation": "window"}, r"a lower and a higher number, found \[350, -50\]"),
        ({"normalisation": "window"}, r"needs its lowest and highest value, found none: set 'window'"),
        ({"window": [0, 1]}, r"only used by the normalisation 'window', found 'none'"),
        ({"registration": "rigid"}, r"needs the phase to register to, found none: set 'reference_phase'"),
        ({"registration": "rigid", "reference_phase": "porta"}, r"'porta' is not a known phase.*did you mean 'portal'"),
        ({"registration_region": "liver"}, r"only used by a registration, found none: set 'registration'"),
        ({"outliers": 0}, r"'outliers' of the preparation is a number above 0, found 0"),
        ({"scale": True}, r"'scale' of the preparation is a number above 0, found True"),
    ],
)
def test_settings_that_cannot_be_are_refused(data, message):
    with pytest.raises(InputError, match=message):
        Preparation.from_dict(data)
