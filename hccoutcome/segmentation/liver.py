"""The liver on CT without weights: where its HU lie, what they enclose, and what cannot be liver.

The steps, on an even lattice of 2.5 mm in the patient's axes: the widest even tissue on the patient's right gives the
level of the liver; opening by distance cuts bridges to other organs; a minimum cut on histograms (Boykov and Funka-Lea,
"Graph cuts and efficient N-D image segmentation", IJCV 70(2), 2006) finds the border; the lungs' bases, continued
smoothly under the heart, are the ceiling; closing brings back lesions that the level leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial import Delaunay

from hccoutcome.errors import InputError
from hccoutcome.progress import Progress, part, silent
from hccoutcome.segmentation.lattice import Lattice, extent_of
from hccoutcome.segmentation.likelihood import bins_of, histogram, log_ratio
from hccoutcome.segmentation.morphology import ball, bounding, distance, distance_within, largest, minimum_cut
from hccoutcome.segmentation.prompts import dense

AIR, LUNG = -200.0, -500.0
_FAT = -50.0
"""Every CT of an abdomen holds fat, so an image without lower levels is not in HU."""


@dataclass(frozen=True)
class LiverSettings:
    """How the liver is found. Lengths in mm.

    Attributes:
        spacing: of the lattice.
        scan: levels in HU at which the liver is sought: first, last, step.
        window: HU around a level that count to it.
        erosion: by which tissue of one level is eroded before its largest part is taken.
        neck: half width of bridges that are cut.
        gate: widths of the liver's own distribution within which voxels may be liver from the start.
        narrowest: smallest standard deviation in HU that is believed.
        smooth: weight of the border's length against the grey levels.
        contrast: HU over which a border gets cheap.
        reach: farthest distance from the opened liver that the cut may go.
        bite: radius of the ball that may not enter a gap in the liver's outline.
        dome: the same for gaps between liver and lung.
        seam: HU by which a thin dark sheet stands out that parts organs.
        ceiling: how far above the lungs' continued bases the liver may reach.
        lungs: part of the uppermost slice that lung takes where the image shows the dome.
    """

    spacing: float = 2.5
    scan: tuple[int, int, int] = (40, 181, 10)
    window: float = 25.0
    erosion: float = 10.0
    neck: float = 7.0
    gate: float = 2.8
    narrowest: float = 12.0
    smooth: float = 2.5
    contrast: float = 20.0
    reach: float = 40.0
    bite: float = 25.0
    dome: float = 18.0
    seam: float = 18.0
    ceiling: float = 6.0
    lungs: float = 0.3


@dataclass(frozen=True)
class Scene:
    """A patient's CT on the lattice.

    Attributes:
        lattice: in the patient's axes: z to the head, y to the back, x to the left.
        phases: voxels of every phase, lightly smoothed; the first decides on the liver's level.
        body: inside the skin.
        lung: both lungs, as far as they are in the image.
        ceiling: what lies above the diaphragm, lungs or not.
    """

    lattice: Lattice
    phases: tuple[np.ndarray, ...]
    body: np.ndarray
    lung: np.ndarray
    ceiling: np.ndarray


def find_liver(
    images: Sequence[sitk.Image],
    lines: Sequence[np.ndarray] = (),
    lesions: Sequence[sitk.Image] = (),
    settings: LiverSettings | None = None,
    progress: Progress = silent,
) -> tuple[Lattice, np.ndarray]:
    """Return a level (> 0 inside) of the liver on a lattice.

    Args:
        images: phases of CT in HU; the first decides on the liver's level.
        lines: strokes or clicks in the liver, each (n, 3) mm (LPS).
        lesions: masks known to belong to the liver.
        settings: how it is found.
        progress: told how far the work is.

    Raises:
        InputError: nothing in the image is like a liver, or the image is not in HU.
    """
    settings = settings or LiverSettings()
    least = float(sitk.GetArrayViewFromImage(images[0]).min())
    if least > _FAT:
        raise InputError(
            f"A liver is found on CT in HU, where fat lies below {_FAT:g}, found no level below {least:g}: check the "
            "image's unit, or give an image that is CT."
        )
    progress(0.0, "looking at the body")
    scene = look_at(images, settings)
    progress(0.3, "looking for the liver's level")
    strokes = _strokes(scene, lines)
    core = _core(scene, strokes, settings)
    known = _known(scene, lesions)
    liver, level = _cut(scene, core, strokes, settings, part(progress, 0.4, 0.8))
    progress(0.8, "closing gaps")
    liver = _completed(scene, liver | known | strokes, level, settings)
    return scene.lattice, ndimage.gaussian_filter(liver.astype(np.float32), 0.7) - 0.5


def look_at(images: Sequence[sitk.Image], settings: LiverSettings) -> Scene:
    """Return the patient on the lattice, with body, lungs and what lies above the diaphragm."""
    lattice = _whole_lattice(images[0], settings.spacing)
    phases = tuple(_coarse(image, lattice) for image in images)
    body = _body(phases[0])
    lung = _lungs(phases[0], body, settings.spacing)
    smooth = tuple(ndimage.gaussian_filter(voxels, 1.5 / settings.spacing) for voxels in phases)
    return Scene(lattice, smooth, body, lung, _above_diaphragm(body, lung, settings))


def _whole_lattice(image: sitk.Image, spacing: float) -> Lattice:
    """Return the lattice in the patient's axes that covers an image."""
    low, high = extent_of(image)
    return Lattice.around((low + high) / 2, np.eye(3), (high - low) / 2, spacing)


