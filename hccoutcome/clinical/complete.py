"""A clinical record with everything that follows from it, also by the rules of a score: Child-Pugh and BCLC.

``derive`` adds what follows without any judgement; a score's rule may have been another one where a cohort was staged,
so what is added here is said aloud wherever it is used. A value that the record states is never replaced: where it
contradicts its rule, ``hccoutcome.clinical.agreement`` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hccoutcome.clinical.bclc import bclc, bclc_missing
from hccoutcome.clinical.derive import RULES, Derived, derive
from hccoutcome.clinical.liver_function import child_pugh_from_components
from hccoutcome.clinical.liver_score import Record
from hccoutcome.status import QualityItem


def _child_pugh_points(record: Record) -> float | None:
    score = child_pugh_from_components(record)
    return None if score is None else score.value


def _bclc(record: Record) -> str | None:
    return None if bclc_missing(record) else bclc(record).label.split()[-1]


_Rule = tuple[Callable[[Record], "float | str | None"], str]
SCORE_RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        "child_pugh_points": (
            _child_pugh_points,
            "bilirubin, albumin, coagulation, ascites and encephalopathy (Pugh 1973)",
        ),
        "bclc": (_bclc, "performance status, liver function, spread and tumours (BCLC, 2022 update)"),
    }
)
"""Rule and its inputs in words, by the variable that it gives."""


def complete(record: Record) -> Derived:
    """Add to a record what follows from it, as ``derive`` does, and what the rules of scores give.

    Args:
        record: as ``parse_record`` returns it.
    """
    first = derive(record)
    full, notes = dict(first.record), list(first.notes)
    for name, (rule, source) in SCORE_RULES.items():
        value = None if name in full else rule(full)
        if value is not None:
            full[name] = value
            notes.append(f"{name} = {value if isinstance(value, str) else f'{value:g}'} follows from {source}.")
            # The points give the class.
            more = derive(full)
            full = dict(more.record)
            notes += more.notes
    return Derived(full, tuple(notes), first.conflicts)


def derived_items(derived: Derived, given: Record) -> tuple[QualityItem, ...]:
    """Return a line of the quality table for each class or stage that was not given and follows by the rule of a score.

    Args:
        derived: the completed record.
        given: the record as it was.
    """
    sources = {"child_pugh": RULES["child_pugh"][1], **{name: source for name, (_, source) in SCORE_RULES.items()}}
    return tuple(
        QualityItem(f"clinical {name}", "derived", f"{derived.record[name]}, which was not given", f"from {source}")
        for name, source in sources.items()
        if name in derived.record and name not in given
    )
