"""First-order features of shifted grey levels are those of the levels themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hccoutcome.cohort.hounsfield import with_offset
from hccoutcome.cohort.mapping import read_mapping, translate_features
from hccoutcome.errors import InputError

PREFIX = "arterial_tumor_original_firstorder_"


def first_order(levels: np.ndarray, voxel: float) -> dict[str, float]:
    """The definitions of PyRadiomics' documentation, straight from numpy."""
    found = {
        "10Percentile": np.percentile(levels, 10),
        "90Percentile": np.percentile(levels, 90),
        "Energy": np.sum(levels**2),
        "Kurtosis": np.mean((levels - levels.mean()) ** 4) / levels.var() ** 2,
        "Maximum": levels.max(),
        "Mean": levels.mean(),
        "Median": np.median(levels),
        "Minimum": levels.min(),
        "Range": np.ptp(levels),
        "RootMeanSquared": np.sqrt(np.mean(levels**2)),
        "TotalEnergy": voxel * np.sum(levels**2),
        "Variance": levels.var(),
    }
    return {PREFIX + name: float(value) for name, value in found.items()}


@given(st.lists(st.integers(20, 400), min_size=3, max_size=60).filter(lambda v: len(set(v)) > 1), st.floats(0.2, 5))
def test_features_of_moved_levels_are_those_of_the_levels(levels, voxel) -> None:
    stored = np.array(levels, float) + 1024
    moved = with_offset(first_order(stored, voxel), -1024, PREFIX)
    for name, value in first_order(np.array(levels, float), voxel).items():
        assert moved[name] == pytest.approx(value, rel=1e-6), name


def test_other_features_stay_as_they_are() -> None:
    features = {"arterial_tumor_original_glcm_Contrast": 7.0, "arterial_tumor_original_shape_VoxelVolume": 900.0}
    assert with_offset(features, -1024, PREFIX) == features


def test_an_energy_alone_cannot_be_moved() -> None:
    with pytest.raises(InputError, match="Moving grey levels needs the features Energy, Mean, RootMeanSquared"):
        with_offset({PREFIX + "Energy": 4.0}, -1024, PREFIX)


def test_only_the_patients_above_the_limit_are_moved(tmp_path: Path) -> None:
    levels = {"A": np.array([60.0, 80, 100]), "B": np.array([1084.0, 1104, 1124])}
    rows = {case: first_order(values, 1.0) for case, values in levels.items()}
    header = [name.removeprefix("arterial_tumor_") for name in rows["A"]]
    lines = [",".join(["id", *header]), *(",".join([case, *map(repr, row.values())]) for case, row in rows.items())]
    (tmp_path / "features.csv").write_text("\n".join(lines), encoding="utf-8")
    mapping = {
        "schema": 1,
        "title": "Two patients",
        "table": {"case": "id", "columns": {}},
        "features": {
            "case": "id",
            "prefix": "arterial_tumor_",
            "columns": ["original_*"],
            "offset": {"feature": "original_firstorder_Median", "above": 500, "add": -1024},
        },
    }
    (tmp_path / "map.json").write_text(json.dumps(mapping), encoding="utf-8")
    features = read_mapping(str(tmp_path / "map.json")).features
    assert features is not None
    _, (a, b), _ = translate_features(tmp_path / "features.csv", features)
    assert {name: float(a[name]) for name in rows["A"]} == rows["A"]
    assert {name: float(b[name]) for name in rows["A"]} == pytest.approx(rows["A"])


def test_the_tumours_of_the_shipped_mapping_are_in_hounsfield_units(data: Path) -> None:
    """A tumour of the liver has a median between water and bone; 86 of 103 come 1024 above it."""
    mapping = read_mapping("hcc-tace-seg").features
    assert mapping is not None
    _, rows, _ = translate_features(data / "hcc_tace_tables" / "radiomics_original_sheared_translated.csv", mapping)
    medians = [float(row[f"{PREFIX}Median"]) for row in rows if row[f"{PREFIX}Median"]]
    assert len(medians) == 103
    assert 20 < min(medians) < max(medians) < 200
