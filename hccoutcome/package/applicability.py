"""Whether a package fits a case, judged before any number is computed.

``plan`` says beforehand which image plays which role and which features to extract; ``judge`` then looks at what was
found. Refused means that no score is given; a warning goes with the score.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from hccoutcome.case import Modality
from hccoutcome.naming import FeatureName, parse_feature_name
from hccoutcome.package.doubts import doubts, items_read, sentence
from hccoutcome.package.format import Package, PhaseNeed, RegionNeed, VariableNeed
from hccoutcome.package.prediction import Applicability
from hccoutcome.package.reference import Reference
from hccoutcome.package.stability import unstable_features
from hccoutcome.stability.gate import describe, describe_gate
from hccoutcome.status import QualityItem, Status, worst

FAR = 0.01
"""A case whose distance from the reference cohort would be reached by fewer of its cases is called far."""
FEW_REFERENCE_CASES = 30

Finding = tuple[Status, str]


@dataclass(frozen=True)
class ImageFacts:
    """What applicability needs to know of an image as it came: spacing (x, y, z in mm) and size (x, y, z in voxels)."""

    spacing: tuple[float, float, float]
    size: tuple[int, int, int]


@dataclass(frozen=True)
class PackageInputs:
    """What is known of a case when a package is applied to it.

    Attributes:
        modality: ``"CT"``, ``"MR"`` or None where not stated.
        phases: facts of the image as it came, by canonical phase.
        regions: volume in millilitres by region and by the phase on whose image it lies.
        features: value by feature column, named after the phases that were really used.
        clinical: clinical record, value by schema name in the schema's unit.
        synthetic: True for generated data.
        quality: the case's quality table.
        images: by phase as they came, for packages whose network looks at them itself.
        masks: by region and phase, on that phase's grid, for the same.
        screenshots: picture files by phase and slice that take the place of phases, for packages that accept them.
        device: on which a network computes: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        seen: what networks have already looked at, by how they look: packages that look alike look once.
    """

    modality: Modality | None = None
    phases: Mapping[str, ImageFacts] = field(default_factory=dict)
    regions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)
    clinical: Mapping[str, float | str] = field(default_factory=dict)
    synthetic: bool = False
    quality: tuple[QualityItem, ...] = ()
    images: Mapping[str, sitk.Image] = field(default_factory=dict, repr=False)
    masks: Mapping[str, Mapping[str, sitk.Image]] = field(default_factory=dict, repr=False)
    screenshots: Mapping[tuple[str, int], Path] = field(default_factory=dict)
    device: str = "auto"
    seen: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Plan:
    """Which image plays which role of a package, and what to extract from it.

    Attributes:
        phases: the phase really used by role; a role that nothing can play is absent.
        regions: for each region the phases really used on which it is read.
        columns: feature column to extract by the package's own feature name; only those whose phase is there.
    """

    phases: Mapping[str, str]
    regions: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, str]


def plan(package: Package, available: Collection[str]) -> Plan:
    """Return which of the available phases a package would use, and what to extract.

    Args:
        package: the package.
        available: canonical phases of the case.
    """
    needs = package.requirements
    used = {need.phase: phase for need in needs.phases if (phase := _play(need, available)) is not None}
    columns = {}
    for feature in needs.features:
        name = parse_feature_name(feature)
        if name.phase in used:
            columns[feature] = str(FeatureName(used[name.phase], name.region, name.radiomic))
    regions = {
        need.region: tuple(used[role] for role in needs.phases_of(need.region) if role in used)
        for need in needs.regions
    }
    return Plan(used, regions, columns)


def _play(need: PhaseNeed, available: Collection[str]) -> str | None:
    return next((phase for phase in (need.phase, *need.substitutes) if phase in available), None)


def values_for(package: Package, inputs: PackageInputs) -> dict[str, float | str]:
    """Return the package's own inputs by name: its features, whatever phase they came from, and clinical variables."""
    columns = plan(package, inputs.phases).columns
    features = {name: inputs.features[column] for name, column in columns.items() if column in inputs.features}
    names = [need.name for need in package.requirements.variables]
    return {**features, **{name: inputs.clinical[name] for name in names if name in inputs.clinical}}


def judge(package: Package, inputs: PackageInputs) -> Applicability:
    """Return whether the package fits the case, with every reason that was found, the gravest first."""
    findings = sorted(_findings(package, inputs), key=lambda finding: finding[0] != "refused")
    refusals = sum(status == "refused" for status, _ in findings)
    return Applicability(worst(status for status, _ in findings), tuple(reason for _, reason in findings), refusals)


