"""Speed of voxel maps against PyRadiomics' voxel-based mode, in one run: ``python bench_maps.py``.

PyRadiomics takes hours for a tumour, so it maps a sample of the region's voxels, each with its whole neighbourhood, and
its time for all of them is extrapolated: it handles voxels in batches that do not know of each other. Its batch is the
fastest of several sizes, tried on fewer voxels. Both engines start from the prepared image; of ours the median of three
runs or more counts. Values on the sample are compared too.

Where PyTorch and a CUDA device are at hand, the co-occurrence maps are also timed on it, against the processor.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import SimpleITK as sitk
from rows import Row, write_rows
from scipy import ndimage

from hccoutcome.radiomics.features import FEATURES
from hccoutcome.radiomics.pyradiomics import is_available
from hccoutcome.radiomics.voxelgpu import has_cuda
from hccoutcome.radiomics.voxelmaps import MapSettings, compute_voxel_maps

DATA = Path(os.environ.get("HCC_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
BATCHES = (10, 30, 100, 300, 1000)
SAMPLE_SECONDS = 4.0
CORES = os.cpu_count() or 1
Region = tuple[np.ndarray, np.ndarray]


def ball(radius: int) -> Region:
    """Return a smooth random texture with a spread of 60 and a ball-shaped mask."""
    side = 2 * radius + 1
    z, y, x = np.mgrid[:side, :side, :side] - radius
    texture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(side,) * 3), 1.5)
    return texture * (60 / texture.std()), z * z + y * y + x * x <= radius * radius


def tumours(*names: str, spacing: float | None = None) -> Region:
    """Return liver tumours of 3D-IRCADb-01 case 17 as they are or resampled (mm), cropped to them."""
    folder = DATA / "ircadb17_ct"
    masks = [sitk.ReadImage(str(folder / f"{name}.nii.gz")) != 0 for name in names]
    image, mask = sitk.ReadImage(str(folder / "ct.nii.gz")), masks[0]
    for other in masks[1:]:
        mask = mask | other
    if spacing is not None:
        size = [round(n * step / spacing) for n, step in zip(image.GetSize(), image.GetSpacing(), strict=True)]
        grid = (image.GetOrigin(), (spacing,) * 3, image.GetDirection())
        image = sitk.Resample(image, size, sitk.Transform(), sitk.sitkLinear, *grid)
        mask = sitk.Resample(mask, size, sitk.Transform(), sitk.sitkNearestNeighbor, *grid)
    inside = sitk.GetArrayFromImage(mask) == 1
    places = np.argwhere(inside)
    box = tuple(slice(a, b + 1) for a, b in zip(places.min(axis=0), places.max(axis=0), strict=True))
    return sitk.GetArrayFromImage(image)[box].astype(np.float64), inside[box]


def wanted(name: str) -> dict[str, list[str]]:
    """Return all features of a class that are on by default, in PyRadiomics and here."""
    return {name: [feature for feature, entry in FEATURES[name].items() if entry.on_by_default]}


def seconds(run: Callable[[], object]) -> float:
    """Return the time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


