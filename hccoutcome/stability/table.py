"""The stability table: each feature's agreement, its variation and whether a model may use it.

Plain data with a JSON form, kept in the scene and in model packages.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from hccoutcome.errors import InputError, nearest
from hccoutcome.files import write_json
from hccoutcome.strict_json import Fields, parse_json

SCHEMA = 1
COLUMNS = ("feature", "icc", "lower", "upper", "F", "p", "cv", "stable")
LIMITS = ("estimate", "lower")
INFINITE = "inf"
"""How JSON, which has no such number, holds an infinite F."""
_WHERE = "The stability table"
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Gate:
    """What makes a feature stable; a threshold of None does not count.

    Attributes:
        icc: smallest intraclass correlation that passes (paper 000: 0.75, paper 003: 0.8).
        counts: whether the estimate or the lower confidence limit is compared with it.
        cv: coefficient of variation that a stable feature stays below, as a fraction (paper 003: 0.15).
    """

    icc: float | None = 0.75
    counts: Literal["estimate", "lower"] = "estimate"
    cv: float | None = None

    def __post_init__(self) -> None:
        if self.counts not in LIMITS:
            raise InputError(f"What counts is the estimate or the lower limit, found '{self.counts}': choose one.")
        for name in ("icc", "cv"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise InputError(f"A gate's threshold '{name}' is a number or null, found {value!r}: correct it.")
        if self.icc is not None and not -1 <= self.icc <= 1:
            raise InputError(f"An ICC threshold lies between -1 and 1, found {self.icc:g}: 0.75 is usual.")
        if self.cv is not None and not self.cv > 0:
            raise InputError(f"A threshold of the coefficient of variation is positive, found {self.cv:g}: try 0.15.")
        if self.icc is None and self.cv is None:
            raise InputError("A gate needs a threshold of the ICC or of the coefficient of variation: set one.")

    def passes(self, icc: float, lower: float, cv: float) -> bool:
        """Say whether a feature with these values is stable; one that is not defined never is."""
        measured = icc if self.counts == "estimate" else lower
        # A comparison with NaN is False.
        return (self.icc is None or measured >= self.icc) and (self.cv is None or cv < self.cv)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Gate:
        """Return the gate in plain data.

        Raises:
            InputError: an unknown key or a threshold that cannot be.
        """
        known = [item.name for item in fields(cls)]
        for key in raw:
            if key not in known:
                raise InputError(f"A gate has no setting '{key}'; {nearest(key, known)}.")
        return cls(**raw)


@dataclass(frozen=True)
class FeatureStability:
    """How stable one feature is; numbers are NaN where not defined, and ``reason`` says why.

    Attributes:
        feature: the feature's name.
        icc, lower, upper: intraclass correlation with its confidence limits.
        f, p: F test of ICC = 0.
        cv: within-subject coefficient of variation, as a fraction.
        stable: whether it passes the gate.
        subjects: subjects on which the ICC was computed.
        reason: what could not be computed and why; empty where all was.
    """

    feature: str
    icc: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    f: float = math.nan
    p: float = math.nan
    cv: float = math.nan
    stable: bool = False
    subjects: int = 0
    reason: str = ""

    def row(self) -> dict[str, Any]:
        """Return the cells of ``COLUMNS``; a number that is not defined is None (an empty cell)."""
        values = {name: getattr(self, name.lower()) for name in COLUMNS[1:-1]}
        numbers = {name: None if math.isnan(value) else value for name, value in values.items()}
        return {"feature": self.feature, **numbers, "stable": "true" if self.stable else "false"}


@dataclass(frozen=True)
class StabilityTable:
    """The stability of all features of one study.

    Attributes:
        features: one entry a feature.
        gate: the thresholds by which ``stable`` was set.
        model: form of the ICC, see ``hccoutcome.stability.icc``.
        subjects, raters: how many were measured.
        provenance: what the table was computed from; plain data.
    """

    features: tuple[FeatureStability, ...]
    gate: Gate
    model: str
    subjects: int
    raters: int
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len({item.feature for item in self.features}) != len(self.features):
            raise InputError("A stability table names each feature once, found a feature twice: remove one row.")

    @property
    def stable(self) -> tuple[str, ...]:
        """Names of the stable features, in the table's order."""
        return tuple(item.feature for item in self.features if item.stable)

    def rows(self) -> list[dict[str, Any]]:
        """Return the table as rows of ``COLUMNS``, for CSV files and table nodes."""
        return [item.row() for item in self.features]

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain data for JSON, with null for what is not defined."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "subjects": self.subjects,
            "raters": self.raters,
            "gate": asdict(self.gate),
            "provenance": dict(self.provenance),
            "features": [{key: _to_json(value) for key, value in asdict(item).items()} for item in self.features],
        }

    def shareable(self, features: Collection[str], cohort: str = "") -> StabilityTable:
        """Return the table as a model package may carry it: no name of a subject, a rater or a file is left.

        Args:
            features: those that the package uses; others are left out.
            cohort: whom the table was measured on, in words; what the table itself says where empty.
        """
        wanted = set(features)
        known = self.provenance
        sources = known.get("sources", [])
        return replace(
            self,
            features=tuple(item for item in self.features if item.feature in wanted),
            provenance={
                "cohort": cohort or str(known.get("cohort", "")),
                "hccoutcome": str(known.get("hccoutcome", "")),
                "settings_sha256": str(known.get("settings_sha256", "")),
                "sources": sorted(map(str, sources.values() if isinstance(sources, Mapping) else sources)),
            },
        )

    @classmethod
    def from_dict(cls, raw: Any, where: str = _WHERE) -> StabilityTable:
        """Return the table in plain data from ``to_dict``.

        Args:
            raw: the data, of which nothing is taken for granted.
            where: what the data is called in messages.

        Raises:
            InputError: another schema, a field that is missing, unknown or of the wrong kind, a number that cannot be,
                or a feature called stable that its gate does not pass.
        """
        table = Fields(raw, where)
        schema = table.value("schema", int, "a whole number")
        if schema != SCHEMA:
            raise InputError(f"{where} should have schema {SCHEMA}, found {schema}: write it anew.")
        gate = Gate.from_dict(table.object("gate"))
        found = cls(
            features=tuple(
                _entry(item, f"{where}, feature {number}", gate)
                for number, item in enumerate(table.value("features", list, "a list of features"), 1)
            ),
            gate=gate,
            model=table.text("model", ""),
            subjects=_count(table, "subjects"),
            raters=_count(table, "raters"),
            provenance=dict(table.object("provenance")),
        )
        table.done()
        return found