def _coarse(image: sitk.Image, lattice: Lattice) -> np.ndarray:
    """Return an image on a coarse lattice: means of whole voxels first, since most of them would be thrown away."""
    factors = [
        max(1, min(n, int(lattice.spacing / s))) for s, n in zip(image.GetSpacing(), image.GetSize(), strict=True)
    ]
    return lattice.sample(
        sitk.BinShrink(image, factors) if max(factors) > 1 else image, outside=-1000.0, window=(-1000.0, 400.0)
    )


def _body(voxels: np.ndarray) -> np.ndarray:
    """Return what lies inside the skin: the largest part that is not air, filled slice by slice."""
    body = largest(ndimage.binary_opening(voxels > AIR, iterations=2))
    return np.stack([ndimage.binary_fill_holes(plane) for plane in body])


def _lungs(voxels: np.ndarray, body: np.ndarray, spacing: float) -> np.ndarray:
    """Return the lungs: large air inside the body that reaches the image's upper end."""
    parts, number = ndimage.label(ndimage.binary_opening((voxels < LUNG) & body))
    if number == 0:
        return np.zeros_like(body)
    sizes = np.bincount(parts.ravel()) * spacing**3 / 1000
    top = np.unique(parts[-3:])
    return np.isin(parts, [k for k in top if k and sizes[k] > 50])


def _above_diaphragm(body: np.ndarray, lung: np.ndarray, settings: LiverSettings) -> np.ndarray:
    """Return what lies above the lungs' bases, continued smoothly under the heart, where the heart would leak in.

    The base of a column without lung is that of the columns around it: a membrane held by the lungs.
    """
    columns = np.asarray(lung.any(axis=0))
    # Where the image ends below the dome it shows the lungs' recesses only, which lie deeper than the liver's top.
    if not columns.any() or lung[-1].sum() < settings.lungs * body[-1].sum():
        return np.zeros_like(body)
    base = np.where(columns, lung.argmax(axis=0), np.nan).astype(float)
    base = _membrane(base, _between(columns))
    heights = np.arange(len(body))[:, None, None]
    with np.errstate(invalid="ignore"):
        return heights > base[None] + settings.ceiling / settings.spacing


def _between(columns: np.ndarray) -> np.ndarray:
    """Return the columns inside the convex hull of those with lung."""
    places = np.argwhere(columns)
    if min(np.ptp(places, axis=0)) < 2:
        return columns
    grid = np.argwhere(np.ones_like(columns))
    return (Delaunay(places).find_simplex(grid) >= 0).reshape(columns.shape)


def _membrane(height: np.ndarray, where: np.ndarray, rounds: int = 300) -> np.ndarray:
    """Return heights with the gaps inside ``where`` filled by the solution of Laplace's equation."""
    held = np.isfinite(height)
    nearest = ndimage.distance_transform_edt(~held, return_distances=False, return_indices=True)
    full = height[tuple(nearest)]
    gaps = where & ~held
    for _ in range(rounds):
        full = np.where(gaps, ndimage.uniform_filter(full, 3, mode="nearest"), full)
    return np.where(where, full, np.nan)


def _strokes(scene: Scene, lines: Sequence[np.ndarray]) -> np.ndarray:
    """Return the voxels that strokes pass through."""
    mask = np.zeros(scene.body.shape, bool)
    for line in lines:
        places = scene.lattice.local(dense(line, scene.lattice.spacing / 2)) / scene.lattice.spacing
        index = np.rint(places).astype(int)
        inside = ((index >= 0) & (index < mask.shape)).all(axis=1)
        mask[tuple(index[inside].T)] = True
    return mask


