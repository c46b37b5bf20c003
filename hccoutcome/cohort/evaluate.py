"""The study behind ``hcc evaluate``: systems cross-validated and packages applied, all on the same patients."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from hccoutcome.clinical.endpoints import ENDPOINTS, YEAR
from hccoutcome.cohort.evaluate_adjust import matched, multivariable
from hccoutcome.cohort.evaluate_cnn import CNN_LOGISTIC, extractor_of, with_cnn_features
from hccoutcome.cohort.evaluate_contenders import Contender, contenders_of, endpoint_of, with_baselines
from hccoutcome.cohort.evaluate_networks import CaseImages, NetworkFindings, look_at_cases, network_of
from hccoutcome.cohort.evaluate_packages import apply_network, apply_package, end_of, overlap
from hccoutcome.cohort.evaluate_patients import (
    StudyCohort,
    characteristics,
    columns_named,
    flow_of,
    published_subgroups,
)
from hccoutcome.cohort.evaluate_settings import StudySettings, check_settings, settings_to_json
from hccoutcome.cohort.evaluate_systems import cross_validate, with_refitted
from hccoutcome.cohort.packaging import LearningData, learning_data
from hccoutcome.cohort.training import doubts_of_folds
from hccoutcome.errors import InputError
from hccoutcome.evaluation.censoring import evaluation_times, horizon
from hccoutcome.evaluation.judging import (
    compare_all,
    decision,
    figures_in_subgroups,
    judge_followed,
    judge_response,
    judge_survival,
)
from hccoutcome.evaluation.leaving_out import Occlusion, occlusion_table
from hccoutcome.evaluation.study import Applied, Followed, Left, Matched, Multivariable, Predicted, Step, Study
from hccoutcome.evaluation.survival import median_follow_up
from hccoutcome.evaluation.threads import one_thread_each
from hccoutcome.package.learned_system import installed_versions
from hccoutcome.progress import Progress, part, silent
from hccoutcome.version import __version__

TIMES = 25
"""Evenly spaced months at which AUC and Brier score are measured."""
LIBRARIES = ("lifelines", "statsmodels", "pandas", "matplotlib")
"""Besides those on which packages depend."""
_CORRELATED = 7
"""Columns beside the output in the correlation matrix."""
_LEAST_PAIRS = 10


def evaluate(
    study: StudyCohort,
    settings: StudySettings,
    *,
    verified: Sequence[str] = (),
    images: CaseImages | None = None,
    workers: int = 1,
    progress: Progress = silent,
) -> Study:
    """Evaluate systems and packages on the same patients.

    Args:
        study: the patients.
        settings: what is evaluated.
        verified: names of packages with whose settings the features were provably extracted.
        images: where the images lie that networks look at; None where there is no network.
        workers: processes; the result does not depend on it.
        progress: told how far the work is.

    Raises:
        InputError: the patients or the settings do not allow it; the message says why.
    """
    contenders = contenders_of(settings.names)
    endpoint, task = endpoint_of(contenders, settings.endpoint)
    check_settings(settings, task)
    if images is None:
        _refuse_networks(contenders)
    extractor = extractor_of(images) if any(item.system is CNN_LOGISTIC for item in contenders) else None
    data = learning_data(study.cohort, endpoint, settings.reader)
    if settings.baselines:
        contenders = with_baselines(contenders, data.X)
    # What is asked for by name is refused before the long work, not after it.
    covariates = columns_named(data.X, study.extras, _each_once(settings.adjust, settings.added))
    to_match = columns_named(data.X, study.extras, _each_once(settings.match, settings.treatment))
    matching = _matching(data, [], to_match, settings)
    times, months = _times(data, contenders, settings.months)
    subgroups = published_subgroups(data.X)
    # Packages first: what they refuse is known before the long work.
    looked = _look(contenders, study, data, images, times, part(progress, 0.0, 0.4))
    by_images, lost = data, tuple[str, ...]()
    if extractor is not None and images is not None:
        by_images, lost = with_cnn_features(data, images, extractor, part(progress, 0.4, 0.6))
    with one_thread_each():
        of_packages = {
            item.label: _apply(item, study, data, times, verified, looked) for item in contenders if item.package
        }
        predicted, figures = [], []
        start = 0.6 if looked or extractor is not None else 0.0
        for place, contender in enumerate(contenders):
            step = part(part(progress, start, 1.0), place / len(contenders), (place + 1) / len(contenders))
            own = by_images if contender.system is CNN_LOGISTIC else data
            given = (
                of_packages[contender.label][0]
                if contender.package
                else cross_validate(contender, own, settings, times, workers, step)
            )
            judged = (
                judge_response(data.y, given, seed=settings.seed)
                if task == "response"
                else judge_survival(data.y, given, subgroups, times, months or 0.0)
            )
            figures.append(with_refitted(judged, contender, own, settings, workers))
            predicted.append(given)
    applied = [found for _, found in of_packages.values()]
    curves, notes = decision(data.y, predicted, times, months)
    adjusted, more_notes = _multivariable(data, predicted[0], covariates, settings.added)
    of_folds = doubts_of_folds(study.cohort) if any(item.system for item in contenders) else ()
    occlusion, occlusion_notes = _occlusion(data, predicted, looked)
    matching = matching and _matching(data, predicted, to_match, settings)
    return Study(
        task=task,
        endpoint=data.endpoint,
        cases=tuple(map(str, data.X.index)),
        y=data.y,
        predicted=tuple(predicted),
        figures=tuple(figures),
        versus=compare_all(data.y, predicted),
        decision=curves,
        months=months,
        times=times,
        follow_up=median_follow_up(data.y) if task == "survival" else None,
        flow=_flow(study, data, applied, endpoint),
        applied=tuple(applied),
        characteristics=characteristics(data.X, data.y, endpoint),
        missing=_missing(data.X, study),
        subgroups=figures_in_subgroups(data.y, [given for given in predicted if not given.baseline], subgroups),
        correlations=_correlations(data.X, predicted),
        multivariable=adjusted,
        matched=matching,
        settings=settings_to_json(settings, endpoint),
        sources=dict(study.cohort.sources),
        software=_software(),
        doubts=study.doubts,
        notes=(*of_folds, *notes, *more_notes, *occlusion_notes, *lost),
        followed=tuple(_followed(study, data, predicted)),
        occlusion=occlusion,
    )


def _each_once(names: Sequence[str], last: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (*names, last))))


def _matching(
    data: LearningData, predicted: Sequence[Predicted], columns: pd.DataFrame, settings: StudySettings
) -> Matched | None:
    if not settings.treatment:
        return None
    treatment = columns[settings.treatment]
    return matched(data.y, predicted, treatment, columns.drop(columns=settings.treatment))


def _multivariable(
    data: LearningData, given: Predicted, covariates: pd.DataFrame, added: str
) -> tuple[Multivariable | None, tuple[str, ...]]:
    """Return the Cox model with covariates, or why there is none: the other figures are not lost for it."""
    if not covariates.shape[1]:
        return None, ()
    try:
        return multivariable(data.y, given, covariates, added), ()
    except InputError as error:
        return None, (f"The Cox model with covariates could not be fitted: {error}",)


def _times(
    data: LearningData, contenders: Sequence[Contender], asked: float | None
) -> tuple[tuple[float, ...], float | None]:
    """Return the months at which survival is measured, and the horizon among them; nothing for a response.

    Raises:
        InputError: the horizon asked for lies outside what events, follow-up and packages cover.
    """
    if data.task == "response":
        return (), None
    packages = [contender.package for contender in contenders if contender.package is not None]
    last = min([horizon(data.y, data.y), *(end_of(package) for package in packages)])
    happened = data.y["time"][data.y["event"]]
    first = float(happened.min())
    months = asked
    if months is None:
        months = YEAR if first <= YEAR <= last else float(np.median(happened[happened <= last]))
    if not first <= months <= last:
        raise InputError(
            f"The horizon lies between the first event at {first:.3g} and the last common follow-up at {last:.3g} "
            f"months, found {months:g}: choose another."
        )
    grid = evaluation_times(data.y, data.y, TIMES)
    return tuple(float(time) for time in np.unique([*grid[grid <= last], months])), months


def _refuse_networks(contenders: Sequence[Contender]) -> None:
    """Refuse networks where no images are named.

    Raises:
        InputError: one is among them.
    """
    for contender in contenders:
        if network_of(contender.package) is not None:
            raise InputError(
                f"The network of '{contender.label}' looks at images, found no --images: name the folder that holds "
                "the cases."
            )


def _look(
    contenders: Sequence[Contender],
    study: StudyCohort,
    data: LearningData,
    images: CaseImages | None,
    times: tuple[float, ...],
    progress: Progress,
) -> dict[str, NetworkFindings]:
    """Return what the networks among the contenders say of the patients, by label."""
    packages = [item.package for item in contenders if item.package is not None and network_of(item.package)]
    if images is None or not packages:
        return {}
    return look_at_cases(packages, list(map(str, data.X.index)), study.cohort.records, images, times, progress)


def _apply(
    contender: Contender,
    study: StudyCohort,
    data: LearningData,
    times: tuple[float, ...],
    verified: Sequence[str],
    looked: Mapping[str, NetworkFindings],
) -> tuple[Predicted, Applied]:
    assert contender.package is not None  # noqa: S101 - told to the type checker
    learned_from = overlap(contender.package, data.X, study.table, study.cohort.sources.values())
    if contender.label in looked:
        return apply_network(contender.package, looked[contender.label], data.task, learned_from)
    return apply_package(
        contender.package,
        data.X,
        study.cohort.records,
        data.task,
        times,
        extraction_known=contender.package.name in verified,
        learned_from=learned_from,
    )


def _occlusion(
    data: LearningData, predicted: Sequence[Predicted], looked: Mapping[str, NetworkFindings]
) -> tuple[dict[str, tuple[Occlusion, ...]], tuple[str, ...]]:
    """Return what leaving out does to each network, and why it could not be measured."""
    found, notes = {}, []
    for given in predicted:
        without = looked[given.label].without if given.label in looked else {}
        if without:
            try:
                numbers = {name: values[given.known] for name, values in without.items()}
                found[given.label] = occlusion_table(data.y[given.known], numbers)
            except InputError as error:
                notes.append(f"What leaving out does to {given.label} could not be measured: {error}")
    return found, tuple(notes)


def _followed(study: StudyCohort, data: LearningData, predicted: Sequence[Predicted]) -> Iterator[Followed]:
    """Yield how the groups that systems predict of a response fared later, as far as the table tells it."""
    if data.task == "survival":
        return
    places = study.cohort.X.index.get_indexer(data.X.index)
    for given in predicted:
        low = given.positive if given.low_risk is None else given.low_risk
        if given.baseline or low is None:
            continue
        rule = given.risk_rule or f"low risk is a predicted outcome; threshold: {given.threshold}"
        for name, outcome in study.cohort.endpoints.items():
            found = judge_followed(outcome[places], given, low, rule, name, ENDPOINTS[name].lower())
            if found is not None:
                yield found


def _flow(study: StudyCohort, data: LearningData, applied: Sequence[Applied], endpoint: str) -> tuple[Step, ...]:
    steps = list(flow_of(study, data, endpoint))
    for package in applied:
        left = [Left(package.refused, "refused by the package")] if package.refused else []
        left += [Left(package.learned, "the package learned from their images")] if package.learned else []
        doubtful = f", {package.doubtful} of them with a doubt" if package.doubtful else ""
        steps.append(Step(f"with a score of {package.label}{doubtful}", package.scored, tuple(left), branch=True))
    return tuple(steps)


def _missing(table: pd.DataFrame, study: StudyCohort) -> tuple[tuple[str, str, int, int], ...]:
    """Return column, kind, known and missing values among the evaluated patients."""
    kinds = {item.name: item.kind for item in study.cohort.fillings}
    known = table.notna().sum()
    return tuple((str(name), kinds[str(name)], int(n), len(table) - int(n)) for name, n in known.items())


def _correlations(table: pd.DataFrame, predicted: Sequence[Predicted]) -> pd.DataFrame:
    """Return the first system's output and the numbers that its models used most, for the correlation matrix."""
    first = predicted[0]
    found = {first.label: np.where(first.known, first.place, np.nan)}
    used = {} if first.found is None else first.found.selection_frequency
    numbers = [name for name in used if name in table.columns and pd.api.types.is_numeric_dtype(table[name])]
    whole = pd.DataFrame({**found, **{name: table[name].to_numpy(float) for name in numbers}}, index=table.index)
    # Of columns that all models use, those that go closest with the output.
    near = whole.corr("spearman", min_periods=_LEAST_PAIRS)[first.label].abs()
    chosen = sorted((name for name in numbers if near[name] > 0), key=lambda name: (-used[name], -near[name]))
    return whole[[first.label, *chosen[:_CORRELATED]]]


def _software() -> dict[str, str]:
    found = {"hccoutcome": __version__, "python": platform.python_version(), **installed_versions()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
