"""What was found out about a case as table columns. Plain rules without MRML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.findings import Findings
from hccoutcome.naming import parse_feature_name
from hccoutcome.package.prediction import Contribution, Prediction
from hccoutcome.package.stability import summary
from hccoutcome.report.outlook_words import chances

Columns = Mapping[str, Sequence[float] | Sequence[str]]


def result_columns(predictions: Sequence[Prediction]) -> Columns:
    """Return one row a prediction; a refused one has NaN for its score."""
    return {
        "Result": [prediction.title for prediction in predictions],
        "Score": [number(prediction.score) for prediction in predictions],
        "Scale": [prediction.scale for prediction in predictions],
        "Meaning": [prediction.label for prediction in predictions],
        **_survival_columns(predictions),
        "Applicability": [prediction.applicability.status for prediction in predictions],
        "Stability": [summary(prediction.contributions) for prediction in predictions],
        "Reasons": [" ".join(prediction.applicability.reasons) for prediction in predictions],
        "Endpoint": [prediction.endpoint for prediction in predictions],
        "Package": [prediction.package for prediction in predictions],
        "Version": [prediction.version for prediction in predictions],
        "SHA256": [prediction.sha256 for prediction in predictions],
        "Citation": [prediction.citation for prediction in predictions],
    }


def advice_columns(findings: Findings) -> Columns:
    """Return one row a step of ATOM and a last one with what it recommends; no row where it was not asked."""
    if findings.advice is None:
        return {"Stage": []}
    recommendation = findings.advice.recommendation
    steps = recommendation.steps
    return {
        "Stage": [*(str(step.stage) for step in steps), "Recommendation"],
        "Model": [*(step.model for step in steps), recommendation.plan or "open"],
        "Score": [*(number(step.score) for step in steps), math.nan],
        "Median": [*(number(step.median) for step in steps), math.nan],
        "Reasoning": [*(step.text for step in steps), recommendation.text],
    }


def _survival_columns(predictions: Sequence[Prediction]) -> Columns:
    """Return survival with its limits at the landmarks that any prediction reaches; NaN where one does not."""
    found = [None if item.outlook is None else item.outlook.survival for item in predictions]
    known = [{} if item is None else {chance.month: chance for chance in chances(item)} for item in found]
    columns: dict[str, list[float]] = {}
    for month in sorted({month for told in known for month in told}):
        title = f"Survival at {month} months"
        columns[title] = [number(getattr(told.get(month), "survival", None)) for told in known]
        columns[f"{title}, lower"] = [number(getattr(told.get(month), "lower", None)) for told in known]
        columns[f"{title}, upper"] = [number(getattr(told.get(month), "upper", None)) for told in known]
    return columns


def contribution_columns(prediction: Prediction) -> Columns:
    """Return one row an input of a score."""
    inputs = prediction.contributions
    return {
        "Input": [item.name for item in inputs],
        "Value": [as_text(item.value) for item in inputs],
        "Unit": [item.unit for item in inputs],
        "Coefficient": [number(item.coefficient) for item in inputs],
        "Contribution": [number(item.amount) for item in inputs],
        **(_stability_columns(inputs) if any(item.stability for item in inputs) else {}),
    }


def _stability_columns(inputs: Sequence[Contribution]) -> Columns:
    """Return how stable each input is, as far as that was measured; of clinical variables nothing is said."""
    known = [item.stability for item in inputs]
    numbers = {"ICC": "icc", "ICC lower limit": "lower", "ICC upper limit": "upper", "CV": "cv"}
    return {
        "Stability": ["" if found is None else found.status for found in known],
        **{title: [number(getattr(found, name, None)) for found in known] for title, name in numbers.items()},
    }


def quality_columns(findings: Findings) -> Columns:
    """Return the quality table, one row a check."""
    return {
        "Subject": [item.subject for item in findings.quality],
        "Check": [item.check for item in findings.quality],
        "Found": [item.found for item in findings.quality],
        "Expected": [item.expected for item in findings.quality],
        "Status": [item.status for item in findings.quality],
        "Note": [item.note for item in findings.quality],
    }


def feature_columns(findings: Findings) -> Columns:
    """Return one row a feature: its column name, the parts of that name and its value."""
    names = [parse_feature_name(name) for name in findings.features]
    return {
        "Feature": list(findings.features),
        "Phase": [name.phase for name in names],
        "Region": [name.region for name in names],
        "Value": [float(value) for value in findings.features.values()],
    }


def clinical_columns(findings: Findings) -> Columns:
    """Return one row a clinical value, with its title and unit from the schema."""
    return {
        "Variable": list(findings.clinical),
        "Title": [VARIABLES[name].title if name in VARIABLES else name for name in findings.clinical],
        "Value": [as_text(value) for value in findings.clinical.values()],
        "Unit": [VARIABLES[name].unit if name in VARIABLES else "" for name in findings.clinical],
    }


def number(value: float | None) -> float:
    """Return a number for a numeric column: NaN where there is none."""
    return math.nan if value is None else float(value)


def as_text(value: float | str) -> str:
    """Return a value as text: numbers with all their digits, whole ones without a point."""
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