def _core(scene: Scene, strokes: np.ndarray, settings: LiverSettings) -> np.ndarray:
    """Return the eroded inside of the liver: the largest even tissue on the patient's right, or that of the strokes."""
    core = _automatic_core(scene, settings)
    if not strokes.any():
        if core is None:
            raise InputError(
                "A liver was expected on the patient's right, found no large even tissue: check that the image is an "
                "abdominal CT in HU, or give a stroke in the liver."
            )
        return core
    near = distance(~strokes, settings.spacing)
    wide = _wide(scene)
    level = float(np.median(wide[near < 6]))
    # A stroke on a lesion or a vessel says where the liver is, not how bright it is.
    if core is not None and near[core].min() < 30 and abs(level - float(np.median(wide[core]))) >= 20:
        return core
    parts, number = ndimage.label(distance(_even(scene, wide, level, settings), settings.spacing) > settings.erosion)
    sizes = np.bincount(parts.ravel(), minlength=number + 1)
    reached = [k for k in range(1, number + 1) if near[parts == k].min() < 25]
    if reached:
        return parts == max(reached, key=lambda k: sizes[k])
    return core if core is not None else near < 6


def _wide(scene: Scene) -> np.ndarray:
    return ndimage.gaussian_filter(scene.phases[0], 2.6 / scene.lattice.spacing)


def _even(scene: Scene, wide: np.ndarray, level: float, settings: LiverSettings) -> np.ndarray:
    return (np.abs(wide - level) < settings.window) & scene.body & ~scene.ceiling


def _automatic_core(scene: Scene, settings: LiverSettings) -> np.ndarray | None:
    """Return the largest eroded tissue of one level, where what lies on the patient's left counts a tenth.

    The level is sought on every second voxel, since only large tissue counts.
    """
    wide = _wide(scene)
    allowed = (distance(scene.body, settings.spacing) > 8) & ~scene.ceiling
    few = (slice(None, None, 2),) * 3
    across = np.flatnonzero(scene.body.any(axis=(0, 1)))
    middle = (across[0] + across[-1]) / 2 - 0.05 * (across[-1] - across[0]) if across.size else 0.0

    def largest_part(level: float, where: tuple[slice, ...], step: int) -> tuple[float, np.ndarray | None]:
        even = (np.abs(wide[where] - level) < settings.window) & allowed[where]
        parts, number = ndimage.label(distance(even, settings.spacing * step) > settings.erosion)
        sizes = np.bincount(parts.ravel(), minlength=number + 1)
        sizes[0] = 0
        best, found = 0.0, None
        for k in np.argsort(sizes)[-3:]:
            if sizes[k]:
                score = sizes[k] * (1.0 if np.nonzero(parts == k)[2].mean() * step < middle else 0.1)
                if score > best:
                    best, found = score, parts == k
        return best, found

    scores = {level: largest_part(level, few, 2)[0] for level in range(*settings.scan)}
    return largest_part(max(scores, key=lambda level: scores[level]), (slice(None),) * 3, 1)[1]


def _known(scene: Scene, lesions: Sequence[sitk.Image]) -> np.ndarray:
    mask = np.zeros(scene.body.shape, bool)
    for lesion in lesions:
        mask |= scene.lattice.sample(sitk.Cast(lesion, sitk.sitkFloat32), outside=0.0) > 0.5
    return mask


