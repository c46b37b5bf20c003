"""From a training table to a model package: cross-validate, train on everybody, write down what a new case needs."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from hccoutcome.case import Modality
from hccoutcome.clinical.columns import is_clinical
from hccoutcome.clinical.endpoints import CRITERIA, ENDPOINTS, ONE_YEAR, YEAR, survived
from hccoutcome.clinical.indices import INDICES
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.cohort.extraction import Extraction
from hccoutcome.cohort.training_card import doubts_of, write_card
from hccoutcome.cohort.training_cohort import TrainingCohort
from hccoutcome.errors import InputError, nearest
from hccoutcome.evaluation.crossvalidation import OutOfFold, derive_seed, out_of_fold
from hccoutcome.evaluation.operating import out_of_fold_threshold, threshold_agreement
from hccoutcome.evaluation.threads import one_thread_each
from hccoutcome.naming import parse_feature_name
from hccoutcome.package.estimator import response_of, survival_of
from hccoutcome.package.format import Package, PhaseNeed, Range, RegionNeed, Requirements, VariableNeed
from hccoutcome.package.inputs import Column, columns_of_modality
from hccoutcome.package.learned import LearnedModel, Task
from hccoutcome.package.learned_system import inputs_of, installed_versions
from hccoutcome.package.liver_scores import variable_need
from hccoutcome.package.prognosis import Prognosis
from hccoutcome.package.reference import Reference, learned_distribution, learned_reference
from hccoutcome.package.schema import check_name
from hccoutcome.package.skops_file import dump_model
from hccoutcome.package.threshold import ClassThreshold, PredictedOutcome, Rate, ThresholdRule
from hccoutcome.package.vectors import made_up_rows, make_vectors
from hccoutcome.progress import Progress, silent
from hccoutcome.stability.table import StabilityTable
from hccoutcome.survival.outlook import LEAST_IN_A_GROUP, high_risk, make_prognosis
from hccoutcome.trainable import Trainable, make_estimator, trainable
from hccoutcome.version import __version__

ANY = Range()
MISSING_SHARE = 3
"""A case may lack one of so many clinical variables; of a model of one or two it may lack none."""
LOG_HAZARDS = ("cox-ridge", "radscore", "single-score")
"""Systems whose risk is a log hazard as it stands; the others' is standardised."""
THRESHOLD_RULE: ThresholdRule = "youden"
"""How the threshold of a response package is chosen, and those of the cross-validation that tells what it is worth."""
_THRESHOLD = (
    "Chosen on out-of-fold probabilities of the training cohort ({folds} folds, {repeats} repeats). Sensitivity and "
    "specificity are those of thresholds chosen in the same way without the fold that they judge (class in at least "
    "half of the repeats), with Wilson's intervals."
)
_MONTHLY = (
    "Risks and groups of each patient are those of models that did not see the patient ({folds} folds, {repeats} "
    "repeats); curves stand on whole months and end where fewer than 10 patients, or 5 of a group, are left."
)


