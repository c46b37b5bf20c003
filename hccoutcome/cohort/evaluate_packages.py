"""A finished package on every patient of a table, by the way on which it is applied to one case.

A table does not tell everything that a case does: spacings, image quality and, without a volume among the features, the
size of the outline cannot be judged. They count as fitting, and the study says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from hccoutcome.clinical.columns import imaging_columns
from hccoutcome.clinical.record import check_record
from hccoutcome.cohort.evaluate_networks import NetworkFindings, learned_images, network_of
from hccoutcome.errors import InputError
from hccoutcome.evaluation.estimate import Floats
from hccoutcome.evaluation.study import Applied, Predicted, Task
from hccoutcome.naming import FeatureName, parse_feature_name
from hccoutcome.package.applicability import ImageFacts, PackageInputs
from hccoutcome.package.format import Package, PhaseNeed
from hccoutcome.package.prediction import Prediction
from hccoutcome.package.prognosis import Prognosis
from hccoutcome.package.reference import Distribution
from hccoutcome.systems import predict

VOLUMES = ("original_shape_VoxelVolume", "original_shape_MeshVolume")
"""Features in mm3 that tell the size of an outline."""
_LOOKS = " It looked at the images of every case itself, prepared and checked as those of a single case are."
_OWN_HAZARDS = " Survival at a time is that of its own hazards, even within each of its intervals."
_THESE_PATIENTS = ("table", "patients")
"""What a package may have learned from that makes its figures apparent."""
HALF = 0.5
"""Probability from which a response is predicted by a package that names no threshold."""
_NUMBER = re.compile(r"(?<![\w.-])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w-])")
_SHOWN_REASONS = 20


@dataclass(frozen=True, eq=False)
class Said:
    """What a package said of the patients of a study.

    Attributes:
        package: the package.
        predictions: of each patient.
        learned: of whom it learned and who say nothing about others, shape (patients,).
        survival: probability of surviving each time, shape (patients, times); None where it tells none.
        unchecked: what of its needs could not be checked.
        notes: what speaks against the figures, one sentence each.
        method: how it came to its predictions, beside what all packages do; empty or a space and a sentence.
    """

    package: Package
    predictions: Sequence[Prediction]
    learned: np.ndarray
    survival: Floats | None
    unchecked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    method: str = ""


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
    survival = None
    if task == "survival" and package.prognosis is not None:
        survival = np.array([_survival(package.prognosis, item.score, times) for item in predictions])
    learned = np.full(len(table), learned_from in _THESE_PATIENTS)
    unchecked = _unchecked(package, table, extraction_known)
    return judged(Said(package, predictions, learned, survival, unchecked, _OVERLAP[learned_from]), task)


def judged(said: Said, task: Task) -> tuple[Predicted, Applied]:
    """Return a package's predictions as a study takes them: without the patients of whom it learned.

    Where it learned of all of them, all are kept and the predictions are called apparent.

    Raises:
        InputError: the package refuses every patient.
    """
    package = said.package
    apparent = bool(said.learned.all())
    kept = np.ones(len(said.learned), bool) if apparent else ~said.learned
    applied = _applied(said, kept)
    if not applied.scored:
        reason = next((reason for kind, reason, _ in applied.reasons if kind == "refused"), "no reason was given")
        raise InputError(f"'{package.name}' gives no score for any of {int(kept.sum())} patients; mostly: {reason}")
    scores = np.array([np.nan if item.score is None else item.score for item in said.predictions])
    scores[~kept] = np.nan
    known = np.isfinite(scores)
    positive, threshold = _classes(package, scores, known, task)
    low, rule = _low_risk(package, scores, task)
    return (
        Predicted(
            label=package.name,
            title=f"{package.title}, package {package.version}",
            way="apparent" if apparent else "external",
            baseline=False,
            known=known,
            prediction=scores,
            place=scores,
            probability=package.scale == "probability",
            positive=positive,
            threshold=threshold,
            low_risk=low,
            risk_rule=rule,
            survival=said.survival,
            method=f"The package as it stands (SHA256 {package.sha256}); it predicts {package.endpoint}.{said.method}",
            citation=package.citation,
            notes=said.notes,
        ),
        applied,
    )


def end_of(package: Package) -> float:
    """Return the last month of which a package tells survival, infinite where it tells none."""
    network = network_of(package)
    if network is not None:
        return network.breaks[-1] if network.breaks else np.inf
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
    network = network_of(package)
    if network is not None:
        return scores >= network.median, "the median score of the package's training part"
    cut = float(np.median(scores[known]))
    words = "the median of these very patients, since the package names no border: the groups test no threshold"
    return scores >= cut, words


def _low_risk(package: Package, scores: Floats, task: Task) -> tuple[np.ndarray | None, str]:
    """Return who is at low risk by the median of a network that predicts a response, and the rule in words."""
    network = network_of(package)
    if network is None or task == "survival":
        return None, ""
    return scores >= network.median, f"a score that reaches the training median {network.median:.4f} is low risk"


def _survival(prognosis: Prognosis, score: float | None, times: Sequence[float]) -> Floats:
    """Return the probability of surviving each time by the package's own curve; NaN without a score."""
    if score is None or not np.isfinite(score):
        return np.full(len(times), np.nan)
    curve, _, _ = prognosis.curve.survival(score)
    return np.asarray(curve[np.searchsorted(prognosis.months, times, side="right") - 1])


