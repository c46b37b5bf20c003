"""Learn habitats from a cohort, so that they mean the same in every patient.

``"two-step"`` (HABIT's two-step strategy): each tumour is first clustered into supervoxels, then those of all patients
together; every patient counts alike, however large the tumour. ``"pooled"``: the voxels of all patients together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.habitat.agreement import judge
from hccoutcome.habitat.choice import choose
from hccoutcome.habitat.clustering import cluster, means_of
from hccoutcome.habitat.describe import checked_features
from hccoutcome.habitat.model import HabitatModel
from hccoutcome.habitat.region import Region, order_phase, region_of
from hccoutcome.habitat.scaling import Scaling
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.habitat.voxels import distinct, learn
from hccoutcome.progress import Progress, part, silent

SUPERVOXEL_STARTS = 3


@dataclass(frozen=True)
class Patient:
    """What a cohort needs of one patient: a name for messages, images by phase, the tumour's mask and further maps."""

    name: str
    images: Mapping[str, sitk.Image]
    mask: sitk.Image
    maps: Mapping[str, sitk.Image] | None = None


@dataclass(frozen=True)
class _Voxels:
    """Features of one patient's voxels with, as the last column, the grey level that numbers the habitats."""

    patient: str
    names: tuple[str, ...]
    values: np.ndarray


def learn_model(
    patients: Iterable[Patient],
    settings: HabitatSettings,
    progress: Progress = silent,
    preparation: Mapping[str, Any] | None = None,
) -> HabitatModel:
    """Return the habitats of a cohort as a model that assigns the voxels of any patient.

    Args:
        patients: read one after the other; only the features of their voxels are kept.
        settings: method (``"two-step"`` or ``"pooled"``), algorithm, k or criterion, and the rest.
        progress: told the fraction done; may stop the work.
        preparation: how the images were prepared (``Preparation.to_dict()``), kept with the model.

    Raises:
        InputError: no patient, a patient whose images do not fit (named), patients with different phases, or the
            method ``"one-step"``.
    """
    regions: dict[str, Region] = {}
    for patient in patients:
        if patient.name in regions:
            raise InputError(f"Each patient of a cohort is named once, found '{patient.name}' twice: rename one.")
        progress(0.0, f"Reads {patient.name}")
        try:
            regions[patient.name] = region_of(patient.images, patient.mask, patient.maps, settings.resample)
        except InputError as error:
            raise InputError(f"Patient '{patient.name}': {error}") from error
    return replace(learn_from(regions, settings, progress), preparation=preparation)


def learn_from(regions: Mapping[str, Region], settings: HabitatSettings, progress: Progress = silent) -> HabitatModel:
    """Return the model of a cohort whose regions are at hand; see ``learn_model``."""
    if settings.method == "one-step":
        raise InputError("A cohort is clustered by 'two-step' or 'pooled', found 'one-step': choose one of those.")
    if not regions:
        raise InputError("A cohort of at least one patient was expected, found none: add patients.")
    phases = _common_phases(regions)
    voxels = [_voxels(name, region, phases, settings) for name, region in regions.items()]
    names = _common_names(voxels)
    scaling = _cohort_scaling(voxels, names, settings)
    rows = []
    for step, patient in enumerate(voxels):
        progress(0.4 * step / len(voxels), f"Reduces the voxels of {patient.patient}")
        rows.append(_reduced(patient, scaling, settings))
    pooled = np.concatenate(rows)
    features, rank = np.ascontiguousarray(pooled[:, :-1]), pooled[:, -1]
    choice = choose(features, settings, part(progress, 0.4, 0.7))
    agreement = judge(features, choice, settings, part(progress, 0.7, 1.0))
    labels = choice.partition.labels(features)
    means = [rank[labels == label].mean() if (labels == label).any() else np.inf for label in range(choice.partition.k)]
    return HabitatModel(
        phases=phases,
        names=names,
        settings=settings,
        partition=choice.partition.reordered(np.argsort(means, kind="stable")),
        scaling=None if scaling is None else scaling.first(len(names)),
        ordering=f"Habitats are numbered by ascending mean grey level of the {order_phase(phases)} image in the cohort "
        f"of {len(regions)} patients, after the scaling of '{settings.scaling}' on each {settings.scaling_scope}.",
        patients=len(regions),
        voxels=sum(region.size for region in regions.values()),
        curve=choice.curve,
        agreement=agreement,
        notes=choice.notes,
    )


