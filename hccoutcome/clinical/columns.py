"""Which columns of a training table are clinical: the variables of the schema and the indices computed from them."""

from __future__ import annotations

from collections.abc import Iterable

from hccoutcome.clinical.indices import INDICES
from hccoutcome.clinical.variables import VARIABLES


def is_clinical(name: str) -> bool:
    """Return whether a column is a clinical variable or an index; every other column is measured on images."""
    return name in VARIABLES or name in INDICES


def clinical_columns(names: Iterable[str]) -> list[str]:
    """Return the clinical ones among columns, in their order."""
    return [name for name in names if is_clinical(name)]


def imaging_columns(names: Iterable[str]) -> list[str]:
    """Return those among columns that are measured on images, in their order."""
    return [name for name in names if not is_clinical(name)]
