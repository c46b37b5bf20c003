"""Every kind of wrong input ends with status 2 (1 where it is not the input's fault), one sentence and no traceback."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from synthetic_dicom import write_series

from hccoutcome.cli import main
from hccoutcome.resources import resource

SHAPE = (12, 20, 24)


class Bench:
    """A small right case in a folder, to be spoilt in one way at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        array = np.random.default_rng(0).normal(60, 15, SHAPE).astype(np.int16)
        mask = np.zeros(SHAPE, np.uint8)
        mask[3:9, 5:15, 6:18] = 1
        self.write("ct.nii.gz", array)
        self.write("mask.nii.gz", mask)
        self.array, self.mask = array, mask

    def write(self, name: str, array: np.ndarray, spacing: tuple[float, ...] = (0.8, 0.8, 5.0)) -> Path:
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(spacing[: image.GetDimension()] + (1.0,) * (image.GetDimension() - len(spacing)))
        sitk.WriteImage(image, self.folder / name)
        return self.folder / name

    def file(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def analyse(self, *extra: str, image: str = "arterial=ct.nii.gz", mask: str = "tumor=mask.nii.gz") -> list[str]:
        def located(option: str) -> str:
            name, _, path = option.partition("=")
            return f"{name}={self.folder / path}"

        words = ["analyse", "--image", located(image), "--mask", located(mask), "--modality", "CT"]
        words += ["--package", "radscore-tace-ct", "--no-scene", "--no-report"]
        return [*words, *extra] if "--out" in extra else [*words, *extra, "--out", str(self.folder / "out")]

    def record(self, **entries: object) -> list[str]:
        self.file("record.json", json.dumps(entries))
        return self.analyse("--clinical", str(self.folder / "record.json"), "--package", "albi")


def nifti_with(bench: Bench, offset: int, value: np.ndarray) -> None:
    """Write the image uncompressed and overwrite a field of its NIfTI header."""
    sitk.WriteImage(sitk.ReadImage(bench.folder / "ct.nii.gz"), bench.folder / "odd.nii")
    raw = bytearray((bench.folder / "odd.nii").read_bytes())
    raw[offset : offset + value.nbytes] = value.tobytes()
    bench.file("odd.nii", bytes(raw))


def spoil_geometry(bench: Bench) -> list[str]:
    bench.write("mask.nii.gz", bench.mask, (0.7, 0.7, 5.0))
    return bench.analyse()


def spoil_empty_mask(bench: Bench) -> list[str]:
    bench.write("mask.nii.gz", np.zeros(SHAPE, np.uint8))
    return bench.analyse()


def spoil_labels(bench: Bench) -> list[str]:
    bench.write("mask.nii.gz", bench.mask + 4 * (np.arange(SHAPE[2]) > 10).astype(np.uint8) * bench.mask)
    return bench.analyse()


def spoil_fractions(bench: Bench) -> list[str]:
    bench.write("mask.nii.gz", bench.mask * np.float32(0.5))
    return bench.analyse()


def spoil_nan(bench: Bench) -> list[str]:
    array = bench.array.astype(np.float32)
    array[0, 0, :3] = np.nan
    bench.write("ct.nii.gz", array)
    return bench.analyse()


def spoil_zero_spacing(bench: Bench) -> list[str]:
    nifti_with(bench, 80, np.array([0.0], "<f4"))
    return bench.analyse(image="arterial=odd.nii")


def spoil_negative_spacing(bench: Bench) -> list[str]:
    nifti_with(bench, 84, np.array([-0.8], "<f4"))
    return bench.analyse(image="arterial=odd.nii")


def spoil_missing_slice(bench: Bench) -> list[str]:
    paths = write_series(bench.folder / "series")
    sorted(paths)[len(paths) // 2].unlink()
    return bench.analyse(image="arterial=series")


def spoil_mixed_series(bench: Bench) -> list[str]:
    write_series(bench.folder / "series")
    for path in write_series(bench.folder / "other", start=300.0, SeriesInstanceUID="1.2.826.0.1.3680043.8.498.99"):
        path.rename(bench.folder / "series" / f"other-{path.name}")
    return bench.analyse(image="arterial=series")


def spoil_truncated(bench: Bench) -> list[str]:
    raw = gzip.decompress((bench.folder / "ct.nii.gz").read_bytes())
    bench.file("ct.nii.gz", gzip.compress(raw[: len(raw) // 2]))
    return bench.analyse()


def spoil_cut_gzip(bench: Bench) -> list[str]:
    bench.file("ct.nii.gz", (bench.folder / "ct.nii.gz").read_bytes()[:-200])
    return bench.analyse()


def spoil_not_an_image(bench: Bench) -> list[str]:
    bench.file("ct.nii.gz", "no image at all")
    return bench.analyse()


def spoil_four_dimensions(bench: Bench) -> list[str]:
    image = sitk.JoinSeries([sitk.GetImageFromArray(bench.array)] * 3)
    sitk.WriteImage(image, bench.folder / "ct.nii.gz")
    return bench.analyse()


def spoil_two_dimensions(bench: Bench) -> list[str]:
    bench.write("ct.nrrd", bench.array[0])
    return bench.analyse(image="arterial=ct.nrrd")


def spoil_constant(bench: Bench) -> list[str]:
    bench.write("ct.nii.gz", np.full(SHAPE, 40, np.int16))
    return bench.analyse()


def spoil_no_file(bench: Bench) -> list[str]:
    return bench.analyse(image="arterial=none.nii.gz")


def spoil_phase(bench: Bench) -> list[str]:
    return bench.analyse(image="arteriel=ct.nii.gz")


def spoil_region(bench: Bench) -> list[str]:
    return bench.analyse(mask="tumr=mask.nii.gz")


def spoil_option_form(bench: Bench) -> list[str]:
    return [*bench.analyse(), "--image", str(bench.folder / "ct.nii.gz")]


def spoil_package_name(bench: Bench) -> list[str]:
    return bench.analyse("--package", "radscore-tace")


def spoil_option(bench: Bench) -> list[str]:
    return bench.analyse("--packge", "albi")


def spoil_setting(bench: Bench) -> list[str]:
    bench.file("s.yaml", "setting: {binWith: 25}\n")
    return bench.analyse("--settings", str(bench.folder / "s.yaml"))


def spoil_missing_variable(bench: Bench) -> list[str]:
    return bench.record(tbil=12)


def spoil_text_for_number(bench: Bench) -> list[str]:
    return bench.record(tbil="twelve", alb=40)


def spoil_impossible_unit(bench: Bench) -> list[str]:
    return bench.record(tbil={"value": 12, "unit": "kg"}, alb=40)


def spoil_likely_unit(bench: Bench) -> list[str]:
    return bench.record(tbil=12, alb=4.1)


def spoil_unknown_variable(bench: Bench) -> list[str]:
    return bench.record(bilirubine_total_x=12)


def spoil_record_syntax(bench: Bench) -> list[str]:
    bench.file("record.json", '{"afp": 400,}')
    return bench.analyse("--clinical", str(bench.folder / "record.json"))


def package_copy(bench: Bench) -> Path:
    return Path(shutil.copytree(resource("Models", "radscore-tace-ct"), bench.folder / "package"))


def spoil_package_byte(bench: Bench) -> list[str]:
    weights = package_copy(bench) / "weights.json"
    weights.write_bytes(weights.read_bytes().replace(b"0.062126883", b"0.062126884"))
    return bench.analyse("--package", str(weights.parent))


def spoil_pickle(bench: Bench) -> list[str]:
    folder = package_copy(bench)
    (folder / "weights.pkl").write_bytes(pickle.dumps({"w": 1}))
    return bench.analyse("--package", str(folder))


def spoil_zip_path(bench: Bench) -> list[str]:
    with zipfile.ZipFile(bench.folder / "p.zip", "w") as archive:
        for path in package_copy(bench).iterdir():
            archive.write(path, path.name)
        archive.writestr("../../escaped.json", "{}")
    return bench.analyse("--package", str(bench.folder / "p.zip"))


def spoil_missing_column(bench: Bench) -> list[str]:
    bench.file("table.csv", "id,tbil\np1,12\n")
    return cohort(bench)


def spoil_duplicate_case(bench: Bench) -> list[str]:
    bench.file("table.csv", "case_id,tbil\np1,12\np1,13\n")
    return cohort(bench)


def spoil_wrong_column(bench: Bench) -> list[str]:
    bench.file("table.csv", "case_id,bilirubinn\np1,12\n")
    return cohort(bench)


def spoil_workers(bench: Bench) -> list[str]:
    bench.file("table.csv", "case_id,tbil\np1,12\n")
    return [*cohort(bench), "--workers", "0"]


def cohort(bench: Bench) -> list[str]:
    return ["cohort", str(bench.folder / "table.csv"), "--package", "albi", "--out", str(bench.folder / "out")]


def spoil_case_key(bench: Bench) -> list[str]:
    bench.file("case.json", '{"case_id": "a", "image": {}}')
    return ["analyse", "--case", str(bench.folder), "--package", "albi", "--out", str(bench.folder / "out")]


def spoil_target_in_source(bench: Bench) -> list[str]:
    write_series(bench.folder / "series")
    return ["deidentify", str(bench.folder / "series"), str(bench.folder / "series" / "out")]


WRONG = [
    (spoil_geometry, r"0\.7 x 0\.7.*0\.8 x 0\.8|0\.8 x 0\.8.*0\.7 x 0\.7"),
    (spoil_empty_mask, "empty|no voxel|found none"),
    (spoil_labels, r"one label, found 2 \(1, 5\)"),
    (spoil_fractions, r"0\.5"),
    (spoil_nan, "3 .*(NaN|not a number|finite)|(NaN|finite).* 3"),
    (spoil_zero_spacing, "spacing|voxel size"),
    (spoil_negative_spacing, "spacing|voxel size"),
    (spoil_missing_slice, "slice"),
    (spoil_mixed_series, "series"),
    (spoil_truncated, "cut short|truncated"),
    (spoil_cut_gzip, "cut short|truncated|damaged"),
    (spoil_not_an_image, "expected .*found"),
    (spoil_four_dimensions, "4D|dimensions"),
    (spoil_two_dimensions, "3D image .* found 24 x 20"),
    (spoil_constant, "40"),
    (spoil_no_file, "no such file"),
    (spoil_phase, "did you mean 'arterial'"),
    (spoil_region, "did you mean 'tumor'"),
    (spoil_option_form, "PHASE=PATH"),
    (spoil_package_name, "did you mean 'radscore-tace-ct'"),
    (spoil_option, "did you mean '--package'"),
    (spoil_setting, "did you mean 'binWidth'"),
    (spoil_missing_variable, "albi gave no score: .*'?alb"),
    (spoil_text_for_number, "twelve"),
    (spoil_impossible_unit, "kg"),
    (spoil_likely_unit, "g/dL"),
    (spoil_unknown_variable, "bilirubine_total_x"),
    (spoil_record_syntax, "line 1"),
    (spoil_package_byte, "weights.json"),
    (spoil_pickle, "weights.pkl"),
    (spoil_zip_path, "escaped.json"),
    (spoil_missing_column, "'case_id'"),
    (spoil_duplicate_case, "'p1' stands 2 times"),
    (spoil_wrong_column, "did you mean 'tbil'|bilirubinn"),
    (spoil_workers, "whole number from 1"),
    (spoil_case_key, "did you mean 'images'"),
    (spoil_target_in_source, "outside the input"),
]


@pytest.mark.parametrize(("spoil", "sentence"), WRONG, ids=[spoil.__name__[6:] for spoil, _ in WRONG])
def test_wrong_input_is_answered_with_one_sentence(
    spoil: Callable[[Bench], list[str]], sentence: str, tmp_path: Path, capfd
) -> None:
    status = main(spoil(Bench(tmp_path)))
    printed = capfd.readouterr().err
    assert status == 2, printed
    assert "Traceback" not in printed
    assert len(printed.strip().splitlines()) == 1, printed
    assert printed.startswith("hcc: ")
    assert re.search(sentence, printed), printed
    assert not (tmp_path.parent / "escaped.json").exists()


def test_the_right_case_is_right(tmp_path: Path, capfd) -> None:
    """Otherwise the tests above would pass on a case that is wrong in some other way."""
    assert main(Bench(tmp_path).analyse()) == 0, capfd.readouterr().err


def read_only_folder(tmp_path: Path) -> Path:
    """Return a folder that this process may really not write into, whoever runs the tests."""
    if os.geteuid() == 0:
        return Path("/sys")  # a file system that refuses the superuser too
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    return locked


@pytest.mark.skipif(sys.platform != "linux", reason="read-only folders are made in the way of Linux")
def test_a_read_only_output_is_named(tmp_path: Path, capfd) -> None:
    bench = Bench(tmp_path)
    assert main(bench.analyse("--out", str(read_only_folder(tmp_path) / "out"))) == 1
    assert "cannot be written to" in capfd.readouterr().err


def test_an_output_that_is_a_file_is_named(tmp_path: Path, capfd) -> None:
    bench = Bench(tmp_path)
    bench.file("taken", "")
    assert main(bench.analyse("--out", str(tmp_path / "taken" / "out"))) == 1
    assert "A file stands where the folder" in capfd.readouterr().err


@pytest.mark.parametrize("number", ["ENOSPC", "EROFS"])
def test_a_disk_that_fails_midway_is_named_and_nothing_is_left(number: str, tmp_path: Path, capfd, monkeypatch) -> None:
    """The disk is simulated: the operating system's call that flushes a file answers as a full or locked one would."""
    import errno

    import hccoutcome.files

    bench = Bench(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}

    def refuse(descriptor: int) -> None:
        raise OSError(getattr(errno, number), "refused")

    monkeypatch.setattr(hccoutcome.files.os, "fsync", refuse)
    assert main(bench.analyse()) == 1
    assert {"ENOSPC": "is full", "EROFS": "cannot be written to"}[number] in capfd.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == before
