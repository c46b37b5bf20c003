"""Every shipped package is what its system declares, and every system answers in one way."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from hccoutcome.clinical.scores import LIVER_SCORES, definition
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.deep.package import SYSTEMS as NETWORKS
from hccoutcome.errors import InputError
from hccoutcome.package.applicability import PackageInputs
from hccoutcome.package.prediction import Prediction
from hccoutcome.package.reading import list_packages, read_package
from hccoutcome.package.writing import package_files
from hccoutcome.resources import resource
from hccoutcome.response.haic_mri import HaicClinical, HaicCR, HaicCRH
from hccoutcome.survival.radscore import Radscore
from hccoutcome.systems import (
    LEARNED,
    SYSTEMS,
    liver_scores,
    predict,
    shipped_packages,
    system_of,
    write_shipped_packages,
)
from hccoutcome.trainable import TRAINABLE, make_estimator

RECORD: dict[str, float | str] = {
    "tbil": 20.0, "alb": 35.0, "inr": 1.1, "ascites": "none", "encephalopathy": "none", "afp": 450.0, "crp": 4.0,
    "ecog": 0.0, "vascular_invasion": 0.0, "portal_vein_thrombus": 0.0, "metastasis": 0.0, "lymph_node": 0.0,
    "tumor_number": 1.0, "tumor_diameter": 6.0, "tumor_over_half": 0.0, "child_pugh": "A",
}  # fmt: skip


TRAINED = {f"tace-{what}-{kind}" for what in ("response", "survival") for kind in ("clinical", "imaging", "fusion")}
"""Packages trained on open data, which the code alone cannot write."""


@pytest.mark.parametrize("package", shipped_packages(), ids=lambda package: package.name)
def test_shipped_packages_are_written_from_the_code(package) -> None:
    """Where it fails after a change on purpose, write them again with ``systems.write_shipped_packages``."""
    folder = resource("Models", package.name)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == package_files(package)


def test_all_shipped_packages_are_known(tmp_path: Path) -> None:
    written = write_shipped_packages(tmp_path)
    assert {*(path.name for path in written), *TRAINED} == set(list_packages())
    assert {path.name for path in resource("Models").iterdir()} == set(list_packages())


@pytest.mark.parametrize("kind", [Radscore, HaicClinical, HaicCR, HaicCRH])
def test_the_needs_of_a_system_are_those_of_its_package(kind) -> None:
    packages = [package for package in shipped_packages() if package.system == kind.system]
    assert [package.requirements for package in packages] == [kind.needs]


@pytest.mark.parametrize("name", list_packages())
def test_every_variable_that_a_package_needs_is_in_the_schema_with_its_unit(name: str) -> None:
    for need in read_package(name).requirements.variables:
        variable = VARIABLES[need.name]
        assert need.unit == variable.unit
        assert (need.kind == "binary") == (variable.kind == "binary")
        if need.kind == "number":
            assert (need.possible.low, need.possible.high) == variable.limits


@pytest.mark.parametrize("name", list_packages())
def test_an_empty_case_is_refused_by_every_package_without_any_number(name: str) -> None:
    found = predict(read_package(name), PackageInputs())
    assert found.applicability.status == "refused"
    assert found.applicability.reasons
    assert (found.score, found.contributions, found.label) == (None, (), "")


def test_a_prediction_names_its_package_and_survives_json() -> None:
    package = read_package("haic-mri-clinical")
    found = predict(package, PackageInputs(clinical={"vascular_invasion": 1.0, "tumor_diameter": 8.0}))
    assert (found.package, found.version, found.sha256) == (package.name, package.version, package.sha256)
    assert Prediction.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_generated_data_is_always_warned_about() -> None:
    clinical = {"vascular_invasion": 1.0, "tumor_diameter": 8.0}
    found = predict(read_package("haic-mri-clinical"), PackageInputs(clinical=clinical, synthetic=True))
    assert found.applicability.status == "warning"
    assert found.applicability.reasons[0].startswith("The case is generated data")
    assert all(score.applicability.status != "ok" for score in liver_scores(RECORD, synthetic=True))


def test_liver_scores_are_those_of_the_clinical_rules() -> None:
    found = liver_scores(RECORD)
    assert [score.package for score in found] == list(LIVER_SCORES)
    for score in found:
        expected = definition(score.package).compute(RECORD)
        assert (score.score, score.label) == (expected.value, expected.label)
        assert score.applicability.status == "ok"
        assert [item.name for item in score.contributions] == [name for name, _, _ in expected.items]
        assert score.citation == definition(score.package).citation


@pytest.mark.parametrize("name", ["albi", "child-pugh", "crafity", "clip", "six-and-twelve"])
def test_the_inputs_of_a_sum_add_up_to_the_score(name: str) -> None:
    score = next(score for score in liver_scores(RECORD) if score.package == name)
    assert sum(item.amount for item in score.contributions) == pytest.approx(score.score, rel=1e-12)


@pytest.mark.parametrize("name", ["bclc", "okuda"])
def test_the_inputs_of_a_stage_are_not_said_to_add_up(name: str) -> None:
    score = next(score for score in liver_scores(RECORD) if score.package == name)
    assert [item.amount for item in score.contributions] == [None] * len(score.contributions)


def test_a_liver_score_that_lacks_inputs_names_them() -> None:
    found = {score.package: score for score in liver_scores({"alb": 35.0})}
    assert found["albi"].applicability.reasons == ("ALBI needs tbil: add what is missing to the clinical record.",)
    assert all(score.score is None and score.contributions == () for score in found.values())


def test_an_impossible_value_is_refused_by_the_scores_that_read_it() -> None:
    """An albumin of 4.1 g/L is one of 4.1 g/dL in the wrong unit."""
    found = {score.package: score for score in liver_scores({**RECORD, "alb": 4.1})}
    assert found["albi"].applicability.reasons == (
        "The clinical variable 'alb' (Albumin) is 4.1 g/L, possible is 10 to 70 g/L.",
    )
    assert found["albi"].score is None
    assert found["crafity"].score is not None


def test_an_unknown_system_is_refused_with_the_nearest() -> None:
    package = replace(read_package("radscore-tace-ct"), system="radscores")
    with pytest.raises(InputError, match="belongs to the unknown system 'radscores'; did you mean 'radscore'"):
        system_of(package)


def test_weights_that_read_other_inputs_than_declared_are_refused() -> None:
    package = read_package("haic-mri-clinical")
    other = replace(package, requirements=replace(package.requirements, variables=package.requirements.variables[:1]))
    with pytest.raises(InputError, match=r"read other inputs than package\.json lists \(tumor_diameter\): get the"):
        predict(other, PackageInputs())


def test_a_liver_score_package_names_its_score() -> None:
    package = read_package("albi")
    with pytest.raises(InputError, match="should have the one setting 'score': get it again"):
        system_of(replace(package, settings={}))
    with pytest.raises(InputError, match="'albl' is not a known liver score; did you mean 'albi'"):
        system_of(replace(package, settings={"score": "albl"}))


def test_hashes_of_shipped_packages_differ() -> None:
    hashes = {read_package(name).sha256 for name in list_packages()}
    assert len(hashes) == len(list_packages())
    assert all(len(value) == len(hashlib.sha256().hexdigest()) for value in hashes)


def test_every_printed_system_has_a_shipped_package() -> None:
    assert {package.system for package in shipped_packages()} == set(SYSTEMS) - set(LEARNED) - set(NETWORKS)


def test_every_trainable_system_has_packages_that_are_understood() -> None:
    assert {system.system for system in TRAINABLE.values()} <= set(SYSTEMS)
    assert set(LEARNED) <= {system.system for system in TRAINABLE.values()}


@pytest.mark.parametrize("system", TRAINABLE.values(), ids=lambda system: system.name)
def test_every_trainable_system_makes_an_estimator_of_its_task(system) -> None:
    for task in system.tasks:
        for modality in system.modalities:
            estimator = make_estimator(system.name, task=task, modality=modality, seed=7)
            assert hasattr(estimator, "predict_proba") == (task == "response")
            assert getattr(estimator, "modality", modality) == modality
            assert getattr(estimator, "random_state", 7) == 7


def test_a_system_that_there_is_not_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="'primer' is not a system that can be trained; did you mean 'prime-r'"):
        make_estimator("primer")
    with pytest.raises(InputError, match="PRIME-R learns response, asked for survival: choose another endpoint"):
        make_estimator("prime-r", task="survival")
    with pytest.raises(InputError, match="Radscore does not read 'clinical'; Known: imaging"):
        make_estimator("radscore", modality="clinical")
