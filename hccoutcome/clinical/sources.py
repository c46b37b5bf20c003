"""Which variables decide which others, so that a doubt about one of them is known to concern the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from hccoutcome.clinical.bclc import BCLC

SOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "bmi": ("weight", "height"),
        "portal_vein_thrombus": ("pvtt",),
        "vascular_invasion": ("portal_vein_thrombus", "hvtt"),
        "hepatitis": ("hbv", "hcv"),
        "tumor_morphology": ("tumor_number",),
        "tumor_over_half": ("tumor_extent",),
        "child_pugh_points": ("tbil", "alb", "inr", "pt_prolongation", "ascites", "encephalopathy"),
        "child_pugh": ("child_pugh_points",),
        "bclc": BCLC.needs,
    }
)
"""The variables that decide a variable, by its name; those before it may decide those after it."""


def followed_down(names: Iterable[str], stated: Collection[str]) -> set[str]:
    """Return some variables with those from which they follow, down to what a record states.

    Args:
        names: the variables.
        stated: variables that the record states: these do not follow from others.
    """
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += () if name in stated else SOURCES.get(name, ())
    return found


def computed_from(names: Collection[str], record: Collection[str]) -> set[str]:
    """Return the variables that are decided by some variables alone, as far as a record holds what decides them.

    Args:
        names: the variables.
        record: the variables that the record holds.
    """
    found = set(names)
    for name, sources in SOURCES.items():
        known = [source for source in sources if source in record or source in found]
        if known and found.issuperset(known):
            found.add(name)
    return found - set(names)
