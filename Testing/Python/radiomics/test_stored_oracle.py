"""The engine gives the stored values of PyRadiomics, also where PyRadiomics cannot be installed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pipeline_oracle import assert_same_features
from stored_cases import CASES, STORED, case

from hccoutcome.radiomics.binarypatterns import icosphere
from hccoutcome.radiomics.extraction import extract_region

ORACLE = json.loads(STORED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CASES)
def test_every_feature_equals_the_stored_one(name: str) -> None:
    expected = {
        f"{image}_{group}_{feature}": value
        for image, classes in ORACLE["cases"][name].items()
        for group, features in classes.items()
        for feature, value in features.items()
    }
    found = extract_region(*case(name), engine="fast")
    # The file keeps each image's classes together; PyRadiomics reports all shapes first.
    assert_same_features(dict(sorted(found.items())), dict(sorted(expected.items())))


def test_the_shipped_settings_give_the_published_numbers_of_features() -> None:
    assert len(extract_region(*case("prime"))) == 944
    assert len(extract_region(*case("radscore"))) == 1130


@pytest.mark.parametrize(("subdivisions", "radius", "corners"), ORACLE["spheres"])
def test_sample_spheres_equal_those_of_trimesh(subdivisions: int, radius: float, corners: list[list[float]]) -> None:
    assert np.array_equal(icosphere(subdivisions, radius), corners)
