"""The tables of a study, each for a CSV file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hccoutcome.evaluation.cox import CoxModel
from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.evaluation.study import Predicted, ResponseFigures, Study, SurvivalFigures
from hccoutcome.evaluation.subgroups import SubgroupRow
from hccoutcome.evaluation.survival import KaplanMeier
from hccoutcome.report.study_numbers import counts_of, estimates_of


@dataclass(frozen=True)
class Table:
    """A table of a study: columns, and rows by column."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]


def tables_of(study: Study) -> dict[str, Table]:
    """Return the tables of a study by the name of their file; those without a row are left out."""
    limits = ("value", "lower", "upper", "level", "method")
    found = {
        "figures": _table(("system", "patients", "events", "figure", *limits), _figures(study)),
        "comparisons": _table(
            (
                "first",
                "second",
                "figure",
                "patients",
                "of",
                "difference",
                "lower",
                "upper",
                "statistic",
                "df",
                "p",
                "test",
            ),
            _comparisons(study),
        ),
        "flow": _table(("step", "patients", "leave", "reason"), _flow(study)),
        "characteristics": Table(
            tuple(map(str, study.characteristics.columns)), study.characteristics.to_dict("records")
        ),
        "missing": _table(
            ("column", "kind", "known", "missing"),
            (dict(zip(("column", "kind", "known", "missing"), row, strict=True)) for row in study.missing),
        ),
        "subgroup_figures": _table(
            ("system", "variable", "level", "patients", "events", *limits),
            (
                {
                    "system": row.label,
                    "variable": row.variable,
                    "level": row.level,
                    "patients": row.patients,
                    "events": row.events,
                    **_limits(row.figure),
                }
                for row in study.subgroups
            ),
        ),
        "selection": _table(
            ("system", "column", "share_of_models"),
            (
                {"system": given.label, "column": name, "share_of_models": share}
                for given in study.predicted
                if given.found is not None
                for name, share in given.found.selection_frequency.items()
            ),
        ),
        "decision": _table(("threshold", "treat_all", "system", "net_benefit", "lower", "upper"), _decision(study)),
        "packages": _table(
            ("package", "status", "reason", "patients"),
            (
                {"package": item.label, "status": status, "reason": reason, "patients": count}
                for item in study.applied
                for status, reason, count in item.reasons
            ),
        ),
        "occlusion": _table(
            ("system", "left_out", "patients", "auc", "lower", "upper", "change", "change_lower", "change_upper", "p"),
            _occlusion(study),
        ),
        "followed": _table(
            ("system", "endpoint", "group", "months", "survival", "lower", "upper", "at_risk", "events", "censored"),
            _followed(study),
        ),
        "predictions": _predictions(study),
        **(_of_response(study) if study.task == "response" else _of_survival(study)),
    }
    if study.matched is not None:
        names = ("name", "treated", "control", "matched_treated", "matched_control", "before", "after")
        found["balance"] = _table(names, (asdict(row) for row in study.matched.balance))
    return {name: table for name, table in found.items() if table.rows}


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Table:
    return Table(tuple(columns), [{key: _cell(value) for key, value in row.items()} for row in rows])


def _cell(value: Any) -> Any:
    """Return a value as a cell: empty where it is missing or no number."""
    value = value.item() if isinstance(value, np.generic) else value
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _limits(estimate: Estimate | None) -> dict[str, Any]:
    return {} if estimate is None else asdict(estimate)


def _figures(study: Study) -> Iterator[dict[str, Any]]:
    for item in study.figures:
        about = {"system": item.label, "patients": item.patients, "events": item.events}
        for name, estimate in estimates_of(item).items():
            yield {**about, "figure": name, **_limits(estimate)}
        for name, check in item.bootstrap.items():
            yield {**about, "figure": f"{name}_632plus", "value": check.plus632, "method": "bootstrap .632+"}
        if isinstance(item, ResponseFigures):
            for name, count in counts_of(item.classes).items():
                yield {**about, "figure": name, "value": count}


