"""The rule for feature names."""

from __future__ import annotations

import pytest

from hccoutcome.errors import InputError
from hccoutcome.naming import FeatureName, parse_feature_name


@pytest.mark.parametrize(
    "name",
    [
        "arterial_tumor_wavelet-HLL_ngtdm_Complexity",
        "portal_habitat3_original_firstorder_10Percentile",
        "portal_habitat1_volume_ml",
    ],
)
def test_a_name_taken_apart_and_put_together_is_itself(name: str) -> None:
    assert str(parse_feature_name(name)) == name


def test_the_parts_are_phase_region_and_radiomic_name() -> None:
    parsed = parse_feature_name("delayed_tumor_original_glrlm_ShortRunEmphasis")
    assert parsed == FeatureName("delayed", "tumor", "original_glrlm_ShortRunEmphasis")


@pytest.mark.parametrize("name", ["", "tumor", "portal_tumor", "portal__original_glcm_Id", "portal_tumor_mean"])
def test_a_name_that_breaks_the_rule_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="rename the column"):
        parse_feature_name(name)
