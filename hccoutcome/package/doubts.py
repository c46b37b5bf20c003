"""Which lines of the quality table concern a package, and which of them make its number doubtful."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from hccoutcome.clinical.sources import computed_from, followed_down
from hccoutcome.package.format import Package
from hccoutcome.status import QualityItem

HARMLESS_CHECKS = frozenset({"size", "extremes"})
"""Warnings of the quality table that leave the features of an outlined region as they are: a short stack shows its
tumour whole unless the mask's own line says otherwise, and padding and metal lie outside of the region."""
VOXEL_CHECKS = frozenset({"spacing", "slice thickness", "anisotropy"})
"""Lines on voxel sizes: one of an image is enough, and what the package itself says of them goes before."""


def items_read(
    package: Package, used: Collection[str], clinical: Mapping[str, float | str], quality: Collection[QualityItem]
) -> list[QualityItem]:
    """Return the warnings and refusals on what a package reads, and on the case as a whole.

    Args:
        package: the package.
        used: the phases that it really reads.
        clinical: the clinical record, derived values included.
        quality: the quality table.
    """
    needs = package.requirements
    regions = {need.region for need in needs.regions}
    stated = {item.subject.removeprefix("clinical ") for item in quality if item.check == "value"}
    variables = followed_down((need.name for need in needs.variables), stated)
    # What contradicts a variable also concerns a package that computes this variable itself.
    contradicted = variables | computed_from(variables, clinical)

    def is_read(item: QualityItem) -> bool:
        kind, _, rest = item.subject.partition(" ")
        name = rest.split(" ")[0]
        if kind == "image":
            # A liver that is brighter than in the portal phase puts both phases in doubt.
            return name in used or (item.check == "liver enhancement" and "portal" in used)
        if kind == "mask":
            return name in regions and on_phases(item, used)
        if kind == "clinical":
            return name in (contradicted if item.check == "agreement" else variables)
        return True

    return [item for item in quality if item.status != "ok" and is_read(item)]


def on_phases(item: QualityItem, phases: Collection[str]) -> bool:
    """Return whether a line on a mask is on the mask as such, or on how it lies on the image of one of some phases."""
    start, joint, phase = item.check.partition(" in ")
    return not (joint and start == "background") or phase in phases


def doubts(read: Collection[QualityItem], told: Collection[str], phases: Mapping[str, str]) -> Iterator[QualityItem]:
    """Return the warnings that make a number doubtful and that nothing else says.

    Args:
        read: the lines on what the package reads.
        told: subjects of whose voxel size or value the package itself says that it was not made on such.
        phases: the phase really used by role.
    """
    done = set(told)
    refused = {item.subject for item in read if item.status == "refused"}
    alone = len(set(phases.values())) < 2
    for item in read:
        if item.status != "warning" or item.check in HARMLESS_CHECKS or item.subject in refused:
            continue
        # The package has a sentence of its own on the modality; one phase alone needs no common grid.
        if item.subject == "case" or (alone and item.subject.startswith("image ") and item.check == "grid"):
            continue
        if item.subject in done and item.check in {*VOXEL_CHECKS, "value"}:
            continue
        if item.check in VOXEL_CHECKS:
            done.add(item.subject)
        yield item


def sentence(item: QualityItem) -> str:
    """Return a line of the quality table as a reason."""
    return f"{item.subject}, {item.check}: expected {item.expected}, found {item.found}. {item.note}".strip()