@dataclass(frozen=True)
class TrainSettings:
    """What is trained, and how it is measured.

    Attributes:
        system: name of a trainable system.
        endpoint: ``"os"``, ``"pfs"``, ``"ttp"``, or a response criterion: ``"mrecist"``, ``"recist1.1"``...
        reader: who read the response, empty where the table has one reading.
        modality: which columns it reads; the system's first where empty.
        seed: of everything random.
        folds, repeats: of the outer cross-validation.
        candidates: classifiers that compete in PRIME-R; all where empty.
        stability: stability of the features, None where it was not measured.
        extraction: how the features came about; needed where the model reads features.
        images: modality of the images; that of the system's source where None.
        name: of the package; made of system, endpoint and modality where empty.
        version: of the package.
        title: of the package; made of the same where empty.
        cohort: who the patients are, in words.
        source: where they can be found, in words, empty where nobody else can have them.
        cautions: doubts that go with every number.
        limits: what the card says besides.
        voxel_mm3: volumes of a voxel of the images that the features come from; outside: a warning.
        substitutes: phases taken in place of the one that the features are named after, with a warning.
    """

    system: str
    endpoint: str
    reader: str = ""
    modality: str = ""
    seed: int = 0
    folds: int = 5
    repeats: int = 5
    candidates: tuple[str, ...] = ()
    stability: StabilityTable | None = None
    extraction: Extraction | None = None
    images: Modality | None = None
    name: str = ""
    version: str = "1.0.0"
    title: str = ""
    cohort: str = ""
    source: str = ""
    cautions: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    voxel_mm3: Range = ANY
    substitutes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained package, the cross-validation behind its figures, and why not to believe it as it stands."""

    package: Package
    cross_validation: OutOfFold
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class LearningData:
    """Patients of whom the outcome is known.

    Attributes:
        task: response or survival.
        X: one row a patient.
        y: booleans, or structured (event, time in months).
        endpoint: the endpoint in words.
    """

    task: Task
    X: pd.DataFrame
    y: np.ndarray
    endpoint: str = field(default="")


def learning_data(cohort: TrainingCohort, endpoint: str, reader: str = "") -> LearningData:
    """Return the patients of a cohort of whom an endpoint is known.

    Raises:
        InputError: there is no such endpoint in the table, or several readings and none was chosen.
    """
    if endpoint in ENDPOINTS:
        table, outcome = cohort.survival_data(endpoint)
        return LearningData("survival", table, outcome, ENDPOINTS[endpoint].lower())
    if endpoint == ONE_YEAR:
        table, outcome = cohort.survival_data("os")
        alive, known = survived(outcome, YEAR)
        return LearningData("response", table[known], alive[known], "survival of one year")
    if endpoint not in CRITERIA:
        raise InputError(f"'{endpoint}' is not an endpoint; {nearest(endpoint, [*ENDPOINTS, *CRITERIA, ONE_YEAR])}.")
    table, response = cohort.response_data(endpoint, reader or None)
    by = f" by {CRITERIA[endpoint]}" if endpoint != "responder" else ""
    return LearningData("response", table, response, f"objective response (CR or PR{by}{_read_by(reader)})")


def check_enough(data: LearningData) -> None:
    """Refuse patients of whom no system could learn, before cross-validation asks for anything else.

    Raises:
        InputError: too few responders, non-responders or events.
    """
    (response_of if data.task == "response" else survival_of)(data.y)


def _read_by(reader: str) -> str:
    return f", reader {reader}" if reader else ""


def train_package(
    cohort: TrainingCohort, settings: TrainSettings, *, workers: int = 1, progress: Progress = silent
) -> Trained:
    """Cross-validate a system on a cohort, train it on everybody and return its package.

    Args:
        cohort: the patients.
        settings: what is trained.
        workers: processes of the cross-validation; the result does not depend on it.
        progress: told how far the work is.

    Raises:
        InputError: the cohort does not allow it; the message says why.
    """
    system = trainable(settings.system)
    if settings.name:
        check_name(settings.name)
    data = learning_data(cohort, settings.endpoint, settings.reader)
    check_enough(data)
    settings = replace(settings, modality=settings.modality or system.modalities[0])
    if _reads_images(settings, data) and settings.extraction is None:
        raise InputError("A model that reads features has to know how they were extracted: state their settings.")
    estimator = make_estimator(
        settings.system,
        task=data.task,
        modality=settings.modality,
        seed=settings.seed,
        stability=settings.stability,
        candidates=settings.candidates,
    )
    found = _cross_validate(estimator, data, settings, workers, progress)
    progress(0.95, "training on all patients")
    with one_thread_each():
        estimator.fit(data.X, data.y)
    return Trained(_package(system, settings, data, estimator, found, cohort), found, doubts_of(found, cohort))


def _reads_images(settings: TrainSettings, data: LearningData) -> bool:
    columns = columns_of_modality(map(str, data.X.columns), "")
    return settings.modality != "clinical" and not all(map(is_clinical, columns))


def _cross_validate(
    estimator: Any, data: LearningData, settings: TrainSettings, workers: int, progress: Progress
) -> OutOfFold:
    """Return predictions for every patient from models that never saw them, repeat by repeat."""
    parts = []
    for repeat in range(settings.repeats):
        progress(
            0.95 * repeat / settings.repeats,
            f"cross-validating, repeat {repeat + 1} of {settings.repeats} ({settings.folds} folds)",
        )
        seed = derive_seed(settings.seed, repeat)
        parts.append(out_of_fold(estimator, data.X, data.y, folds=settings.folds, seed=seed, n_jobs=workers))
    return joined(parts)


def joined(parts: Sequence[OutOfFold]) -> OutOfFold:
    """Return several cross-validations of the same patients as one with so many repeats."""
    return replace(
        parts[0],
        predictions=np.concatenate([part.predictions for part in parts]),
        percentiles=np.concatenate([part.percentiles for part in parts]),
        fold=np.concatenate([part.fold for part in parts]),
        thresholds=np.concatenate([part.thresholds for part in parts]),
        selected=tuple(names for part in parts for names in part.selected),
    )


def _package(
    system: Trainable,
    settings: TrainSettings,
    data: LearningData,
    estimator: Any,
    found: OutOfFold,
    cohort: TrainingCohort,
) -> Package:
    model: LearnedModel = estimator.model_
    extraction = settings.extraction if any(not is_clinical(name) for name in model.names) else None
    what = data.endpoint if data.task == "response" else f"{data.endpoint}; a higher score means a higher risk"
    package = Package(
        name=settings.name or package_name(settings),
        version=settings.version,
        system=system.system,
        title=settings.title or f"{system.title} ({settings.modality}, {data.endpoint})",
        endpoint=what,
        scale="probability" if data.task == "response" else "log hazard" if system.system in LOG_HAZARDS else "score",
        citation=system.citation,
        requirements=_requirements(system, settings, data, model),
        preparation={} if extraction is None else dict(extraction.preparation),
        parameters="" if extraction is None else extraction.parameters,
        settings=_settings_to_json(settings, data, estimator, cohort),
        weights=model.to_json(),
        models={file: dump_model(_part(model, name).model) for name, file in model.files.items()},
        vectors=make_vectors(model, made_up_rows(model.columns, _values(model, data.X))),
        prognosis=_prognosis(settings, data, estimator, found),
        threshold=_class_threshold(settings, data, found),
        software={"hccoutcome": __version__, "python": platform.python_version(), **installed_versions()},
    )
    package = replace(package, reference=_reference(package, model, data, settings))
    if settings.stability is not None and package.requirements.features:
        package = package.with_stability(settings.stability, settings.cohort)
    return replace(package, card=write_card(package, system, settings, data, estimator, found, cohort).markdown())


def package_name(settings: TrainSettings) -> str:
    """Return the name of a package that was not given one: ``prime-s-os-late``."""
    words = (settings.system, settings.endpoint.replace(".", ""), settings.modality)
    return "-".join(dict.fromkeys(words))


def _part(model: LearnedModel, name: str) -> Any:
    return next(part for part in model.parts if part.name == name)


def _values(model: LearnedModel, table: pd.DataFrame) -> dict[str, list[Any]]:
    return {name: table[name].tolist() for name in model.names}


# --- what a case has to have ----------------------------------------------------------------------------------------


def _requirements(system: Trainable, settings: TrainSettings, data: LearningData, model: LearnedModel) -> Requirements:
    features = tuple(name for name in model.names if not is_clinical(name))
    variables = tuple(_variable_need(name, model, data.X) for name in inputs_of(model.names) if name not in features)
    parsed = [parse_feature_name(name) for name in features]
    return Requirements(
        modality=(settings.images or system.images) if features else None,
        phases=tuple(
            PhaseNeed(phase, settings.substitutes, coarsest_mm=10.0, voxel_mm3=settings.voxel_mm3)
            for phase in dict.fromkeys(name.phase for name in parsed)
        ),
        # At 1 mm, 0.1 mL are 100 voxels: below, textures describe noise.
        regions=tuple(
            RegionNeed(region, least_ml=0.1, certain_ml=1.0) for region in dict.fromkeys(name.region for name in parsed)
        ),
        features=features,
        variables=variables,
        most_missing=len(variables) // MISSING_SHARE,
        cautions=settings.cautions if features else (),
    )


def _variable_need(name: str, model: LearnedModel, table: pd.DataFrame) -> VariableNeed:
    """Return the need for a variable: its possible values by the schema, its usual ones by the training cohort."""
    need = replace(variable_need(name), stand_in=_stand_in(name, model))
    if need.kind != "number" or name not in table.columns:
        return need
    known = learned_distribution(_numbers(table[name]))
    return replace(need, usual=Range(known.low, known.high))


def _stand_in(name: str, model: LearnedModel) -> str:
    """Return what a model takes where a variable is missing, in words."""
    own = [column for column in model.columns if column.name == name]
    made_of_it = [column for column in model.columns if column.name in INDICES and name in INDICES[column.name].needs]
    words = [_median_in_words(column) for column in own]
    words += [f"{_median_in_words(column)} of the index {column.name}" for column in made_of_it]
    return " and ".join(words)


def _median_in_words(column: Column) -> str:
    value = column.value(column.fill)
    unit = VARIABLES[column.name].unit if column.name in VARIABLES else ""
    return f"the training cohort's median, {value if isinstance(value, str) else f'{value:.4g} {unit}'}".rstrip()


def _numbers(column: pd.Series) -> np.ndarray:
    return np.array([np.nan if value is None else float(value) for value in column])


def _reference(package: Package, model: LearnedModel, data: LearningData, settings: TrainSettings) -> Reference:
    """Return how the model's inputs were distributed, in quantiles."""
    needs = package.requirements
    numbers = [need.name for need in needs.variables if need.kind == "number" and need.name in model.names]
    return learned_reference(
        {name: _numbers(data.X[name]) for name in needs.features},
        {name: _numbers(data.X[name]) for name in numbers},
        package.settings_sha256,
        settings.cohort or "training cohort",
        len(data.X),
    )


