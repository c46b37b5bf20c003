"""A finished package on every patient of a table, by the way on which it is applied to one case.

A table does not tell everything that a case does: spacings, image quality and, without a volume among the features, the
size of the outline cannot be judged. They count as fitting, and the study says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd

from hccoutcome.clinical.columns import imaging_columns
from hccoutcome.clinical.record import check_record
from hccoutcome.errors import InputError
from hccoutcome.evaluation.estimate import Floats
from hccoutcome.evaluation.study import Applied, Predicted, Task
from hccoutcome.naming import FeatureName, parse_feature_name
from hccoutcome.package.applicability import ImageFacts, PackageInputs
from hccoutcome.package.format import Package, PhaseNeed
from hccoutcome.package.prediction import Prediction
from hccoutcome.package.prognosis import Prognosis
from hccoutcome.systems import predict

VOLUMES = ("original_shape_VoxelVolume", "original_shape_MeshVolume")
"""Features in mm3 that tell the size of an outline."""
HALF = 0.5
"""Probability from which a response is predicted by a package that names no threshold."""
_NUMBER = re.compile(r"(?<![\w.-])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w-])")
_SHOWN_REASONS = 20


def apply_package(
    package: Package,
    table: pd.DataFrame,
    records: Mapping[str, Mapping[str, float | str]],
    task: Task,
    times: Sequence[float],
    *,
    extraction_known: bool,
    learned_from: str,
) -> tuple[Predicted, Applied]:
    """Return what a package says of every patient, and for how many it has doubts or no score.

    Args:
        package: the package.
        table: one row a patient; its imaging columns are the features.
        records: clinical record by patient.
        task: what it is held against.
        times: months at which survival is wanted, where the package tells any.
        extraction_known: whether it is proven that the features were extracted with the package's settings.
        learned_from: ``"table"`` where the package was trained on this very table, ``"features"`` where only the file
            of features is the same, empty otherwise.

    Raises:
        InputError: the package refuses every patient.
    """
    names = {name: parse_feature_name(name) for name in imaging_columns(table.columns)}
    values = table[list(names)].to_dict("index")
    predictions = [predict(package, _inputs(package, names, values[case], records[case])) for case in table.index]
    applied = _applied(package, predictions, table, extraction_known)
    if not applied.scored:
        _, reason, _ = applied.reasons[0]
        raise InputError(f"'{package.name}' gives no score for any of {len(table)} patients; mostly: {reason}")
    scores = np.array([np.nan if item.score is None else item.score for item in predictions])
    known = np.isfinite(scores)
    positive, threshold = _classes(package, scores, known, task)
    survival = None
    if task == "survival" and package.prognosis is not None:
        survival = np.array([_survival(package.prognosis, score, times) for score in scores])
    return (
        Predicted(
            label=package.name,
            title=f"{package.title}, package {package.version}",
            way="apparent" if learned_from == "table" else "external",
            baseline=False,
            known=known,
            prediction=scores,
            place=scores,
            probability=package.scale == "probability",
            positive=positive,
            threshold=threshold,
            survival=survival,
            method=f"The package as it stands (SHA256 {package.sha256}); it predicts {package.endpoint}.",
            citation=package.citation,
            notes=_OVERLAP[learned_from],
        ),
        applied,
    )


def end_of(package: Package) -> float:
    """Return the last month of which a package tells survival, infinite where it tells none."""
    return np.inf if package.prognosis is None else float(package.prognosis.months[-1])


def _inputs(
    package: Package,
    names: Mapping[str, FeatureName],
    row: Mapping[str, float],
    record: Mapping[str, float | str],
) -> PackageInputs:
    """Return what a table tells of a patient as a package takes it."""
    features = {name: float(row[name]) for name in names if pd.notna(row[name])}
    measured = {(names[name].phase, names[name].region) for name in features}
    needs = {need.phase: need for need in package.requirements.phases}
    volumes = {
        need.region: {
            phase: _volume(features, phase, need.region, max(need.least_ml, need.certain_ml))
            for phase, region in sorted(measured)
            if region == need.region
        }
        for need in package.requirements.regions
    }
    return PackageInputs(
        modality=package.requirements.modality,
        phases={phase: ImageFacts(_spacing(needs.get(phase)), (0, 0, 0)) for phase, _ in sorted(measured)},
        regions={region: on for region, on in volumes.items() if on},
        features=features,
        clinical=record,
        quality=check_record(dict(record)),
    )


def _spacing(need: PhaseNeed | None) -> tuple[float, float, float]:
    """Return a spacing that a package was made on: the table tells none."""
    if need is None:
        return (1.0, 1.0, 1.0)
    limit = np.inf if need.coarsest_mm is None else need.coarsest_mm
    ends = [(part.low, part.high) for part in (need.in_plane_mm, need.in_plane_mm, need.slice_mm)]
    x, y, z = (min(1.0 if low is None and high is None else float(low or high or 1.0), limit) for low, high in ends)
    return (x, y, z)


def _volume(features: Mapping[str, float], phase: str, region: str, fitting: float) -> float:
    """Return the volume of an outline in mL from the features, or one that fits where they do not tell it."""
    names = (str(FeatureName(phase, region, name)) for name in VOLUMES)
    return next((features[name] / 1000 for name in names if name in features), fitting)


def _classes(package: Package, scores: Floats, known: np.ndarray, task: Task) -> tuple[np.ndarray, str]:
    """Return who is predicted to respond, or at high risk, and in words by which threshold."""
    if task == "response" and package.threshold is not None:
        cut = package.threshold.value
        return scores >= cut, f"{cut:.4g}, the package's own, from its training cohort: {package.threshold.criterion}"
    if task == "response":
        return scores >= HALF, f"a probability of {HALF:g}, since the package names no threshold"
    if package.prognosis is not None:
        return scores >= package.prognosis.cut, "the border of the package's risk groups, from its training cohort"
    cut = float(np.median(scores[known]))
    words = "the median of these very patients, since the package names no border: the groups test no threshold"
    return scores >= cut, words


def _survival(prognosis: Prognosis, score: float, times: Sequence[float]) -> Floats:
    """Return the probability of surviving each time by the package's own curve; NaN without a score."""
    if not np.isfinite(score):
        return np.full(len(times), np.nan)
    curve, _, _ = prognosis.curve.survival(score)
    return np.asarray(curve[np.searchsorted(prognosis.months, times, side="right") - 1])


