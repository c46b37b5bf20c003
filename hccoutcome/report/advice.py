"""The advice of ATOM on one case, for a reader: as a page of Markdown, as rows of a table, as JSON data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hccoutcome.files import write_json, write_text
from hccoutcome.findings import Findings
from hccoutcome.treatment.atom import Advice, Recommendation

STAGES: Mapping[int, str] = {
    1: "Stage 1: which intra-arterial therapy",
    2: "Stage 2: is systemic treatment worth it",
}
JSON_FILE, PAGE_FILE = "atom.json", "atom.md"
CAUTION = (
    "Research software, not a medical device. The recommendation rests on models that were trained on patients treated "
    "as physicians chose; it is no evidence that one treatment is better than another for this patient."
)


def advice_of(findings: Findings) -> Advice:
    """Return the advice that findings hold.

    Raises:
        ValueError: they hold none.
    """
    if findings.advice is None:
        raise ValueError("ATOM was not asked")
    return findings.advice


def advice_to_json(findings: Findings) -> dict[str, Any]:
    """Return the advice with the predictions that it rests on, as JSON data."""
    return {
        "case": findings.case_id,
        "synthetic": findings.synthetic,
        **advice_of(findings).to_json(),
        "predictions": [prediction.to_json() for prediction in findings.predictions],
        "provenance": dict(findings.provenance),
        "caution": CAUTION,
    }


def advice_page(findings: Findings) -> str:
    """Return the advice as Markdown: the outcome, then every step with its score and threshold."""
    advice = advice_of(findings)
    kind = " (synthetic data)" if findings.synthetic else ""
    lines = [f"# ATOM: {findings.case_id}{kind}", "", advice.recommendation.text, ""]
    for title, sentences in steps_by_stage(advice.recommendation).items():
        lines += [f"## {title}", "", *(f"- {sentence}" for sentence in sentences), ""]
    lines += ["## Models", "", "| model | package | score | median | remarks |", "| --- | --- | --- | --- | --- |"]
    for model, name, score, median, remarks in model_rows(advice):
        lines.append(f"| {model} | {name} | {score} | {median} | {remarks.replace('|', '/')} |")
    lines += ["", not_given_in_words(advice)] if advice.not_given else []
    return "\n".join([*lines, "", CAUTION, ""])


def write_advice(findings: Findings, folder: Path) -> None:
    """Write the advice as ``atom.json`` and ``atom.md`` into a folder, which is made where it is missing.

    Raises:
        EnvironmentNeeded: the folder cannot be written to.
    """
    write_json(folder / JSON_FILE, advice_to_json(findings))
    write_text(folder / PAGE_FILE, advice_page(findings))


def steps_by_stage(found: Recommendation) -> dict[str, list[str]]:
    """Return the sentences of the steps by the title of their stage, in reading order."""
    told = {title: [step.text for step in found.steps if step.stage == stage] for stage, title in STAGES.items()}
    return {title: sentences for title, sentences in told.items() if sentences}


def model_rows(advice: Advice) -> list[tuple[str, str, str, str, str]]:
    """Return model, package, score, median and remarks of every package that ATOM was given."""
    return [
        (
            model,
            name,
            "none" if advice.scores[model] is None else f"{advice.scores[model]:.4f}",
            f"{advice.rule.medians[model]:.4f}",
            advice.remarks[model],
        )
        for model, name in advice.models.items()
    ]


def not_given_in_words(advice: Advice) -> str:
    """Return which models had no package, empty where all had one."""
    return f"No package was given for {', '.join(advice.not_given)}." if advice.not_given else ""


def advice_content(advice: Advice) -> dict[str, Any]:
    """Return what the report shows of an advice besides its text."""
    return {
        "steps": steps_by_stage(advice.recommendation),
        "rows": model_rows(advice),
        "not_given": not_given_in_words(advice),
        "caution": CAUTION,
    }
