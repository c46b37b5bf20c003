"""All liver function and staging scores by name: what each needs, what it says, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hccoutcome.clinical.bclc import BCLC, bclc
from hccoutcome.clinical.liver_function import ALBI, CHILD_PUGH, albi, child_pugh
from hccoutcome.clinical.liver_score import LiverScore, Record, ScoreDefinition
from hccoutcome.clinical.staging import CLIP, CRAFITY, OKUDA, SIX_AND_TWELVE_SCORE, clip, crafity, okuda, six_and_twelve
from hccoutcome.errors import InputError, nearest

__all__ = [
    "LIVER_SCORES",
    "LiverScore",
    "ScoreDefinition",
    "albi",
    "bclc",
    "child_pugh",
    "clip",
    "crafity",
    "definition",
    "missing_for",
    "okuda",
    "possible_scores",
    "six_and_twelve",
]

LIVER_SCORES: Mapping[str, ScoreDefinition] = MappingProxyType(
    {score.name: score for score in (ALBI, CHILD_PUGH, BCLC, CRAFITY, OKUDA, CLIP, SIX_AND_TWELVE_SCORE)}
)
"""Definition by name, in the order in which reports list them."""


def definition(name: str) -> ScoreDefinition:
    """Return the definition of a score.

    Raises:
        InputError: there is no score of that name.
    """
    if name not in LIVER_SCORES:
        raise InputError(f"'{name}' is not a known liver score; {nearest(name, LIVER_SCORES)}.")
    return LIVER_SCORES[name]


def missing_for(name: str, record: Record) -> tuple[str, ...]:
    """Return the variables that a record lacks for a score to be decided; empty where it can be computed.

    Raises:
        InputError: there is no score of that name.
    """
    return definition(name).missing(record)


def possible_scores(record: Record) -> tuple[LiverScore, ...]:
    """Return every score that a record allows, in the registry's order."""
    return tuple(score.compute(record) for score in LIVER_SCORES.values() if not score.missing(record))
