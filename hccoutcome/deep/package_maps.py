"""The maps of what the network of a package looks at, computed: see ``relevance`` for what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hccoutcome.deep.backprojection import frame_of_cells
from hccoutcome.deep.gradcam import gradcam
from hccoutcome.deep.inputs import NetworkInput
from hccoutcome.deep.model import DeepModel
from hccoutcome.deep.package import DeepConfig, score
from hccoutcome.deep.package_network import as_batch, on_device
from hccoutcome.deep.relevance import HAZARD_UNIT, UNITS, Method, Relevance
from hccoutcome.deep.shap_maps import BACKGROUND, shap_maps
from hccoutcome.deep.token_maps import attention_parts
from hccoutcome.package.format import Package
from hccoutcome.progress import Progress, silent

Batch = tuple[Tensor, Tensor, Tensor]
Found = tuple[tuple[NDArray[np.float64], ...], dict[str, float], dict[str, float], tuple[str, ...]]


def relevance(
    package: Package,
    config: DeepConfig,
    seen: NetworkInput,
    row: Sequence[float],
    method: Method,
    device: str = "auto",
    progress: Progress = silent,
) -> Relevance:
    """Return what the network of a checked package looks at.

    Args:
        package, config, seen, row, device: as ``deep.package.score``.
        method: how it is found out.
        progress: told how far it is; may stop it.

    Raises:
        InputError: the network does not allow the method, or the package is not intact.
    """
    scored = score(package, config, seen, row, device)
    found, _ = on_device(package, device, lambda model: _found(model, config, seen, row, method, progress))
    planes, phases, variables, notes = found
    unit = HAZARD_UNIT if method == "shap" and config.target == "survival" else UNITS[method]
    return Relevance(method, unit, planes, phases, variables, scored, (*seen.notes, *notes))


def _found(
    model: DeepModel,
    config: DeepConfig,
    seen: NetworkInput,
    row: Sequence[float],
    method: Method,
    progress: Progress,
) -> Found:
    batch = as_batch(seen.pixels, seen.present, row, model.device)
    names = [column.name for column in config.columns]
    if method == "rollout":
        return _rollout(model, batch, seen, names)
    if method == "gradcam":
        planes = gradcam(model, *batch)
        largest = max((float(cells.max()) for cells in planes), default=0.0)
        notes = () if largest > 0 else ("Nothing in the planes speaks for a higher score, so the map is 0 everywhere.",)
        return tuple(np.asarray(cells, float) / (largest or 1.0) for cells in planes), {}, {}, notes
    return _shap(model, batch, seen, names, progress)


def _rollout(model: DeepModel, batch: Batch, seen: NetworkInput, names: Sequence[str]) -> Found:
    parts = attention_parts(model, *batch)
    read = sum(cells.size for cells, there in zip(parts.planes, seen.present, strict=True) if there)
    tokens = read + np.count_nonzero(parts.whole) + len(parts.variables)
    return (
        tuple(cells * tokens for cells in parts.planes),
        _by_phase(seen, parts.of_planes),
        dict(zip(names, map(float, parts.variables), strict=True)),
        (),
    )


def _shap(model: DeepModel, batch: Batch, seen: NetworkInput, names: Sequence[str], progress: Progress) -> Found:
    found = shap_maps(model, *batch, progress=progress)
    areas = [_cell_area(plane.frame, cells.shape) for plane, cells in zip(seen.planes, found.planes, strict=True)]
    values = dict(zip(names, map(float, found.variables), strict=True))
    notes = (
        f"SHAP values by expected gradients against {BACKGROUND}: they add {found.output - found.base:+.3f} to the "
        f"base of {found.base:.3f}; the steps leave {found.error:+.3f} unexplained.",
    )
    sums = _by_phase(seen, np.array([cells.sum() for cells in found.planes]))
    return tuple(cells / area for cells, area in zip(found.planes, areas, strict=True)), sums, values, notes


def _cell_area(frame: Any, cells: tuple[int, ...]) -> float:
    """Return the area of a cell in cm2; 1 for a plane without a place."""
    if frame is None:
        return 1.0
    affine = frame_of_cells(frame, *cells).affine
    width, height = np.linalg.norm(affine[:3, :2], axis=0)
    return float(width * height) / 100


def _by_phase(seen: NetworkInput, values: NDArray[np.float64]) -> dict[str, float]:
    found: dict[str, float] = {}
    for plane, value in zip(seen.planes, values, strict=True):
        found[plane.phase] = found.get(plane.phase, 0.0) + float(value)
    return found
