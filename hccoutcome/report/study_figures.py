"""The figures of a study: which there are, what they are called, and the words under them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hccoutcome.evaluation.figures.calibration import draw_calibration, draw_calibrations, draw_survival_calibration
from hccoutcome.evaluation.figures.confusion import draw_confusion
from hccoutcome.evaluation.figures.correlation import draw_correlations
from hccoutcome.evaluation.figures.decision import draw_decision
from hccoutcome.evaluation.figures.flow import draw_flow
from hccoutcome.evaluation.figures.forest import draw_cox_table, draw_forest
from hccoutcome.evaluation.figures.kaplanmeier import draw_kaplan_meier
from hccoutcome.evaluation.figures.leaks import draw_leaks
from hccoutcome.evaluation.figures.overtime import draw_auc_over_time, draw_brier_over_time
from hccoutcome.evaluation.figures.roc import draw_roc
from hccoutcome.evaluation.figures.sankey import draw_sankey
from hccoutcome.evaluation.figures.selection import draw_selection
from hccoutcome.evaluation.study import Predicted, ResponseFigures, Study, SurvivalFigures
from hccoutcome.explanation.names import short_names

MOST_BRIER = 5
OUTCOMES = {"responder": "response", "survivor": "one-year survival"}
"""The outcome of a response by what patients with it are called."""


@dataclass(frozen=True, eq=False)
class StudyFigure:
    """A figure of a study.

    Attributes:
        name: of its files.
        section: of the report.
        caption: what it shows and how to read it.
        figure: the figure.
    """

    name: str
    section: str
    caption: str
    figure: Figure


def slug(label: str) -> str:
    """Return a label as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-").lower()


def figures_of(study: Study) -> Iterator[StudyFigure]:
    """Yield the figures of a study, in the order of the report."""
    yield StudyFigure(
        "flow", "patients", "How patients entered the evaluation, and why others did not.", draw_flow(study.flow)
    )
    yield from _of_response(study) if study.task == "response" else _of_survival(study)
    if study.decision is not None:
        what = study.endpoint
        if study.months is not None:
            what = f"an event within {study.months:.3g} months ({study.endpoint})"
        shown = {model.name for model in study.decision.models}
        patients = int(np.all([given.known for given in study.predicted if given.label in shown], axis=0).sum())
        caption = (
            f"Decision curves of {what}: net benefit of treating by a prediction at each threshold, on the {patients} "
            "patients for whom all have one. A useful curve lies above both treating all and treating none."
        )
        yield StudyFigure("decision", "utility", caption, draw_decision(study.decision))
    yield from _of_models(study)


def _of_response(study: Study) -> Iterator[StudyFigure]:
    pairs = [(given, item) for given, item in _pairs(study) if isinstance(item, ResponseFigures)]
    first, what = pairs[0][1], OUTCOMES[study.classes[0]]
    caption = (
        "ROC curves of the finished predictions with DeLong's intervals, which take the models as fixed. Where models "
        "of different folds share no scale, a cross-validated curve lies lower than the AUC inside folds."
    )
    band = {first.label: first.band} if len(pairs) == 1 else None
    yield StudyFigure("roc", "discrimination", caption, draw_roc({item.label: item.roc for _, item in pairs}, band))
    for given, item in pairs:
        if item.curve is None or item.line is None or given.baseline:
            continue
        drawn = draw_calibration(item.curve, item.line, study.y[given.known], given.prediction[given.known], item.label)
        caption = (
            f"Calibration of {item.label}: observed against predicted probability, with the distribution of the "
            "predictions below. On the diagonal, of those given 30% three in ten have the outcome."
        )
        yield StudyFigure(f"calibration-{slug(item.label)}", "calibration", caption, drawn)
    curves = {item.label: item.curve for _, item in pairs if item.curve is not None}
    if len(curves) > 1:
        yield StudyFigure(
            "calibration",
            "calibration",
            "Calibration curves beside each other; ICI is the mean distance from the diagonal.",
            draw_calibrations(curves),
        )
    for given, item in pairs:
        if item.classes is None or given.positive is None or given.baseline:
            continue
        caption = f"Predicted against actual {what}, {item.label}; threshold: {given.threshold}."
        yield StudyFigure(
            f"confusion-{slug(item.label)}", "classes", caption, draw_confusion(item.classes, what, item.label)
        )
        predicted, actual = (np.where(values[given.known], 0, 1) for values in (given.positive, study.y))
        caption = f"From predicted to actual {what}, {item.label}."
        drawn = draw_sankey(predicted, actual, study.classes)
        yield StudyFigure(f"sankey-{slug(item.label)}", "classes", caption, drawn)
    for followed in study.followed:
        ratio = None if followed.ratio is None else followed.ratio.hazard_ratio
        drawn = draw_kaplan_meier(followed.groups, followed.log_rank, ratio, end=_lived(followed.endpoint))
        caption = f"{followed.endpoint.capitalize()} by what {followed.label} predicted: {followed.rule}."
        yield StudyFigure(f"km-{slug(followed.label)}-{followed.name}", "classes", caption, drawn)


