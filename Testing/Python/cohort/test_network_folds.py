"""Cross-validated networks: nothing of a held-out patient is learned; thresholds and risk groups say whose they are."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from sklearn.metrics import roc_curve

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "deep"))

from planted_cases import write_cases  # noqa: E402

from hccoutcome.analysis import analyse  # noqa: E402
from hccoutcome.cli import main  # noqa: E402
from hccoutcome.cohort import deep_fitting, deep_training  # noqa: E402
from hccoutcome.cohort.deep_cases import SeenCases  # noqa: E402
from hccoutcome.cohort.deep_fitting import Fitted, Fitter  # noqa: E402
from hccoutcome.cohort.deep_folds import cross_validate, parts_of  # noqa: E402
from hccoutcome.cohort.deep_operating import prognosis_of, threshold_of  # noqa: E402
from hccoutcome.cohort.deep_settings import DeepTrainSettings, Outcome  # noqa: E402
from hccoutcome.cohort.deep_training import train_network  # noqa: E402
from hccoutcome.cohort.training import read_training_table  # noqa: E402
from hccoutcome.deep.learning import Place  # noqa: E402
from hccoutcome.deep.package import DeepConfig  # noqa: E402
from hccoutcome.deep.resnet import DLOPCTR_EXTRACTOR, FeatureExtractor  # noqa: E402
from hccoutcome.deep.samples import Split  # noqa: E402
from hccoutcome.deep.selection_inputs import SelectionView  # noqa: E402
from hccoutcome.deep.selection_network import selection_size  # noqa: E402
from hccoutcome.deep.training_settings import TrainingSettings  # noqa: E402
from hccoutcome.errors import InputError  # noqa: E402
from hccoutcome.evaluation.crossvalidation import OutOfFold  # noqa: E402
from hccoutcome.loading import load_case, read_case_folder  # noqa: E402
from hccoutcome.package.reading import read_package  # noqa: E402

CASES = 24
LOOP = TrainingSettings(epochs=2, batch=8, learning_rate=1e-3, augmentation=None)
SETTINGS = DeepTrainSettings("selection", "mrecist", size="tiny", training=LOOP, device="cpu", folds=2)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def fitter(seed: int = 0) -> Fitter:
    """Return what trains a tiny SELECTION on random planes."""
    draw = np.random.default_rng(seed)
    pixels = draw.random((CASES, 2, 224, 224), np.float32)
    seen = SeenCases(tuple(f"p{n:02}" for n in range(CASES)), pixels, np.ones((CASES, 2), bool), True, {})
    table = pd.DataFrame({"age": draw.uniform(40, 80, CASES)}, index=list(seen.names))
    outcome = Outcome(table, np.arange(CASES) % 2 == 0, None, "objective response")
    config = DeepConfig("selection", "response", selection_size("tiny").to_dict(), SelectionView(), 0.5, False)
    return Fitter(config, SETTINGS, seen, outcome, lambda: None)


def test_a_network_learns_nothing_of_patients_that_it_is_not_given(tmp_path):
    plain = fitter()
    rows, others = np.arange(16), np.arange(16, CASES)
    pixels, table = plain.seen.pixels.copy(), plain.outcome.table.copy()
    pixels[others] = 1 - pixels[others]
    table.iloc[others] = 999.0
    happened = plain.outcome.happened.copy()
    happened[others] = ~happened[others]
    changed = replace(
        plain,
        seen=replace(plain.seen, pixels=pixels),
        outcome=replace(plain.outcome, table=table, happened=happened),
    )
    one, two = (each.fit(rows, Place(tmp_path / name)) for name, each in (("plain", plain), ("changed", changed)))
    assert one.config == two.config
    weights = two.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in one.model.state_dict().items())
    assert one.config.median == np.median(plain.scores(one.model, one.config, one.split.training))


def test_every_patient_is_held_out_once_and_judged_by_the_network_of_the_others(tmp_path):
    own, rows = fitter(1), np.arange(2, CASES)
    found = cross_validate(own, rows, 2, Place(tmp_path))
    assert found.cases == own.seen.names[2:]
    np.testing.assert_array_equal(found.y, own.outcome.happened[2:])
    held = found.fold[0] == 0
    again = own.fit(rows[~held], Place(tmp_path / "again"))
    np.testing.assert_array_equal(found.predictions[0, held], own.scores(again.model, again.config, rows[held]))
    assert found.thresholds[0, 0] == again.config.median
    known = own.scores(again.model, again.config, again.split.training)
    below = [(known < score).mean() for score in found.predictions[0, held]]
    np.testing.assert_allclose(found.percentiles[0, held], below)
    # A cross-validation that was stopped goes on: what is there is not learned anew.
    shutil.rmtree(tmp_path / "fold-2")
    np.testing.assert_array_equal(cross_validate(own, rows, 2, Place(tmp_path)).predictions, found.predictions)


def test_folds_that_cannot_be_learned_from_are_refused_before_anything_is_trained():
    with pytest.raises(InputError, match="Fold 1 of 2 cannot be learned from: Each outcome needs at least 5 patients"):
        parts_of(fitter(), np.arange(16), 2)
    with pytest.raises(InputError, match="at least 2 folds"):
        parts_of(fitter(), np.arange(CASES), 1)


# --- threshold and risk groups ----------------------------------------------------------------------------------------


def patients(count: int = 60) -> tuple[Outcome, np.ndarray]:
    """Return outcomes (of survival) with scores that tell a little of them."""
    draw = np.random.default_rng(8)
    happened = np.arange(count) % 3 > 0
    scores = 1 / (1 + np.exp(-draw.normal(happened * 1.0 - 0.5, 1.0)))
    table = pd.DataFrame(index=[f"p{n}" for n in range(count)])
    return Outcome(table, happened, draw.exponential(20, count).round(1) + 0.5, "overall survival"), scores


SPLIT, TEST = Split(np.arange(30), np.arange(30, 40)), np.arange(40, 60)


def test_a_threshold_without_folds_is_youdens_and_is_judged_on_patients_held_out():
    outcome, scores = patients()
    found = threshold_of(replace(outcome, time=None), scores, SPLIT, TEST, None, SETTINGS)
    y, own = outcome.happened[:40], scores[:40]
    rising, hits, _ = roc_curve(y, own)
    called = own >= found.value
    assert called[y].mean() - called[~y].mean() == pytest.approx((hits - rising).max())
    held = scores[TEST] >= found.value
    assert found.sensitivity.value == pytest.approx(held[outcome.happened[TEST]].mean())
    assert found.specificity.value == pytest.approx(1 - held[~outcome.happened[TEST]].mean())
    assert (found.patients, found.judged_on, found.outcome) == (40, "held out", "response")
    assert "30 patients that the network learned from" in found.source


def test_a_threshold_by_folds_does_not_depend_on_the_scales_of_their_networks():
    outcome, scores = patients()
    y = outcome.happened[:40]
    fold = np.arange(40) // 20
    places = np.array([(scores[:40][fold == own] < score).mean() for own, score in zip(fold, scores[:40], strict=True)])

    def crossed(predictions: np.ndarray) -> OutOfFold:
        names = tuple(outcome.table.index[:40])
        return OutOfFold(names, y, predictions[None], places[None], fold[None], np.zeros((1, 2)), None, (), ())

    plain, shifted = (
        threshold_of(outcome, scores, SPLIT, TEST, crossed(given), replace(SETTINGS, endpoint="survival-1y"))
        for given in (scores[:40], scores[:40] / 2 + 0.4 * fold)
    )
    assert plain == shifted
    share = (scores[SPLIT.training] < plain.value).mean()
    called = places >= share
    cuts = roc_curve(y, places)[2]
    best = max(cuts[1:], key=lambda cut: (places[y] >= cut).mean() - (places[~y] >= cut).mean())
    assert abs(called.mean() - (places >= best).mean()) <= 0.05
    assert (plain.judged_on, plain.outcome) == ("cross-validation", "one-year survival")
    assert plain.called(1.0) == "one-year survival predicted"


def test_risk_groups_without_folds_are_those_of_patients_from_whom_no_weight_was_learned():
    outcome, scores = patients()
    config = replace(fitter().config, median=float(np.median(scores[:30])))
    settings = replace(SETTINGS, system="dlopctr", endpoint="os")
    found = prognosis_of(outcome, np.log(scores), Fitted(_log(config), None, None, SPLIT), TEST, None, settings)
    rows = np.arange(30, 60)
    high = scores[rows] >= config.median
    assert (found.low.cases, found.high.cases) == (int((~high).sum()), int(high.sum()))
    assert found.cut == np.log(config.median)
    curve = KaplanMeierFitter().fit(outcome.time[rows][high], outcome.happened[rows][high])
    np.testing.assert_allclose(found.high.survival, curve.survival_function_at_times(found.months), atol=1e-12)
    assert "30 patients from whom no weight was learned (10 of them" in found.source
    places = np.random.default_rng(2).random(40)
    names, fold = tuple(outcome.table.index[:40]), np.arange(40) % 2
    crossed = OutOfFold(
        names,
        outcome.y(np.arange(40)),
        100 * scores[None, :40],
        places[None],
        fold[None],
        np.zeros((1, 2)),
        None,
        (),
        (),
    )
    by_folds = prognosis_of(outcome, np.log(scores), Fitted(_log(config), None, None, SPLIT), TEST, crossed, settings)
    assert by_folds.high.cases == (places >= 0.5).sum()
    risk = pd.DataFrame({"risk": np.quantile(np.log(scores[:30]), places), "time": outcome.time[:40]})
    fitted = CoxPHFitter().fit(risk.assign(event=outcome.happened[:40]), "time", "event")
    assert by_folds.curve.coefficient == pytest.approx(fitted.params_["risk"], rel=0.05)  # ties by another method
    assert prognosis_of(outcome, np.log(scores), Fitted(config, None, None, SPLIT), TEST, None, SETTINGS) is None


def _log(config: DeepConfig) -> DeepConfig:
    return replace(config, median=float(np.log(config.median)))


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return write_cases(tmp_path_factory.mktemp("cohort"), 40)


def test_the_card_tells_the_cross_validated_figure_or_that_there_is_none(table, tmp_path, capsys):
    words = ["train", "selection-vit", table, "--images", table.parent, "--size", "tiny", "--epochs", 1, "--batch", 8]
    words += ["--device", "cpu", "--json"]
    assert main([*map(str, words), "--folds", "2", "--out", str(tmp_path / "crossed")]) == 0
    said = json.loads(capsys.readouterr().out)
    package = read_package(str(tmp_path / "crossed"))
    assert "2-fold cross-validation" in package.card
    figure = said["cross_validation"]["AUC"]
    assert f"| AUC | {figure['value']:.3f} | {figure['lower']:.3f} to {figure['upper']:.3f} | 2-fold" in package.card
    with (Path(said["training"]) / "predictions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["fold"] for row in rows if row["part"] == "test"} == {""}
    assert {row["fold"] for row in rows if row["part"] != "test"} == {"1", "2"}
    assert len(package.settings["learned_images"]) == 2 * sum(row["part"] != "test" for row in rows)
    assert main([*map(str, words), "--out", str(tmp_path / "plain")]) == 0
    card = read_package(str(tmp_path / "plain")).card
    assert "no cross-validated figure exists" in card
    assert "the patients who told when to stop (flatters a little)" in card


def test_features_of_frozen_convolutions_serve_all_folds_and_the_package_tells_its_cohort(table, tmp_path, monkeypatch):
    """The way with ImageNet weights, with a small ResNet in the place of theirs."""
    torch.manual_seed(0)
    extractor = FeatureExtractor(DLOPCTR_EXTRACTOR["tiny"], frozen=True)
    monkeypatch.setattr(deep_training, "_check", lambda settings: None)
    monkeypatch.setattr(deep_training, "_extractor", lambda *_: extractor)
    computed = []
    real = deep_fitting.case_features
    monkeypatch.setattr(deep_fitting, "case_features", lambda *given: computed.append(1) or real(*given))
    loop = TrainingSettings(epochs=3, batch=8, learning_rate=1e-2, class_weights=False, variants=1)
    settings = DeepTrainSettings(
        "dlopctr", "os", size="tiny", weights="given", intervals=3, training=loop, device="cpu", folds=2
    )
    found = train_network(read_training_table(table), table, table.parent, settings, tmp_path)
    assert len(computed) == 1
    names = [row["case_id"] for row in found.evaluation.predictions]
    case = load_case(read_case_folder(table.parent / names[3]))
    told = analyse(case, [found.package], explain=False, device="cpu").predictions[0]
    assert told.score == pytest.approx(found.evaluation.predictions[3]["score"], abs=1e-4)
    package, parts = found.package, found.evaluation.patients
    config = DeepConfig.from_json(package.weights)
    assert package.prognosis.cut == config.median
    assert package.prognosis.low.cases + package.prognosis.high.cases == parts["training"] + parts["validation"]
    assert package.threshold is None
    assert "C-index (Harrell)" in found.evaluation.crossed


def test_one_image_under_two_names_is_refused(table, tmp_path, capsys):
    root = tmp_path / "twins"
    shutil.copytree(table.parent, root)
    shutil.copy(root / "case-03" / "portal.nii.gz", root / "case-09" / "portal.nii.gz")
    words = ["train", "selection-vit", str(root / "table.csv"), "--images", str(root), "--size", "tiny"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "found the same image for 'case-03' and 'case-09'" in capsys.readouterr().err