def _prognosis(settings: TrainSettings, data: LearningData, estimator: Any, found: OutOfFold) -> Prognosis | None:
    """Return what became of the cohort; None for a response, and where too many share one risk to form two groups."""
    if data.task == "response":
        return None
    high = high_risk(found.percentiles)
    if min(high.sum(), (~high).sum()) < LEAST_IN_A_GROUP:
        return None
    how = _MONTHLY.format(folds=settings.folds, repeats=settings.repeats)
    return make_prognosis(settings.endpoint, data.y, found.mean_prediction, high, estimator.cut_, how)


def _class_threshold(settings: TrainSettings, data: LearningData, found: OutOfFold) -> ClassThreshold | None:
    """Return the threshold of a response; None for survival, and where no threshold tells two classes apart."""
    value = out_of_fold_threshold(found, THRESHOLD_RULE) if data.task == "response" else None
    if value is None or not 0 < value < 1:
        return None
    classes = threshold_agreement(found, THRESHOLD_RULE)
    if classes.sensitivity is None or classes.specificity is None:
        return None
    sensitivity, specificity = (
        Rate(rate.value, rate.lower, rate.upper) for rate in (classes.sensitivity, classes.specificity)
    )
    how = _THRESHOLD.format(folds=settings.folds, repeats=settings.repeats)
    outcome: PredictedOutcome = "one-year survival" if settings.endpoint == ONE_YEAR else "response"
    return ClassThreshold(value, THRESHOLD_RULE, len(data.X), sensitivity, specificity, how, outcome=outcome)