def write_table(path: Path, table: StabilityTable) -> Path:
    """Write the table as JSON."""
    return write_json(path, table.to_dict())


def read_table(path: Path) -> StabilityTable:
    """Read a table that ``write_table`` wrote.

    Raises:
        InputError: no such file, no JSON, or no stability table.
    """
    if path.suffix.lower() == ".csv":
        raise InputError(
            f"A stability table is read from the JSON file of 'hcc stability --table FILE.json', found '{path.name}', "
            "which lacks the thresholds: give that file."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The stability table '{path.name}' cannot be read ({error.strerror}): check the path."
        ) from error
    return StabilityTable.from_dict(parse_json(content, path.name), path.name)


def _to_json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return INFINITE if value > 0 else None
    return value


def _entry(raw: Any, where: str, gate: Gate) -> FeatureStability:
    """Return one feature's stability, checked number by number and against the gate."""
    item = Fields(raw, where)
    entry = FeatureStability(
        feature=item.text("feature"),
        icc=_number(item, "icc", most=1.0),
        lower=_number(item, "lower", most=1.0),
        upper=_number(item, "upper", most=1.0),
        f=_f_value(item),
        p=_number(item, "p", least=0.0, most=1.0),
        cv=_number(item, "cv", least=0.0),
        stable=item.value("stable", bool, "true or false"),
        subjects=_count(item, "subjects"),
        reason=item.text("reason", ""),
    )
    item.done()
    if entry.stable != gate.passes(entry.icc, entry.lower, entry.cv):
        raise InputError(
            f"{where}: '{entry.feature}' is called {'stable' if entry.stable else 'unstable'}, which its own numbers "
            "and thresholds contradict: write the table anew."
        )
    return entry


def _f_value(item: Fields) -> float:
    """Return F, which is infinite where raters agree perfectly."""
    if item.value("f", (int, float, str), f"a number, null or '{INFINITE}'", None) == INFINITE:
        return math.inf
    return _number(item, "f", least=0.0)


def _number(item: Fields, name: str, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a number, NaN where it is null or absent."""
    value = item.number(name, None)
    if value is None:
        return math.nan
    if not least - _ROUNDING <= value <= most + _ROUNDING:
        raise InputError(f"{item.where}: '{name}' cannot be {value:g}: write the table anew.")
    return value


def _count(item: Fields, name: str) -> int:
    count: int = item.value(name, int, "a whole number")
    if count < 0:
        raise InputError(f"{item.where}: '{name}' cannot be {count}: write the table anew.")
    return count