class Theirs:
    """PyRadiomics' class for one region, restricted to some of its voxels."""

    def __init__(self, name: str, region: Region, settings: MapSettings) -> None:
        from radiomics import getFeatureClasses

        logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)
        image, mask = sitk.GetImageFromArray(region[0]), sitk.GetImageFromArray(region[1].astype(np.uint8))
        self._extractor = getFeatureClasses()[name](
            image, mask, voxelBased=True, kernelRadius=settings.radius, binWidth=settings.bin_width, initValue=np.nan
        )
        self._voxels = self._extractor.labelledVoxelCoordinates

    def run(self, sample: int, batch: int) -> dict[str, Any]:
        """Map a sample of voxels spread over the region."""
        step = max(self._voxels.shape[1] // sample, 1)
        self._extractor.settings["voxelBatch"] = batch
        self._extractor.labelledVoxelCoordinates = self._voxels[:, ::step][:, :sample]
        return self._extractor.execute()

    def fastest(self) -> tuple[int, float]:
        """Return the batch that takes least time for a voxel, and that time; larger ones are tried while it falls."""
        self.run(BATCHES[0], BATCHES[0])
        best, least = BATCHES[0], float("inf")
        for batch in BATCHES:
            each = seconds(lambda batch=batch: self.run(max(batch, 60), batch)) / max(batch, 60)
            if each > 1.2 * least:
                break
            if each < least:
                best, least = batch, each
        return best, least


def theirs(name: str, region: Region, settings: MapSettings, ours: dict[str, np.ndarray]) -> tuple[float, str]:
    """Return PyRadiomics' seconds for the whole region, extrapolated, and how it was run; check the values."""
    voxels = int(region[1].sum())
    peer = Theirs(name, region, settings)
    batch, each = peer.fastest()
    sample = min(voxels, max(100, int(SAMPLE_SECONDS / each)))
    found: dict[str, Any] = {}
    elapsed = seconds(lambda: found.update(peer.run(sample, batch)))
    print(f"    PyRadiomics {elapsed / sample * 1e6:.0f} us a voxel on {sample} voxels in batches of {batch}; ", end="")
    print(f"half of the values differ by less than {difference(name, found, ours, region[1]):.0e}", flush=True)
    how = "" if sample == voxels else f", {sample} voxels, extrapolated"
    return elapsed * voxels / sample, f"PyRadiomics, batch {batch}{how}"


def difference(name: str, found: dict[str, Any], ours: dict[str, np.ndarray], mask: np.ndarray) -> float:
    """Return the median relative difference of the feature that differs most."""
    worst = 0.0
    for feature, image in found.items():
        values, own = sitk.GetArrayFromImage(image)[mask], ours[f"{name}_{feature}"]
        known = np.isfinite(values) & np.isfinite(own)
        gap = np.abs(values - own)[known] / np.maximum(np.abs(values[known]), 1e-3)
        worst = max(worst, float(np.median(gap)))
    return worst


def compare(title: str, name: str, region: Region, radius: int, repeats: int = 1, aim: str = "") -> Row:
    """Time all maps of one class over one region with both engines."""
    settings = MapSettings(radius=radius)
    compute_voxel_maps(region[0][:6, :6, :6], np.ones((6, 6, 6), np.bool_), wanted(name), settings)
    maps: dict[str, np.ndarray] = {}
    times = [
        seconds(lambda: maps.update(compute_voxel_maps(*region, wanted(name), settings, CORES).values))
        for _ in range(repeats)
    ]
    ours, voxels = float(np.median(times)), int(region[1].sum())
    case = f"{name} radius {radius}, {title}"
    print(f"{case}: {voxels} voxels, {CORES} threads, {ours:.3f} s, {ours / voxels * 1e6:.1f} us a voxel", flush=True)
    elapsed, peer = None, "PyRadiomics"
    if is_available():
        elapsed, peer = theirs(name, region, settings, maps)
    return Row("voxel maps", case, ours, peer, elapsed, aim)


def on_a_gpu(title: str, region: Region, radius: int) -> Row:
    """Time the co-occurrence maps of a region on the CUDA device against the processor; check the values."""
    features, settings = wanted("glcm"), MapSettings(radius=radius)
    maps: dict[str, dict[str, np.ndarray]] = {}

    def run(device: str) -> None:
        maps[device] = compute_voxel_maps(*region, features, settings, CORES, device=device).values

    run("cuda")  # starts the device
    times = {
        device: statistics.median(seconds(lambda d=device: run(d)) for _ in range(3)) for device in ("cuda", "cpu")
    }
    gap = difference_of_all(maps["cuda"], maps["cpu"])
    case = f"glcm radius {radius}, {title}, on a GPU"
    print(f"{case}: {times['cuda']:.3f} s; values differ by {gap:.0e} of the largest of their map at most", flush=True)
    return Row("voxel maps", case, times["cuda"], f"this engine, {CORES} threads", times["cpu"])


def difference_of_all(found: dict[str, np.ndarray], reference: dict[str, np.ndarray]) -> float:
    """Return the largest difference in any map, as part of the largest value of that map."""
    return max(
        float(np.nanmax(np.abs(values - reference[name])) / max(np.nanmax(np.abs(reference[name])), 1e-300))
        for name, values in found.items()
    )


def main() -> None:
    """Print what is measured, and write it as rows where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, help="JSON file for the rows of the table")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    cube = ball(20)[0][:16, :16, :16], np.ones((16, 16, 16), np.bool_)
    gpu_cases = [("ball of 20 mm", ball(20), 2), ("cube of 4,096", cube, 3)]
    found = [compare("ball of 20 mm", "glcm", ball(20), 2, 3, "50x")]
    if (DATA / "ircadb17_ct").is_dir():
        found.append(compare("ircadb17 tumour 2", "glcm", tumours("livertumor2"), 2, 3, "50x, better 100x"))
        both = tumours("livertumor1", "livertumor2", spacing=1.0)
        found.append(compare("ircadb17, 164 mL at 1 mm", "glcm", both, 2, 3, "within 60 s"))
        gpu_cases.append(("ircadb17, 164 mL at 1 mm", both, 2))
    for name in ("firstorder", "gldm", "glrlm", "glszm", "ngtdm"):
        found.append(compare("ball of 10 mm", name, ball(10), 2, 5))
    for name in ("glcm", "glrlm", "firstorder"):
        found.append(compare("cube of 4,096", name, cube, 3, 5))
    if has_cuda():
        found += [on_a_gpu(*item) for item in gpu_cases]
    else:
        print("On a GPU: left out, for PyTorch or a CUDA device is not at hand")
    write_rows(options.rows, found)


if __name__ == "__main__":
    main()
