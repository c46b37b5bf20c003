"""The habitats of one tumour, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import SimpleITK as sitk

from hccoutcome.habitat.agreement import Agreement
from hccoutcome.habitat.choice import CurvePoint
from hccoutcome.habitat.metrics import HabitatSize, interaction_matrix
from hccoutcome.habitat.settings import HabitatSettings


@dataclass(frozen=True)
class Habitats:
    """The habitats of one tumour and all that is known of them.

    Attributes:
        labels: habitat map (uint8; 1 to k inside the region, 0 outside) on the grid of the mask.
        k: number of habitats; a model's habitat may be absent in a patient.
        phases: the phases by which the voxels were clustered.
        settings: how they were found.
        ordering: the rule by which habitats are numbered, as a sentence.
        sizes: size of each habitat.
        centres: mean of each voxel feature, and of each phase's grey level, by habitat (from 1); absent ones left out.
        measures: measures of the map as a whole by name (``hccoutcome.habitat.metrics``).
        features: features of each habitat in each phase by column name.
        curve: how well the voxels fall into each number of clusters; the model's own where a model was applied.
        agreement: how far the clustering is found again; None where not judged.
        model: SHA256 of the model that was applied; None where the habitats were found in this tumour alone.
        notes: sentences on what a reader should know.
    """

    labels: sitk.Image
    k: int
    phases: tuple[str, ...]
    settings: HabitatSettings
    ordering: str
    sizes: tuple[HabitatSize, ...]
    centres: Mapping[int, Mapping[str, float]]
    measures: Mapping[str, float]
    features: Mapping[str, float]
    curve: tuple[CurvePoint, ...]
    agreement: Agreement | None = None
    model: str | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def interaction(self) -> np.ndarray:
        """The MSI matrix, shape (k + 1, k + 1); row and column 0 are the outside."""
        return interaction_matrix(sitk.GetArrayFromImage(self.labels), self.k)

    def summary(self) -> dict[str, Any]:
        """Return everything but the map as JSON data; a feature that is not a number becomes null."""
        return {
            "k": self.k,
            "phases": list(self.phases),
            "ordering": self.ordering,
            "habitats": [
                {"habitat": number, **asdict(size), "means": dict(self.centres.get(number, {}))}
                for number, size in enumerate(self.sizes, start=1)
            ],
            "measures": dict(self.measures),
            "interaction_matrix": self.interaction.tolist(),
            "curve": [point.to_json() for point in self.curve],
            "agreement": None if self.agreement is None else self.agreement.to_json(),
            "features": {name: value if math.isfinite(value) else None for name, value in self.features.items()},
            "model": self.model,
            "settings": self.settings.to_dict(),
            "notes": list(self.notes),
        }