def _of_survival(study: Study) -> Iterator[StudyFigure]:
    pairs = [(given, item) for given, item in _pairs(study) if isinstance(item, SurvivalFigures)]
    aucs = {item.label: item.auc for _, item in pairs if item.auc is not None}
    if aucs:
        caption = "AUC at each time of those with the event by then against those without, with pointwise bands."
        yield StudyFigure("auc-over-time", "discrimination", caption, draw_auc_over_time(aucs))
    scores = {item.label: item.brier for _, item in pairs if item.brier is not None}
    if scores:
        caption = (
            "Brier score at each time: mean squared error of the predicted survival. It should lie below that of the "
            "Kaplan-Meier curve given to everybody."
        )
        shown = dict(list(scores.items())[:MOST_BRIER])
        yield StudyFigure("brier-over-time", "calibration", caption, draw_brier_over_time(shown))
    for given, item in pairs:
        if item.calibration is not None and not given.baseline:
            caption = f"Calibration of {item.label} at {item.calibration.months:.3g} months, in groups of equal size."
            drawn = draw_survival_calibration(item.calibration)
            yield StudyFigure(f"calibration-{slug(item.label)}", "calibration", caption, drawn)
    for given, item in pairs:
        if item.groups:
            ratio = None if item.ratio is None else item.ratio.hazard_ratio
            drawn = draw_kaplan_meier(item.groups, item.log_rank, ratio, end=_end(study))
            caption = f"Kaplan-Meier curves by risk group of {item.label}; high risk: {given.threshold}."
            if given.way == "cross-validated" and not given.baseline:
                caption += (
                    " Test and ratio take the models as fixed, which says too much: see the interval of the C-index."
                )
            yield StudyFigure(f"km-{slug(item.label)}", "classes", caption, drawn)
    for given, item in pairs:
        if item.forest is not None and not given.baseline:
            caption = f"Hazard ratio of high against low risk by {item.label}, overall and in subgroups."
            yield StudyFigure(f"forest-{slug(item.label)}", "subgroups", caption, draw_forest(item.forest))
    yield from _adjusted(study)


def _adjusted(study: Study) -> Iterator[StudyFigure]:
    if study.multivariable is not None:
        caption = f"Cox regression of the risk group of {study.predicted[0].label} beside covariates."
        yield StudyFigure("cox", "adjusted", caption, draw_cox_table(study.multivariable.model))
    if study.matched is not None and study.matched.curves:
        term = study.matched.after
        drawn = draw_kaplan_meier(
            study.matched.curves, study.matched.log_rank, None if term is None else term.hazard_ratio, end=_end(study)
        )
        caption = f"Kaplan-Meier curves by {study.matched.treatment} among patients matched by propensity."
        yield StudyFigure("km-matched", "adjusted", caption, drawn)


def _of_models(study: Study) -> Iterator[StudyFigure]:
    for given in study.predicted:
        used = {} if given.found is None else given.found.selection_frequency
        # Of a system that reads all columns there is nothing to tell.
        if used and min(used.values()) < 1 and not given.baseline:
            caption = f"How often the models of the cross-validation of {given.label} used each column."
            yield StudyFigure(f"selection-{slug(given.label)}", "models", caption, draw_selection(used))
    if study.correlations.shape[1] > 1:
        caption = (
            f"Correlations of the output of {study.predicted[0].label} with the numbers that its models used most: "
            "Pearson's r above the diagonal, densities on it, patients below it."
        )
        yield StudyFigure("correlations", "models", caption, draw_correlations(_shortly_named(study.correlations)))
    checks = {item.label: item.leaks for item in study.figures if item.leaks is not None}
    if checks:
        caption = (
            "The same systems on outcomes dealt out at random, with ten times as many columns as patients: each point "
            "is one permutation. An honest cross-validation stays around 0.5."
        )
        yield StudyFigure("leaks", "leaks", caption, draw_leaks(checks, study.figure))


def _shortly_named(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the names that figures of explanations use; the first column is a system's."""
    return table.set_axis([table.columns[0], *short_names([str(name) for name in table.columns[1:]])], axis=1)


def _pairs(study: Study) -> list[tuple[Predicted, ResponseFigures | SurvivalFigures]]:
    return list(zip(study.predicted, study.figures, strict=True))


def _end(study: Study) -> str:
    return _lived(study.endpoint)


def _lived(endpoint: str) -> str:
    """Return what is survived, for the axis of a curve."""
    return f"free of the event ({endpoint})" if endpoint != "overall survival" else endpoint
