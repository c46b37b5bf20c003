"""``package.json`` to dataclasses and back, every field checked by hand: an unknown one is an error."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from hccoutcome.case import MODALITIES, canonical_phase, canonical_region
from hccoutcome.errors import InputError
from hccoutcome.naming import parse_feature_name
from hccoutcome.package.format import (
    MANIFEST,
    SCHEMA,
    VARIABLE_KINDS,
    Package,
    PhaseNeed,
    Range,
    RegionNeed,
    Requirements,
    VariableNeed,
)
from hccoutcome.package.threshold import ClassThreshold, parse_threshold
from hccoutcome.strict_json import Fields, canonical_json, one_of

SCALES = ("probability", "score", "log hazard", "points", "stage", "grade")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_NAME_IN_WORDS = "lower case letters, digits and dashes"
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def seal(manifest: Mapping[str, Any]) -> str:
    """Return the hash over the whole package: over ``package.json`` without the hash itself.

    As ``package.json`` names the hash of every other file, no byte of the package can change without changing it. It
    guards against damage and mix-ups, not against an author who seals again.
    """
    return hashlib.sha256(canonical_json({k: v for k, v in manifest.items() if k != "sha256"})).hexdigest()


def manifest_of(package: Package) -> dict[str, Any]:
    """Return the content of ``package.json``, sealed."""
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "name": package.name,
        "version": package.version,
        "system": package.system,
        "title": package.title,
        "endpoint": package.endpoint,
        "scale": package.scale,
        "citation": package.citation,
        "inputs": _requirements_to_json(package.requirements),
        "preparation": dict(package.preparation),
        "settings": dict(package.settings),
        "software": dict(package.software),
        "files": dict(package.files),
        **_given(threshold=None if package.threshold is None else package.threshold.to_json()),
    }
    return {**manifest, "sha256": seal(manifest)}


def parse_manifest(manifest: Any) -> Package:
    """Return the package that ``package.json`` describes, without what lies in its other files.

    Raises:
        InputError: names the fault and its place.
    """
    fields = Fields(manifest, MANIFEST)
    _check_schema(fields)
    package = Package(
        name=_matching(fields, "name", _NAME, _NAME_IN_WORDS),
        version=_matching(fields, "version", _VERSION, "three numbers like 1.0.0"),
        system=fields.text("system"),
        title=fields.text("title"),
        endpoint=fields.text("endpoint"),
        scale=one_of(fields.text("scale"), SCALES, f"{MANIFEST}, 'scale'"),
        citation=fields.text("citation"),
        requirements=_requirements(fields.object("inputs")),
        preparation=fields.object("preparation"),
        settings=fields.object("settings"),
        threshold=_threshold(fields),
        software=_texts(fields, "software"),
        files=_texts(fields, "files"),
        sha256=_matching(fields, "sha256", _SHA256, "64 hexadecimal digits"),
    )
    fields.done()
    for name, digest in package.files.items():
        if not _SHA256.fullmatch(digest):
            raise InputError(f"{MANIFEST}: the hash of '{name}' should be 64 hexadecimal digits: write it again.")
    return package


def _threshold(fields: Fields) -> ClassThreshold | None:
    """Return the threshold, None where the package tells none; only a probability can have one."""
    found = fields.object("threshold", None)
    if found is None:
        return None
    if fields.text("scale") != "probability":
        raise InputError(
            f"{MANIFEST}: only a probability has a 'threshold', found a {fields.text('scale')}: remove it."
        )
    return parse_threshold(found, f"{MANIFEST}, 'threshold'")


def _check_schema(fields: Fields) -> None:
    schema = fields.value("schema", int, "a whole number")
    if schema != SCHEMA:
        raise InputError(
            f"{MANIFEST} follows version {schema} of the package format and this software reads version {SCHEMA}: "
            "install the version of the software that the package was made for."
        )


def check_name(name: str) -> None:
    """Refuse a name that no package may have.

    Raises:
        InputError: it is none.
    """
    _matching(Fields({"name": name}, "the package"), "name", _NAME, _NAME_IN_WORDS)


def _matching(fields: Fields, name: str, pattern: re.Pattern[str], meaning: str) -> str:
    found = fields.text(name)
    if not pattern.fullmatch(found):
        raise InputError(f"{fields.where}: '{name}' should be {meaning}, found '{found}': correct it.")
    return found


def _texts(fields: Fields, name: str) -> dict[str, str]:
    inner = Fields(fields.object(name), f"{fields.where}, '{name}'")
    return {key: inner.text(key) for key in fields.object(name)}


def _each(items: list[Any], where: str, parse: Callable[[Fields], Any]) -> tuple[Any, ...]:
    found = []
    for number, item in enumerate(items, 1):
        fields = Fields(item, f"{where} {number}")
        found.append(parse(fields))
        fields.done()
    return tuple(found)


def _requirements(data: Mapping[str, Any]) -> Requirements:
    fields = Fields(data, f"{MANIFEST}, 'inputs'")
    modality = fields.text("modality", None)
    requirements = Requirements(
        modality=None if modality is None else one_of(modality, MODALITIES, f"{MANIFEST}, 'modality'"),
        phases=_each(fields.objects("phases"), f"{MANIFEST}, phase", _phase),
        regions=_each(fields.objects("regions"), f"{MANIFEST}, region", _region),
        features=fields.texts("features"),
        variables=_each(fields.objects("variables"), f"{MANIFEST}, variable", _variable),
        reference=fields.value("reference", bool, "true or false"),
        most_missing=fields.value("most_missing", int, "a whole number", 0),
        cautions=fields.texts("cautions"),
    )
    fields.done()
    if requirements.most_missing < 0:
        raise InputError(
            f"{fields.where}: 'most_missing' counts variables from 0, found {requirements.most_missing}: correct it."
        )
    _check_features(requirements)
    return requirements


def _check_features(requirements: Requirements) -> None:
    """Refuse a feature whose phase or region the package does not ask for."""
    phases = {need.phase for need in requirements.phases}
    regions = {need.region for need in requirements.regions}
    for feature in requirements.features:
        name = parse_feature_name(feature)
        if name.phase not in phases or name.region not in regions:
            raise InputError(f"{MANIFEST}: '{feature}' needs a phase or region that 'inputs' does not list: add it.")


def _phase(fields: Fields) -> PhaseNeed:
    return PhaseNeed(
        phase=_canonical(fields.text("phase"), canonical_phase, fields.where),
        substitutes=tuple(_canonical(name, canonical_phase, fields.where) for name in fields.texts("substitutes")),
        in_plane_mm=_range(fields, "in_plane_mm"),
        slice_mm=_range(fields, "slice_mm"),
        coarsest_mm=fields.number("coarsest_mm", None),
        voxel_mm3=_range(fields, "voxel_mm3"),
        optional=fields.value("optional", bool, "true or false", False),
    )


def _region(fields: Fields) -> RegionNeed:
    return RegionNeed(
        region=_canonical(fields.text("region"), canonical_region, fields.where),
        least_ml=fields.number("least_ml"),
        certain_ml=fields.number("certain_ml"),
    )


def _variable(fields: Fields) -> VariableNeed:
    return VariableNeed(
        name=fields.text("name"),
        kind=one_of(fields.text("kind"), VARIABLE_KINDS, fields.where),
        unit=fields.text("unit", ""),
        meaning=fields.text("meaning"),
        possible=_range(fields, "possible"),
        usual=_range(fields, "usual"),
        codes=fields.texts("codes"),
        optional=fields.value("optional", bool, "true or false", False),
        stand_in=fields.text("stand_in", ""),
    )


def _canonical(name: str, canonical: Callable[[str], str], where: str) -> str:
    """Return ``name`` if it is a canonical name: a package uses no synonyms."""
    if canonical(name) != name:
        raise InputError(f"{where}: '{name}' should be written '{canonical(name)}': correct it.")
    return name


def _range(fields: Fields, name: str) -> Range:
    inner = Fields(fields.object(name, {}), f"{fields.where}, '{name}'")
    found = Range(inner.number("low", None), inner.number("high", None))
    inner.done()
    if found.low is not None and found.high is not None and found.low > found.high:
        raise InputError(f"{inner.where}: 'low' should not exceed 'high', found {found}: correct it.")
    return found


def _requirements_to_json(needs: Requirements) -> dict[str, Any]:
    return {
        "modality": needs.modality,
        "phases": [
            {
                "phase": need.phase,
                "substitutes": list(need.substitutes),
                "in_plane_mm": _range_to_json(need.in_plane_mm),
                "slice_mm": _range_to_json(need.slice_mm),
                "coarsest_mm": need.coarsest_mm,
                **_given(voxel_mm3=_range_to_json(need.voxel_mm3), optional=need.optional),
            }
            for need in needs.phases
        ],
        "regions": [
            {"region": need.region, "least_ml": need.least_ml, "certain_ml": need.certain_ml} for need in needs.regions
        ],
        "features": list(needs.features),
        "variables": [
            {
                "name": need.name,
                "kind": need.kind,
                "unit": need.unit,
                "meaning": need.meaning,
                "possible": _range_to_json(need.possible),
                "usual": _range_to_json(need.usual),
                "codes": list(need.codes),
                "optional": need.optional,
                **_given(stand_in=need.stand_in),
            }
            for need in needs.variables
        ],
        "reference": needs.reference,
        **_given(most_missing=needs.most_missing, cautions=list(needs.cautions)),
    }


def _given(**values: Any) -> dict[str, Any]:
    """Return the fields that say something: packages without them keep the bytes that they always had."""
    return {name: value for name, value in values.items() if value}


def _range_to_json(found: Range) -> dict[str, float]:
    ends = {"low": found.low, "high": found.high}
    return {name: value for name, value in ends.items() if value is not None}
