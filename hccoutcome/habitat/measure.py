"""Features of each habitat in each phase: radiomics, volume and proportion.

Columns are named by ``hccoutcome.naming``: ``<phase>_habitat<i>_original_<class>_<Feature>``, and
``<phase>_habitat<i>_original_habitat_VolumeMl`` and ``..._habitat_Proportion``. The last two are the same in every
phase; paper 003 counts them once a phase, which makes 3 x 4 x (93 + 2) = 1,140 columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.habitat.metrics import HabitatSize
from hccoutcome.naming import FeatureName
from hccoutcome.progress import Progress, part, silent
from hccoutcome.radiomics.extraction import extract
from hccoutcome.radiomics.settings import RadiomicsSettings, load_settings

VOLUME, PROPORTION = "original_habitat_VolumeMl", "original_habitat_Proportion"


@dataclass(frozen=True)
class Measured:
    """Features of the habitats of one patient.

    Attributes:
        features: value by column.
        notes: sentences on what could not be measured.
    """

    features: Mapping[str, float]
    notes: tuple[str, ...] = ()


def habitat_settings(name_or_path: str) -> RadiomicsSettings:
    """Return the settings of a parameter file without its shape classes.

    A habitat is a set of voxels that may lie in many parts: its shape says nothing (paper 003 measures none).
    """
    settings = load_settings(name_or_path)
    classes = tuple(group for group in settings.classes if not group.name.startswith("shape"))
    if not classes:
        raise InputError(
            f"The parameter file '{name_or_path}' was expected to hold a class other than shape for the habitats, "
            "found none: add firstorder, say."
        )
    return replace(settings, classes=classes)


def measure_habitats(
    images: Mapping[str, sitk.Image],
    labels: sitk.Image,
    sizes: Sequence[HabitatSize],
    settings: RadiomicsSettings | None,
    progress: Progress = silent,
) -> Measured:
    """Return the features of all habitats in all phases.

    A habitat that the patient does not have gets volume and proportion 0 and no radiomics; one too small for texture
    likewise keeps only volume and proportion. Both are noted.

    Args:
        images: image by phase on the grid of the map.
        labels: habitat map, 0 outside.
        sizes: size of each habitat.
        settings: what to measure; None leaves only volumes and proportions.
        progress: told the fraction done; may stop the work.
    """
    radiomics: dict[str, float] = {}
    notes: list[str] = []
    for number, size in enumerate(sizes, start=1):
        if settings is None or size.voxels == 0:
            continue
        region = f"habitat{number}"
        mask = sitk.Cast(labels == number, sitk.sitkUInt8)
        step = part(progress, (number - 1) / len(sizes), number / len(sizes))
        try:
            radiomics.update(extract(images, {region: dict.fromkeys(images, mask)}, settings, progress=step))
        except InputError as error:
            notes.append(f"Of {region} ({size.voxels} voxels) only volume and proportion were measured: {error}")
    absent = [f"habitat{number}" for number, size in enumerate(sizes, start=1) if size.voxels == 0]
    if absent:
        notes.append(f"This region has no voxel of {', '.join(absent)}; volume and proportion there are 0.")
    return Measured(_in_order(images, sizes, radiomics), tuple(notes))


def _in_order(
    images: Mapping[str, sitk.Image], sizes: Sequence[HabitatSize], radiomics: Mapping[str, float]
) -> dict[str, float]:
    """Return all columns, phase by phase and habitat by habitat."""
    features: dict[str, float] = {}
    for phase in images:
        for number, size in enumerate(sizes, start=1):
            prefix = f"{phase}_habitat{number}_"
            features.update({name: value for name, value in radiomics.items() if name.startswith(prefix)})
            features[str(FeatureName(phase, f"habitat{number}", VOLUME))] = size.volume_ml
            features[str(FeatureName(phase, f"habitat{number}", PROPORTION))] = size.proportion
    return features