def scaled_rows(
    values: np.ndarray, names: tuple[str, ...], scaling: Scaling | None, settings: HabitatSettings
) -> np.ndarray:
    """Return scaled features: by the cohort's scaling, or where there is none by one learnt on these voxels."""
    return (scaling or learn(values, names, settings)).apply(values)


def supervoxels(rows: np.ndarray, settings: HabitatSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean row of each supervoxel of a tumour, shape (m, f), and the supervoxel of each voxel, shape (n,).

    There are as many as the settings say, or as many as there are distinct voxels.
    """
    count = min(settings.supervoxels, distinct(rows, settings.supervoxels))
    if count < 2:
        return rows[:1], np.zeros(len(rows), dtype=np.int64)
    labels = cluster(rows, count, "kmeans", settings.seed, SUPERVOXEL_STARTS).labels(rows)
    used, labels = np.unique(labels, return_inverse=True)
    return means_of(rows, labels, len(used)).astype(np.float32), labels


def _common_phases(regions: Mapping[str, Region]) -> tuple[str, ...]:
    first, region = next(iter(regions.items()))
    for name, other in regions.items():
        if set(other.phases) != set(region.phases):
            raise InputError(
                f"All patients of a cohort need the same phases, found {', '.join(region.phases)} in '{first}' and "
                f"{', '.join(other.phases)} in '{name}': add what is missing or leave out what not all have."
            )
    return region.phases


def _voxels(name: str, region: Region, phases: tuple[str, ...], settings: HabitatSettings) -> _Voxels:
    try:
        features = checked_features(region.with_phases(phases), replace(settings, k=None, k_range=(2, 2)))
    except InputError as error:
        raise InputError(f"Patient '{name}': {error}") from error
    rank = region.values[order_phase(phases)]
    return _Voxels(name, features.names, np.column_stack([features.values, rank]))


def _common_names(voxels: list[_Voxels]) -> tuple[str, ...]:
    for patient in voxels:
        if patient.names != voxels[0].names:
            raise InputError(
                f"All patients of a cohort need the same voxel features, found {', '.join(voxels[0].names)} in "
                f"'{voxels[0].patient}' and {', '.join(patient.names)} in '{patient.patient}': give all the same maps."
            )
    return voxels[0].names


def _cohort_scaling(voxels: list[_Voxels], names: tuple[str, ...], settings: HabitatSettings) -> Scaling | None:
    """Return the scaling learnt on the voxels of all patients; None where each patient has one of its own."""
    if settings.scaling_scope == "patient":
        return None
    drawn = [_drawn(patient.values, settings) for patient in voxels]
    return learn(np.concatenate(drawn), (*names, "order"), settings)


def _drawn(rows: np.ndarray, settings: HabitatSettings) -> np.ndarray:
    """Return at most ``voxels_per_patient`` rows, drawn without replacement."""
    if len(rows) <= settings.voxels_per_patient:
        return rows
    chosen = np.random.default_rng(settings.seed).choice(len(rows), settings.voxels_per_patient, replace=False)
    return rows[np.sort(chosen)]


def _reduced(patient: _Voxels, scaling: Scaling | None, settings: HabitatSettings) -> np.ndarray:
    """Return what one patient gives to the cohort's clustering: scaled features and, last, the scaled grey level."""
    try:
        rows = scaled_rows(patient.values, (*patient.names, "order"), scaling, settings)
    except InputError as error:
        raise InputError(f"Patient '{patient.patient}': {error}") from error
    if settings.method == "pooled":
        return _drawn(rows, settings)
    centres, labels = supervoxels(np.ascontiguousarray(rows[:, :-1]), settings)
    return np.column_stack([centres, means_of(rows[:, -1:], labels, len(centres))]).astype(np.float32)
