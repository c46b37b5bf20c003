"""The numbers of a study: every figure with its interval, and the content of ``metrics.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from hccoutcome.evaluation.classification import Classification
from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.evaluation.study import ResponseFigures, Study, SurvivalFigures
from hccoutcome.evaluation.survival import KaplanMeier

RATES = ("sensitivity", "specificity", "ppv", "npv", "accuracy", "f1")
COUNTS = ("true_positive", "false_positive", "false_negative", "true_negative")


def estimates_of(item: ResponseFigures | SurvivalFigures) -> dict[str, Estimate]:
    """Return every figure of a system that has an interval, by its name in tables and in ``metrics.json``."""
    of_response = isinstance(item, ResponseFigures)
    name = "auc" if of_response else "c_index"
    found: dict[str, Estimate | None] = {
        name: item.main,
        f"{name}_of_finished_predictions": item.finished,
        f"{name}_apparent": item.apparent,
    }
    for figure, check in item.bootstrap.items():
        found[f"{figure}_less_optimism"] = check.corrected
    if isinstance(item, ResponseFigures):
        found |= {rate: getattr(item.classes, rate) for rate in RATES} if item.classes else {}
        found["brier"] = item.brier.score if item.brier else None
        found |= (
            {"calibration_intercept": item.line.intercept, "calibration_slope": item.line.slope} if item.line else {}
        )
    else:
        found["uno_c"] = item.uno
        found["auc_mean_over_time"] = item.auc.mean if item.auc else None
        found["integrated_brier"] = item.brier.integrated if item.brier else None
        found["hazard_ratio"] = item.ratio.hazard_ratio if item.ratio else None
        found["observed_over_expected"] = item.calibration.ratio if item.calibration else None
    return {key: estimate for key, estimate in found.items() if estimate is not None}


def metrics_of(study: Study) -> dict[str, Any]:
    """Return the content of ``metrics.json``: no row of a patient and no name of one."""
    return {
        "task": study.task,
        "endpoint": study.endpoint,
        "patients": len(study.y),
        "events": study.events,
        "months": study.months,
        "follow_up": plain(study.follow_up),
        "systems": {
            given.label: {
                "title": given.title,
                "way": given.way,
                "baseline": given.baseline,
                "threshold": given.threshold,
                **_system(item),
            }
            for given, item in zip(study.predicted, study.figures, strict=True)
        },
        "comparisons": plain(study.versus),
        "subgroups": plain(study.subgroups),
        "multivariable": plain(study.multivariable),
        "matched": plain(study.matched),
        "followed": plain(study.followed),
        "occlusion": plain(study.occlusion),
        "flow": plain(study.flow),
        "applied": plain(study.applied),
        "doubts": list(study.doubts),
        "notes": list(study.notes),
        "settings": plain(study.settings),
        "sources": dict(study.sources),
        "software": dict(study.software),
    }


def _system(item: ResponseFigures | SurvivalFigures) -> dict[str, Any]:
    found: dict[str, Any] = {
        "patients": item.patients,
        "events": item.events,
        "figures": plain(estimates_of(item)),
        "bootstrap": plain(item.bootstrap),
        "leaks": None if item.leaks is None else {**plain(item.leaks), "clean": item.leaks.clean},
        "notes": list(item.notes),
    }
    if isinstance(item, ResponseFigures):
        found["classes"] = counts_of(item.classes)
        found["brier"] = plain(item.brier)
        found["calibration"] = {
            **(
                {"observed": item.line.observed, "expected": item.line.expected, "moved": item.line.moved}
                if item.line
                else {}
            ),
            **({key: getattr(item.curve, key) for key in ("ici", "e50", "e90", "ece")} if item.curve else {}),
        }
        return found
    found["risk_groups"] = {curve.name: _curve(curve) for curve in item.groups}
    found["log_rank"] = plain(item.log_rank)
    found["proportional_hazards"] = plain(item.hazards)
    found["brier_scaled"] = item.brier.scaled if item.brier else None
    found["calibration"] = plain(item.calibration)
    return found


def counts_of(found: Classification | None) -> dict[str, int]:
    """Return the cells of a confusion matrix by name, empty where there are no classes."""
    return {} if found is None else {name: getattr(found, name) for name in COUNTS}


def _curve(curve: KaplanMeier) -> dict[str, Any]:
    return {"patients": curve.patients, "events": int(curve.events.sum()), "median": plain(curve.median)}


def plain(value: Any) -> Any:
    """Return frozen values as JSON data; what is no finite number is null."""
    if isinstance(value, KaplanMeier):
        return _curve(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
