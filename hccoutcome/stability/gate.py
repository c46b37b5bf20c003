"""The gate: measure the stability of all features, and say which of them a model may use.

Thresholds can be changed afterwards without the measurements (``regate``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from hccoutcome.errors import InputError, nearest
from hccoutcome.stability.icc import intraclass_correlation
from hccoutcome.stability.ratings import Ratings
from hccoutcome.stability.repeatability import coefficient_of_variation
from hccoutcome.stability.table import FeatureStability, Gate, StabilityTable
from hccoutcome.version import __version__

Policy = Literal["drop", "refuse"]
"""What training does with a feature that is not stable: leave it out, or stop and name it."""


@dataclass(frozen=True)
class Gated:
    """What a gate leaves of the columns that a model could use.

    Attributes:
        kept: columns that may be used, in the order asked.
        dropped: the others, each with what was measured of it.
        gate: the thresholds that counted.
    """

    kept: tuple[str, ...]
    dropped: tuple[FeatureStability, ...]
    gate: Gate


def stability_table(
    ratings: Ratings, gate: Gate | None = None, model: str = "2,1", provenance: Mapping[str, Any] | None = None
) -> StabilityTable:
    """Measure the stability of all features.

    Args:
        ratings: features of subjects by raters.
        gate: thresholds; the defaults of ``Gate`` where None.
        model: form of the ICC.
        provenance: what the ratings were made from, kept in the table.

    Raises:
        InputError: one subject or one rater, or an unknown form.
    """
    gate = gate or Gate()
    if len(ratings.raters) < 2:
        raise InputError(f"Stability needs at least 2 raters or repeats, found '{ratings.raters[0]}' alone: add one.")
    if len(ratings.subjects) < 2:
        raise InputError(f"An ICC needs at least 2 subjects, found '{ratings.subjects[0]}' alone: add the others.")
    icc = intraclass_correlation(ratings.values, model)
    variation = coefficient_of_variation(ratings.values)
    entries = tuple(
        _measured(gate, name, *numbers)
        for name, *numbers in zip(
            ratings.features,
            *(part.tolist() for part in (icc.icc, icc.lower, icc.upper, icc.f, icc.p, variation.cv, icc.subjects)),
            [
                _joined(f"ICC: {a}" if a else "", f"CV: {b}" if b else "")
                for a, b in zip(icc.reasons.tolist(), variation.reasons.tolist(), strict=True)
            ],
            strict=True,
        )
    )
    return StabilityTable(
        entries, gate, model, len(ratings.subjects), len(ratings.raters), _provenance(ratings, provenance)
    )


def variation_table(
    ratings: Ratings, gate: Gate | None = None, provenance: Mapping[str, Any] | None = None
) -> StabilityTable:
    """Measure the coefficient of variation alone: all that the repeats of a single subject can tell.

    The ICC compares subjects and stays empty, so the gate's ICC threshold is left out.

    Raises:
        InputError: one rater, or a gate without a threshold of the coefficient of variation.
    """
    gate = replace(gate or Gate(cv=0.15), icc=None)
    variation = coefficient_of_variation(ratings.values)
    entries = tuple(
        FeatureStability(
            name, cv=cv, stable=gate.passes(math.nan, math.nan, cv), subjects=1, reason=_joined("ICC: one subject", why)
        )
        for name, cv, why in zip(ratings.features, variation.cv.tolist(), variation.reasons.tolist(), strict=True)
    )
    return StabilityTable(
        entries, gate, "", len(ratings.subjects), len(ratings.raters), _provenance(ratings, provenance)
    )


def regate(table: StabilityTable, gate: Gate) -> StabilityTable:
    """Return the table with other thresholds."""
    entries = (replace(item, stable=gate.passes(item.icc, item.lower, item.cv)) for item in table.features)
    return replace(table, features=tuple(entries), gate=gate)


def stability_of(table: StabilityTable, features: Iterable[str]) -> tuple[FeatureStability, ...]:
    """Return the entry of each feature, in the order asked; a feature that was not measured is not stable."""
    known = {item.feature: item for item in table.features}
    return tuple(known.get(name) or FeatureStability(name, reason="not in the stability table") for name in features)


def drop_unstable(
    table: StabilityTable, features: Iterable[str]
) -> tuple[tuple[str, ...], tuple[FeatureStability, ...]]:
    """Return the features that a model may use, and the entries of those that it may not, for training that drops.

    Raises:
        InputError: no feature is left.
    """
    entries = stability_of(table, features)
    kept = tuple(item.feature for item in entries if item.stable)
    if not kept:
        raise InputError(
            f"Training needs a stable feature, found none among {len(entries)} with {describe_gate(table.gate)}: "
            "lower the thresholds or measure more raters."
        )
    return kept, tuple(item for item in entries if not item.stable)


def require_stable(table: StabilityTable, features: Iterable[str]) -> None:
    """Refuse features that are not stable, for training that does not drop.

    Raises:
        InputError: at least one feature is not stable or was not measured.
    """
    entries = stability_of(table, features)
    refused = [item for item in entries if not item.stable]
    if refused:
        listed = ", ".join(describe(item) for item in refused[:3]) + (", ..." if len(refused) > 3 else "")
        raise InputError(
            f"The model may use features with {describe_gate(table.gate)}, found {len(refused)} of {len(entries)} that "
            f"are not: {listed}; drop them or lower the thresholds."
        )


def allowed_features(
    table: StabilityTable, features: Iterable[str], gate: Gate | None = None, policy: Policy = "drop"
) -> Gated:
    """Return which features a model may be trained on. Clinical variables are no features: leave them out.

    Args:
        table: the stability table of the training cohort's features.
        features: feature columns at hand.
        gate: thresholds; those of the table where None.
        policy: ``"drop"`` leaves out what is not stable or was not measured; ``"refuse"`` stops and names it.

    Raises:
        InputError: no such policy, a threshold of what the table does not hold, nothing is left, or, with
            ``"refuse"``, a feature is not stable.
    """
    if policy not in get_args(Policy):
        raise InputError(
            f"Training does one of two things with unstable features; {nearest(policy, get_args(Policy))}."
        )
    if gate is not None:
        _check_measured(table, gate)
        table = regate(table, gate)
    features = tuple(features)
    if policy == "refuse":
        require_stable(table, features)
    return Gated(*drop_unstable(table, features), table.gate)


def _check_measured(table: StabilityTable, gate: Gate) -> None:
    """Refuse a threshold of the ICC on a table of one subject's repeats, which has none."""
    if gate.icc is not None and not table.model:
        raise InputError(
            "The gate asks for an ICC, and the stability table holds only the variation of one subject's repeats: "
            "measure several subjects with 'hcc stability', or gate by the coefficient of variation alone."
        )


