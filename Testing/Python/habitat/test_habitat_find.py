from __future__ import annotations

import json

import numpy as np
import planted
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.errors import Cancelled, InputError
from hccoutcome.habitat.agreement import adjusted_rand
from hccoutcome.habitat.find import find_habitats
from hccoutcome.habitat.measure import habitat_settings
from hccoutcome.habitat.settings import ALGORITHMS, METHODS, HabitatSettings
from hccoutcome.naming import parse_feature_name
from hccoutcome.radiomics.extraction import extract
from hccoutcome.response.haic_mri import CRH_TERMS

QUICK = HabitatSettings(radiomics=None, repeats=0, k_range=(2, 5))
LABELS = planted.layers()
IMAGES = planted.images(LABELS)
MASK = planted.mask(LABELS)


def found(settings: HabitatSettings = QUICK, images=None, mask=None, **others):
    return find_habitats(images or IMAGES, MASK if mask is None else mask, settings, **others)


def array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_planted_habitats_are_found_and_numbered_by_the_portal_phase(method, algorithm) -> None:
    habitats = found(HabitatSettings(method=method, algorithm=algorithm, radiomics=None, repeats=0))
    assert habitats.k == 3
    np.testing.assert_array_equal(array(habitats.labels), LABELS)
    assert "ascending mean grey level of the portal image" in habitats.ordering
    assert [size.voxels for size in habitats.sizes] == np.bincount(LABELS.ravel())[1:].tolist()
    assert habitats.centres[2]["arterial"] == pytest.approx(planted.LEVELS[2][1], abs=1)


def test_without_a_portal_phase_the_first_image_numbers_the_habitats() -> None:
    images = {phase: IMAGES[phase] for phase in ("arterial", "delayed")}
    habitats = found(images=images)
    assert "ascending mean grey level of the arterial image" in habitats.ordering
    # In the arterial phase habitat 2 was planted brightest.
    np.testing.assert_array_equal(array(habitats.labels), np.array([0, 1, 3, 2], dtype=np.uint8)[LABELS])


def test_the_map_lies_on_the_grid_of_the_mask() -> None:
    labels = found().labels
    assert labels.GetPixelID() == sitk.sitkUInt8
    for part in ("GetOrigin", "GetSpacing", "GetDirection", "GetSize"):
        assert getattr(labels, part)() == getattr(MASK, part)()


@settings(derandomize=True, deadline=None, max_examples=10)
@given(
    st.lists(st.floats(0.01, 50.0), min_size=4, max_size=4), st.lists(st.floats(-500.0, 500.0), min_size=4, max_size=4)
)
def test_scale_and_offset_of_the_grey_levels_do_not_matter(factors: list, offsets: list) -> None:
    images = {
        phase: planted.image(array(IMAGES[phase]).astype(float) * factor + offset)
        for phase, factor, offset in zip(IMAGES, factors, offsets, strict=True)
    }
    for scaling in ("minmax", "zscore", "robust"):
        asked = HabitatSettings(k=3, k_range=(3, 3), scaling=scaling, radiomics=None, repeats=0)
        np.testing.assert_array_equal(array(found(asked, images).labels), LABELS)


def test_turned_and_mirrored_voxels_give_the_same_habitats() -> None:
    turned = {phase: planted.image(array(image).transpose(2, 0, 1)[::-1]) for phase, image in IMAGES.items()}
    mask = planted.image(array(MASK).transpose(2, 0, 1)[::-1])
    np.testing.assert_array_equal(array(found(images=turned, mask=mask).labels), LABELS.transpose(2, 0, 1)[::-1])


def test_the_same_seed_gives_the_same_habitats_and_another_one_nearly() -> None:
    noisy = planted.images(LABELS, noise=60.0)
    first, second = found(images=noisy).summary(), found(images=noisy).summary()
    assert first == second
    other = found(HabitatSettings(radiomics=None, repeats=0, k_range=(2, 5), seed=7), noisy)
    inside = LABELS > 0
    assert adjusted_rand(array(other.labels)[inside], array(found(images=noisy).labels)[inside]) > 0.8


def test_islands_join_their_surroundings_and_the_note_counts_them() -> None:
    labels = LABELS.copy()
    labels[7, 7, 2:4] = 3
    images = planted.images(labels)
    kept = found(HabitatSettings(radiomics=None, repeats=0, smallest_island_mm3=2.0), images)
    np.testing.assert_array_equal(array(kept.labels), labels)
    cleaned = found(HabitatSettings(radiomics=None, repeats=0, smallest_island_mm3=3.0), images)
    np.testing.assert_array_equal(array(cleaned.labels), LABELS)
    share = 100 * 2 / (LABELS > 0).sum()
    assert cleaned.notes[-1] == (
        f"2 of {(LABELS > 0).sum()} voxels ({share:.1f} %) lay in islands below 3 mm3 (3 voxels) and joined the "
        "habitat around them."
    )


