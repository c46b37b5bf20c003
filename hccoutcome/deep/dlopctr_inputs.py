"""What DLOPCTR sees of a case: patches of the arterial phase in the box of the tumour.

DLOPCTR (Appendix E3): CT and mask brought to 1 x 1 x 1 mm by bilinear and nearest-neighbour interpolation, grey levels
brought to 0 to 1, the bounding box of the tumour volume gives the patches, the network reads 224 x 224 pixels.

Left open there and decided here: a patch is an axial slice of the box, ``patches`` of them evenly from its foot to its
head, each the square around the box (5 mm more on each side) at 224 x 224 pixels; -200 to 300 HU become 0 to 1, since
the extremes of a scan are the table and metal; a patient's prediction is the mean over the patches.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

from hccoutcome.deep.frames import axial, frame_around, part_around, sample
from hccoutcome.deep.inputs import Images, Masks, NetworkInput, Plane, image_of, mask_of
from hccoutcome.deep.lesions import box_of
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.imaging.resample import grid_with_spacing, resample_image, resample_mask

SYSTEM = "DLOPCTR"


@dataclass(frozen=True)
class DlopctrView:
    """How DLOPCTR looks at a case.

    Attributes:
        phase: which it reads.
        patches: how many slices of the tumour's box.
        pixels: rows and columns of a patch.
        voxel: width in mm to which image and mask are brought first.
        margin: around the box in the plane, in mm.
        low: HU that become 0, as all below.
        high: HU that become 1, as all above.
    """

    phase: str = "arterial"
    patches: int = 9
    pixels: int = 224
    voxel: float = 1.0
    margin: float = 5.0
    low: float = -200.0
    high: float = 300.0

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data that tells these settings."""
        return asdict(self)


def dlopctr_input(images: Images, masks: Masks, view: DlopctrView | None = None) -> NetworkInput:
    """Return the patches that DLOPCTR reads, from the foot to the head.

    A tumour of fewer slices than patches leaves the last ones missing.

    Args:
        images: CT in HU by phase.
        masks: by region and phase, on that phase's grid; ``tumor`` is read.
        view: how it looks; as in the paper where None.

    Raises:
        InputError: the phase is missing, or the tumour is not outlined on it.
    """
    view = view or DlopctrView()
    given = axial(image_of(images, view.phase, SYSTEM))
    outlined = axial(mask_of(masks, "tumor", view.phase, SYSTEM))
    grid = grid_with_spacing(given, view.voxel)
    low, high = box_of(_filled(resample_mask(outlined, grid), outlined))
    side = max(high[:2] - low[:2] + 1) * view.voxel + 2 * view.margin
    middle = (low + high) / 2
    around = _widened(grid, middle, high[2] - low[2], side)
    image = resample_image(part_around(given, around, 2), around, "linear", outside=view.low)
    planes, pixels = [], []
    slices = _spread(int(low[2]), int(high[2]), view.patches)
    for number in range(view.patches):
        offset = number - view.patches // 2
        if number >= len(slices):
            planes.append(Plane(view.phase, offset, present=False))
            pixels.append(np.zeros((view.pixels, view.pixels), np.float32))
            continue
        centre = _moved(np.array([middle[0], middle[1], slices[number]]), grid, around)
        frame = frame_around(image, centre, view.pixels, view.pixels, side / view.pixels, view.voxel)
        levels = sample(image, frame, outside=view.low)
        planes.append(Plane(view.phase, offset, frame))
        pixels.append(((np.clip(levels, view.low, view.high) - view.low) / (view.high - view.low)).astype(np.float32))
    return NetworkInput(np.stack(pixels), tuple(planes))


def _widened(grid: Geometry, middle: np.ndarray, height: float, side: float) -> Geometry:
    """Return the voxels of a grid that patches of a tumour's box read, beyond the grid where they reach beyond it."""
    reach = np.array([side, side, height * grid.spacing[2]]) / grid.spacing / 2
    low = np.floor(middle - reach).astype(int) - 1
    high = np.ceil(middle + reach).astype(int) + 1
    origin = grid.affine @ [*low, 1.0]
    return Geometry(tuple((high - low + 1).tolist()), grid.spacing, tuple(origin[:3].tolist()), grid.direction)


def _moved(index: np.ndarray, grid: Geometry, other: Geometry) -> np.ndarray:
    """Return the index of a place in another grid."""
    return np.linalg.solve(other.affine, grid.affine @ [*index, 1.0])[:3]


def _filled(mask: sitk.Image, outlined: sitk.Image) -> sitk.Image:
    """Return the mask at the new voxel size; as outlined, point by point, where nearest neighbour missed all of it."""
    if sitk.GetArrayViewFromImage(mask).any():
        return mask
    marked = sitk.Image(mask)
    for z, y, x in np.argwhere(sitk.GetArrayViewFromImage(outlined) != 0).tolist():
        point = outlined.TransformIndexToPhysicalPoint((x, y, z))
        marked[marked.TransformPhysicalPointToIndex(point)] = 1
    return marked


def _spread(low: int, high: int, count: int) -> list[int]:
    """Return up to ``count`` different slices from ``low`` to ``high``, evenly, both ends included."""
    if high - low + 1 <= count:
        return list(range(low, high + 1))
    return [round(height) for height in np.linspace(low, high, count)]


def dlopctr_key(images: Images, masks: Masks, view: DlopctrView) -> tuple[Any, ...]:
    """Return everything on which ``dlopctr_input`` depends, for ``inputs.digest``."""
    outlined = masks.get("tumor", {})
    return (
        {"input": "dlopctr", **view.to_dict()},
        *(found[view.phase] for found in (images, outlined) if view.phase in found),
    )