def _applied(said: Said, kept: np.ndarray) -> Applied:
    found = [item for item, own in zip(said.predictions, kept, strict=True) if own]
    status = Counter(item.applicability.status if item.score is not None else "refused" for item in found)
    reasons: Counter[tuple[str, str]] = Counter()
    for item in found:
        given = item.applicability
        refusals = 0 if item.score is not None else max(given.refusals, 1)
        kinds = ("refused" if place < refusals else "warning" for place in range(len(given.reasons)))
        reasons.update({(kind, masked(reason)) for kind, reason in zip(kinds, given.reasons, strict=True)})
    ordered = sorted(reasons.items(), key=lambda pair: (pair[0][0] != "refused", -pair[1], pair[0][1]))
    return Applied(
        label=said.package.name,
        version=said.package.version,
        sha256=said.package.sha256,
        endpoint=said.package.endpoint,
        scored=status["ok"] + status["warning"],
        doubtful=status["warning"],
        refused=status["refused"],
        learned=int((~kept).sum()),
        reasons=tuple((kind, reason, count) for (kind, reason), count in ordered[:_SHOWN_REASONS]),
        unchecked=said.unchecked,
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


def apply_network(package: Package, found: NetworkFindings, task: Task, learned_from: str) -> tuple[Predicted, Applied]:
    """Return what a network says of the patients of whose images it did not learn.

    Args:
        package: with the network.
        found: what it says of every patient.
        task: what it is held against.
        learned_from: as in ``apply_package``; it counts alone where the package does not tell its images.

    Raises:
        InputError: the package refuses every patient.
    """
    learned, notes = found.learned, _OVERLAP[learned_from]
    if learned_images(package):
        notes = _left_out(found.learned, learned_from)
    elif learned_from in _THESE_PATIENTS:
        learned = np.ones(len(learned), bool)
    if found.synthetic:
        notes = (*notes, "the cases are generated: no figure says anything about patients.")
    method = _LOOKS + (_OWN_HAZARDS if found.survival is not None else "")
    return judged(Said(package, found.predictions, learned, found.survival, notes=notes, method=method), task)


def _left_out(learned: np.ndarray, learned_from: str) -> tuple[str, ...]:
    """Return what the recognised images mean for the figures, in words."""
    if learned.all():
        return _OVERLAP[learned_from] if learned_from in _THESE_PATIENTS else (_APPARENT,)
    many = f"it learned from the images of {int(learned.sum())} of {len(learned)} patients, who are left out"
    if learned_from in _THESE_PATIENTS:
        return (f"{many}; the others were held out of the same cohort, which is no external validation.",)
    return (f"{many}.",) if learned.any() else ()


def overlap(package: Package, X: pd.DataFrame, table: str, others: Collection[str]) -> str:  # noqa: N803
    """Return what a package learned from: ``"table"``, ``"patients"``, ``"features"`` or nothing of these (empty).

    Args:
        package: the package, which names the hashes of the files that it learned from.
        X: the patients on whom it is evaluated.
        table: SHA256 of the table.
        others: SHA256 of the other files.
    """
    own = package.settings.get("sources", {})
    known = set(own.values()) if isinstance(own, Mapping) else set()
    if table in known:
        return "table"
    if known and _same_patients(package, X):
        return "patients"
    return "features" if known.intersection(others) else ""


def _same_patients(package: Package, X: pd.DataFrame) -> bool:  # noqa: N803
    """Return whether patients are those whose distribution a package holds, whatever has become of their file.

    A table that was sorted, saved by another program or corrected in one column has another hash. Two cohorts of as
    many patients never share mean and deviation of half of their inputs.
    """
    reference = package.reference
    if reference is None or reference.cases != len(X):
        return False
    inputs = {**reference.features, **reference.variables}
    shared = [name for name, known in inputs.items() if name in X and known.deviation > 0 and _matches(known, X[name])]
    return bool(shared) and 2 * len(shared) >= len(inputs)


def _matches(known: Distribution, column: pd.Series) -> bool:
    values = column.to_numpy(float)
    values = values[~np.isnan(values)]
    return len(values) > 0 and bool(
        np.allclose((values.mean(), values.std()), (known.mean, known.deviation), rtol=1e-9, atol=0)
    )


_APPARENT = "it learned from the images of all patients: the figures flatter it and say nothing about other patients."
_OVERLAP = MappingProxyType(
    {
        "table": ("it learned from this very table: the figures flatter it and say nothing about other patients.",),
        "patients": (
            "as many patients with the same means and deviations are those that it learned from: the figures flatter "
            "it and say nothing about other patients.",
        ),
        "features": ("it learned from the same file of features: make sure that no patient is in both tables.",),
        "": (),
    }
)
