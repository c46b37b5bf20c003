"""The jobs of networks: ATOM and maps by the worker are those of ``hcc atom`` and ``hcc maps``, files and numbers."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")

sys.path.insert(0, str(Path(__file__).resolve().parent / "deep"))

from planted_cases import write_case  # noqa: E402
from small_packages import dlopctr_package, selection_package, tci_package  # noqa: E402

from hccoutcome.cli import main  # noqa: E402
from hccoutcome.deep.relevance import read_relevance  # noqa: E402
from hccoutcome.errors import Cancelled, InputError  # noqa: E402
from hccoutcome.findings import Findings  # noqa: E402
from hccoutcome.jobs import AtomJob, MapsJob, load_job  # noqa: E402
from hccoutcome.loading import read_case_folder  # noqa: E402
from hccoutcome.package.writing import write_package  # noqa: E402
from hccoutcome.worker import run_atom_job, run_maps_job  # noqa: E402

RECORD = {"age": 61.0, "sex": "male", "alb": 36.0}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Two generated cases and packages of small networks."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("networks")
    for modality in ("CT", "MR"):
        write_case(folder / modality, "case-1", 0.8, RECORD, modality, True, np.random.default_rng(1))
    for name, target, median in (("tace", "response", 0.01), ("tc", "one-year survival", 0.99)):
        write_package(replace(selection_package(target, median=median)[0], name=name), folder / name)
    write_package(tci_package()[0], folder / "tci")
    write_package(dlopctr_package()[0], folder / "dlopctr")
    return folder


def files_of(case: Path):
    return read_case_folder(case)


@pytest.mark.parametrize("kind", ["atom", "maps"])
def test_a_job_is_the_same_after_saving_and_loading(kind, root, tmp_path):
    case = files_of(root / "CT")
    jobs = {
        "atom": AtomJob(case, {"TACE": "a", "HC": "b"}, tmp_path / "out", "cpu", {"tumor": [{"engine": "builtin"}]}),
        "maps": MapsJob(case, "a", "shap", None, "cuda"),
    }
    jobs[kind].save(tmp_path / "job")
    assert load_job(tmp_path / "job") == jobs[kind]


def test_the_advice_of_the_worker_is_that_of_the_command_line(root, tmp_path, capsys):
    words = ["--tace", root / "tace", "--tc", root / "tc", "--case", root / "CT", "--out", tmp_path / "cli"]
    assert main(["atom", *map(str, words)]) == 2
    capsys.readouterr()
    models = {"TACE": str(root / "tace"), "TC": str(root / "tc")}
    path = run_atom_job(AtomJob(files_of(root / "CT"), models, tmp_path / "out"), tmp_path)
    found = Findings.from_json(json.loads(path.read_text(encoding="utf-8")))
    mine, theirs = (json.loads((tmp_path / name / "atom.json").read_text()) for name in ("out", "cli"))
    for part in ("recommendation", "rule", "models", "scores", "remarks", "predictions"):
        assert mine[part] == theirs[part], part
    assert found.advice.to_json() == {part: theirs[part] for part in found.advice.to_json()}
    assert found.advice.not_given == ("HAIC", "HC")
    assert (tmp_path / "out" / "atom.md").read_text() == (tmp_path / "cli" / "atom.md").read_text()


@pytest.mark.parametrize(("name", "modality", "method"), [("tace", "CT", "rollout"), ("tci", "MR", "gradcam")])
def test_the_maps_of_the_worker_are_those_of_the_command_line(name, modality, method, root, tmp_path, capsys):
    words = ["--package", root / name, "--method", method, "--case", root / modality, "--out", tmp_path / "cli"]
    assert main(["maps", *map(str, words)]) == 0
    capsys.readouterr()
    path = run_maps_job(MapsJob(files_of(root / modality), str(root / name), method, tmp_path / "out"), tmp_path)
    data, maps, seen = read_relevance(path.parent)
    assert {one.phase for one in maps} == {one.phase for one in seen} == {"arterial", "portal"}
    for folder in (path.parent, tmp_path / "out"):
        theirs = json.loads((tmp_path / "cli" / "maps.json").read_text(encoding="utf-8"))
        mine = json.loads((folder / "maps.json").read_text(encoding="utf-8"))
        for part in ("score", "phases", "variables", "notes", "maps", "seen"):
            assert mine[part] == theirs[part], part
        assert {file.name for file in folder.iterdir()} == {file.name for file in (tmp_path / "cli").iterdir()}
    assert data["method"] == method


def test_what_a_network_sees_lies_where_the_image_lies(root, tmp_path):
    """A volume of what DLOPCTR sees holds the image's own grey levels, brought to 0 to 1, at the same places."""
    path = run_maps_job(MapsJob(files_of(root / "CT"), str(root / "dlopctr")), tmp_path)
    _, _, (seen,) = read_relevance(path.parent)
    image = sitk.ReadImage(str(root / "CT" / "arterial.nii.gz"))
    own = sitk.GetArrayFromImage(sitk.Resample(image, seen.image, sitk.Transform(), sitk.sitkLinear, -200.0))
    shown = sitk.GetArrayFromImage(seen.image)
    there = shown.reshape(len(shown), -1).any(axis=1)
    assert 0 < there.sum() <= 3
    expected = (np.clip(own[there], -200, 300) + 200) / 500
    assert np.corrcoef(expected.ravel(), shown[there].ravel())[0, 1] > 0.98


def test_a_package_without_a_network_is_a_sentence(root, tmp_path):
    with pytest.raises(InputError, match="holds no network"):
        run_maps_job(MapsJob(files_of(root / "CT"), "albi"), tmp_path)
    assert not (tmp_path / "maps").exists()


def test_cancelled_maps_leave_nothing_where_the_files_are_kept(root, tmp_path):
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.5:
            raise Cancelled("The work was cancelled.")

    with pytest.raises(Cancelled):
        run_maps_job(MapsJob(files_of(root / "CT"), str(root / "tace"), out=tmp_path / "out"), tmp_path, stop)
    assert not (tmp_path / "out").exists()


def test_the_report_and_the_scene_tell_the_advice_in_reading_order(root, tmp_path):
    from hccoutcome.report.html import render_report
    from hccoutcome.scene import tables

    models = {"TACE": str(root / "tace"), "TC": str(root / "tc")}
    path = run_atom_job(AtomJob(files_of(root / "CT"), models), tmp_path)
    found = Findings.from_json(json.loads(path.read_text(encoding="utf-8")))
    html = render_report(found, {})
    steps = [step.text for step in found.advice.recommendation.steps]
    places = [html.index(text) for text in (found.advice.recommendation.text, *steps, "No package was given for")]
    assert places == sorted(places)
    assert "no evidence that one treatment is better" in html
    columns = tables.advice_columns(found)
    assert columns["Reasoning"] == [*steps, found.advice.recommendation.text]
    assert len({len(values) for values in columns.values()}) == 1


def test_the_advice_stays_with_what_is_found_later_of_the_same_case(root, tmp_path):
    path = run_atom_job(AtomJob(files_of(root / "CT"), {"TACE": str(root / "tace")}), tmp_path)
    found = Findings.from_json(json.loads(path.read_text(encoding="utf-8")))
    later = replace(found, predictions=(), advice=None)
    assert later.joined(found).advice == found.advice
    assert replace(later, clinical={}).joined(found).advice is None
