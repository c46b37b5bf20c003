"""Networks on a cohort with images: scores as of single cases, figures as of other libraries, nobody known judged."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import logrank_test
from sklearn.metrics import roc_auc_score
from sksurv.metrics import brier_score, concordance_index_censored

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "deep"))

from planted_cases import write_cases  # noqa: E402
from small_packages import dlopctr_package, selection_package, tci_package  # noqa: E402

from hccoutcome.analysis import analyse  # noqa: E402
from hccoutcome.cli import main  # noqa: E402
from hccoutcome.cohort import evaluate as study_room  # noqa: E402
from hccoutcome.cohort.evaluate import evaluate  # noqa: E402
from hccoutcome.cohort.evaluate_networks import CaseImages  # noqa: E402
from hccoutcome.cohort.evaluate_patients import read_study_cohort  # noqa: E402
from hccoutcome.cohort.evaluate_settings import StudySettings  # noqa: E402
from hccoutcome.cohort.packaging import TrainSettings, train_package  # noqa: E402
from hccoutcome.cohort.training import read_training_table  # noqa: E402
from hccoutcome.deep import package_network  # noqa: E402
from hccoutcome.deep.cnn_features import cnn_features  # noqa: E402
from hccoutcome.deep.fingerprints import LEARNED_IMAGES, fingerprints  # noqa: E402
from hccoutcome.deep.hazards import survival_at  # noqa: E402
from hccoutcome.deep.occlusion import numbers_without, planes_kept  # noqa: E402
from hccoutcome.deep.package import DeepConfig, clinical_row, network_input  # noqa: E402
from hccoutcome.deep.package_network import apply_network, load_model  # noqa: E402
from hccoutcome.deep.resnet import CNN_EXTRACTOR, FeatureExtractor  # noqa: E402
from hccoutcome.deep.selection_inputs import SelectionView, selection_input  # noqa: E402
from hccoutcome.errors import InputError  # noqa: E402
from hccoutcome.evaluation.crossvalidation import out_of_fold  # noqa: E402
from hccoutcome.imaging.prepare import prepare  # noqa: E402
from hccoutcome.loading import load_case, read_case_folder  # noqa: E402
from hccoutcome.package.reading import read_package  # noqa: E402
from hccoutcome.package.threshold import ClassThreshold, Rate  # noqa: E402
from hccoutcome.package.writing import write_package  # noqa: E402
from hccoutcome.response.selection_comparators import CnnLogistic  # noqa: E402

PATIENTS = 14
CUT = ClassThreshold(0.5, "youden", 20, Rate(0.7, 0.5, 0.9), Rate(0.6, 0.4, 0.8), "by hand", "held out")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def ct(tmp_path_factory) -> Path:
    return write_cases(tmp_path_factory.mktemp("ct"), PATIENTS, seed=3)


@pytest.fixture(scope="module")
def mr(tmp_path_factory) -> Path:
    return write_cases(tmp_path_factory.mktemp("mr"), PATIENTS, "MR", seed=4)


@pytest.fixture(scope="module")
def packages(tmp_path_factory, ct) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("packages")
    middle = median_score(selection_package()[0], ct)
    made = {
        "selection": replace(selection_package(median=middle)[0], threshold=replace(CUT, value=middle)),
        "vit": replace(selection_package(variables=False)[0], name="vit"),
        "one-year": selection_package("one-year survival")[0],
        "tci": tci_package()[0],
        "dlopctr": dlopctr_package()[0],
    }
    return {name: write_package(package, root / name) for name, package in made.items()}


def case_of(table: Path, name: str):
    return load_case(read_case_folder(table.parent / name))


def median_score(package, table: Path) -> float:
    scores = [analyse(case_of(table, name), [package], explain=False).predictions[0].score for name in names_of(table)]
    return float(np.median(scores))


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def names_of(table: Path) -> list[str]:
    return [row["case_id"] for row in rows_of(table)]


def study_of(table: Path, *names: object, **changes):
    settings = StudySettings(tuple(map(str, names)), **{"folds": 2, "repeats": 1, "baselines": False, **changes})
    return evaluate(read_study_cohort(table), settings, images=CaseImages(table, table.parent, "cpu"))


@pytest.fixture(scope="module")
def response(ct, packages):
    return study_of(ct, packages["selection"], packages["vit"])


@pytest.fixture(scope="module")
def survival(ct, packages):
    return study_of(ct, packages["dlopctr"])


def test_every_patient_is_scored_as_a_single_case(response, ct, packages):
    found = [read_package(str(packages[name])) for name in ("selection", "vit")]
    for place in (0, 5):
        told = analyse(case_of(ct, response.cases[place]), found, explain=False, device="cpu").predictions
        for given, prediction in zip(response.predicted, told, strict=True):
            assert given.prediction[place] == prediction.score
    for given, item in zip(response.predicted, response.figures, strict=True):
        assert given.way == "external"
        assert item.finished.value == pytest.approx(roc_auc_score(response.y, given.prediction))
    assert response.versus[0].patients == PATIENTS
    assert any("generated" in note for note in response.predicted[0].notes)


def test_each_network_is_loaded_once_for_all_cases(response, ct, packages, monkeypatch):
    monkeypatch.setattr(package_network, "KEPT", 1)
    kept = lru_cache(maxsize=1)(package_network._kept.__wrapped__)
    monkeypatch.setattr(package_network, "_kept", kept)
    again = study_of(ct, packages["selection"], packages["vit"])
    assert kept.cache_info().misses == 2
    for one, other in zip(again.predicted, response.predicted, strict=True):
        np.testing.assert_array_equal(one.prediction, other.prediction)


def test_classes_follow_the_packages_threshold_and_groups_its_median(response, ct, packages):
    given, package = response.predicted[0], read_package(str(packages["selection"]))
    np.testing.assert_array_equal(given.positive, given.prediction >= package.threshold.value)
    np.testing.assert_array_equal(given.low_risk, given.prediction >= package.weights["median"])
    assert "package's own" in given.threshold
    assert "names no threshold" in response.predicted[1].threshold
    (followed,) = [item for item in response.followed if item.label == given.label]
    table = pd.DataFrame(rows_of(ct)).astype({"os_months": float, "os_event": int})
    high = ~given.low_risk
    assert [curve.patients for curve in followed.groups] == [int((~high).sum()), int(high.sum())]
    groups = [table[~high], table[high]]
    curve = KaplanMeierFitter().fit(groups[1]["os_months"], groups[1]["os_event"])
    at = followed.groups[1].times
    np.testing.assert_allclose(followed.groups[1].survival, curve.survival_function_at_times(at), atol=1e-12)
    months, events = ([group[name] for group in groups] for name in ("os_months", "os_event"))
    assert followed.log_rank.p == pytest.approx(logrank_test(*months, *events).p_value, rel=1e-6)
    fitted = CoxPHFitter().fit(table[["os_months", "os_event"]].assign(high=high * 1.0), "os_months", "os_event")
    assert followed.ratio.hazard_ratio.value == pytest.approx(fitted.hazard_ratios_["high"], rel=1e-3)


def test_leaving_out_is_what_the_network_itself_says_without(mr, packages):
    study = study_of(mr, packages["tci"])
    rows = {row.left_out: row for row in study.occlusion[study.predicted[0].label]}
    assert list(rows) == ["nothing", "arterial", "portal", "slice 0", "slices +-1"]
    assert rows["nothing"].auc == study.figures[0].finished
    package = read_package(str(packages["tci"]))
    config, kept = DeepConfig.from_json(package.weights), planes_kept(("arterial", "portal"), (-1, 0, 1))
    numbers = []
    for name in study.cases:
        case = case_of(mr, name)
        seen = network_input(config, case.images, prepare(case.images, case.masks).masks)
        numbers.append(numbers_without(load_model(package, "cpu"), kept, seen.pixels, seen.present, [])["portal"])
    assert rows["portal"].auc.value == pytest.approx(roc_auc_score(study.y, numbers))


def test_survival_is_that_of_the_networks_own_hazards(survival, ct, packages):
    given, item = survival.predicted[0], survival.figures[0]
    y = survival.y
    assert item.finished.value == pytest.approx(concordance_index_censored(y["event"], y["time"], given.prediction)[0])
    package = read_package(str(packages["dlopctr"]))
    config, case = DeepConfig.from_json(package.weights), case_of(ct, survival.cases[2])
    seen = network_input(config, case.images, prepare(case.images, case.masks).masks)
    raw, _ = apply_network(package, config, seen, clinical_row(config, case.clinical), "cpu")
    expected = survival_at(1 / (1 + np.exp(-raw[None])), np.array(config.breaks), np.array(survival.times))
    np.testing.assert_allclose(given.survival[2], expected[0], rtol=1e-5)
    assert survival.times[-1] <= config.breaks[-1]
    _, reference = brier_score(y, y, given.survival, survival.times)
    np.testing.assert_allclose([point.value for point in item.brier.score], reference, rtol=1e-6)
    assert "median score of the package's training part" in given.threshold
    np.testing.assert_array_equal(given.positive, given.prediction >= config.median)
    assert survival.occlusion == {}


def learned(packages, table: Path, names: list[str], folder: Path) -> Path:
    package = read_package(str(packages["selection"]))
    marks = [mark for name in names for mark in fingerprints(case_of(table, name).images, ("arterial", "portal"))]
    return write_package(replace(package, settings={**package.settings, LEARNED_IMAGES: marks}, sha256=""), folder)


def test_patients_that_a_network_learned_from_are_left_out_under_any_name(ct, packages, tmp_path, response):
    known = names_of(ct)[:4]
    own = tmp_path / "renamed"
    own.mkdir()
    rows = rows_of(ct)
    for row in rows:
        # Another name, and the image stored in another format.
        shutil.copytree(ct.parent / row["case_id"], own / f"X{row['case_id']}")
        case = json.loads((own / f"X{row['case_id']}" / "case.json").read_text(encoding="utf-8"))
        row["case_id"] = case["case_id"] = f"X{row['case_id']}"
        image = own / row["case_id"] / "arterial.nii.gz"
        sitk.WriteImage(sitk.ReadImage(str(image)), str(image.with_name("arterial.nrrd")))
        case["images"]["arterial"] = "arterial.nrrd"
        (own / row["case_id"] / "case.json").write_text(json.dumps(case), encoding="utf-8")
    table = own / "table.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    study = study_of(table, learned(packages, ct, known, tmp_path / "package"), packages["vit"])
    given, other = study.predicted
    np.testing.assert_array_equal(given.known, [False] * 4 + [True] * (PATIENTS - 4))
    # A header in another format keeps its numbers with fewer digits.
    np.testing.assert_allclose(given.prediction[4:], response.predicted[0].prediction[4:], rtol=1e-5)
    assert study.figures[0].patients == PATIENTS - 4
    assert study.versus[0].patients == PATIENTS - 4
    assert study.applied[0].learned == 4
    assert other.known.all()
    assert any("images of 4 of 14 patients" in note for note in given.notes)


def test_a_network_that_learned_from_everybody_is_called_apparent(ct, packages, tmp_path):
    study = study_of(ct, learned(packages, ct, names_of(ct), tmp_path / "package"))
    assert study.predicted[0].way == "apparent"
    assert study.figures[0].patients == PATIENTS


def test_one_year_survival_is_its_own_endpoint(ct, packages, tmp_path):
    study = study_of(ct, packages["one-year"])
    table = pd.DataFrame(rows_of(ct)).astype({"os_months": float, "os_event": int})
    np.testing.assert_array_equal(study.y, table["os_months"] > 12)
    assert study.classes == ("survivor", "dead within a year")
    with pytest.raises(InputError, match="learned one-year survival"):
        study_of(ct, packages["one-year"], endpoint="mrecist")
    # Classical systems learn it too, and their packages say so.
    more = write_cases(tmp_path / "more", 40)
    settings = TrainSettings("clinical", "survival-1y", folds=4, repeats=1, name="clinical-1y")
    made = train_package(read_training_table(more), settings).package
    assert made.endpoint == "survival of one year"
    assert " survivors" in made.card
    assert made.threshold is None or made.threshold.outcome == "one-year survival"
    package = write_package(made, tmp_path / "clinical-1y")
    assert study_of(ct, packages["one-year"], package).versus[0].patients == PATIENTS
    with pytest.raises(InputError, match="'clinical-1y' learned one-year survival"):
        study_of(ct, packages["selection"], package)
    with pytest.raises(InputError, match="learned response"):
        study_of(ct, packages["selection"], endpoint="survival-1y")


def test_a_case_that_cannot_be_read_is_counted_among_the_refused(ct, packages, tmp_path):
    root = tmp_path / "cases"
    shutil.copytree(ct.parent, root)
    (root / "case-01" / "arterial.nii.gz").write_bytes(b"no image")
    study = study_of(root / "table.csv", packages["vit"])
    assert (study.applied[0].scored, study.applied[0].refused) == (PATIENTS - 1, 1)
    assert not study.predicted[0].known[1]


def test_the_command_leaves_report_figures_and_tables(ct, packages, tmp_path, capsys):
    words = [
        "evaluate",
        packages["selection"],
        ct,
        "--images",
        ct.parent,
        "--against",
        packages["vit"],
        "--out",
        tmp_path,
    ]
    assert main([*map(str, words), "--device", "cpu", "--no-baselines", "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    label = read_package(str(packages["selection"])).name
    assert [row["left_out"] for row in metrics["occlusion"][label]] == ["nothing", "arterial", "portal"]
    assert (tmp_path / "figures" / f"km-{label}-os.svg").is_file()
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    for part in ("What leaving out phases and slices does", "Later course by what was predicted"):
        assert part in html
    with (tmp_path / "tables" / "occlusion.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["auc"] == str(metrics["systems"][label]["figures"]["auc"]["value"])
    assert not any(name in html for name in names_of(ct))


def test_the_convolutional_comparator_is_cross_validated_on_what_selection_sees(packages, tmp_path, monkeypatch):
    """With a small ResNet of random weights in the place of the ResNet-50."""
    table = write_cases(tmp_path / "more", 40)
    torch.manual_seed(0)
    extractor = FeatureExtractor(CNN_EXTRACTOR["tiny"], frozen=True)
    monkeypatch.setattr(study_room, "extractor_of", lambda images: extractor)
    study = study_of(table, packages["vit"], "cnn-logistic", "clinical", folds=3)
    given = study.predicted[1]
    assert (given.label, given.way) == ("cnn-logistic", "cross-validated")
    assert {item.second for item in study.versus if item.first == study.predicted[0].label} == {
        "cnn-logistic",
        "clinical",
    }
    seen = {}
    for name in study.cases:
        case = case_of(table, name)
        seen[name] = selection_input(case.images, prepare(case.images, case.masks).masks, SelectionView())
    X = cnn_features(list(seen.values()), list(seen), extractor)
    own = pd.DataFrame(rows_of(table)).set_index("case_id")
    X = pd.concat([own["age"].astype(float), own["sex"], own["alb"].astype(float), X], axis=1)
    expected = out_of_fold(CnnLogistic(random_state=0), X, study.y, folds=3, repeats=1, seed=0)
    np.testing.assert_allclose(given.prediction, expected.mean_prediction, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (lambda root: [], "looks at images, found no --images"),
        (lambda root: ["--images", str(root), "--against", "cnn-logistic"], "found no --weights"),
        (lambda root: ["--images", str(root), "--against", "cnn-logistic", "--weights", "w.pth"], "found no such file"),
        (lambda root: ["--images", str(root / "nowhere")], "found no such folder"),
        (lambda root: ["--images", str(root), "--endpoint", "os"], "predicts response"),
    ],
)
def test_wrong_input_is_a_sentence(changes, says, ct, packages, tmp_path, capsys):
    words = ["evaluate", str(packages["selection"]), str(ct), *changes(ct.parent), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert says in told
    assert "Traceback" not in told
