"""Habitats found by a worker process: the same files as the command line writes, or one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import planted
import pytest
import SimpleITK as sitk

from hccoutcome.case import CaseFiles, ImageFile, MaskFile
from hccoutcome.cli import main
from hccoutcome.errors import Cancelled, InputError
from hccoutcome.habitat.result import load_result
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.jobs import AnalyseJob, HabitatJob, load_job
from hccoutcome.processes import own_environment
from hccoutcome.worker import run_habitat_job

LABELS = planted.layers()
QUICK = HabitatSettings(k=3, k_range=(2, 4), repeats=0, radiomics=None)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> CaseFiles:
    folder = tmp_path_factory.mktemp("case")
    images = {}
    for phase, image in planted.images(LABELS).items():
        sitk.WriteImage(image, str(folder / f"{phase}.nii.gz"))
        images[phase] = ImageFile(folder / f"{phase}.nii.gz")
    sitk.WriteImage(planted.mask(LABELS), str(folder / "mask.nii.gz"))
    return CaseFiles("one", images, {"tumor": (MaskFile(folder / "mask.nii.gz"),)})


def run_worker(folder: Path) -> tuple[int, list[dict]]:
    command = [sys.executable, "-m", "hccoutcome.worker", folder]
    done = subprocess.run(command, capture_output=True, text=True, env=own_environment(), check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def options(files: CaseFiles) -> list[str]:
    images = [word for phase, file in files.images.items() for word in ("--image", f"{phase}={file.path}")]
    return [*images, "--mask", f"tumor={files.masks['tumor'][0].path}"]


def test_a_job_is_the_same_after_saving_and_loading(files: CaseFiles, tmp_path: Path) -> None:
    for job in (
        HabitatJob(files),
        HabitatJob(files, "habitat2", QUICK, "mri", "deformable", tmp_path / "package", tmp_path / "out"),
    ):
        job.save(tmp_path / "job")
        assert load_job(tmp_path / "job") == job


def test_jobs_of_either_kind_are_told_apart(files: CaseFiles, tmp_path: Path) -> None:
    AnalyseJob(files, ("albi",), tmp_path / "out").save(tmp_path)
    assert isinstance(load_job(tmp_path), AnalyseJob)
    with pytest.raises(InputError, match="write the job again"):
        HabitatJob.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "write the job again"), ("[1]", "write the job again"), ('{"kind": "habitat"}', "write the job again")],
)
def test_a_folder_without_a_job_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(InputError, match=sentence):
        load_job(tmp_path)


def test_an_unknown_setting_in_a_job_is_named(files: CaseFiles, tmp_path: Path) -> None:
    path = HabitatJob(files).save(tmp_path)
    data = json.loads(path.read_text())
    data["settings"]["algoritm"] = "gmm"
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match="'algoritm' is not a known setting of the habitats"):
        load_job(tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"region": "spleen"}, "'spleen' is not a known region"),
        ({"preparation": "mr"}, "'mr' is not a known preparation of the habitats; did you mean 'mri'"),
        ({"registration": "affine"}, "'affine' is not a known registration of the habitats"),
    ],
)
def test_a_wrong_word_is_refused_before_any_work(files: CaseFiles, change: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        HabitatJob(files, **change)


def test_the_worker_gives_what_the_command_writes(files: CaseFiles, tmp_path: Path) -> None:
    settings = HabitatSettings(repeats=2)
    HabitatJob(files, settings=settings, out=tmp_path / "window").save(tmp_path / "job")
    status, events = run_worker(tmp_path / "job")
    assert status == 0, events[-1]
    fractions = [event["fraction"] for event in events if event["event"] == "progress"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    command = ["habitat", *options(files), "--repeats", "2", "--no-scene", "--out", str(tmp_path / "command")]
    assert main(command) == 0
    for name in ("features.csv", "habitats.csv", "elbow.csv", "habitats.json"):
        assert (tmp_path / "window" / name).read_bytes() == (tmp_path / "command" / name).read_bytes(), name
    result = load_result(Path(events[-1]["path"]))
    assert result.summary["k"] == 3
    assert len(result.features) == 1140
    assert np.count_nonzero(sitk.GetArrayFromImage(result.labels)) == np.count_nonzero(LABELS)
    assert result.provenance["phases"] == list(planted.PHASES)


def test_older_files_are_replaced_and_others_stay(files: CaseFiles, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("checkerboard_arterial.nii.gz", "registration.csv", "notes.txt"):
        (out / name).write_text("old")
    run_habitat_job(HabitatJob(files, settings=QUICK, out=out), tmp_path / "job")
    names = {path.name for path in out.iterdir()}
    assert names >= {"habitats.seg.nrrd", "features.csv", "notes.txt"}
    assert not names & {"checkerboard_arterial.nii.gz", "registration.csv"}


def test_without_a_folder_only_the_job_has_the_result(files: CaseFiles, tmp_path: Path) -> None:
    path = run_habitat_job(HabitatJob(files, settings=QUICK), tmp_path / "job")
    assert path.parent.parent == tmp_path / "job"
    assert {entry.name for entry in tmp_path.iterdir()} == {"job"}


def test_a_cancelled_job_publishes_nothing(files: CaseFiles, tmp_path: Path) -> None:
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled):
        run_habitat_job(HabitatJob(files, settings=QUICK, out=tmp_path / "out"), tmp_path / "job", stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"region": "liver"}, "liver"),
        ({"package": Path("nowhere")}, "by the method that it was learnt with, found 'one-step'"),
        (
            {"package": Path("nowhere"), "settings": HabitatSettings(method="pooled", repeats=0)},
            "is a folder with habitat-model.json, found none",
        ),
    ],
)
def test_what_does_not_fit_is_a_sentence(files: CaseFiles, tmp_path: Path, change: dict, sentence: str) -> None:
    HabitatJob(files, **{"settings": QUICK} | change).save(tmp_path / "job")
    status, events = run_worker(tmp_path / "job")
    assert (status, events[-1]["event"], events[-1]["status"]) == (2, "error", 2)
    assert sentence in events[-1]["message"]
