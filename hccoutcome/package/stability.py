"""What the stability table of a package says of the features that the package uses."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hccoutcome.errors import InputError
from hccoutcome.package.format import Package
from hccoutcome.package.prediction import Contribution, InputStability
from hccoutcome.stability.gate import describe_gate
from hccoutcome.stability.table import FeatureStability, StabilityTable
from hccoutcome.strict_json import parse_json


def parse_stability(content: bytes, package: Package, where: str) -> Package:
    """Return the package with the table in the bytes of its ``stability.json``.

    Raises:
        InputError: no stability table, or one with more than a package may carry: other features, or names.
    """
    table = StabilityTable.from_dict(parse_json(content, where), where)
    found = package.with_stability(table)
    if found.stability is None or found.stability.to_dict() != table.to_dict():
        raise InputError(
            f"{where} should hold the package's own features and no name of a subject, rater or file: attach the table "
            "again with 'hcc package stability'."
        )
    return found


def input_stability(package: Package, feature: str, used: str | None = None) -> InputStability | None:
    """Return how stable one of a package's features is; None where the package carries no table.

    Args:
        package: the package.
        feature: the package's own name of the feature.
        used: the column that was read in its place; of another phase nobody measured the stability.
    """
    if package.stability is None or feature not in package.requirements.features:
        return None
    entry = next((item for item in package.stability.features if item.feature == feature), None)
    if entry is None or used not in (None, feature):
        return InputStability("not measured")
    numbers = (_known(value) for value in (entry.icc, entry.lower, entry.upper, entry.cv))
    return InputStability("stable" if entry.stable else "unstable", *numbers)


def unstable_features(package: Package) -> tuple[FeatureStability, ...]:
    """Return the package's features that its table calls unstable."""
    return () if package.stability is None else tuple(item for item in package.stability.features if not item.stable)


def in_words(found: InputStability | None) -> str:
    """Return one feature's stability for a reader: ``stable: ICC 0.91 (0.80 to 0.96), CV 4.2%``."""
    if found is None:
        return ""
    parts = [] if found.icc is None else [f"ICC {found.icc:.2f}{_limits(found)}"]
    parts += [] if found.cv is None else [f"CV {100 * found.cv:.3g}%"]
    return f"{found.status}: {', '.join(parts)}" if parts else found.status


def summary(contributions: Sequence[Contribution]) -> str:
    """Return the stability of all features of a score: ``4 of 5 features stable, 1 not measured``."""
    found = [item.stability.status for item in contributions if item.stability is not None]
    if not found:
        return ""
    parts = [f"{found.count('stable')} of {len(found)} features stable"]
    others = [(found.count(status), status) for status in ("unstable", "not measured")]
    return ", ".join(parts + [f"{count} {status}" for count, status in others if count])


def describe_table(table: StabilityTable) -> str:
    """Return what a package's table was measured on and by which thresholds, in words."""
    form = f"ICC({table.model}), " if table.model else ""
    cohort = table.provenance.get("cohort", "")
    subjects = f"{table.subjects} subject{'' if table.subjects == 1 else 's'} by {table.raters} raters or repeats"
    return f"{form}{subjects}{f' ({cohort})' if cohort else ''}; stable with {describe_gate(table.gate)}"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _limits(found: InputStability) -> str:
    return "" if found.lower is None or found.upper is None else f" ({found.lower:.2f} to {found.upper:.2f})"