def _comparisons(study: Study) -> Iterator[dict[str, Any]]:
    for pair in study.versus:
        for of, test in (("systems", pair.systems), ("finished predictions", pair.predictions)):
            if test is None:
                continue
            yield {
                "first": pair.first,
                "second": pair.second,
                "figure": pair.figure,
                "patients": pair.patients,
                "of": of,
                "difference": test.difference.value,
                "lower": test.difference.lower,
                "upper": test.difference.upper,
                "statistic": test.statistic,
                "df": test.df,
                "p": test.p,
                "test": test.test,
            }


def _flow(study: Study) -> Iterator[dict[str, Any]]:
    for step in study.flow:
        yield {"step": step.what, "patients": step.patients}
        for left in step.left:
            yield {"step": step.what, "leave": left.patients, "reason": left.reason}


def _decision(study: Study) -> Iterator[dict[str, Any]]:
    if study.decision is None:
        return
    for model in study.decision.models:
        for place, threshold in enumerate(study.decision.thresholds):
            yield {
                "threshold": threshold,
                "treat_all": study.decision.treat_all[place],
                "system": model.name,
                "net_benefit": model.net_benefit[place],
                "lower": None if model.lower is None else model.lower[place],
                "upper": None if model.upper is None else model.upper[place],
            }


def _occlusion(study: Study) -> Iterator[dict[str, Any]]:
    for label, rows in study.occlusion.items():
        for row in rows:
            about = {"system": label, "left_out": row.left_out, "patients": row.patients}
            found = {"auc": row.auc.value, "lower": row.auc.lower, "upper": row.auc.upper}
            change: dict[str, Any] = {}
            if row.change is not None:
                moved = row.change.difference
                change = {"change": moved.value, "change_lower": moved.lower, "change_upper": moved.upper}
                change["p"] = row.change.p
            yield {**about, **found, **change}


def _followed(study: Study) -> Iterator[dict[str, Any]]:
    for item in study.followed:
        for curve in item.groups:
            yield from ({"system": item.label, "endpoint": item.name, **step} for step in _curve_steps(curve))


def _predictions(study: Study) -> Table:
    """Return outcome and predictions of every patient: the one table with names of patients."""
    outcome = ("response",) if study.task == "response" else ("event", "months")
    columns = ["case_id", *outcome]
    for given in study.predicted:
        columns += [given.label, *_beside(study, given)]
    rows = []
    for place, case in enumerate(study.cases):
        y = study.y[place]
        row: dict[str, Any] = {"case_id": case}
        row |= {"response": int(y)} if study.task == "response" else {"event": int(y["event"]), "months": y["time"]}
        for given in study.predicted:
            if given.known[place]:
                row[given.label] = given.prediction[place]
                row |= {name: values[place] for name, values in _beside(study, given).items()}
        rows.append(row)
    return _table(columns, rows)


def _beside(study: Study, given: Predicted) -> dict[str, Any]:
    """Return what figures are made of beside a prediction, shape (patients,), by column."""
    found: dict[str, Any] = {}
    if given.positive is not None:
        found[f"{given.label}: positive"] = given.positive.astype(int)
    if study.task == "survival":
        found[f"{given.label}: place"] = given.place
    if given.survival is not None and study.months is not None:
        at = study.times.index(study.months)
        found[f"{given.label}: survival at {study.months:.3g} months"] = given.survival[:, at]
    return found


