"""The threshold of a response package: chosen in training, checked when read, told with every probability."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from simulated_patients import write_tables
from test_package_files import put
from toy_package import make_package
from trained_packages import patient, prediction_of, train

from hccoutcome.cohort.evaluate_packages import apply_package
from hccoutcome.cohort.packaging import TrainSettings, train_package
from hccoutcome.cohort.training import read_training_table
from hccoutcome.errors import InputError
from hccoutcome.evaluation.operating import out_of_fold_threshold, threshold_agreement
from hccoutcome.package.prediction import Prediction
from hccoutcome.package.reading import read_package
from hccoutcome.package.schema import seal
from hccoutcome.package.threshold import CLASSES, ClassThreshold, Rate
from hccoutcome.package.writing import package_files, write_package
from hccoutcome.report.outlook_words import result_in_words, sentences
from hccoutcome.strict_json import canonical_json
from hccoutcome.systems import predict

TOLD = ClassThreshold(0.62, "youden", 95, Rate(0.77, 0.65, 0.86), Rate(0.5, 0.34, 0.66), "by hand")


@pytest.fixture(scope="module")
def response(tmp_path_factory):
    return train(tmp_path_factory.mktemp("response"), "logistic-ridge", "mrecist", "clinical")


def test_training_stores_the_out_of_fold_threshold_with_the_rates_of_the_cross_validation(tmp_path) -> None:
    cohort = read_training_table(*write_tables(tmp_path))
    trained = train_package(cohort, TrainSettings("logistic-ridge", "mrecist", modality="clinical", folds=3, repeats=2))
    threshold, classes = trained.package.threshold, threshold_agreement(trained.cross_validation)
    assert threshold.value == out_of_fold_threshold(trained.cross_validation)
    assert threshold.patients == len(trained.cross_validation.y)
    assert threshold.sensitivity == Rate(*(getattr(classes.sensitivity, name) for name in ("value", "lower", "upper")))
    assert f"A response is predicted from a probability of {threshold.value:.4g}" in trained.package.card
    assert f"| specificity at a threshold chosen without the fold | {threshold.specificity.value:.3f} |" in (
        trained.package.card
    )
    survival = train_package(cohort, TrainSettings("cox-ridge", "os", modality="clinical", folds=3, repeats=1)).package
    assert survival.threshold is None
    assert b'"threshold"' not in package_files(survival)["package.json"]


def test_it_is_read_as_it_was_written(tmp_path) -> None:
    package = replace(make_package(), threshold=TOLD)
    assert read_package(write_package(package, tmp_path / "toy.zip")).threshold == TOLD
    assert read_package(write_package(make_package(), tmp_path / "without")).threshold is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"value": 1.5}, "should be a probability between 0 and 1 chosen on at least one patient, found 1.5"),
        ({"value": "0.5"}, "'value' should be a number"),
        ({"rule": "guess"}, "youden"),
        ({"patients": 0}, "chosen on at least one patient, found 0.62 on 0"),
        ({"sensitivity": {"value": 0.7, "lower": 0.8, "upper": 0.9}}, "'sensitivity' should be a proportion between"),
        ({"specificity": {"value": 0.7, "lower": 0.1}}, "lacks the field 'upper'"),
        ({"more": 1}, "more"),
    ],
)
def test_a_threshold_that_cannot_be_is_refused(tmp_path, change, sentence) -> None:
    files = package_files(replace(make_package(), threshold=TOLD))
    manifest = json.loads(files["package.json"])
    manifest["threshold"].update(change)
    manifest["sha256"] = seal(manifest)
    with pytest.raises(InputError, match=sentence):
        read_package(put(tmp_path / "toy", {**files, "package.json": canonical_json(manifest)}))


def test_only_a_probability_has_a_threshold(tmp_path) -> None:
    with pytest.raises(InputError, match="only a probability has a 'threshold', found a score"):
        write_package(replace(make_package(), threshold=TOLD, scale="score"), tmp_path / "toy")


def test_the_class_and_what_it_is_worth_stand_with_the_probability(response) -> None:
    threshold = read_package(str(response)).threshold
    seen = set()
    for name in ("P001", "P002", "P003", "P004", "P005", "P006", "P008"):
        found = prediction_of(response, patient(name))
        if found.score is None:
            continue
        assert found.label == CLASSES[found.score >= threshold.value]
        assert result_in_words(found) == f"{found.label}, {found.score:.4g} (probability)"
        first, second, *_ = sentences(found)
        assert first.startswith(f"{found.label.capitalize()}: the probability ")
        assert f"the threshold {threshold.value:.4g}, the one with the largest sum of sensitivity" in first
        assert f"found {round(100 * threshold.sensitivity.value)}% (95% interval" in second
        assert Prediction.from_json(json.loads(json.dumps(found.to_json()))) == found
        seen.add(found.label)
    assert seen == set(CLASSES)


def test_an_evaluation_of_the_package_uses_exactly_its_threshold(response, tmp_path) -> None:
    package = read_package(str(response))
    cohort = read_training_table(*write_tables(tmp_path))
    table, _ = cohort.response_data("mrecist")
    records = {name: cohort.records[name] for name in table.index}
    kwargs = {"extraction_known": True, "learned_from": ""}
    given, _ = apply_package(package, table, records, "response", (), **kwargs)
    known = given.known
    np.testing.assert_array_equal(given.positive[known], given.prediction[known] >= package.threshold.value)
    assert given.threshold.startswith(f"{package.threshold.value:.4g}, the package's own, from its training cohort")
    without, _ = apply_package(replace(package, threshold=None), table, records, "response", (), **kwargs)
    np.testing.assert_array_equal(without.positive[known], given.prediction[known] >= 0.5)
    assert "names no threshold" in without.threshold


def test_a_package_without_a_threshold_says_what_it_always_said(response) -> None:
    package = replace(read_package(str(response)), threshold=None)
    found = predict(package, patient("P001"))
    assert found.label == ""
    assert result_in_words(found) == f"{found.score:.4g} (probability)"
