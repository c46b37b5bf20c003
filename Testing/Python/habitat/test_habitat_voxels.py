from __future__ import annotations

import brute_force
import numpy as np
import planted
import pytest

from hccoutcome.errors import InputError
from hccoutcome.habitat.enhancement import enhancement
from hccoutcome.habitat.entropy import local_entropy
from hccoutcome.habitat.region import region_of
from hccoutcome.habitat.scaling import Scaling, learn_scaling
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.habitat.voxels import distinct, voxel_features

LEVELS = {
    phase: np.array(values)
    for phase, values in zip(planted.PHASES, np.array([[100.0, 80], [160, 120], [140, 132], [120, 60]]), strict=True)
}
SECONDS = {"precontrast": 0.0, "arterial": 30.0, "portal": 60.0, "delayed": 180.0}


def test_local_entropy_equals_that_counted_voxel_by_voxel() -> None:
    draw = np.random.default_rng(1)
    inside = draw.random((5, 6, 4)) < 0.7
    values = draw.normal(size=int(inside.sum()))
    for radius, levels in ((1, 4), (2, 32)):
        expected = brute_force.local_entropy(values, inside, radius, levels)
        np.testing.assert_allclose(local_entropy(values, inside, radius, levels), expected, atol=1e-12)


def test_local_entropy_is_zero_in_one_grey_level_and_largest_where_all_differ() -> None:
    inside = np.ones((3, 3, 3), dtype=bool)
    assert not local_entropy(np.full(27, 5.0), inside, 1).any()
    assert local_entropy(np.arange(27.0), inside, 1, levels=27)[13] == pytest.approx(np.log2(27))


def test_enhancement_by_hand() -> None:
    found = enhancement(LEVELS, "difference", {})
    assert {name: values.tolist() for name, values in found.items()} == {
        "washin_arterial": [60, 40],
        "washout_portal": [20, -12],
        "washout_delayed": [40, 60],
    }
    ratios = enhancement(LEVELS, "ratio", {})
    np.testing.assert_allclose(ratios["washin_arterial"], [0.6, 0.5])
    np.testing.assert_allclose(ratios["washout_delayed"], [0.25, 0.5])


def test_times_make_rates_per_minute() -> None:
    found = enhancement(LEVELS, "difference", SECONDS)
    np.testing.assert_allclose(found["washin_arterial"], [120, 80])
    np.testing.assert_allclose(found["washout_delayed"], [16, 24])


def test_without_a_phase_before_contrast_there_is_only_wash_out() -> None:
    later = {phase: LEVELS[phase] for phase in ("arterial", "portal")}
    assert list(enhancement(later, "ratio", {})) == ["washout_portal"]
    assert list(enhancement({"t1": LEVELS["precontrast"], "t1ce": LEVELS["arterial"]}, "ratio", {})) == ["washin_t1ce"]


@pytest.mark.parametrize(
    ("values", "kinetics", "times", "message"),
    [
        (
            {"portal": LEVELS["portal"]},
            "ratio",
            {},
            "Wash-in and wash-out need two of the phases precontrast (or t1), arterial, portal, delayed (or t1ce), "
            "found portal: add a phase or set the kinetics to 'none'.",
        ),
        (
            {**LEVELS, "precontrast": np.array([-5.0, 80.0])},
            "ratio",
            {},
            "Ratios of enhancement need grey levels above 0, found 1 of 2 voxels of the precontrast image at or below "
            "0: use the kinetics 'difference'.",
        ),
        (
            LEVELS,
            "difference",
            {"arterial": 30.0},
            "Times are needed for all phases or none, found none for precontrast: add its seconds after the injection.",
        ),
        (
            LEVELS,
            "difference",
            {**SECONDS, "arterial": 0.0},
            "The arterial phase was expected to be later than the precontrast phase, found 0 s against 0 s: correct "
            "the times.",
        ),
    ],
)
def test_enhancement_says_what_it_needs(values, kinetics, times, message) -> None:
    with pytest.raises(InputError) as caught:
        enhancement(values, kinetics, times)
    assert str(caught.value) == message


