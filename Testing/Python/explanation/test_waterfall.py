from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import worked_example
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.explanation.waterfall import Step, Waterfall, waterfall_of_prediction
from hccoutcome.package.applicability import ImageFacts, PackageInputs
from hccoutcome.package.prediction import BASE, Contribution, Prediction
from hccoutcome.package.reading import read_package
from hccoutcome.package.reference import Distribution, Reference
from hccoutcome.systems import predict


def radscore_inputs(values: tuple[float, ...] = (4.0, 0.01, 0.5, 30.0, 5.0)) -> PackageInputs:
    names = read_package("radscore-tace-ct").requirements.features
    return PackageInputs(
        modality="CT",
        phases={"arterial": ImageFacts((0.8, 0.8, 5.0), (512, 512, 40))},
        regions={"tumor": {"arterial": 50.0}},
        features=dict(zip(names, values, strict=True)),
    )


def reference(package, means: tuple[float, ...]) -> Reference:
    features = {
        name: Distribution(mean, 0.3 * abs(mean), 0.0, 10 * abs(mean))
        for name, mean in zip(package.requirements.features, means, strict=True)
    }
    return Reference("our patients", 40, package.settings_sha256, features)


def test_a_printed_score_goes_up_from_its_intercept() -> None:
    prediction = predict(read_package("radscore-tace-ct"), radscore_inputs())
    found = waterfall_of_prediction(prediction)
    assert found is not None
    assert (found.base, found.base_in_words, found.scale) == (0.1628708, "every input 0", "score")
    assert found.output == pytest.approx(prediction.score)
    assert [step.amount for step in found.steps][:2] == pytest.approx([0.062126883 * 4, -3.097256224 * 0.01])


def test_with_a_reference_the_steps_are_exact_shap_values_of_the_linear_score() -> None:
    means = (3.5, 0.02, 0.6, 25.0, 8.0)
    package = read_package("radscore-tace-ct")
    package = package.with_reference(reference(package, means))
    found = waterfall_of_prediction(predict(package, radscore_inputs()), package)
    coefficients = np.array([term["coefficient"] for term in package.weights["terms"]])
    expected = coefficients * (np.array([4.0, 0.01, 0.5, 30.0, 5.0]) - means)
    np.testing.assert_allclose([step.amount for step in found.steps], expected, rtol=1e-12)
    assert found.base == pytest.approx(0.1628708 + coefficients @ means)
    assert found.base_in_words == "every feature at the reference mean, other inputs 0"


def test_standardised_inputs_begin_at_the_reference_mean_as_they_are() -> None:
    package = read_package("haic-mri-cr")
    package = package.with_reference(reference(package, tuple(range(10, 16))))
    phases = {need.phase: ImageFacts((1.0, 1.0, 1.0), (200, 200, 60)) for need in package.requirements.phases}
    inputs = PackageInputs(
        modality="MR",
        phases=phases,
        regions={"tumor": dict.fromkeys(phases, 50.0)},
        features={name: 12.0 for name in package.requirements.features},
        clinical={"vascular_invasion": 1.0, "tumor_diameter": 5.0},
    )
    found = waterfall_of_prediction(predict(package, inputs), package)
    assert found.scale == "log-odds"
    assert found.base == 0.7242
    by_name = {step.name: step for step in found.steps}
    assert by_name["vascular_invasion"].amount == 0.3415
    assert by_name["vascular_invasion"].value == "yes"
    assert by_name["tumor_diameter"].value == "5 cm"
    first = package.weights["terms"][2]
    known = package.reference.features[first["name"]]
    assert by_name[first["name"]].amount == pytest.approx(first["coefficient"] * known.standardise(12.0))
    assert found.output_in_words == f"probability {1 / (1 + math.exp(-found.output)):.3g}"


def test_shap_values_of_a_package_begin_at_the_mean_over_the_background() -> None:
    contributions = (
        Contribution(BASE, "100 rows made up", amount=0.4),
        Contribution("afp", 12.0, "ng/mL", amount=0.25),
        Contribution("alb", "missing", "g/L", amount=-0.05),
    )
    prediction = replace(
        worked_example.ALBI, scale="probability", adds_to="probability", score=0.6, contributions=contributions
    )
    found = waterfall_of_prediction(prediction)
    assert (found.scale, found.base) == ("probability", 0.4)
    assert found.output == pytest.approx(0.6)
    assert found.base_in_words == "mean over the background: 100 rows made up"
    assert [step.value for step in found.steps] == ["12 ng/mL", "missing g/L"]


@pytest.mark.parametrize(
    "changes",
    [
        {"score": None},
        {"contributions": ()},
        {"contributions": (Contribution("tbil", 17.1, amount=None),)},
        {"score": -2.0},
        {"score": 1.0, "scale": "probability"},
    ],
)
def test_a_score_that_is_not_the_sum_of_its_inputs_is_not_taken_apart(changes: dict) -> None:
    sound = replace(worked_example.ALBI, score=0.8137 - 3.247)
    assert waterfall_of_prediction(sound) is not None
    assert waterfall_of_prediction(replace(sound, **changes)) is None


def test_every_shipped_score_is_the_sum_of_its_inputs_or_none_is_shown() -> None:
    record = {"tbil": 20.0, "alb": 38.0, "inr": 1.1, "ascites": "none", "encephalopathy": "none", "afp": 200.0}
    record |= {"tumor_number": 2.0, "tumor_diameter": 4.0, "crp": 3.0, "pt": 13.0}
    for name in ("albi", "child-pugh", "okuda", "clip", "crafity", "six-and-twelve"):
        prediction: Prediction = predict(read_package(name), PackageInputs(clinical=record))
        found = waterfall_of_prediction(prediction)
        if found is not None:
            assert found.output == pytest.approx(prediction.score), name
    assert waterfall_of_prediction(predict(read_package("child-pugh"), PackageInputs(clinical=record))) is not None


AMOUNTS = st.lists(st.floats(-5, 5), min_size=1, max_size=30)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(AMOUNTS, st.integers(2, 12), st.floats(-5, 5))
def test_whatever_is_shown_leads_from_the_base_to_the_output(amounts: list[float], most: int, base: float) -> None:
    steps = tuple(Step(f"x{place}", "", amount) for place, amount in enumerate(amounts))
    found = Waterfall("t", "score", base, "", steps, base + math.fsum(amounts))
    shown = found.largest_first(most)
    nonzero = sum(amount != 0 for amount in amounts)
    assert len(shown) == (len(amounts) if len(amounts) <= most else min(most, nonzero + 1))
    assert base + math.fsum(step.amount for step in shown) == pytest.approx(found.output, abs=1e-9)
    alone = [abs(step.amount) for step in shown if not step.name.endswith("other inputs")]
    assert alone == sorted(alone, reverse=True)
    assert found.rows()[-1]["reached"] == pytest.approx(found.output, abs=1e-9)
    with pytest.raises(ValueError, match="the steps lead to"):
        replace(found, output=found.output + 1)