@pytest.mark.parametrize(("smallest", "expected"), [(16.0, 3), (16.1, 1)])
def test_islands_are_measured_in_mm3(smallest: float, expected: int) -> None:
    labels = LABELS.copy()
    labels[7, 7, 2:4] = 3
    images, mask = planted.images(labels), planted.mask(labels)
    for image in (*images.values(), mask):
        image.SetSpacing((2.0, 2.0, 2.0))
    asked = HabitatSettings(k=3, k_range=(3, 3), radiomics=None, repeats=0, smallest_island_mm3=smallest)
    assert array(found(asked, images, mask).labels)[7, 7, 2] == expected


def test_three_habitats_and_four_phases_give_the_columns_of_paper_003() -> None:
    habitats = found(HabitatSettings(k=3, repeats=0))
    assert len(habitats.features) == 1140
    kinds = [parse_feature_name(name).radiomic.split("_")[1] for name in habitats.features]
    assert kinds.count("habitat") == 24
    each = {"firstorder": 18, "glcm": 24, "gldm": 14, "glrlm": 16, "glszm": 16, "ngtdm": 5}
    assert {name: kinds.count(name) for name in set(kinds) - {"habitat"}} == {
        n: 12 * count for n, count in each.items()
    }
    assert habitats.features["delayed_habitat2_original_habitat_Proportion"] == habitats.sizes[1].proportion
    assert habitats.features["arterial_habitat3_original_habitat_VolumeMl"] == habitats.sizes[2].volume_ml
    assert json.loads(json.dumps(habitats.summary()))["features"] == dict(habitats.features)


def test_the_columns_are_those_that_the_published_score_asks_for() -> None:
    wanted = {term.name for term in CRH_TERMS if "_habitat" in term.name}
    assert len(wanted) == 6
    assert wanted <= set(found(HabitatSettings(k=3, repeats=0)).features)


def test_features_are_those_of_the_radiomics_engine() -> None:
    habitats = found(HabitatSettings(k=3, repeats=0))
    mask = sitk.Cast(habitats.labels == 2, sitk.sitkUInt8)
    alone = extract({"portal": IMAGES["portal"]}, {"habitat2": {"portal": mask}}, habitat_settings("haic-mri"))
    assert len(alone) == 93
    assert {name: habitats.features[name] for name in alone} == alone


def test_a_habitat_too_small_for_texture_keeps_volume_and_proportion() -> None:
    labels = np.where(LABELS > 0, 1, 0).astype(np.uint8)
    labels[LABELS == 3] = 2
    labels[7, 7, 7] = 3
    asked = HabitatSettings(k=3, k_range=(3, 3), repeats=0, winsorise=0.0, smallest_island_mm3=0.0)
    levels = {1: (60.0, 80.0, 40.0, 70.0), 2: (70.0, 90.0, 60.0, 80.0), 3: (900.0, 900.0, 900.0, 900.0)}
    habitats = found(asked, planted.images(labels, noise=0.5, levels=levels))
    assert habitats.sizes[2].voxels == 1
    assert [n for n in habitats.features if n.startswith("portal_habitat3_")] == [
        "portal_habitat3_original_habitat_VolumeMl",
        "portal_habitat3_original_habitat_Proportion",
    ]
    assert "Of habitat3 (1 voxels) only volume and proportion were measured:" in habitats.notes[-1]


def test_progress_rises_to_the_end_and_can_stop_the_work() -> None:
    steps: list[float] = []
    found(HabitatSettings(repeats=2, radiomics="haic-mri"), progress=lambda fraction, message: steps.append(fraction))
    assert steps == sorted(steps)
    assert (0 <= steps[0] < 0.1, steps[-1]) == (True, 1.0)

    def stop(fraction: float, message: str) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        found(progress=stop)


def test_a_mask_of_another_size_on_the_same_lattice_fits() -> None:
    cropped = sitk.RegionOfInterest(MASK, [14, 13, 12], [1, 1, 1])
    np.testing.assert_array_equal(array(found(mask=cropped).labels), LABELS)


def test_an_image_that_ends_elsewhere_on_the_same_lattice_fits() -> None:
    images = {**IMAGES, "delayed": sitk.ConstantPad(IMAGES["delayed"], [0, 0, 2], [1, 0, 0], 0.0)}
    np.testing.assert_array_equal(array(found(images=images).labels), LABELS)