def _findings(package: Package, inputs: PackageInputs) -> Iterator[Finding]:
    if inputs.synthetic:
        yield "warning", "The case is generated data, so the number says nothing about a patient."
    found = plan(package, inputs.phases)
    read = items_read(package, set(found.phases.values()), inputs.clinical, inputs.quality)
    bad = [item for item in read if item.status == "refused"]
    yield from (("refused", sentence(item)) for item in bad)
    yield from (("warning", sentence(item)) for item in doubts(read, _told(package, found, inputs), found.phases))
    if package.requirements.modality is not None:
        yield from _modality(package, inputs)
    for need in package.requirements.phases:
        yield from _phase(need, found.phases.get(need.phase), inputs)
    # Nothing is extracted from images or masks that are refused themselves, so nothing is said to be missing there.
    if all(item.subject.startswith("clinical ") for item in bad) and _is_measured(package, found, inputs):
        for region in package.requirements.regions:
            yield from _region(region, found.regions[region.region], inputs)
        yield from _features(found, inputs)
    for variable in package.requirements.variables:
        yield from _variable(variable, inputs.clinical.get(variable.name))
    yield from _too_many_missing(package, inputs)
    yield from (("warning", caution) for caution in package.requirements.cautions)
    yield from _reference(package, found, inputs)
    yield from _stability(package)


def _modality(package: Package, inputs: PackageInputs) -> Iterator[Finding]:
    needed = package.requirements.modality
    if inputs.modality is None and inputs.phases:
        yield "warning", f"The modality is not stated and the package was made on {needed}: state it."
    elif inputs.modality not in (None, needed):
        yield "refused", f"The images are {inputs.modality} and the package was made on {needed}."


def _is_measured(package: Package, found: Plan, inputs: PackageInputs) -> bool:
    """Return whether regions can be asked for: not of images of another modality, nor of screenshots alone."""
    other = package.requirements.features and inputs.modality not in (None, package.requirements.modality)
    return not other and (bool(found.phases) or not inputs.screenshots)


def _phase(need: PhaseNeed, used: str | None, inputs: PackageInputs) -> Iterator[Finding]:
    if used is None:
        instead = f" (or, with a warning, {', '.join(need.substitutes)})" if need.substitutes else ""
        there = ", ".join(inputs.phases) or "no image"
        if need.optional and any(phase == need.phase for phase, _ in inputs.screenshots):
            yield "warning", f"The {need.phase} phase is read from screenshots, whose scale and place are not known."
            return
        if need.optional:
            yield "warning", f"The {need.phase} phase is missing; the package does without it, less surely."
            return
        yield "refused", f"The package needs the {need.phase} phase{instead}, found {there}: add that image."
        return
    if used != need.phase:
        yield (
            "warning",
            f"The package was made on the {need.phase} phase, which is missing; the {used} phase was used in its "
            "place, so the number is not the published one.",
        )
    yield from _spacing(need, used, inputs.phases[used].spacing)


def _spacing(need: PhaseNeed, phase: str, spacing: tuple[float, float, float]) -> Iterator[Finding]:
    if need.coarsest_mm is not None and max(spacing) > need.coarsest_mm:
        yield (
            "refused",
            f"The {phase} image has voxels of {_times(spacing)} mm and the package takes none above "
            f"{need.coarsest_mm:g} mm: use a finer reconstruction.",
        )
        return
    for found, usual, name in (
        (max(spacing[:2]), need.in_plane_mm, "pixels"),
        (min(spacing[:2]), need.in_plane_mm, "pixels"),
        (spacing[2], need.slice_mm, "slices"),
    ):
        if not usual.holds(found):
            yield (
                "warning",
                f"The {name} of the {phase} image are {found:.3g} mm apart and the package was made on {usual} mm.",
            )
            break
    if not need.voxel_mm3.holds(math.prod(spacing)):
        yield (
            "warning",
            f"The voxels of the {phase} image have {math.prod(spacing):.3g} mm3 and the package was made on "
            f"{need.voxel_mm3} mm3.",
        )


def _region(need: RegionNeed, phases: tuple[str, ...], inputs: PackageInputs) -> Iterator[Finding]:
    volumes = inputs.regions.get(need.region, {})
    if not volumes:
        there = ", ".join(inputs.regions) or "none"
        yield "refused", f"The package needs the region '{need.region}', found {there}: outline it."
        return
    for phase in phases:
        if phase not in volumes:
            yield "refused", f"The region '{need.region}' is not outlined on the {phase} image: outline it there."
        elif volumes[phase] < need.least_ml:
            yield (
                "refused",
                f"The region '{need.region}' has {volumes[phase]:.3g} mL on the {phase} image and the package needs "
                f"at least {need.least_ml:g} mL: check the outline.",
            )
        elif volumes[phase] < need.certain_ml:
            yield (
                "warning",
                f"The region '{need.region}' has {volumes[phase]:.3g} mL on the {phase} image; below "
                f"{need.certain_ml:g} mL its features are less certain.",
            )


