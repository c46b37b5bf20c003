"""SHAP values of grey levels and clinical variables by expected gradients.

Expected gradients (Erion et al., Nat Mach Intell 2021;3:620, equation 4; ``shap.GradientExplainer``): the gradient of
the score along the straight lines from the backgrounds to the case, times the way gone. The values sum to the score
minus its mean over the backgrounds. Places on the lines are spread evenly instead of drawn, so there is no chance in
the values.

The background has to come with the package or the case, since a package holds no patient's images: it is the case's own
planes without their detail (blurred twice, and at their mean level), with the training part's median of every clinical
variable. What is attributed to a place is thus what its detail adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from hccoutcome.deep.model import DeepModel
from hccoutcome.progress import Progress, silent

BLURS = (1 / 28, 1 / 14)
"""Widths of the blurs as parts of a plane's width: 8 and 16 of 224 pixels."""
STEPS = 12
CELLS = 28
"""Cells along one side of a plane in which the values of pixels are summed."""
BACKGROUND = (
    "the planes themselves, blurred over 1/28 and 1/14 of their width and at their mean level, and the training "
    "part's medians of clinical variables"
)


@dataclass(frozen=True, eq=False)
class ShapMaps:
    """SHAP values of one case.

    Attributes:
        planes: for each plane the sums over cells, 0 where it is missing.
        variables: of each clinical variable.
        base: mean number over the backgrounds.
        output: the case's number.
    """

    planes: list[NDArray[np.float64]]
    variables: NDArray[np.float64]
    base: float
    output: float

    @property
    def error(self) -> float:
        """By how much base and values miss the output: what the finite number of steps costs."""
        return self.base + sum(float(cells.sum()) for cells in self.planes) + self.variables.sum() - self.output


def shap_maps(
    model: DeepModel,
    images: Tensor,
    present: Tensor,
    clinical: Tensor,
    steps: int = STEPS,
    progress: Progress = silent,
) -> ShapMaps:
    """Return the SHAP values of one case.

    Args:
        model: in evaluation.
        images: grey levels (1, planes, rows, columns).
        present: which planes exist, (1, planes).
        clinical: variables (1, variables), NaN where not known: those add nothing.
        steps: places on each line.
        progress: told how far it is; may stop it.
    """
    known = model.filled(clinical)
    planes, values, base = expected_gradients(
        model, images, present, known, backgrounds(images), model.median()[None], steps, progress
    )
    with torch.no_grad():
        output = float(model(images, present, known))
    cells = cells_of(images.shape[-1])
    return ShapMaps([_summed(plane, cells) for plane in planes], values, base, output)


def backgrounds(images: Tensor) -> list[Tensor]:
    """Return the planes of a case without their detail."""
    plain = images.cpu().numpy()
    width = plain.shape[-1]
    blurred = [gaussian_filter(plain, (0, 0, share * width, share * width), mode="nearest") for share in BLURS]
    level = np.broadcast_to(plain.mean(axis=(2, 3), keepdims=True), plain.shape)
    return [torch.from_numpy(np.ascontiguousarray(each)).to(images) for each in (*blurred, level)]


def expected_gradients(
    model: DeepModel,
    images: Tensor,
    present: Tensor,
    clinical: Tensor,
    from_images: Sequence[Tensor],
    from_clinical: Tensor,
    steps: int,
    progress: Progress = silent,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return the values of grey levels (planes, rows, columns) and variables (variables,), and the mean background.

    Args:
        model, images, present, clinical: the case, a batch of one, no variable missing.
        from_images: backgrounds of the planes, each as ``images``.
        from_clinical: background of the variables, as ``clinical``.
        steps: places on each line.
        progress: told how far it is.
    """
    planes = torch.zeros(images.shape[1:], dtype=torch.float64)
    values = torch.zeros(clinical.shape[1:], dtype=torch.float64)
    base, total = 0.0, len(from_images) * steps
    for number, start in enumerate(from_images):
        with torch.no_grad():
            base += float(model(start, present, from_clinical)) / len(from_images)
        for step in range(steps):
            progress((number * steps + step) / total, "Follows the score from the background to the case")
            share = (step + 0.5) / steps
            at = start + share * (images - start), present, from_clinical + share * (clinical - from_clinical)
            _, by_planes, by_values = model.gradient(*at)
            planes += (by_planes * (images - start))[0].cpu() / total
            values += (by_values * (clinical - from_clinical))[0].cpu() / total
    return planes.numpy(), values.numpy(), base


def cells_of(pixels: int) -> int:
    """Return the number of cells along a side of so many pixels: the most up to ``CELLS`` that are equally wide."""
    return max(count for count in range(1, CELLS + 1) if pixels % count == 0)


def _summed(plane: NDArray[np.float64], cells: int) -> NDArray[np.float64]:
    """Return the sums of a plane's values over cells; the sum of all stays what it was."""
    width = len(plane) // cells
    return plane.reshape(cells, width, cells, width).sum(axis=(1, 3))
