"""Co-occurrence maps on a CUDA device through PyTorch, where both are at hand; the values are those of the kernels.

The tables of a batch of boxes, all directions, lie on the device together; every feature is a sum over them. Whole
counts make the order of additions irrelevant, so that the result does not vary from run to run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hccoutcome.errors import EnvironmentNeeded, InputError, nearest
from hccoutcome.radiomics.correlation import EPSILON, ROUNDING
from hccoutcome.radiomics.neighbourhood import Neighbourhood

if TYPE_CHECKING:
    from torch import Tensor

DEVICES = ("auto", "cpu", "cuda")
WORTH_IT = 500_000
"""Voxels from which ``auto`` takes the device: for fewer, starting it takes longer than the maps."""
TABLES = 12
"""Arrays of the size of a batch's tables that the device must hold at a time."""
SQUARINGS, TINY = 36, 1e-300
_FREE_SHARE = 0.5


def chosen_device(choice: str, voxels: int) -> str:
    """Return ``cpu`` or ``cuda`` for a choice.

    Raises:
        InputError: there is no such choice.
        EnvironmentNeeded: ``cuda`` is asked for by name and not at hand.
    """
    if choice not in DEVICES:
        raise InputError(f"Maps are computed on {', '.join(DEVICES)}, found '{choice}': {nearest(choice, DEVICES)}.")
    if choice == "cpu" or (choice == "auto" and voxels < WORTH_IT):
        return "cpu"
    if has_cuda():
        return "cuda"
    if choice == "cuda":
        raise EnvironmentNeeded(
            "The device 'cuda' needs PyTorch and an NVIDIA GPU, which were not found: install the PyTorch extension or "
            "choose the device 'cpu', which gives the same values."
        )
    return "cpu"


def has_cuda() -> bool:
    """Tell whether PyTorch is installed and sees a CUDA device."""
    if find_spec("torch") is None:
        return False
    try:
        import torch
    except (ImportError, OSError):  # a library of its own that is missing or broken
        return False
    return bool(torch.cuda.is_available())


def device_errors() -> tuple[type[Exception], ...]:
    """Return the errors by which a device fails where the program does not: no memory left, or a lost device."""
    import torch

    return (torch.OutOfMemoryError, getattr(torch, "AcceleratorError", torch.OutOfMemoryError))


@dataclass(frozen=True)
class Boxes:
    """The boxes of a map on a device.

    Attributes:
        codes: Flat padded grid of level codes, 0 where a box does not look.
        reach: Flat step in it to each voxel of a box.
        first: Place in the box of the first voxel of each pair, all directions one after the other.
        second: That of the second.
        direction: The direction of each pair.
        levels: Grey level of each code, from place 1 up.
        symmetrical: Whether each pair counts in both orders.
    """

    codes: Tensor
    reach: Tensor
    first: Tensor
    second: Tensor
    direction: Tensor
    levels: Tensor
    symmetrical: bool

    @property
    def directions(self) -> int:
        """Number of directions."""
        return int(self.direction.max()) + 1


def boxes_on(
    device: str,
    codes: NDArray[np.integer],
    reach: NDArray[np.int64],
    box: Neighbourhood,
    levels: NDArray[np.float64],
    symmetrical: bool,
) -> Boxes:
    """Bring the grid and the pairs of a box to a device."""
    import torch

    place = np.full(box.block_size, -1)
    place[box.inner] = np.arange(box.inner.size)
    other = place[box.inner[None] + box.offsets[:, None]]
    direction, first = np.nonzero(other >= 0)
    arrays = (codes.astype(np.int64), reach, first, other[direction, first], direction, levels)
    grid, steps, one, two, along, values = (torch.as_tensor(array, device=device) for array in arrays)
    return Boxes(grid, steps, one, two, along, values, symmetrical)


