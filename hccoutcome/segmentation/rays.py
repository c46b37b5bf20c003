"""Voxels seen along rays from the middle of an ellipsoid, and the best closed surface among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hccoutcome.segmentation.likelihood import BINS, bins_of, histogram, log_ratio
from hccoutcome.segmentation.surface import Interpolator, best_surface, sphere

AIR_HU = -20.0
"""Below it lies no lesion: fat, lung, gas."""
_OUTER, _AIR_ODDS, _OUTSIDE_ODDS = 1.5, -4.0, -6.0


@dataclass(frozen=True)
class RaySettings:
    """How a surface is weighed. Lengths in parts of the ellipsoid's half axes.

    Attributes:
        reach: how far the rays go.
        radii: steps along a ray.
        core: part of the expected border within which the lesion's grey levels are taken.
        alike: part of a lesion that may look like what is around it, so that no grey level alone excludes a voxel:
            lesions have capsules, necrosis and parts that enhance like the liver.
        other: part of what is around a lesion that may have any grey level: a level that is seen neither in the lesion
            nor around the box, such as the gallbladder's, is not lesion.
        data: largest log-odds that grey levels give a voxel.
        pull: log-odds that a voxel loses for each half axis that it lies beyond the border that is expected.
        edge: weight of the gradient at the surface against the grey levels on both sides of it.
        step: by how many radii the surface may differ between neighbouring rays.
    """

    reach: float = 1.3
    radii: int = 44
    core: float = 0.65
    alike: float = 0.3
    other: float = 0.05
    data: float = 2.0
    pull: float = 4.0
    edge: float = 1.5
    step: int = 1


class Rays:
    """An ellipsoid in the voxels of one or more phases, sampled once for all surfaces that are sought in it.

    Args:
        phases: voxels on one lattice (float32; z, y, x), in HU or spread alike.
        spacing: of the lattice in mm.
        centre: of the ellipsoid in mm from the first voxel (z, y, x).
        half: its half axes in mm (z, y, x).
        boxed: the lesion lies inside the box of these half widths; otherwise inside the ellipsoid, mostly.
        air: whether levels below ``AIR_HU`` cannot be lesion (CT).
        settings: how a surface is weighed.
    """

    def __init__(
        self,
        phases: Sequence[np.ndarray],
        spacing: float,
        centre: np.ndarray,
        half: np.ndarray,
        *,
        boxed: bool,
        air: bool,
        settings: RaySettings,
    ) -> None:
        self._settings = settings
        directions, self._edges = sphere()
        self._radii = np.linspace(settings.reach / settings.radii, settings.reach, settings.radii)
        places = np.meshgrid(
            *(
                (np.arange(n, dtype=np.float32) * spacing - c) / h
                for n, c, h in zip(phases[0].shape, centre, half, strict=True)
            ),
            indexing="ij",
        )
        scaled = np.stack(places)
        self.far = np.sqrt((scaled**2).sum(axis=0)).astype(np.float32)
        self._outside = ~(np.abs(scaled) <= 1).all(axis=0) if boxed else self.far > 1
        self._spread = Interpolator(directions, (scaled / np.maximum(self.far, 1e-6)).reshape(3, -1).T)
        self.bins = [bins_of(voxels) for voxels in phases]
        along = directions.T[:, :, None] * self._radii
        index = (along * half[:, None, None] + centre[:, None, None]) / spacing
        levels = [ndimage.map_coordinates(voxels, index, order=1, mode="nearest") for voxels in phases]
        self._ray_bins = [bins_of(values) for values in levels]
        self._forbidden = ~(np.abs(along) <= 1).all(axis=0) & boxed
        self._ray_air = (np.min(levels, axis=0) < AIR_HU) & air
        self._ray_edge = np.mean([_edges(voxels, index, spacing) for voxels in phases], axis=0)

    def _data(self, border: float) -> np.ndarray:
        """Return the log-odds that the grey levels along the rays give: well inside ``border`` against outside."""
        s = self._settings
        around = [(1 - s.other) * h + s.other / BINS for h in self.histograms(self._outside, 2.0)]
        core = self.histograms(self.far < s.core * border, 2.5)
        lesion = [(1 - s.alike) * a + s.alike * b for a, b in zip(core, around, strict=True)]
        return np.clip(log_ratio(self._ray_bins, lesion, around), -s.data, s.data)

    def surface(self, border: float) -> np.ndarray:
        """Return the level (> 0 inside, in parts of the half axes) of the surface expected around ``border``."""
        s = self._settings
        odds = self._data(border) + np.clip(s.pull * (border - self._radii), -3, 2)
        odds = np.where(self._ray_air, _AIR_ODDS, odds)
        odds = np.where(self._forbidden, _OUTSIDE_ODDS, odds)
        # A shell holds voxels as the square of its radius; 60 makes the sum over a ray about 20 log-odds.
        gain = odds * self._radii**2 * (60 * self._radii[0])
        gain += s.edge * np.diff(self._ray_edge, axis=1, prepend=0)
        radius = self._radii[best_surface(gain, self._edges, s.step)]
        return self._spread(radius).reshape(self.far.shape) - self.far

    def histograms(self, where: np.ndarray, smooth: float) -> list[np.ndarray]:
        """Return by phase the histogram of some voxels."""
        return [histogram(bins[where], smooth) for bins in self.bins]

    def information(self, level: np.ndarray) -> float:
        """Return how many nats the knowledge of inside or outside tells about a grey level, on average."""
        near = self.far < _OUTER
        inside = near & (level >= 0)
        part = float(inside.sum() / near.sum())
        if not 0 < part < 1:
            return 0.0
        known = part * self._entropy(inside) + (1 - part) * self._entropy(near & ~inside)
        return max(self._entropy(near) - known, 0.0)

    def _entropy(self, where: np.ndarray) -> float:
        return float(sum(-(h * np.log(h)).sum() for h in self.histograms(where, 1.0)))


def _edges(voxels: np.ndarray, index: np.ndarray, spacing: float) -> np.ndarray:
    """Return the gradient along the rays, 1 where it is steep."""
    slope = ndimage.gaussian_gradient_magnitude(np.clip(voxels, -50, 250), 1.8 / spacing)
    along = ndimage.map_coordinates(slope, index, order=1, mode="nearest")
    return np.minimum(along / max(float(np.percentile(along, 95)), 1e-6), 1.2)
