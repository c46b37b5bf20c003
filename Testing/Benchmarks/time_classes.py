"""Time of each radiomics class, one thread, against PyRadiomics in the same run: ``python time_classes.py``.

Every figure is the median of several runs after compilation; the time of the first call, which compiles or loads the
compiled kernels from disk, stands apart. A look-up is one read of a neighbour's level: 13 directions for co-occurrences
and runs, 26 neighbours for dependences, zones and tone differences; the floor counts each pair of neighbours once.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from hccoutcome.radiomics.binning import bin_image
from hccoutcome.radiomics.classes import (
    TextureRegion,
    TextureSettings,
    compute_first_order,
    compute_shape,
    compute_texture,
)
from hccoutcome.radiomics.features import TEXTURE_CLASSES
from hccoutcome.radiomics.kernels import count_pairs

DATA = Path(os.environ.get("HCC_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def ball(radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a smooth random texture with a spread of 60 and a ball-shaped mask, cropped to it."""
    side = 2 * radius + 1
    z, y, x = np.mgrid[:side, :side, :side] - radius
    texture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(side,) * 3), 1.5)
    return texture * (60 / texture.std()), z * z + y * y + x * x <= radius * radius


def brain() -> tuple[np.ndarray, np.ndarray]:
    """Return PyRadiomics' brain1 image and mask, cropped to the mask."""
    folder = DATA / "pyradiomics"
    image = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "brain1_image.nrrd")))
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "brain1_label.nrrd"))) == 1
    places = np.argwhere(mask)
    box = tuple(slice(a, b + 1) for a, b in zip(places.min(axis=0), places.max(axis=0), strict=True))
    return image[box], mask[box]


def median_ms(run: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


def ours(image: np.ndarray, mask: np.ndarray, width: float) -> dict[str, Callable[[], object]]:
    """Return a call for each class that starts, as PyRadiomics does, from grey values and mask."""
    levels = bin_image(image, mask, width)
    calls: dict[str, Callable[[], object]] = {
        "firstorder": lambda: compute_first_order(image[mask], bin_image(image, mask, width)[mask], 1.0),
        "shape": lambda: compute_shape(mask, (1.0, 1.0, 1.0)),
        "five textures": lambda: compute_texture(bin_image(image, mask, width), TEXTURE_CLASSES),
    }
    calls |= {name: lambda name=name: compute_texture(levels, [name]) for name in TEXTURE_CLASSES}
    return calls


def theirs(image: np.ndarray, mask: np.ndarray, width: float) -> dict[str, Callable[[], object]]:
    """Return a call of PyRadiomics for each class; none where it is not installed."""
    try:
        from radiomics import getFeatureClasses
    except ImportError:
        return {}
    logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)
    picture = sitk.GetImageFromArray(image)
    region = sitk.GetImageFromArray(mask.astype(np.uint8))
    calls: dict[str, Callable[[], object]] = {
        name: lambda extractor=extractor: extractor(picture, region, binWidth=width).execute()
        for name, extractor in getFeatureClasses().items()
        if name in (*TEXTURE_CLASSES, "firstorder", "shape")
    }
    calls["five textures"] = lambda: [calls[name]() for name in TEXTURE_CLASSES]
    return calls


def lookups(image: np.ndarray, mask: np.ndarray, width: float) -> str:
    """Return the time of the co-occurrence pass per neighbour read, and that of all five matrices."""
    levels = bin_image(image, mask, width)
    region = TextureRegion(levels, TextureSettings())
    table = np.zeros((13, region.grid.levels.size + 1, region.grid.levels.size + 1), np.uint32)
    offsets = region.grid.flat_offsets(region.directions)
    pairs = median_ms(lambda: count_pairs(region.grid.codes, region.grid.rows, offsets, table), 9)
    every = median_ms(lambda: compute_texture(levels, TEXTURE_CLASSES), 5)
    reads = 13 * int(mask.sum())
    return (
        f"floor: 13 reads a voxel = {reads / 1e6:.2f} million; the co-occurrence pass takes {pairs:.1f} ms "
        f"({pairs * 1e6 / reads:.2f} ns a read), all five classes {every / pairs:.1f} times that pass"
    )


def table(title: str, image: np.ndarray, mask: np.ndarray, width: float, repeats: int) -> None:
    """Print a table of one region."""
    levels = int(bin_image(image, mask, width).max())
    print(f"\n{title}: {int(mask.sum())} voxels, bin width {width:g}, highest level {levels}")
    print(f"{'class':15s}{'engine ms':>11s}{'PyRadiomics ms':>16s}{'ratio':>9s}{'first call ms':>15s}")
    oracle = theirs(image, mask, width)
    for name, call in ours(image, mask, width).items():
        first = median_ms(call, 1)
        engine = median_ms(call, repeats)
        reference = median_ms(oracle[name], max(1, repeats // 3)) if name in oracle else float("nan")
        print(f"{name:15s}{engine:11.1f}{reference:16.1f}{reference / engine:8.1f}x{first:15.0f}")
    print(lookups(image, mask, width))


def main() -> None:
    """Print the tables of all regions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")
    table("ball of 50 mm", *ball(50), 25.0, repeats)
    table("ball of 50 mm, narrow bins", *ball(50), 5.0, repeats)
    table("ball of 20 mm", *ball(20), 25.0, repeats)
    if (DATA / "pyradiomics").is_dir():
        table("brain1, narrow bins", *brain(), 5.0, repeats)


if __name__ == "__main__":
    main()