def _applied(package: Package, found: Sequence[Prediction], table: pd.DataFrame, extraction_known: bool) -> Applied:
    status = Counter(item.applicability.status if item.score is not None else "refused" for item in found)
    reasons: Counter[tuple[str, str]] = Counter()
    for item in found:
        kind = "refused" if item.score is None else "warning"
        reasons.update({(kind, masked(reason)) for reason in item.applicability.reasons})
    ordered = sorted(reasons.items(), key=lambda pair: (pair[0][0] != "refused", -pair[1], pair[0][1]))
    return Applied(
        label=package.name,
        version=package.version,
        sha256=package.sha256,
        endpoint=package.endpoint,
        scored=status["ok"] + status["warning"],
        doubtful=status["warning"],
        refused=status["refused"],
        reasons=tuple((kind, reason, count) for (kind, reason), count in ordered[:_SHOWN_REASONS]),
        unchecked=_unchecked(package, table, extraction_known),
    )


def masked(reason: str) -> str:
    """Return a reason without its numbers, which are one patient's: the same sentence for all patients."""
    return _NUMBER.sub("…", reason)


def _unchecked(package: Package, table: pd.DataFrame, extraction_known: bool) -> tuple[str, ...]:
    """Return what a table does not tell of the images that a package reads."""
    if not package.requirements.features:
        return ()
    found = ["the modality, quality and voxel spacing of the images"]
    if not any(str(name).endswith(VOLUMES) for name in table.columns):
        found.append("the volume of the outlines")
    if not extraction_known:
        found.append("whether the features were extracted with the package's own preparation and settings")
    return tuple(found)


def overlap(package: Package, table: str, others: Collection[str]) -> str:
    """Return what a package learned from: ``"table"``, ``"features"`` or nothing of these (empty).

    Args:
        package: the package, which names the hashes of the files that it learned from.
        table: SHA256 of the table.
        others: SHA256 of the other files.
    """
    own = package.settings.get("sources", {})
    known = set(own.values()) if isinstance(own, Mapping) else set()
    if table in known:
        return "table"
    return "features" if known.intersection(others) else ""


_OVERLAP = MappingProxyType(
    {
        "table": ("it learned from this very table: the figures flatter it and say nothing about other patients.",),
        "features": ("it learned from the same file of features: make sure that no patient is in both tables.",),
        "": (),
    }
)
