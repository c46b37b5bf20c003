"""The words that a case is described in."""

from __future__ import annotations

from pathlib import Path

import pytest

from hccoutcome.case import CaseFiles, ImageFile, canonical_phase, canonical_region, check_case_id
from hccoutcome.errors import InputError


@pytest.mark.parametrize(
    ("given", "phase"),
    [
        ("portal", "portal"),
        ("Portal_Venous", "portal"),
        ("PVP", "portal"),
        ("venous phase", "portal"),
        ("LAP", "arterial"),
        ("native", "precontrast"),
        ("T1", "t1"),
    ],
)
def test_a_phase_is_known_by_its_synonyms(given: str, phase: str) -> None:
    assert canonical_phase(given) == phase


def test_an_unknown_phase_names_the_nearest_one() -> None:
    with pytest.raises(InputError, match=r"'arteril' is not a known phase.*did you mean 'arterial'"):
        canonical_phase("arteril")


@pytest.mark.parametrize(
    ("given", "region"), [("Tumour", "tumor"), ("lesion", "tumor"), ("liver", "liver"), ("Habitat2", "habitat2")]
)
def test_a_region_is_known_by_its_spellings(given: str, region: str) -> None:
    assert canonical_region(given) == region


@pytest.mark.parametrize("given", ["habitat", "habitat0", "tumor_1", "kidney", ""])
def test_an_unknown_region_is_refused(given: str) -> None:
    with pytest.raises(InputError, match="is not a known region"):
        canonical_region(given)


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden", "a" * 65, "Zoë", "a b"])
def test_a_case_name_must_fit_a_folder(name: str) -> None:
    with pytest.raises(InputError, match="rename it"):
        check_case_id(name)


def test_case_files_refuse_an_unknown_modality() -> None:
    with pytest.raises(InputError, match="one of CT, MR, found 'PET'"):
        CaseFiles("a", {"portal": ImageFile(Path("x"))}, modality="PET")  # type: ignore[arg-type]
