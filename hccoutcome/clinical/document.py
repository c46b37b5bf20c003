"""The page of variables, indices and scores, written by ``python -m hccoutcome.clinical.document Docs/clinical.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from hccoutcome.clinical.complete import SCORE_RULES
from hccoutcome.clinical.derive import RULES
from hccoutcome.clinical.indices import INDICES
from hccoutcome.clinical.scores import LIVER_SCORES
from hccoutcome.clinical.variable import Variable
from hccoutcome.clinical.variables import VARIABLES

_INTRODUCTION = """# Clinical variables, indices and scores

This page is written by `python -m hccoutcome.clinical.document Docs/clinical.md` from the schema in
`hccoutcome/clinical`; change it there.

## How a record is written

`case.json` and cohort tables hold a value under any name of its variable; case, spaces and punctuation do not matter.
A plain number is in the unit of the table below. Any other unit is stated, and then converted: `"4.1 g/dL"`,
`{"value": 4.1, "unit": "g/dL"}`, or a column called `ALB (g/dL)`. Yes-or-no variables take 1 and 0, yes and no, true
and false, positive and negative. An empty cell, `NA`, `?` or `unknown` means that the value is not known; a
not-a-number is refused. Decimals are written with a point.

A value outside the possible range is refused, with the unit that it was probably meant in. A value outside the typical
range is used and listed as a warning.
"""

_HEADINGS = {
    "variables": ("name", "variable", "unit", "other units", "possible", "typical", "values", "also called", "LOINC"),
    "derived": ("variable", "follows from"),
    "indices": ("name", "index", "formula", "source"),
    "scores": ("name", "score", "uses", "rule", "source"),
}


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join(
        (
            _INTRODUCTION,
            "## Variables\n",
            _table(_HEADINGS["variables"], map(_variable_row, VARIABLES.values())),
            "## What follows from other variables\n",
            "A value that the record states is never replaced; where it contradicts what follows, a warning says so. "
            "So it does where a Child-Pugh class or its points contradict the five components, and a BCLC stage the "
            "one that the other entries give.\n",
            _table(
                _HEADINGS["derived"], ((_code(name), source) for name, (_, source) in {**RULES, **SCORE_RULES}.items())
            ),
            "## Composite and change indices\n",
            "Cell counts in 10^9/L, albumin in g/L, bilirubin in umol/L. A change is a fraction: 0.5 is half as much "
            "again.\n",
            _table(_HEADINGS["indices"], ((_code(i.name), i.title, i.formula, i.citation) for i in INDICES.values())),
            "## Liver function and staging scores\n",
            _table(
                _HEADINGS["scores"],
                (
                    (_code(s.name), s.title, ", ".join(map(_code, s.needs)), s.rule, s.citation)
                    for s in LIVER_SCORES.values()
                ),
            ),
        )
    )


def _code(text: str) -> str:
    return f"`{text}`"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _variable_row(variable: Variable) -> tuple[str, ...]:
    numeric = variable.kind in ("number", "integer")
    title = f"{variable.title}: {variable.description}" if variable.description else variable.title
    return (
        _code(variable.name),
        title,
        variable.unit,
        ", ".join(list(variable.units)[1:]),
        _range(variable.limits) if numeric else "",
        _range(variable.typical) if numeric else "",
        _values(variable),
        ", ".join(variable.synonyms),
        variable.loinc,
    )


def _range(limits: tuple[float, float]) -> str:
    return f"{limits[0]:.8g} to {limits[1]:.8g}"


def _values(variable: Variable) -> str:
    if variable.kind == "category":
        return "; ".join(f"{code.value} ({code.number:g})" for code in variable.codes)
    return {"binary": "0 or 1", "integer": "whole number", "number": "number"}[variable.kind]


def main(arguments: Sequence[str]) -> int:
    """Write the page to the file named by the only argument."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m hccoutcome.clinical.document FILE.md\n")
        return 2
    Path(arguments[0]).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