def _told(package: Package, found: Plan, inputs: PackageInputs) -> set[str]:
    """Return the images and clinical variables of which the package itself says that they are not what it was made on.

    As subjects of the quality table.
    """
    needs = package.requirements
    met = [(need, found.phases[need.phase]) for need in needs.phases if need.phase in found.phases]
    images = {f"image {used}" for need, used in met if any(_spacing(need, used, inputs.phases[used].spacing))}
    return images | {
        f"clinical {need.name}" for need in needs.variables if any(_variable(need, inputs.clinical.get(need.name)))
    }


def _variable(need: VariableNeed, value: float | str | None) -> Iterator[Finding]:
    name = f"'{need.name}' ({need.meaning})"
    unit = f" {need.unit}" if need.unit else ""
    if value is None:
        yield from _missing(need, name)
    elif need.kind == "category":
        if value not in need.codes:
            yield "refused", f"The clinical variable {name} should be one of {', '.join(need.codes)}, found '{value}'."
    elif isinstance(value, str) or not math.isfinite(value):
        yield "refused", f"The clinical variable {name} should be a number, found '{value}': correct it."
    elif need.kind == "binary":
        if value not in (0, 1):
            yield "refused", f"The clinical variable {name} should be 0 (no) or 1 (yes), found {value:g}: correct it."
    elif not need.possible.holds(value):
        yield "refused", f"The clinical variable {name} is {value:g}{unit}, possible is {need.possible}{unit}."
    elif not need.usual.holds(value):
        yield "warning", f"The clinical variable {name} is {value:g}{unit}, the package was made on {need.usual}{unit}."


def _missing(need: VariableNeed, name: str) -> Iterator[Finding]:
    if need.stand_in:
        yield "warning", f"The clinical variable {name} is missing; in its place the package takes {need.stand_in}."
    elif not need.optional:
        yield "refused", f"The clinical variable {name} is missing: add it to the clinical record."


def _too_many_missing(package: Package, inputs: PackageInputs) -> Iterator[Finding]:
    """Refuse a case of which so little is known that the number would be the cohort's, not the patient's."""
    needs = [need for need in package.requirements.variables if need.stand_in]
    missing = [need.name for need in needs if need.name not in inputs.clinical]
    if len(missing) > package.requirements.most_missing:
        yield (
            "refused",
            f"{len(missing)} of the {len(needs)} clinical variables are missing ({', '.join(missing)}) and the package "
            f"does with at most {package.requirements.most_missing} missing: add them to the clinical record.",
        )


def _features(found: Plan, inputs: PackageInputs) -> Iterator[Finding]:
    for feature, column in found.columns.items():
        value = inputs.features.get(column)
        region = parse_feature_name(feature).region
        if value is None and region in inputs.regions:
            yield "refused", f"The feature '{column}' was not extracted: extract it with the package's settings."
        elif value is not None and not math.isfinite(value):
            yield "refused", f"The feature '{column}' is {value}: check the image and the outline."


def _reference(package: Package, found: Plan, inputs: PackageInputs) -> Iterator[Finding]:
    reference = package.reference
    if reference is None:
        if package.requirements.reference:
            yield (
                "refused",
                "The paper does not print the mean and deviation that standardise its radiomic features, so a single "
                "case needs a reference table from your own cohort: run 'hcc package reference "
                f"{package.name} FEATURES.csv --out reference.json' and give it with '--reference "
                f"{package.name}=reference.json'.",
            )
        return
    if reference.cases < FEW_REFERENCE_CASES:
        yield "warning", f"The reference cohort has only {reference.cases} cases, so its mean and deviation are rough."
    values = {name: inputs.features.get(column, math.nan) for name, column in found.columns.items()}
    for name, known in reference.features.items():
        value = values.get(name, math.nan)
        if math.isfinite(value) and not known.low <= value <= known.high:
            yield (
                "warning",
                f"The feature '{name}' is {value:.4g}, outside the {known.low:.4g} to {known.high:.4g} of the "
                f"reference cohort ({abs(known.standardise(value)):.1f} deviations from its mean).",
            )
    if set(reference.features) <= set(values) and all(map(math.isfinite, values.values())):
        yield from _distance(reference, values)


def _stability(package: Package) -> Iterator[Finding]:
    unstable = unstable_features(package)
    if package.stability is not None and unstable:
        yield (
            "warning",
            f"{len(unstable)} of the {len(package.stability.features)} features whose stability was measured did not "
            f"reach {describe_gate(package.stability.gate)}: {', '.join(map(describe, unstable[:3]))}"
            f"{', ...' if len(unstable) > 3 else ''}.",
        )


def _distance(reference: Reference, values: Mapping[str, float]) -> Iterator[Finding]:
    tail = reference.tail_probability(values)
    if tail is not None and tail < FAR:
        yield (
            "warning",
            f"The features together lie far from the reference cohort: fewer than {FAR:.0%} of its cases would lie "
            f"as far (Mahalanobis distance, p = {tail:.1g}).",
        )


def _times(numbers: tuple[float, ...]) -> str:
    return " x ".join(f"{number:.3g}" for number in numbers)
