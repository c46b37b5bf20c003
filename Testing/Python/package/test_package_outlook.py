"""Where a case stands in a package's cohort: against the cohort's own rows, and by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_patients import patients
from trained_packages import COHORT, PATIENT, patient, prediction_of, train

from hccoutcome.package.outlook import LEVELS, InputPlace
from hccoutcome.package.placing import outlook_of
from hccoutcome.package.prediction import Prediction
from hccoutcome.package.reading import read_package
from hccoutcome.package.reference import Distribution, Reference
from hccoutcome.systems import predict, shipped_packages

FEATURE = "arterial_tumor_original_firstorder_Mean"
UNIFORM = Distribution(50.0, 29.0, 1.0, 99.0, (5.0, 25.0, 50.0, 75.0, 95.0))
TIED = Distribution(1.0, 2.0, 0.0, 9.0, (0.0, 0.0, 0.0, 2.0, 6.0))


@pytest.fixture(scope="module")
def early(tmp_path_factory):
    return train(tmp_path_factory.mktemp("early"), "cox-ridge", "os", "early")


@pytest.fixture(scope="module")
def response(tmp_path_factory):
    return train(tmp_path_factory.mktemp("response"), "logistic-ridge", "mrecist", "clinical")


@given(st.floats(1.0, 99.0))
def test_a_percentile_of_an_even_cohort_is_the_value_itself(value):
    assert InputPlace("x", value, "", UNIFORM).percentile == pytest.approx(value)


@given(st.lists(st.floats(-10, 10), min_size=20, max_size=60), st.floats(-12, 12), st.floats(-12, 12))
def test_a_larger_value_has_no_smaller_percentile(values, first, second):
    low, *quantiles, high = (float(value) for value in np.quantile(values, np.array(LEVELS) / 100))
    cohort = Distribution(0.0, 1.0, low, high, tuple(quantiles))
    smaller, larger = (InputPlace("x", value, "", cohort).percentile for value in sorted((first, second)))
    assert 0 <= smaller <= larger <= 100


@pytest.mark.parametrize(("value", "percentile"), [(-1, 0), (0, 25.5), (1, 62.5), (2, 75), (6, 95), (9, 99), (10, 100)])
def test_a_value_that_many_share_stands_in_the_middle_of_its_percentiles(value, percentile):
    assert InputPlace("x", value, "", TIED).percentile == percentile


def test_without_quantiles_there_are_deviations_and_no_percentile():
    place = InputPlace("x", 79.0, "", replace(UNIFORM, quantiles=()))
    assert (place.percentile, place.deviations, place.is_outside) == (None, 1.0, False)
    assert InputPlace("x", 100.0, "", UNIFORM).is_outside
    assert InputPlace("x", None, "", UNIFORM).percentile is None


def test_the_percentile_is_that_of_the_value_among_the_patients(early):
    outlook = prediction_of(early, patient()).outlook
    table = patients(80)[0]
    assert (outlook.cohort, outlook.cases) == (COHORT, 80)
    assert {item.name for item in outlook.inputs} >= {"age", "afp", FEATURE}
    for item in outlook.known_inputs:
        assert item.value == pytest.approx(table.loc[PATIENT, item.name])
        known = table[item.name].dropna()
        share = 100 * ((known < item.value).mean() + (known <= item.value).mean()) / 2
        # Between the quantiles told the percentile is a straight line, at most some patients away.
        assert item.percentile == pytest.approx(share, abs=8)
    assert next(item for item in outlook.inputs if item.name == "age").unit == "years"


def test_survival_is_that_of_the_package_for_the_score(early):
    package, found = read_package(str(early)), prediction_of(early, patient())
    survival = found.outlook.survival
    for curve, expected in zip(
        (survival.survival, survival.lower, survival.upper), package.prognosis.curve.survival(found.score), strict=True
    ):
        np.testing.assert_array_equal(curve, expected)
    assert survival.group == found.label == package.prognosis.group(found.score)
    assert (survival.low, survival.high) == (package.prognosis.low, package.prognosis.high)
    assert np.all(np.diff([survival.lower, survival.survival, survival.upper], axis=0) >= 0)


def test_a_higher_score_means_the_other_group_and_a_shorter_survival(early):
    names = patients(80)[0].dropna().index[:12]
    found = sorted((prediction_of(early, patient(name)) for name in names), key=lambda item: item.score)
    first, last = found[0].outlook.survival, found[-1].outlook.survival
    assert (first.group, last.group) == ("low risk", "high risk")
    assert np.all(np.array(first.survival[1:]) > np.array(last.survival[1:]))


def test_it_travels_with_the_prediction_as_json(early):
    found = prediction_of(early, patient())
    text = json.dumps(found.to_json(), allow_nan=False)
    assert Prediction.from_json(json.loads(text)) == found
    older = json.loads(text)
    del older["outlook"]
    assert Prediction.from_json(older) == replace(found, outlook=None)


def test_a_response_has_inputs_and_no_survival(response):
    outlook = prediction_of(response, patient()).outlook
    assert outlook.survival is None
    assert outlook.known_inputs


def test_what_is_missing_has_no_place(early):
    inputs = patient()
    clinical = {name: value for name, value in inputs.clinical.items() if name != "age"}
    outlook = prediction_of(early, replace(inputs, clinical=clinical)).outlook
    age = next(item for item in outlook.inputs if item.name == "age")
    assert age.value is None
    assert age not in outlook.known_inputs


def test_a_refused_case_stands_nowhere(early):
    found = prediction_of(early, patient(modality="MR"))
    assert (found.score, found.outlook) == (None, None)


def test_printed_models_tell_of_a_cohort_where_the_user_gives_one():
    inputs = patient(clinical={"alb": 40.0, "tbil": 12.0})
    package = read_package("albi")
    assert outlook_of(predict(package, inputs), package, inputs) is None
    radscore = next(item for item in shipped_packages() if item.name == "radscore-tace-ct")
    names = radscore.requirements.features
    reference = Reference(
        "my cohort", 40, radscore.settings_sha256, {name: Distribution(1.0, 2.0, -3.0, 5.0) for name in names}
    )
    radscore = radscore.with_reference(reference)
    values = {name: 3.0 for name in names}
    case = patient(features=values)
    outlook = outlook_of(predict(radscore, case), radscore, case)
    assert [item.name for item in outlook.inputs] == list(names)
    assert all(item.deviations == 1.0 and item.percentile is None for item in outlook.inputs)
    assert math.isclose(outlook.inputs[0].cohort.mean, 1.0)
