"""What a network looks at in a case, as plain data: maps in the space of its images, and the part of each variable.

Three methods, each with values that can be read:

- ``rollout``: attention followed through all layers, as a multiple of the even share (1: as much as if all that was
  read counted alike).
- ``gradcam``: what speaks for a higher score, relative to the largest value of the case (0 to 1).
- ``shap``: what is added to the score's log-odds (of DLOPCTR: log cumulative hazard), per cm2.

PyTorch is not needed to hold, write or show them; ``package_maps`` computes them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.deep.backprojection import back_projected
from hccoutcome.deep.inputs import NetworkInput
from hccoutcome.deep.package import DeepName, Scored
from hccoutcome.deep.seen import SeenVolume
from hccoutcome.errors import InputError, nearest
from hccoutcome.files import sha256_of, write_atomically, write_json
from hccoutcome.package.format import Package

Method = Literal["rollout", "gradcam", "shap"]
METHODS: tuple[Method, ...] = get_args(Method)
TITLES: Mapping[str, str] = MappingProxyType({"rollout": "Attention", "gradcam": "Grad-CAM", "shap": "SHAP"})
UNITS: Mapping[str, str] = MappingProxyType(
    {"rollout": "x even share", "gradcam": "of the largest", "shap": "log-odds/cm2"}
)
SUMMARY_FILE, SEEN = "maps.json", "seen"
HAZARD_UNIT = "log hazard/cm2"


@dataclass(frozen=True, eq=False)
class Relevance:
    """What a network looks at in one case.

    Attributes:
        method: how that was found out.
        unit: of the maps' values, in words.
        planes: for each plane an array of cells, in ``unit``.
        phases: share of each phase (rollout), or sum of its values (SHAP); empty for Grad-CAM.
        variables: the same of each clinical variable; empty for Grad-CAM.
        scored: the score that is explained.
        notes: what a reader should know, one sentence each.
    """

    method: Method
    unit: str
    planes: tuple[NDArray[np.float64], ...]
    phases: Mapping[str, float]
    variables: Mapping[str, float]
    scored: Scored
    notes: tuple[str, ...] = ()

    @property
    def signed(self) -> bool:
        """Whether values may lie on both sides of 0."""
        return self.method == "shap"

    def to_json(self) -> dict[str, Any]:
        """Return everything but the maps as JSON data."""
        return {
            "method": self.method,
            "unit": self.unit,
            "score": self.scored.score,
            "device": self.scored.device,
            "phases": dict(self.phases),
            "variables": dict(self.variables),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, eq=False)
class RelevanceMap:
    """The map of one phase.

    Attributes:
        phase: whose image it lies in.
        method, unit, signed: as ``Relevance`` has them.
        image: float32 on the lattice of that image, NaN where there is no value.
    """

    phase: str
    method: Method
    unit: str
    signed: bool
    image: sitk.Image

    @property
    def name(self) -> str:
        """Name of its file and node."""
        return f"{self.phase}_{self.method}"


def methods_of(system: DeepName) -> tuple[Method, ...]:
    """Return the methods that a system's network allows: attention is followed only where there is any."""
    return tuple(method for method in METHODS if method != "rollout" or system != "dlopctr")


def check_method(name: str) -> Method:
    """Return the name of a method.

    Raises:
        InputError: there is none of it.
    """
    for method in METHODS:
        if method == name:
            return method
    raise InputError(f"'{name}' is not a method of maps; {nearest(name, METHODS)}.")


def relevance_maps(found: Relevance, seen: NetworkInput, images: Mapping[str, sitk.Image]) -> list[RelevanceMap]:
    """Return the maps of all phases that have a place in the images; screenshots have none."""
    maps = []
    for phase in dict.fromkeys(plane.phase for plane in seen.planes):
        image = back_projected(seen, found.planes, phase, images[phase]) if phase in images else None
        if image is not None:
            maps.append(RelevanceMap(phase, found.method, found.unit, found.signed, image))
    return maps


def write_relevance(
    found: Relevance,
    maps: Sequence[RelevanceMap],
    package: Package,
    inputs: Mapping[str, str],
    folder: Path,
    seen: Sequence[SeenVolume] = (),
) -> dict[str, Any]:
    """Write maps as ``<phase>_<method>.nrrd`` into an existing folder, and ``maps.json`` that says what they are.

    What the network saw is written as ``seen_<phase>.nrrd``.

    Args:
        found: what the maps are of.
        maps: of it.
        package: whose network it was.
        inputs: SHA256 of what was read of the case.
        folder: for the files.
        seen: what the network saw of the case.

    Returns:
        The content of ``maps.json``.
    """
    rows = []
    for one in maps:
        path = _write_image(one.image, folder / f"{one.name}.nrrd")
        values = sitk.GetArrayViewFromImage(one.image)
        known = values[np.isfinite(values)]
        extremes = {"min": float(known.min()), "max": float(known.max())}
        rows.append({"file": path.name, "sha256": sha256_of(path), "phase": one.phase, "unit": one.unit, **extremes})
    shown = {one: _write_image(one.image, folder / f"{SEEN}_{one.name}.nrrd") for one in seen}
    data = {
        **found.to_json(),
        "maps": rows,
        "seen": [
            {"file": path.name, "sha256": sha256_of(path), "phase": one.phase, "part": one.part}
            for one, path in shown.items()
        ],
        "package": {"name": package.name, "version": package.version, "sha256": package.sha256},
        "inputs": dict(inputs),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    write_json(folder / SUMMARY_FILE, data)
    return data


def _write_image(image: sitk.Image, path: Path) -> Path:
    return write_atomically(path, lambda partial: sitk.WriteImage(image, str(partial), useCompression=True))


def read_relevance(folder: Path) -> tuple[dict[str, Any], list[RelevanceMap], list[SeenVolume]]:
    """Return what ``write_relevance`` wrote: the content of ``maps.json``, the maps, and what the network saw."""
    data = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))
    method = check_method(data["method"])
    maps = [
        RelevanceMap(row["phase"], method, row["unit"], method == "shap", sitk.ReadImage(str(folder / row["file"])))
        for row in data["maps"]
    ]
    seen = [SeenVolume(row["phase"], sitk.ReadImage(str(folder / row["file"])), row["part"]) for row in data["seen"]]
    return data, maps, seen
