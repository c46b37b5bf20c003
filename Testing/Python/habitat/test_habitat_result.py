"""What a scene and a window show of habitats survives the way between processes, digit by digit."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import planted
import pytest
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.habitat.find import find_habitats
from hccoutcome.habitat.metrics import map_measures
from hccoutcome.habitat.onecase import CaseHabitats
from hccoutcome.habitat.preparation import MRI, RegistrationCheck, checkerboard
from hccoutcome.habitat.result import (
    MEASURES,
    HabitatResult,
    load_result,
    provenance_of,
    result_of,
    save_result,
)
from hccoutcome.habitat.settings import HabitatSettings

LABELS = planted.layers()


@pytest.fixture(scope="module")
def habitats():
    return find_habitats(planted.images(LABELS), planted.mask(LABELS), HabitatSettings(k=3, k_range=(2, 4), repeats=0))


@pytest.fixture(scope="module")
def result(habitats) -> HabitatResult:
    images = planted.images(LABELS)
    board = checkerboard(images["portal"], images["arterial"])
    return result_of(habitats, "tumor", [RegistrationCheck("arterial", "portal", 0.2, 0.4, 1.0, board)], {"seed": 1})


def test_a_result_read_back_is_the_same(result: HabitatResult, tmp_path: Path) -> None:
    read = load_result(save_result(result, tmp_path / "new"))
    assert (read.region, read.summary, read.provenance) == (result.region, result.summary, result.provenance)
    assert list(read.tables) == list(result.tables)
    for role, table in result.tables.items():
        assert read.tables[role].title == table.title
        assert list(read.tables[role].columns) == list(table.columns)
        for name, cells in table.columns.items():
            assert list(map(repr, read.tables[role].columns[name])) == list(map(repr, cells)), (role, name)
    for mine, other in ((result.labels, read.labels), (result.checks[0].image, read.checks[0].image)):
        np.testing.assert_array_equal(sitk.GetArrayFromImage(mine), sitk.GetArrayFromImage(other))
        assert mine.GetOrigin() == pytest.approx(other.GetOrigin(), rel=1e-12)
        assert mine.GetSpacing() == other.GetSpacing()
    assert (read.checks[0].phase, read.checks[0].reference) == ("arterial", "portal")


def test_the_map_is_cut_to_its_region_and_every_voxel_stays_in_place(habitats, result: HabitatResult) -> None:
    whole, cut = habitats.labels, result.labels
    assert np.prod(cut.GetSize()) < np.prod(whole.GetSize())
    first = whole.TransformPhysicalPointToIndex(cut.GetOrigin())
    box = sitk.RegionOfInterest(whole, cut.GetSize(), first)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(box), sitk.GetArrayFromImage(cut))
    assert np.count_nonzero(sitk.GetArrayFromImage(cut)) == np.count_nonzero(sitk.GetArrayFromImage(whole))


def test_tables_hold_what_was_found(habitats, result: HabitatResult) -> None:
    assert result.features == dict(habitats.features)
    measures = result.tables["measures"].columns
    assert dict(zip(measures["Name"], measures["Value"], strict=True)) == dict(habitats.measures)
    sizes = result.tables["table"].columns
    assert sizes["volume_ml"][:3] == [size.volume_ml for size in habitats.sizes]
    assert all(math.isnan(value) for value in sizes["ith"][:3])
    assert result.tables["chosen"].columns["k"] == [3]
    matrix = [result.tables["interaction"].columns[name] for name in ("outside", "habitat1", "habitat2", "habitat3")]
    np.testing.assert_array_equal(np.transpose(matrix), habitats.interaction)


def test_every_measure_has_a_name_and_a_meaning() -> None:
    assert set(map_measures(sitk.GetArrayFromImage(planted.mask(LABELS)) * 1, 2, (1.0, 1.0, 1.0))) <= set(MEASURES)
    assert set(map_measures(LABELS, 3, (1.0, 1.0, 1.0))) == set(MEASURES)


def test_the_provenance_names_inputs_preparation_and_software(habitats) -> None:
    case = Case("one", planted.images(LABELS), {"tumor": (planted.mask(LABELS),)}, sources={"image:portal": "ab"})
    found = provenance_of(CaseHabitats(case, "tumor", habitats, preparation=MRI))
    assert found["inputs"] == {"image:portal": "ab"}
    assert found["preparation"] == MRI.to_dict()
    assert found["settings"] == habitats.settings.to_dict()
    assert {"hccoutcome", "sklearn", "numpy"} <= set(found["software"])
    assert provenance_of(CaseHabitats(case, "tumor", habitats))["preparation"] is None


def test_showing_needs_none_of_the_libraries_that_find() -> None:
    code = (
        "import sys, hccoutcome.habitat.result; print(*(n for n in ('scipy', 'sklearn', 'numba') if n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