def _settings_to_json(
    settings: TrainSettings, data: LearningData, estimator: Any, cohort: TrainingCohort
) -> Mapping[str, Any]:
    """Return what it takes to train the same package again."""
    return {
        "system": settings.system,
        "endpoint": settings.endpoint,
        "reader": settings.reader,
        "modality": settings.modality,
        "seed": settings.seed,
        "folds": settings.folds,
        "repeats": settings.repeats,
        "candidates": list(settings.candidates),
        "patients": len(data.X),
        "learned": learned_in_words(estimator),
        "sources": dict(sorted(cohort.sources.items())),
    }


def learned_in_words(estimator: Any) -> dict[str, Any]:
    """Return what an estimator chose in training, as plain data."""
    chosen = getattr(estimator, "chosen_", {})
    found: dict[str, Any] = {
        name: {**choice.configuration.to_json(), "inner_auc": choice.auc} for name, choice in chosen.items()
    }
    for attribute in ("alphas_", "concordances_"):
        if hasattr(estimator, attribute):
            found[attribute.rstrip("_")] = dict(getattr(estimator, attribute))
    for attribute in ("penalty_", "strength_"):
        if hasattr(estimator, attribute):
            found[attribute.rstrip("_")] = getattr(estimator, attribute)
    if len(estimator.model_.parts) > 1:
        found["weights"] = {part.name: part.weight for part in estimator.model_.parts}
    return found