def _of_response(study: Study) -> dict[str, Table]:
    items = [item for item in study.figures if isinstance(item, ResponseFigures)]
    return {
        "roc": _table(
            ("system", "threshold", "specificity", "sensitivity"),
            (
                {"system": item.label, "threshold": threshold, "specificity": specificity, "sensitivity": sensitivity}
                for item in items
                for threshold, specificity, sensitivity in zip(
                    item.roc.thresholds, item.roc.specificity, item.roc.sensitivity, strict=True
                )
            ),
        ),
        "calibration": _table(
            ("system", "predicted", "observed", "lower", "upper"),
            (
                {"system": item.label, "predicted": x, "observed": y, "lower": low, "upper": high}
                for item in items
                if item.curve is not None
                for x, y, low, high in zip(
                    item.curve.predicted, item.curve.observed, item.curve.lower, item.curve.upper, strict=True
                )
            ),
        ),
    }


def _of_survival(study: Study) -> dict[str, Table]:
    items = [item for item in study.figures if isinstance(item, SurvivalFigures)]
    columns = ("system", "group", "months", "survival", "lower", "upper", "at_risk", "events", "censored")
    found = {
        "survival": _table(columns, (row for item in items for row in _steps(item))),
        "over_time": _table(
            ("system", "figure", "months", "value", "lower", "upper"),
            (row for item in items for row in _over_time(item)),
        ),
        "forest": _table(
            ("system", "variable", "level", "high_patients", "high_events", "low_patients", "low_events",
             "hazard_ratio", "lower", "upper", "p", "interaction_p", "reason"),
            (row for item in items for row in _forest(item)),
        ),
    }  # fmt: skip
    if study.multivariable is not None:
        models: dict[str, CoxModel] = {"with everything": study.multivariable.model}
        if study.multivariable.nested is not None:
            models[f"without {study.multivariable.added}"] = study.multivariable.nested.without
        found["cox"] = _table(
            ("model", "term", "hazard_ratio", "lower", "upper", "p"),
            (
                {
                    "model": name,
                    "term": term.name,
                    "hazard_ratio": term.hazard_ratio.value,
                    "lower": term.hazard_ratio.lower,
                    "upper": term.hazard_ratio.upper,
                    "p": term.p,
                }
                for name, model in models.items()
                for term in model.terms
            ),
        )
    return found


def _steps(item: SurvivalFigures) -> Iterator[dict[str, Any]]:
    """Yield the steps of the risk groups' curves."""
    for curve in item.groups:
        yield from ({"system": item.label, **step} for step in _curve_steps(curve))


def _curve_steps(curve: KaplanMeier) -> Iterator[dict[str, Any]]:
    names = ("survival", "lower", "upper", "at_risk", "events", "censored")
    for place, months in enumerate(curve.times):
        yield {"group": curve.name, "months": months, **{name: getattr(curve, name)[place] for name in names}}


def _over_time(item: SurvivalFigures) -> Iterator[dict[str, Any]]:
    for name, times, estimates in (
        *([("auc", item.auc.times, item.auc.auc)] if item.auc else []),
        *([("brier", item.brier.times, item.brier.score)] if item.brier else []),
    ):
        for months, estimate in zip(times, estimates, strict=True):
            yield {
                "system": item.label,
                "figure": name,
                "months": months,
                "value": estimate.value,
                "lower": estimate.lower,
                "upper": estimate.upper,
            }


def _forest(item: SurvivalFigures) -> Iterator[dict[str, Any]]:
    if item.forest is None:
        return
    rows: list[tuple[str, SubgroupRow, float | None]] = [("", item.forest.overall, None)]
    rows += [(part.name, row, part.interaction_p) for part in item.forest.subgroups for row in part.rows]
    for variable, row, interaction in rows:
        ratio = None if row.term is None else row.term.hazard_ratio
        yield {
            "system": item.label,
            "variable": variable,
            "level": row.level,
            "high_patients": row.patients[0],
            "high_events": row.events[0],
            "low_patients": row.patients[1],
            "low_events": row.events[1],
            "hazard_ratio": None if ratio is None else ratio.value,
            "lower": None if ratio is None else ratio.lower,
            "upper": None if ratio is None else ratio.upper,
            "p": None if row.term is None else row.term.p,
            "interaction_p": interaction,
            "reason": row.reason,
        }