def glcm_maps(
    boxes: Boxes, centres: NDArray[np.int64], features: Sequence[str]
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the start of each batch of centres and the features there, shape (features, batch)."""
    import torch

    device = boxes.codes.device
    start, size = 0, 256
    while start < centres.size:
        part = torch.as_tensor(centres[start : start + size], device=device)
        ranks, own = _ranks(boxes, part)
        fitting = _fitting(boxes, own.shape[1], device)
        if part.numel() > fitting:
            size = fitting
            continue
        found = _features(_tables(boxes, ranks, own.shape[1]), own, boxes, "MCC" in features)
        yield start, torch.stack([found[name] for name in features]).cpu().numpy()
        start, size = start + part.numel(), fitting


def _fitting(boxes: Boxes, levels: int, device: Any) -> int:
    """Return how many boxes with so many levels fit on the device."""
    import torch

    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 1 << 30
    table = boxes.directions * (levels + 1) ** 2 * 8 * TABLES + boxes.first.numel() * 8 * 4
    return max(int(free * _FREE_SHARE) // table, 1)


def _ranks(boxes: Boxes, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rank of each voxel's level in its box (0 where it does not look), and the levels by rank."""
    import torch

    seen_codes = boxes.codes[centres[:, None] + boxes.reach[None]]
    seen = torch.zeros(len(centres), boxes.levels.numel(), dtype=torch.int64, device=centres.device)
    seen.scatter_(1, seen_codes, 1)
    seen[:, 0] = 0
    rank = seen.cumsum(1) * seen
    most = max(int(rank.max()), 1)
    own = torch.zeros(len(centres), most + 1, dtype=torch.float64, device=centres.device)
    own.scatter_(1, rank, boxes.levels[None].expand_as(rank))
    return rank.gather(1, seen_codes), own[:, 1:]


def _tables(boxes: Boxes, ranks: Tensor, levels: int) -> Tensor:
    """Return the counts of pairs, shape (boxes, directions, levels, levels)."""
    import torch

    side = levels + 1
    rows = torch.arange(len(ranks), device=ranks.device)[:, None] * boxes.directions + boxes.direction[None]
    cells = (rows * side + ranks[:, boxes.first]) * side + ranks[:, boxes.second]
    counts = torch.bincount(cells.ravel(), minlength=len(ranks) * boxes.directions * side * side)
    table = counts.reshape(len(ranks), boxes.directions, side, side)[..., 1:, 1:].to(torch.float64)
    return table + table.transpose(2, 3) if boxes.symmetrical else table


def _features(table: Tensor, own: Tensor, boxes: Boxes, with_mcc: bool) -> dict[str, Tensor]:
    """Return each feature's mean over the directions that hold pairs, NaN without any, shape (boxes,)."""
    import torch

    total = table.sum((2, 3))
    p = table / total.clamp(min=1)[..., None, None]
    row, column = own[:, None, :, None], own[:, None, None, :]
    x, y = p.sum(3), p.sum(2)
    most = float(boxes.levels.max())
    apart, both = (row - column).abs(), row + column
    found = _of_levels(p, x, y, own[:, None], most)
    found |= _of_differences(p, apart, most)
    found |= _of_sums(p, both)
    found["DifferenceEntropy"] = _entropy(table, total, apart)
    found["SumEntropy"] = _entropy(table, total, both - both.min())
    found |= _of_information(p, x, y)
    several = boxes.levels.numel() > 2
    found["MCC"] = _maximal(p, x, y, boxes.symmetrical, several) if with_mcc else torch.zeros_like(total)
    held = total > 0
    used = held.sum(1)
    return {
        name: torch.where(used > 0, torch.where(held, value, 0.0).sum(1) / used, torch.nan)
        for name, value in found.items()
    }


def _sum(values: Tensor) -> Tensor:
    return values.sum((2, 3))


def _of_levels(p: Tensor, x: Tensor, y: Tensor, own: Tensor, most: float) -> dict[str, Tensor]:
    """Return what relates the two levels of a pair; ``own`` has the shape (boxes, 1, levels)."""
    import torch

    mean_x, mean_y = (x * own).sum(2), (y * own).sum(2)
    off_x, off_y = own - mean_x[..., None], own - mean_y[..., None]
    variance_x, variance_y = (x * off_x**2).sum(2), (y * off_y**2).sum(2)
    covariance = _sum(p * off_x[..., :, None] * off_y[..., None, :])
    flat = torch.minimum(variance_x, variance_y) <= (ROUNDING * most) ** 2
    spread = variance_x.sqrt() * variance_y.sqrt() + EPSILON
    return {
        "Autocorrelation": _sum(p * own[..., :, None] * own[..., None, :]),
        "JointAverage": mean_x,
        "SumSquares": variance_x,
        "Correlation": torch.where(flat, 1.0, covariance / spread),
        "JointEnergy": _sum(p * p),
        "MaximumProbability": p.amax((2, 3)),
    }


def _entropy(table: Tensor, total: Tensor, index: Tensor) -> Tensor:
    """Return the entropy of the cells with the same index; their whole counts are added, in whatever order."""
    import torch

    index = index.to(torch.int64).expand(table.shape).flatten(2)
    found = torch.zeros(*table.shape[:2], int(index.max()) + 1, dtype=table.dtype, device=table.device)
    p = found.scatter_add_(2, index, table.flatten(2)) / total.clamp(min=1)[..., None]
    return -(p * (p + EPSILON).log2()).sum(2)


def _of_differences(p: Tensor, apart: Tensor, most: float) -> dict[str, Tensor]:
    mean = _sum(p * apart)
    square = apart * apart
    away = apart.clamp(min=1)
    return {
        "Contrast": _sum(p * square),
        "DifferenceAverage": mean,
        "DifferenceVariance": _sum(p * (apart - mean[..., None, None]) ** 2),
        "Id": _sum(p / (1 + apart)),
        "Idm": _sum(p / (1 + square)),
        "Idn": _sum(p / (1 + apart / most)),
        "Idmn": _sum(p / (1 + square / most**2)),
        "InverseVariance": _sum(p * (apart > 0) / (away * away)),
    }


def _of_sums(p: Tensor, both: Tensor) -> dict[str, Tensor]:
    mean = _sum(p * both)
    away = both - mean[..., None, None]
    return {
        "SumAverage": mean,
        "ClusterTendency": _sum(p * away**2),
        "ClusterShade": _sum(p * away**3),
        "ClusterProminence": _sum(p * away**4),
    }


def _of_information(p: Tensor, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    import torch

    joint = -torch.special.xlogy(p, p).sum((2, 3)) / np.log(2)
    single_x, single_y = (-torch.special.xlogy(share, share).sum(2) / np.log(2) for share in (x, y))
    shared, largest = single_x + single_y - joint, torch.maximum(single_x, single_y)
    return {
        "JointEntropy": joint,
        "Imc1": torch.where(largest > ROUNDING, -shared / largest.clamp(min=ROUNDING), 0.0),
        "Imc2": torch.where(shared > ROUNDING, (-torch.expm1(-2 * shared)).clamp(min=0).sqrt(), 0.0),
    }


def _maximal(p: Tensor, x: Tensor, y: Tensor, symmetrical: bool, several: bool) -> Tensor:
    """Return the maximal correlation coefficient; 1 by convention where the whole region has a single level."""
    import torch

    if not several:
        return torch.ones_like(x[..., 0])
    root = x.sqrt()[..., :, None] * y.sqrt()[..., None, :]
    matrix = torch.where(root > 0, p / root.clamp(min=EPSILON), 0.0) - root
    found = _spectral_radius(matrix) if symmetrical else _spectral_radius(matrix @ matrix.mT).sqrt()
    return torch.where(found**2 > ROUNDING, found, 0.0)


def _spectral_radius(matrix: Tensor) -> Tensor:
    """Return the largest magnitude of an eigenvalue of symmetric matrices, by squaring them.

    It is the limit of the norm of a power's root; the square that follows k others is off by a part of 2^-k at most.
    Devices multiply many small matrices far faster than they decompose them.
    """
    import torch

    logarithm = torch.zeros_like(matrix[..., 0, 0])
    for k in range(SQUARINGS):
        size = matrix.pow(2).sum((-2, -1)).sqrt()
        logarithm += torch.where(size > 0, size.clamp(min=TINY).log(), -torch.inf) / 2**k
        matrix = matrix / size.clamp(min=TINY)[..., None, None]
        matrix = matrix @ matrix
    return logarithm.exp()