def describe_gate(gate: Gate) -> str:
    """Return the thresholds in words: ``ICC >= 0.75 and CV < 0.15``."""
    name = "ICC" if gate.counts == "estimate" else "lower limit of the ICC"
    parts = [f"{name} >= {gate.icc:g}"] if gate.icc is not None else []
    return " and ".join(parts + ([f"CV < {gate.cv:g}"] if gate.cv is not None else []))


def describe(item: FeatureStability) -> str:
    """Return one feature's stability in words: ``original_firstorder_Mean (ICC 0.61, 0.40 to 0.78; CV 0.2)``."""
    parts = [] if math.isnan(item.icc) else [f"ICC {item.icc:.2f}, {item.lower:.2f} to {item.upper:.2f}"]
    parts += [] if math.isnan(item.cv) else [f"CV {item.cv:.2g}"]
    return f"{item.feature} ({'; '.join(parts + ([item.reason] if item.reason else []))})"


def _measured(gate: Gate, name: str, *numbers: Any) -> FeatureStability:
    icc, lower, upper, f, p, cv, subjects, reason = numbers
    return FeatureStability(name, icc, lower, upper, f, p, cv, gate.passes(icc, lower, cv), subjects, reason)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _provenance(ratings: Ratings, given: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "hccoutcome": __version__,
        "raters": list(ratings.raters),
        "subjects": list(ratings.subjects),
        "missing_pairs": [list(pair) for pair in ratings.missing_pairs],
        **(given or {}),
    }