def _cut(
    scene: Scene, core: np.ndarray, strokes: np.ndarray, settings: LiverSettings, progress: Progress
) -> tuple[np.ndarray, float]:
    """Return the liver by a minimum cut, and its level in HU in the first phase."""
    first = scene.phases[0]
    level = float(np.median(first[core]))
    width = max(1.4826 * float(np.median(np.abs(first[core] - level))), settings.narrowest)
    allowed = scene.body & ~scene.ceiling & ~scene.lung
    seams = _seams(first, settings)
    near_level = ((np.abs(first - level) < settings.gate * width) & allowed & ~seams) | core
    opened = _opened(near_level, core, settings)
    away = distance(~opened, settings.spacing)
    progress(0.3, "cutting the liver out")
    kept = (distance_within(opened, settings.neck + 1.5, settings.spacing)) & near_level
    around = (away > 0) & (away < settings.reach) & scene.body & ~kept
    region = bounding(away < settings.reach)
    bins = [bins_of(voxels[region]) for voxels in scene.phases]
    inside = [histogram(bins_of(voxels[kept])) for voxels in scene.phases]
    outside = [histogram(bins_of(voxels[around])) for voxels in scene.phases]
    odds = np.clip(log_ratio(bins, inside, outside), -2.5, 2.5)
    odds += np.clip(1.5 - np.maximum(away[region] - 4, 0) / 6, -3, 1.5)
    odds = np.where(first[region] < -10, -5, odds)
    odds = np.where(seams[region], np.minimum(odds, -1.0), odds)
    odds = np.where(first[region] > level + 110, -3, odds)
    odds[~allowed[region] | (away[region] > settings.reach)] = -1e5
    odds[(opened | strokes)[region]] = 1e5
    liver = np.zeros_like(core)
    liver[region] = minimum_cut(first[region], odds, settings.smooth, settings.contrast)
    return largest(ndimage.binary_opening(liver, ball(3.0, settings.spacing))), level


def _seams(voxels: np.ndarray, settings: LiverSettings) -> np.ndarray:
    """Return the thin dark sheets: the fat that parts the liver from muscle and gut of its own level."""
    filled = ndimage.grey_closing(voxels, footprint=ball(2 * settings.spacing, settings.spacing))
    return filled - voxels > settings.seam


def _opened(tissue: np.ndarray, core: np.ndarray, settings: LiverSettings) -> np.ndarray:
    """Return the deep parts of a tissue that belong to the core."""
    parts, _ = ndimage.label(distance(tissue, settings.spacing) > settings.neck)
    joined = np.unique(parts[core])
    return np.isin(parts, joined[joined > 0]) | core


def _completed(scene: Scene, liver: np.ndarray, level: float, settings: LiverSettings) -> np.ndarray:
    """Return the liver with lesions, vessels and the dome that its level left out.

    What a ball cannot enter from outside belongs to the liver where it is soft tissue: gaps of the liver alone, and
    those between the liver and the lung, where only the thin diaphragm lies.
    """
    first, size = scene.phases[0], settings.spacing
    soft = (first > 10) & scene.body & ~scene.lung
    dim = soft & (first < level + 25)
    liver = liver | (_closed(liver, 12.0, size) & soft & (first < level + 60))
    gaps = _closed(liver, settings.bite, size) & ~liver & dim
    liver = liver | ndimage.binary_opening(gaps, ball(6.0, size))
    between = _closed(liver | scene.lung, settings.dome, size) & ~liver & dim
    parts, _ = ndimage.label(ndimage.binary_opening(between, ball(6.0, size)) & distance_within(liver, 30.0, size))
    beside = np.unique(parts[distance_within(liver, 2 * size, size)])
    liver = liver | np.isin(parts, beside[beside > 0])
    liver = liver | _dome(scene, liver)
    liver = liver | (_closed(liver, 8.0, size) & soft & (first < level + 60))
    return np.stack([ndimage.binary_fill_holes(plane) for plane in liver])


def _dome(scene: Scene, liver: np.ndarray) -> np.ndarray:
    """Return the tissue that lung surrounds in its slice and that stands on the liver: the top of the dome."""
    lung = ndimage.binary_closing(scene.lung, iterations=2) | scene.lung
    islands = np.stack([ndimage.binary_fill_holes(plane) for plane in lung])
    islands &= ~scene.lung & (scene.phases[0] > -50)
    parts, number = ndimage.label(ndimage.binary_opening(islands, ball(4.0, scene.lattice.spacing)))
    touched = np.unique(parts[ndimage.binary_dilation(liver, iterations=2)])
    return np.isin(parts, touched[touched > 0]) if number else np.zeros_like(liver)


def _closed(mask: np.ndarray, radius: float, spacing: float) -> np.ndarray:
    """Return a mask closed by a ball, by distances; large radii cost no more than small ones."""
    rim = int(np.ceil(radius / spacing)) + 2
    region = bounding(mask)
    if not mask.any():
        return mask.copy()
    padded = np.pad(mask[region], rim)
    grown = distance(~padded, spacing) < radius
    closed = distance(grown, spacing) > radius
    out = np.zeros(tuple(n + 2 * rim for n in mask.shape), bool)
    out[tuple(slice(s.start, s.stop + 2 * rim) for s in region)] = closed
    return out[rim:-rim, rim:-rim, rim:-rim]
