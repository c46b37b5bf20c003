"""The reference distribution of a package: how its inputs were distributed in a cohort.

It standardises radiomic features where a model was fitted on standardised ones, and it tells how far a new case lies
from the cohort. Printed models come without one; ``reference_from_table`` makes one from a cohort's feature table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import fdtrc

from hccoutcome.errors import InputError, nearest
from hccoutcome.strict_json import Fields, canonical_json, parse_json

LEAST_CASES = 10
"""Fewer cases give no mean and deviation worth the name."""
LARGEST_FILE = 4_000_000


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles that a trained package tells of each input, for drawing a case's value among them."""


@dataclass(frozen=True)
class Distribution:
    """One input in the cohort.

    Attributes:
        mean: over the cohort.
        deviation: standard deviation (divisor n, as scikit-learn's scaler).
        low, high: smallest and largest value; for a trained package the 1st and 99th percentile, so that no value of
            one patient is told.
        quantiles: values at ``QUANTILES``, empty where not known.
    """

    mean: float
    deviation: float
    low: float
    high: float
    quantiles: tuple[float, ...] = ()

    def standardise(self, value: float) -> float:
        """Return how many deviations ``value`` lies above the mean."""
        return (value - self.mean) / self.deviation


@dataclass(frozen=True)
class Reference:
    """The distribution of a package's features in one cohort.

    Attributes:
        cohort: which cohort, in words; no patient can be recognised by it.
        cases: number of cases.
        settings_sha256: hash of the preparation and extraction settings behind the features.
        features: distribution by feature column.
        correlation: Pearson correlation of the features in the order of ``features``; empty where there are too few
            cases to invert it.
        variables: distribution of the clinical numbers that the package reads, by name.
    """

    cohort: str
    cases: int
    settings_sha256: str
    features: Mapping[str, Distribution]
    correlation: tuple[tuple[float, ...], ...] = ()
    variables: Mapping[str, Distribution] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``reference.json``."""
        variables = {name: _distribution_to_json(known) for name, known in self.variables.items()}
        return {
            "cohort": self.cohort,
            "cases": self.cases,
            "settings_sha256": self.settings_sha256,
            "features": {name: _distribution_to_json(known) for name, known in self.features.items()},
            "order": list(self.features),
            "correlation": [list(row) for row in self.correlation],
            **({"variables": variables} if variables else {}),
        }

    def restricted(self, names: Sequence[str]) -> Reference:
        """Return the distribution of the features ``names`` alone, in their order."""
        places = {name: place for place, name in enumerate(self.features)}
        matrix = self.correlation and tuple(
            tuple(self.correlation[places[row]][places[column]] for column in names) for row in names
        )
        return replace(self, features={name: self.features[name] for name in names}, correlation=matrix)

    def tail_probability(self, values: Mapping[str, float]) -> float | None:
        """Return the probability that a new case of the cohort lies at least as far from its mean as ``values``.

        The squared Mahalanobis distance of one new observation from the mean of n observations of p features follows
        Hotelling's T2, scaled to F with p and n - p degrees of freedom (Hotelling 1931).

        Returns:
            The probability, or None where the reference has no correlation matrix.
        """
        if not self.correlation:
            return None
        n, p = self.cases, len(self.features)
        shrink = math.sqrt((n - 1) / n)
        z = np.array([d.standardise(values[name]) * shrink for name, d in self.features.items()])
        squared = float(z @ np.linalg.solve(np.array(self.correlation), z))
        return float(fdtrc(p, n - p, squared * n * (n - p) / (p * (n - 1) * (n + 1))))


def reference_from_table(
    rows: Sequence[Mapping[str, Any]], features: Sequence[str], settings_sha256: str, cohort: str
) -> Reference:
    """Return the reference distribution of a cohort's feature table.

    Args:
        rows: one mapping a case, from column to number (or its text, as read from a CSV).
        features: the columns that the package needs.
        settings_sha256: ``Package.settings_sha256`` of the package with whose settings the features were extracted.
        cohort: which cohort, in words.

    Raises:
        InputError: too few cases, a column is missing, a cell is no finite number, or a feature does not vary.
    """
    if len(rows) < LEAST_CASES:
        raise InputError(
            f"A reference needs the features of at least {LEAST_CASES} cases, found {len(rows)}: "
            "extract more cases with the package's settings first."
        )
    values = np.array([[_cell(row, name, line) for name in features] for line, row in enumerate(rows, 1)])
    deviations = values.std(axis=0)
    for name, deviation, mean in zip(features, deviations, values.mean(axis=0), strict=True):
        if deviation <= 1e-12 * abs(mean):
            raise InputError(f"The feature '{name}' is the same in all {len(rows)} cases: check their extraction.")
    means, lows, highs = values.mean(axis=0), values.min(axis=0), values.max(axis=0)
    columns = zip(features, means, deviations, lows, highs, strict=True)
    return Reference(
        cohort=cohort,
        cases=len(rows),
        settings_sha256=settings_sha256,
        features={
            name: Distribution(float(mean), float(deviation), float(low), float(high))
            for name, mean, deviation, low, high in columns
        },
        correlation=_correlation(values),
    )


def _correlation(values: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """Return the correlation matrix of the columns; empty where rows are too few or columns depend on each other."""
    cases, count = values.shape
    if cases < 2 * count + 2:
        return ()
    matrix = np.atleast_2d(np.corrcoef(values, rowvar=False))
    if np.linalg.cond(matrix) > 1e8:
        return ()
    return tuple(tuple(map(float, row)) for row in matrix)


def _cell(row: Mapping[str, Any], name: str, line: int) -> float:
    if name not in row:
        raise InputError(f"The feature table has no column '{name}'; {nearest(name, map(str, row))}.")
    try:
        value = float(row[name])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"Case {line} of the feature table has '{row[name]}' where the number '{name}' belongs: "
            "leave the case out or extract it again."
        )
    return value


def learned_distribution(values: np.ndarray) -> Distribution:
    """Return the distribution of one input in a training cohort, by quantiles; shape (patients,), NaN where missing."""
    known = values[~np.isnan(values)]
    low, *quantiles, high = (float(value) for value in np.quantile(known, (0.01, *QUANTILES, 0.99)))
    return Distribution(float(known.mean()), float(known.std()), low, high, tuple(quantiles))


def learned_reference(
    features: Mapping[str, np.ndarray],
    variables: Mapping[str, np.ndarray],
    settings_sha256: str,
    cohort: str,
    cases: int,
) -> Reference:
    """Return the reference distribution of a training cohort.

    Args:
        features: values of the features that the package reads, by column, of shape (patients,), NaN where missing.
        variables: values of the clinical numbers that it reads, likewise.
        settings_sha256: ``Package.settings_sha256`` of the package.
        cohort: which cohort, in words.
        cases: number of patients.
    """
    matrix = np.column_stack([*features.values()]) if features else np.empty((cases, 0))
    complete = matrix[~np.isnan(matrix).any(axis=1)]
    return Reference(
        cohort=cohort,
        cases=cases,
        settings_sha256=settings_sha256,
        features={name: learned_distribution(values) for name, values in features.items()},
        correlation=_correlation(complete) if features else (),
        variables={name: learned_distribution(values) for name, values in variables.items()},
    )


def write_reference(reference: Reference, path: Path) -> None:
    """Write a reference as ``reference.json``."""
    path.write_bytes(canonical_json(reference.to_json()))


def read_reference(path: Path) -> Reference:
    """Read a reference that ``write_reference`` wrote.

    Raises:
        InputError: not a file, too large, or not a reference.
    """
    if not path.is_file():
        raise InputError(f"The reference '{path.name}' is not a file: make one with 'hcc package reference'.")
    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"The reference '{path.name}' is larger than {LARGEST_FILE // 1_000_000} MB: wrong file?")
    return parse_reference(path.read_bytes(), path.name)


def parse_reference(content: bytes, where: str) -> Reference:
    """Return the reference in the bytes of a ``reference.json``, checked field by field.

    Raises:
        InputError: names the fault.
    """
    fields = Fields(parse_json(content, where), where)
    given, order = fields.object("features"), fields.texts("order")
    if len(set(order)) != len(order) or set(order) != set(given):
        raise InputError(f"{where}: 'order' should name every feature of 'features' once: make the reference again.")
    reference = Reference(
        cohort=fields.text("cohort"),
        cases=_cases(fields),
        settings_sha256=fields.text("settings_sha256"),
        features={name: _distribution(given[name], f"{where}, feature '{name}'") for name in order},
        correlation=_matrix(fields.objects("correlation"), len(order), where),
        variables={
            name: _distribution(data, f"{where}, variable '{name}'")
            for name, data in fields.object("variables", {}).items()
        },
    )
    fields.done()
    return reference


def _cases(fields: Fields) -> int:
    cases = fields.value("cases", int, "a whole number of cases")
    if cases < LEAST_CASES:
        raise InputError(f"{fields.where}: 'cases' should be at least {LEAST_CASES}, found {cases}: use more cases.")
    return cases


def _distribution(data: Any, where: str) -> Distribution:
    fields = Fields(data, where)
    mean, deviation, low, high = (fields.number(name) for name in ("mean", "deviation", "low", "high"))
    found = Distribution(mean, deviation, low, high, _quantiles(fields))
    fields.done()
    if found.deviation <= 0 or found.low > found.high or not (found.quantiles or found.low <= found.mean <= found.high):
        raise InputError(f"{where} should have a deviation above 0 and low <= mean <= high: make the reference again.")
    return found


def _quantiles(fields: Fields) -> tuple[float, ...]:
    found = fields.value("quantiles", list, "a list of numbers", [])
    numbers = all(type(value) in (int, float) for value in found)
    if found and (not numbers or len(found) != len(QUANTILES) or found != sorted(found)):
        raise InputError(
            f"{fields.where}: 'quantiles' should be {len(QUANTILES)} rising numbers: get the package again."
        )
    return tuple(map(float, found))


def _distribution_to_json(known: Distribution) -> dict[str, Any]:
    quantiles = {"quantiles": list(known.quantiles)} if known.quantiles else {}
    return {"mean": known.mean, "deviation": known.deviation, "low": known.low, "high": known.high, **quantiles}


def _matrix(rows: list[Any], size: int, where: str) -> tuple[tuple[float, ...], ...]:
    numbers = all(isinstance(row, list) and all(type(v) in (int, float) for v in row) for row in rows)
    if rows and (len(rows) != size or not numbers or any(len(row) != size for row in rows)):
        raise InputError(f"{where}: 'correlation' should be {size} rows of {size} numbers: make the reference again.")
    matrix = np.array(rows, dtype=float)
    if rows and not (np.allclose(matrix, matrix.T) and np.linalg.eigvalsh(matrix)[0] > 0):
        raise InputError(f"{where}: 'correlation' is no correlation matrix: make the reference again.")
    return tuple(tuple(map(float, row)) for row in rows)
