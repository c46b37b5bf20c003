"""The habitats of a cohort as a folder: ``habitat-model.json`` (numbers, never code) and ``card.md``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hccoutcome.errors import InputError
from hccoutcome.files import explained_write_errors, sha256_of_json, write_json, write_text
from hccoutcome.habitat.agreement import Agreement
from hccoutcome.habitat.choice import CurvePoint, curve_from_json
from hccoutcome.habitat.clustering import Partition
from hccoutcome.habitat.facts import CARD_FILE, FORMAT, FORMAT_VERSION, MODEL_FILE, incomplete, read_model_data
from hccoutcome.habitat.scaling import Scaling
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.version import __version__


@dataclass(frozen=True)
class HabitatModel:
    """Habitats learnt from a cohort.

    Attributes:
        phases: the phases that a patient needs, in the order of the features.
        names: the voxel features.
        settings: how the habitats were found.
        partition: the habitats in the space of scaled features; habitat i is its cluster i - 1.
        scaling: the cohort's scaling of the features; None where each patient's own is learnt.
        ordering: the rule by which the habitats are numbered, as a sentence.
        patients: number of patients learnt from.
        voxels: number of their voxels.
        curve: how well the cohort falls into each number of habitats.
        agreement: how far the clustering is found again; None where not judged.
        preparation: how the images were prepared (``Preparation.to_dict()``); None where as they came.
        notes: sentences on what a reader should know.
    """

    phases: tuple[str, ...]
    names: tuple[str, ...]
    settings: HabitatSettings
    partition: Partition
    scaling: Scaling | None
    ordering: str
    patients: int
    voxels: int
    curve: tuple[CurvePoint, ...]
    agreement: Agreement | None = None
    preparation: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def sha256(self) -> str:
        """A hash over everything that the model says."""
        return sha256_of_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return JSON data that ``from_json`` reads."""
        return {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "phases": list(self.phases),
            "names": list(self.names),
            "settings": self.settings.to_dict(),
            "partition": self.partition.to_json(),
            "scaling": None if self.scaling is None else self.scaling.to_json(),
            "ordering": self.ordering,
            "patients": self.patients,
            "voxels": self.voxels,
            "curve": [point.to_json() for point in self.curve],
            "agreement": None if self.agreement is None else self.agreement.to_json(),
            "preparation": None if self.preparation is None else dict(self.preparation),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> HabitatModel:
        """Return the model that ``to_json`` wrote."""
        return cls(
            phases=tuple(data["phases"]),
            names=tuple(data["names"]),
            settings=HabitatSettings.from_dict(data["settings"]),
            partition=Partition.from_json(data["partition"]),
            scaling=None if data["scaling"] is None else Scaling.from_json(data["scaling"]),
            ordering=data["ordering"],
            patients=data["patients"],
            voxels=data["voxels"],
            curve=curve_from_json(data["curve"]),
            agreement=None if data["agreement"] is None else Agreement.from_json(data["agreement"]),
            preparation=data["preparation"],
            notes=tuple(data["notes"]),
        )


def save_model(model: HabitatModel, folder: Path) -> Path:
    """Write a model into a folder (made where missing) and return the folder."""
    with explained_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    content = {"sha256": model.sha256, "software": f"hccoutcome {__version__}", "model": model.to_json()}
    write_text(folder / CARD_FILE, _card(model))
    write_json(folder / MODEL_FILE, content)
    return folder


def load_model(folder: Path) -> HabitatModel:
    """Read a model from its folder; it is verified before it is used.

    Raises:
        InputError: there is none, it was changed since it was written, or another version wrote it.
    """
    data = read_model_data(folder)
    try:
        model = HabitatModel.from_json(data)
        _check_shapes(model)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise incomplete(folder, error) from error
    return model


def model_to_apply(folder: Path, method: str, k: int | None) -> HabitatModel:
    """Return the model of a package that is to be applied by a method; see ``load_model``.

    Args:
        folder: the package.
        method: the method that was asked for; it must be the model's.
        k: the number of habitats asked for, None for any; it must be the model's.

    Raises:
        InputError: the package cannot be read, or was learnt in another way than the one asked for.
    """
    if method == "one-step":
        raise InputError(
            "A habitat package is applied by the method that it was learnt with, found 'one-step': choose the method "
            "two-step or pooled, or leave the package out."
        )
    model = load_model(folder)
    if model.settings.method != method:
        raise InputError(
            f"The habitat package was learnt by '{model.settings.method}', found the method '{method}': choose the "
            f"method {model.settings.method}."
        )
    if k not in (None, model.partition.k):
        raise InputError(f"The habitat package has {model.partition.k} habitats, found k {k}: choose k auto.")
    return model


def _check_shapes(model: HabitatModel) -> None:
    """Refuse numbers that are not finite or do not belong together."""
    k, f = model.partition.centres.shape
    expected: list[tuple[Any, tuple[int, ...]]] = [(model.partition.centres, (k, len(model.names)))]
    if model.partition.algorithm == "gmm":
        expected += [(model.partition.covariances, (k, f, f)), (model.partition.weights, (k,))]
    if model.scaling is not None:
        expected += [(getattr(model.scaling, name), (f,)) for name in ("low", "high", "shift", "unit")]
    for array, shape in expected:
        if array is None or array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"an array of shape {shape} with finite numbers is missing")


def _card(model: HabitatModel) -> str:
    """Return what a reader should know of a model, in Markdown."""
    settings = model.settings
    chosen = "fixed" if settings.k is not None else f"chosen by {settings.criterion}"
    lines = [
        "# Tumour habitats of a cohort",
        "",
        f"- Habitats: {model.partition.k} ({chosen}), {settings.algorithm}, {settings.method}.",
        f"- Learnt from {model.patients} patients, {model.voxels} voxels.",
        f"- Phases: {', '.join(model.phases)}. Voxel features: {', '.join(model.names)}.",
        f"- {model.ordering}",
    ]
    if model.agreement is not None:
        lines.append(
            f"- Found again: adjusted Rand index {model.agreement.seed_rand:.3f} over other seeds, "
            f"{model.agreement.bootstrap_rand:.3f} over bootstraps ({model.agreement.repeats} each)."
        )
    lines += [f"- {note}" for note in model.notes]
    lines += ["", "For research only. Habitats describe grey levels; what tissue they are was not verified.", ""]
    return "\n".join(lines)
