"""Maps of features: each voxel of a region gets the feature of the box of voxels around it.

Texture and first-order features, by PyRadiomics' voxel-based definitions. Where PyRadiomics is wrong or undefined:

* JointAverage is NaN in PyRadiomics wherever some direction of a box holds no pair, and MCC fails for the whole batch;
  here both are means over the directions that hold pairs, as all other features are.
* A box without any pair or run is NaN throughout; PyRadiomics gives 0 for InverseVariance, RunEntropy and RunVariance
  where it happens to sum over no cell at all.
* What is left to rounding in whole regions (see ``glcm``, ``firstorder``) is so in boxes too, and more often.

Working memory is a few kilobytes a thread; only the values themselves, one float64 a voxel and feature, are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hccoutcome.errors import InputError, nearest
from hccoutcome.progress import Progress, part, silent
from hccoutcome.radiomics.binning import DEFAULT_BIN_WIDTH, bin_image
from hccoutcome.radiomics.classes import DEFAULTS, TextureSettings
from hccoutcome.radiomics.features import FEATURES, TEXTURE_CLASSES
from hccoutcome.radiomics.glcm import pair_weights
from hccoutcome.radiomics.gldm import STATISTIC as GLDM_STATISTIC
from hccoutcome.radiomics.glrlm import STATISTIC as GLRLM_STATISTIC
from hccoutcome.radiomics.glrlm import run_weights
from hccoutcome.radiomics.glszm import STATISTIC as GLSZM_STATISTIC
from hccoutcome.radiomics.neighbourhood import Neighbourhood, neighbourhood
from hccoutcome.radiomics.ngtdm import COARSENESS_OF_A_FLAT_REGION
from hccoutcome.radiomics.voxelfirstorder import first_order_of_boxes
from hccoutcome.radiomics.voxelglcm import glcm_of_boxes
from hccoutcome.radiomics.voxelglcmrows import MCC
from hccoutcome.radiomics.voxelgpu import boxes_on, chosen_device, device_errors, glcm_maps
from hccoutcome.radiomics.voxelmcc import weighted_mcc_of_boxes
from hccoutcome.radiomics.voxeltextures import (
    EMPHASIS,
    gldm_of_boxes,
    glrlm_of_boxes,
    glszm_of_boxes,
    ngtdm_of_boxes,
)

MAP_CLASSES = ("firstorder", *TEXTURE_CLASSES)
VOXELS_AT_A_TIME = 2048

_SHARED_STATISTICS = {"gldm": GLDM_STATISTIC, "glrlm": GLRLM_STATISTIC, "glszm": GLSZM_STATISTIC}


@dataclass(frozen=True)
class MapSettings:
    """What changes the values of a map.

    Attributes:
        radius: Half the side of the box around a voxel, 1 to 5 voxels, itself not counted (``kernelRadius``).
        masked: Whether a box holds only voxels of the region (``maskedKernel``).
        bin_width: See :func:`hccoutcome.radiomics.binning.bin_edges`.
        bin_count: Likewise.
        voxel_array_shift: Added to each value for energies (``voxelArrayShift``).
        texture: Neighbours, weights and planes.
    """

    radius: int = 1
    masked: bool = True
    bin_width: float = DEFAULT_BIN_WIDTH
    bin_count: int | None = None
    voxel_array_shift: float = 0.0
    texture: TextureSettings = DEFAULTS

    def __post_init__(self) -> None:
        if not 1 <= self.radius <= 5:
            raise InputError(f"The kernel radius must be 1 to 5 voxels, found {self.radius}: choose one of them.")


@dataclass(frozen=True)
class VoxelMaps:
    """Values of features at the voxels of a region.

    Attributes:
        shape: Shape of the image, (z, y, x).
        voxels: Flat place in the image of each voxel of the region, ascending.
        values: The values there of each map, by ``<class>_<Feature>``.
        on_device: The classes that were computed on a CUDA device.
    """

    shape: tuple[int, int, int]
    voxels: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    on_device: tuple[str, ...] = ()

    def array(self, name: str, elsewhere: float = 0.0) -> NDArray[np.float64]:
        """Return one map in the shape of the image, with the value ``elsewhere`` outside the region (``initValue``)."""
        if name not in self.values:
            raise InputError(f"there is no map '{name}': {nearest(name, self.values)}")
        result = np.full(self.shape, elsewhere)
        result.flat[self.voxels] = self.values[name]
        return result


def compute_voxel_maps(
    image: NDArray[np.generic],
    mask: NDArray[np.bool_],
    features: Mapping[str, Sequence[str]],
    settings: MapSettings = MapSettings(),
    threads: int = 1,
    progress: Progress = silent,
    device: str = "cpu",
) -> VoxelMaps:
    """Return maps of features over a region.

    Args:
        image: Grey values, shape (z, y, x).
        mask: The region, same shape, at least one voxel.
        features: Names of the features wanted, by class: firstorder, glcm, gldm, glrlm, glszm or ngtdm.
        settings: See :class:`MapSettings`.
        threads: Threads that share the voxels; they change no bit of the result.
        progress: Called between pieces of work; may raise ``Cancelled``.
        device: ``cpu``, ``cuda``, or ``auto`` for a CUDA device where there is one and the region is large. Such a
            device takes co-occurrences without weights; where it fails, the processor takes over.

    Raises:
        InputError: An unknown class, feature or device, or an empty region.
        EnvironmentNeeded: ``cuda`` is asked for by name and not at hand.
    """
    _check(features, mask)
    scene = _Scene(image, mask, settings)
    on_device: dict[str, NDArray[np.float64]] = {}
    if "glcm" in features and settings.texture.weighting_norm is None:
        chosen = chosen_device(device, scene.centres.size)
        if chosen != "cpu":
            on_device = _on_device(scene, features["glcm"], chosen, part(progress, 0.0, 1 / len(features)))
    left = {name: wanted for name, wanted in features.items() if name != "glcm" or not on_device}
    found = on_device | _on_processor(scene, left, threads, part(progress, 1 - len(left) / len(features), 1.0))
    values = {f"{name}_{feature}": found[f"{name}_{feature}"] for name in features for feature in features[name]}
    return VoxelMaps(tuple(image.shape), np.flatnonzero(mask), values, ("glcm",) if on_device else ())


def _on_device(scene: _Scene, wanted: Sequence[str], device: str, progress: Progress) -> dict[str, NDArray[np.float64]]:
    """Return maps of co-occurrences from a device, or none where it runs out of memory or is lost."""
    results = np.empty((len(wanted), scene.centres.size))
    try:
        boxes = boxes_on(
            device, scene.codes, scene.reach, scene.box, scene.levels, scene.settings.texture.symmetrical_glcm
        )
        for start, values in glcm_maps(boxes, scene.centres, wanted):
            results[:, start : start + values.shape[1]] = values
            progress((start + values.shape[1]) / scene.centres.size, "Mapping features")
    except device_errors():
        return {}
    return {f"glcm_{feature}": results[k] for k, feature in enumerate(wanted)}


def _on_processor(
    scene: _Scene, features: Mapping[str, Sequence[str]], threads: int, progress: Progress
) -> dict[str, NDArray[np.float64]]:
    """Return maps from the kernels, in threads that share the voxels."""
    found: dict[str, NDArray[np.float64]] = {}
    work = []
    for name, wanted in features.items():
        run, order = scene.kernel(name, wanted)
        columns = np.array([order.index(feature) for feature in wanted], np.int64)
        results = np.empty((len(wanted), scene.centres.size))
        found |= {f"{name}_{feature}": results[k] for k, feature in enumerate(wanted)}
        work += [(run, len(order), columns, results, start) for start in range(0, scene.centres.size, VOXELS_AT_A_TIME)]

    def piece(item: tuple[Callable[..., None], int, NDArray[np.int64], NDArray[np.float64], int]) -> None:
        run, rows, columns, results, start = item
        centres = scene.centres[start : start + VOXELS_AT_A_TIME]
        out = np.empty((rows, centres.size))
        run(centres, out)
        results[:, start : start + centres.size] = out[columns]

    for done in _in_threads(piece, work, threads):
        progress(done / len(work), "Mapping features")
    return found


def _in_threads(call: Callable[..., None], items: Sequence[object], threads: int) -> Iterator[int]:
    """Call with every item in a pool of threads; yield how many are done. What waits is dropped on an exception."""
    pool = ThreadPoolExecutor(max_workers=threads)
    try:
        waiting = {pool.submit(call, item) for item in items}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            yield len(items) - len(waiting)
    finally:
        pool.shutdown(cancel_futures=True)


def _check(features: Mapping[str, Sequence[str]], mask: NDArray[np.bool_]) -> None:
    for name, wanted in features.items():
        if name not in MAP_CLASSES:
            raise InputError(f"there are no maps of the class '{name}': {nearest(name, MAP_CLASSES)}")
        for feature in wanted:
            if feature not in FEATURES[name]:
                raise InputError(f"{name} has no feature '{feature}': {nearest(feature, FEATURES[name])}")
    if not mask.any():
        raise InputError("the region holds no voxel: draw it, or name another label")


class _Scene:
    """The grids of one image and region, padded by the radius, and the kernels bound to them."""

    def __init__(self, image: NDArray[np.generic], mask: NDArray[np.bool_], settings: MapSettings) -> None:
        self.settings = settings
        places = np.nonzero(mask)
        radius = settings.radius
        crop = tuple(
            slice(max(int(p.min()) - radius, 0), min(int(p.max()) + radius + 1, side))
            for p, side in zip(places, mask.shape, strict=True)
        )
        image, mask = image[crop], mask[crop]
        self.box: Neighbourhood = neighbourhood(radius, settings.texture, image.shape)
        within = mask if settings.masked else np.ones_like(mask)
        levels = bin_image(image, within, settings.bin_width, settings.bin_count)
        present, codes = np.unique(levels[within], return_inverse=True)
        grid = np.zeros(image.shape, np.int32)
        grid[within] = codes.reshape(-1) + 1
        padded = np.pad(grid, radius)
        strides = np.array([padded.shape[1] * padded.shape[2], padded.shape[2], 1])
        self.codes = padded.ravel()
        self.values = np.pad(image.astype(np.float64), radius).ravel()
        self.centres = np.flatnonzero(np.pad(mask, radius))
        self.reach = self.box.reach @ strides
        self.levels = np.concatenate([[0.0], present.astype(np.float64)])

    def kernel(
        self, name: str, wanted: Sequence[str]
    ) -> tuple[Callable[[NDArray[np.int64], NDArray[np.float64]], None], list[str]]:
        """Return a call that fills rows for centres, and the name of the feature in each row."""
        if name in _SHARED_STATISTICS:
            row_of = {statistic: feature for feature, statistic in _SHARED_STATISTICS[name].items()}
            order = [row_of.get(statistic, "") for statistic in EMPHASIS]
        else:
            order = list(FEATURES[name])
        return getattr(self, f"_{name}")("MCC" in wanted), order

    def _firstorder(self, _: bool) -> Callable[[NDArray[np.int64], NDArray[np.float64]], None]:
        volume = float(np.prod(self.settings.texture.spacing_zyx))
        shift = float(self.settings.voxel_array_shift)
        return lambda centres, out: first_order_of_boxes(
            self.codes, self.values, centres, self.reach, self.levels, shift, volume, out
        )

    def _glcm(self, with_mcc: bool) -> Callable[[NDArray[np.int64], NDArray[np.float64]], None]:
        texture, box = self.settings.texture, self.box
        weights = pair_weights(box.directions, texture.spacing_zyx, texture.weighting_norm)
        weights = np.empty(0) if weights is None else weights
        alike = (box.inner, box.block_size, box.offsets, self.levels, texture.symmetrical_glcm, weights)
        apart = with_mcc and weights.size > 0

        def run(centres: NDArray[np.int64], out: NDArray[np.float64]) -> None:
            glcm_of_boxes(self.codes, centres, self.reach, *alike, with_mcc and not apart, out)
            if apart:
                weighted_mcc_of_boxes(self.codes, centres, self.reach, *alike, out[MCC])

        return run

    def _gldm(self, _: bool) -> Callable[[NDArray[np.int64], NDArray[np.float64]], None]:
        box, a = self.box, self.settings.texture.gldm_a
        return lambda centres, out: gldm_of_boxes(
            self.codes, centres, self.reach, box.inner, box.block_size, box.around, self.levels, a, out
        )

    def _glrlm(self, _: bool) -> Callable[[NDArray[np.int64], NDArray[np.float64]], None]:
        texture, box = self.settings.texture, self.box
        weights = run_weights(box.touching_directions, texture.spacing_zyx, texture.weighting_norm)
        weights = np.empty(0) if weights is None else weights
        return lambda centres, out: glrlm_of_boxes(
            self.codes, centres, self.reach, box.inner, box.block_size, box.touching, box.lines, self.levels,
            weights, out,
        )  # fmt: skip

    def _glszm(self, _: bool) -> Callable[[NDArray[np.int64], NDArray[np.float64]], None]:
        box = self.box
        return lambda centres, out: glszm_of_boxes(
            self.codes, centres, self.reach, box.inner, box.block_size, box.touching, self.levels, out
        )

    def _ngtdm(self, _: bool) -> Callable[[NDArray[np.int64], NDArray[np.float64]], None]:
        box, coarsest = self.box, COARSENESS_OF_A_FLAT_REGION
        return lambda centres, out: ngtdm_of_boxes(
            self.codes, centres, self.reach, box.inner, box.block_size, box.around, self.levels, coarsest, out
        )