def test_scaling_by_hand() -> None:
    values = np.array([[0.0], [1], [2], [3], [100]])
    assert learn_scaling(values, ["x"], "minmax").apply(values).ravel().tolist() == pytest.approx(
        [0, 0.01, 0.02, 0.03, 1]
    )
    z = learn_scaling(values, ["x"], "zscore").apply(values).astype(float)
    assert (z.mean(), z.std(ddof=1)) == (pytest.approx(0, abs=1e-7), pytest.approx(1))
    assert learn_scaling(values, ["x"], "robust").apply(values).ravel().tolist() == [-1, -0.5, 0, 0.5, 49]
    assert learn_scaling(values, ["x"], "none").apply(values).ravel().tolist() == [0, 1, 2, 3, 100]


def test_winsorising_cuts_each_end_to_its_quantile() -> None:
    values = np.arange(101.0)[:, None]
    scaling = learn_scaling(values, ["x"], "minmax", 0.05)
    assert (scaling.low[0], scaling.high[0]) == (5, 95)
    scaled = scaling.apply(np.array([[-50.0], [5], [50], [95], [200]])).ravel().tolist()
    assert scaled == [0, 0, 0.5, 1, 1]


def test_a_scaling_survives_json() -> None:
    scaling = learn_scaling(np.random.default_rng(0).normal(size=(50, 3)), "abc", "robust", 0.1)
    other = Scaling.from_json(scaling.to_json())
    rows = np.random.default_rng(1).normal(size=(20, 3))
    np.testing.assert_array_equal(scaling.apply(rows), other.apply(rows))


def test_a_feature_that_is_constant_after_the_cut_is_refused() -> None:
    values = np.concatenate([np.zeros(99), [1.0]])[:, None]
    with pytest.raises(InputError) as caught:
        learn_scaling(values, ["portal"], "minmax", 0.05)
    assert str(caught.value) == (
        "The voxel feature 'portal' was expected to vary inside the region, found it constant after cutting 5 % at "
        "each end and scaling by 'minmax': cut a smaller part (winsorise), or leave that feature out."
    )


def test_voxel_features_are_named_and_in_order() -> None:
    labels = planted.layers((6, 6, 6))
    images = planted.images(labels)
    region = region_of(images, planted.mask(labels), {"texture": images["arterial"]})
    found = voxel_features(region, HabitatSettings(entropy_radius=1, kinetics="difference"))
    assert found.names == (
        *planted.PHASES,
        *(f"{phase}_entropy" for phase in planted.PHASES),
        *("washin_arterial", "washout_portal", "washout_delayed"),
        "texture",
    )
    assert found.values.shape == (region.size, 12)
    np.testing.assert_array_equal(found.values[:, 11], found.values[:, 1])


def test_distinct_rows_are_counted_as_far_as_needed() -> None:
    rows = np.array([[0, 1], [0, 1], [1, 1], [1, 0]], dtype=np.float32)
    assert distinct(rows, 10) == 3
    assert distinct(rows, 2) >= 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "two-steps"}, "'two-steps' is not a known method of the habitats; did you mean 'two-step'?"),
        ({"k": 1}, "The setting 'k' of the habitats is a whole number from 2 to 99, found 1: correct it."),
        ({"k_range": (5, 3)}, "The setting 'k_range' of the habitats is a whole number from 5 to 99, found 3"),
        ({"winsorise": 0.5}, "The setting 'winsorise' of the habitats is a part of the voxels from 0 to below 0.5"),
        ({"times": {"arterial": "30"}}, "The setting 'times' of the habitats is seconds after the injection by phase"),
        ({"scaling_scope": "cohort"}, "The scope 'cohort' of the scaling needs a method that sees a cohort, found"),
        ({"repeats": True}, "The setting 'repeats' of the habitats is a whole number from 0, found True"),
        ({"smallest_island_mm3": -1}, "The setting 'smallest_island_mm3' of the habitats is a volume from 0 mm3"),
    ],
)
def test_wrong_settings_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        HabitatSettings(**changes)
    assert message in str(caught.value)


def test_settings_survive_json_and_refuse_misspelt_names() -> None:
    settings = HabitatSettings(k=4, k_range=(2, 6), times={"AP": 30}, method="pooled", scaling_scope="cohort")
    assert HabitatSettings.from_dict(settings.to_dict()) == settings
    assert dict(settings.times) == {"arterial": 30}
    with pytest.raises(
        InputError, match="'winsorize' is not a known setting of the habitats; did you mean 'winsorise'"
    ):
        HabitatSettings.from_dict({"winsorize": 0.1})