def test_images_on_another_grid_are_resampled_with_permission() -> None:
    other = planted.image(np.zeros((24, 24, 24), dtype=np.uint8), (0.9, 0.9, 0.9), (3.0, -5.0, 18.0))
    coarse = sitk.Resample(IMAGES["delayed"], other, sitk.Transform(), sitk.sitkLinear, 100.0, sitk.sitkFloat32)
    images = {**IMAGES, "delayed": coarse}
    with pytest.raises(InputError) as caught:
        found(images=images)
    assert str(caught.value) == (
        "The delayed image was expected on the grid of the mask, but they differ: size 24 x 24 x 24 voxels against "
        "16 x 15 x 14 voxels; spacing 0.9 x 0.9 x 0.9 mm against 1 x 1 x 1 mm; origin 3, -5, 18 mm against 5, -3, 20 "
        "mm (image against mask): register the images, or allow them to be resampled."
    )
    habitats = found(HabitatSettings(resample=True, radiomics=None, repeats=0, k_range=(2, 5)), images)
    np.testing.assert_array_equal(array(habitats.labels), LABELS)
    assert "The delayed image was resampled onto the grid of the mask" in habitats.notes[0]


def with_value(phase: str, value: float, where=(7, 7, 7)) -> dict:
    changed = array(IMAGES[phase])
    changed[where] = value
    return {**IMAGES, phase: planted.image(changed)}


REGION = int((LABELS > 0).sum())
TINY = np.zeros_like(LABELS)
TINY[7, 7, 5:8] = 1
BAD_INPUT = {
    "no image": (
        dict(images={}),
        "Habitats need at least one image, found none: add the images of the phases.",
    ),
    "empty mask": (
        dict(mask=planted.image(np.zeros_like(LABELS))),
        "A region with at least one voxel was expected, found the mask empty: outline the region.",
    ),
    "NaN": (
        dict(images=with_value("portal", np.nan)),
        f"The portal image was expected to hold numbers in the region, found NaN or infinite values in 1 of {REGION} "
        "voxels: mend the image or outline only where it is known.",
    ),
    "constant": (
        dict(images=with_value("arterial", 7.0, ...)),
        f"The arterial image was expected to vary inside the region, found 7 in all {REGION} voxels: check that it "
        "shows the region, or leave it out.",
    ),
    "smaller than k": (
        dict(mask=planted.image(TINY), settings=HabitatSettings(k=5)),
        "5 habitats need a region of at least 5 voxels, found 3: outline a larger region or ask for fewer habitats.",
    ),
    "unknown phase": (
        dict(images={"portl": IMAGES["portal"]}),
        "'portl' is not a known phase or sequence; did you mean 'portal'?",
    ),
    "twice": (
        dict(images={"portal": IMAGES["portal"], "pvp": IMAGES["portal"]}),
        "Each phase is given once, found 'portal' twice: keep one of its images.",
    ),
    "map named like a phase": (
        dict(maps={"portal": IMAGES["portal"]}),
        "Each voxel feature is named once, found 'portal' twice: rename the map.",
    ),
    "nothing to cluster": (
        dict(settings=HabitatSettings(intensities=False)),
        "Habitats need at least one voxel feature, found intensities, entropy, kinetics and maps all left out: switch "
        "one on.",
    ),
    "unknown parameter file": (
        dict(settings=HabitatSettings(radiomics="nonsense")),
        "There is no parameter file 'nonsense': give a path or a shipped name",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_refused_in_one_sentence(case: str) -> None:
    given, message = BAD_INPUT[case]
    with pytest.raises(InputError) as caught:
        find_habitats(**{"images": IMAGES, "mask": MASK, "settings": QUICK, **given})
    assert str(caught.value).startswith(message)


def test_more_habitats_than_distinct_voxels_are_refused() -> None:
    rounded = {"portal": planted.image(np.choose(LABELS, [0, 40, 110, 180]).astype(np.int16))}
    with pytest.raises(InputError) as caught:
        found(HabitatSettings(k=4, winsorise=0.0), rounded)
    assert str(caught.value) == (
        f"4 habitats need at least 4 voxels with different values, found 3 distinct ones among {REGION}: ask for fewer "
        "habitats or choose a larger region."
    )


def test_an_image_that_misses_a_part_of_the_region_is_refused_even_with_permission() -> None:
    half = sitk.RegionOfInterest(IMAGES["arterial"], [8, 15, 14], [0, 0, 0])
    with pytest.raises(InputError) as caught:
        found(HabitatSettings(resample=True), {**IMAGES, "arterial": half})
    lost = int((LABELS[:, :, 8:] > 0).sum())
    assert str(caught.value) == (
        f"The arterial image should show all of the region, but {lost} of its {REGION} voxels lie outside: give a "
        "series that shows all of it, or leave that one out."
    )


def test_values_outside_the_region_do_not_matter() -> None:
    images = with_value("portal", np.nan, (0, 0, 0))
    np.testing.assert_array_equal(array(found(images=images).labels), LABELS)
