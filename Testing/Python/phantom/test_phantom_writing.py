"""The phantom as a case folder, written and read back."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.errors import InputError
from hccoutcome.files import sha256_of
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.loading import load_case, read_case_folder
from hccoutcome.phantom import PhantomSettings, phantom_case, write_phantom, writing

FAST = PhantomSettings(spacing=(6.0, 6.0, 7.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom(tmp_path_factory.mktemp("phantom") / "deep" / "case", 5, FAST)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in folder.iterdir()}


def test_a_written_phantom_reads_back_with_identical_voxels_and_record(folder: Path) -> None:
    written, made = load_case(read_case_folder(folder)), phantom_case(5, FAST)
    assert (written.case_id, written.modality, written.synthetic) == ("phantom-0005", "CT", True)
    assert written.clinical == made.clinical
    assert list(written.images) == ["precontrast", "arterial", "portal", "delayed"]
    assert set(written.masks) == {"tumor", "liver", "portalvein"}
    for phase, image in made.images.items():
        assert same_geometry(written.images[phase], image)
        assert np.array_equal(sitk.GetArrayViewFromImage(written.images[phase]), sitk.GetArrayViewFromImage(image))
    for region, (mask,) in made.masks.items():
        assert np.array_equal(sitk.GetArrayViewFromImage(written.masks[region][0]), sitk.GetArrayViewFromImage(mask))


def test_nothing_but_the_case_remains_beside_and_in_the_folder(folder: Path) -> None:
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_the_same_phantom_again_leaves_the_folder_as_it_is(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert write_phantom(folder, 5, FAST) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_another_phantom_is_not_written_over_it(folder: Path) -> None:
    before = hashes(folder)
    with pytest.raises(
        InputError,
        match=r"^An empty or new folder was expected for the phantom, found files in 'case': choose another\.$",
    ):
        write_phantom(folder, 6, FAST)
    assert hashes(folder) == before


def test_a_phantom_that_was_changed_is_not_taken_for_the_same(tmp_path: Path) -> None:
    folder = write_phantom(tmp_path / "case", 5, FAST)
    (folder / "portal.nii.gz").write_bytes((folder / "arterial.nii.gz").read_bytes())
    with pytest.raises(InputError, match="An empty or new folder was expected"):
        write_phantom(folder, 5, FAST)


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert (write_phantom(folder, 5, FAST) / "case.json").is_file()


def test_the_same_seed_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    assert hashes(write_phantom(tmp_path / "again", 5, FAST)) == hashes(folder)


@pytest.mark.parametrize("there_before", [False, True], ids=["new folder", "empty folder"])
@pytest.mark.parametrize(("rival", "refused"), [(5, False), (6, True)], ids=["the same phantom", "another phantom"])
def test_of_two_processes_one_writes_and_the_other_finds_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there_before: bool, rival: int, refused: bool
) -> None:
    folder = tmp_path / "case"
    if there_before:
        folder.mkdir()

    def overtaken(settings: PhantomSettings) -> Case:
        monkeypatch.undo()
        write_phantom(folder, rival, FAST)
        monkeypatch.setattr(os, "getpid", lambda: -1)
        return phantom_case(settings=settings)

    monkeypatch.setattr(writing, "phantom_case", overtaken)
    if refused:
        with pytest.raises(InputError, match="An empty or new folder was expected for the phantom, found files in"):
            write_phantom(folder, 5, FAST)
    else:
        assert write_phantom(folder, 5, FAST) == folder
    assert read_case_folder(folder).case_id == f"phantom-000{rival}"
    assert list(tmp_path.iterdir()) == [folder]
