"""What a model package consists of, as plain data. Reading and writing it stand in files of their own.

A package is a folder, or a zip of one, with ``package.json`` and the files that it lists with their SHA256: the model's
weights, the reference distribution, the stability of its features, what became of its cohort, the radiomics parameter
file, results to check the weights with, and the card. Everything in it is data, never code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from hccoutcome.case import Modality
from hccoutcome.errors import InputError
from hccoutcome.naming import parse_feature_name
from hccoutcome.package.prognosis import Prognosis
from hccoutcome.package.reference import Reference
from hccoutcome.package.threshold import ClassThreshold
from hccoutcome.stability.table import StabilityTable
from hccoutcome.strict_json import canonical_json

VariableKind = Literal["number", "binary", "category"]
VARIABLE_KINDS: tuple[VariableKind, ...] = ("number", "binary", "category")

SCHEMA = 1
MANIFEST = "package.json"
CARD = "card.md"


@dataclass(frozen=True)
class Range:
    """A closed range of a quantity; an end that is None is open."""

    low: float | None = None
    high: float | None = None

    def holds(self, value: float) -> bool:
        """Return whether ``value`` lies in the range."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.low is not None and self.high is not None:
            return f"{self.low:.8g} to {self.high:.8g}"
        if self.low is not None:
            return f"at least {self.low:.8g}"
        return f"at most {self.high:.8g}" if self.high is not None else "any value"


@dataclass(frozen=True)
class PhaseNeed:
    """A contrast phase or sequence that the package reads.

    Attributes:
        phase: canonical name, the role that the phase plays in the package.
        substitutes: phases taken instead where the phase is absent, the best first, always with a warning.
        in_plane_mm: pixel spacings of the images that the package was made on; outside: a warning.
        slice_mm: slice spacings of the images that the package was made on; outside: a warning.
        coarsest_mm: a spacing above it in any direction is refused.
        voxel_mm3: volumes of a voxel of the images that the package was made on; outside: a warning.
        optional: True where the package can do without the phase, with a warning.
    """

    phase: str
    substitutes: tuple[str, ...] = ()
    in_plane_mm: Range = Range()
    slice_mm: Range = Range()
    coarsest_mm: float | None = None
    voxel_mm3: Range = Range()
    optional: bool = False


@dataclass(frozen=True)
class RegionNeed:
    """A region that the package reads on each of its phases.

    Attributes:
        region: canonical name.
        least_ml: a smaller volume (millilitres) is refused.
        certain_ml: a smaller volume (millilitres) is warned about.
    """

    region: str
    least_ml: float = 0.0
    certain_ml: float = 0.0


@dataclass(frozen=True)
class VariableNeed:
    """A clinical variable that the package reads.

    Attributes:
        name: schema name (``hccoutcome.clinical``).
        kind: ``"number"``, ``"binary"`` (0 or 1) or ``"category"`` (one of ``codes``).
        unit: the unit of the value, empty for a coded variable.
        meaning: what it is, in words.
        possible: values outside it are refused.
        usual: values outside it are warned about: the range of the cohort that the package was made on.
        codes: the texts allowed for a category.
        optional: True where the package's own rule decides whether it can do without.
        stand_in: what the package takes where the value is missing, in words; then its absence is warned about.
    """

    name: str
    kind: VariableKind = "number"
    unit: str = ""
    meaning: str = ""
    possible: Range = Range()
    usual: Range = Range()
    codes: tuple[str, ...] = ()
    optional: bool = False
    stand_in: str = ""


@dataclass(frozen=True)
class Requirements:
    """Everything that a package needs of a case.

    Attributes:
        modality: ``"CT"``, ``"MR"`` or None where no image is read.
        phases: contrast phases or sequences.
        regions: regions outlined on those phases.
        features: feature columns by the rule of ``hccoutcome.naming``, in the model's order.
        variables: clinical variables.
        reference: True where no number can be given without a reference distribution.
        most_missing: a case that lacks more of the variables with a ``stand_in`` is refused.
        cautions: doubts that go with every number, one sentence each.
    """

    modality: Modality | None = None
    phases: tuple[PhaseNeed, ...] = ()
    regions: tuple[RegionNeed, ...] = ()
    features: tuple[str, ...] = ()
    variables: tuple[VariableNeed, ...] = ()
    reference: bool = False
    most_missing: int = 0
    cautions: tuple[str, ...] = ()

    def phases_of(self, region: str) -> tuple[str, ...]:
        """Return the roles on which ``region`` has to be outlined, in the order of ``phases``.

        Those on which features of it are read; a package that reads no features looks at it on all that it needs.
        """
        if not self.features:
            return tuple(need.phase for need in self.phases if not need.optional)
        read = {name.phase for name in map(parse_feature_name, self.features) if name.region == region}
        return tuple(need.phase for need in self.phases if need.phase in read)


@dataclass(frozen=True)
class Package:
    """A model package, verified and read.

    Attributes:
        name: the package's name, as in ``--package NAME``.
        version: the package's version.
        system: the published system that can apply it (``hccoutcome.systems.SYSTEMS``).
        title: what a reader calls it.
        endpoint: what is predicted, in words.
        scale: what the number is: ``"probability"``, ``"score"``, ``"points"``, ``"stage"``...
        citation: the paper.
        requirements: what it needs of a case.
        preparation: settings of ``hccoutcome.imaging.prepare.Preparation``, empty where the images stay as they are.
        parameters: text of the radiomics parameter file, empty where the package reads no features.
        settings: further settings of the system.
        weights: the model's coefficients as JSON data, empty where the published rule is a table of points.
        reference: training distribution, None for a printed model without one.
        stability: how stable its features are, None where nobody measured it.
        models: bytes of the model files (``hccoutcome.package.skops_file``) by file name.
        vectors: inputs with the results that the weights gave when they were made; empty for printed weights.
        prognosis: what became of the cohort it was made on, None where it says nothing on survival.
        threshold: probability from which it predicts a response, None where it tells no classes.
        card: the model card, Markdown.
        software: versions of the software that made the package.
        files: SHA256 of every file but ``package.json``, by name.
        sha256: hash over the whole package, written in ``package.json``.
        source: the folder or zip that it was read from, None for one not yet written.
    """

    name: str
    version: str
    system: str
    title: str
    endpoint: str
    scale: str
    citation: str
    requirements: Requirements
    preparation: Mapping[str, Any] = field(default_factory=dict)
    parameters: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Any] = field(default_factory=dict)
    reference: Reference | None = None
    stability: StabilityTable | None = None
    models: Mapping[str, bytes] = field(default_factory=dict)
    vectors: Mapping[str, Any] = field(default_factory=dict)
    prognosis: Prognosis | None = None
    threshold: ClassThreshold | None = None
    card: str = ""
    software: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""
    source: Path | None = None

    @property
    def settings_sha256(self) -> str:
        """Hash of what decides the value of a feature: preparation and parameter file."""
        content = canonical_json({"preparation": dict(self.preparation), "parameters": self.parameters})
        return hashlib.sha256(content).hexdigest()

    def with_reference(self, reference: Reference) -> Package:
        """Return the package with another reference distribution.

        Raises:
            InputError: the reference was made with other settings, or lacks a feature of the package.
        """
        if reference.settings_sha256 != self.settings_sha256:
            raise InputError(
                f"The reference was made with other preparation or extraction settings than those of '{self.name}': "
                "make it from features extracted with this package."
            )
        missing = [name for name in self.requirements.features if name not in reference.features]
        if missing:
            raise InputError(f"The reference lacks the feature '{missing[0]}' of '{self.name}': make it again.")
        return replace(self, reference=reference.restricted(self.requirements.features))

    def with_stability(self, table: StabilityTable, cohort: str = "") -> Package:
        """Return the package with the stability of its features, as far as ``table`` measured them.

        Args:
            table: a stability table with the package's feature columns among its own.
            cohort: whom it was measured on, in words; no patient can be recognised by it.

        Raises:
            InputError: the package reads no features, or the table measured none of them.
        """
        if not self.requirements.features:
            raise InputError(f"The package '{self.name}' reads no features, so it needs no stability table.")
        own = table.shareable(self.requirements.features, cohort)
        if not own.features:
            found = table.features[0].feature if table.features else "no feature at all"
            raise InputError(
                f"The stability table should measure features of '{self.name}' such as "
                f"'{self.requirements.features[0]}', found none of them but '{found}': name its columns "
                "<phase>_<region>_... as 'hcc cohort' does."
            )
        return replace(self, stability=own)
