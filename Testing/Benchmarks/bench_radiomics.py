"""Speed and memory of the radiomics engine against PyRadiomics, in one run: ``make bench``.

Each measurement has a process of its own, so that peaks of memory do not mix; the engines take turns, so that a busy
machine harms both. SimpleITK and BLAS run with one thread everywhere; the engine's own threads are the column
"threads". The first call stands apart: it compiles the kernels, or loads them from numba's cache on disk.

A look-up is one reading of a neighbour's grey level: 26 neighbours of each voxel in each image. The measured 1.25 ns
for one on this kind of machine gives the floor, whatever the rest of the work costs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import SimpleITK as sitk
from rows import Row, write_rows
from scipy import ndimage

from hccoutcome.radiomics import pyradiomics
from hccoutcome.radiomics.extraction import extract_region
from hccoutcome.radiomics.imagetypes import image_names
from hccoutcome.radiomics.settings import RadiomicsSettings, load_settings

DATA = Path(os.environ.get("HCC_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
LOOKUP_NS = 1.25
Inputs = tuple[sitk.Image, sitk.Image, RadiomicsSettings]


def sphere(radius: int) -> Inputs:
    """Return a smooth whole-number texture of 250 x 250 x 150 voxels of 1 mm with a sphere in its middle."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(150, 250, 250)), 1.0)
    image = sitk.GetImageFromArray((noise * 250 + 60).astype(np.int16))
    z, y, x = np.ogrid[:150, :250, :250]
    inside = (z - 75) ** 2 + (y - 125) ** 2 + (x - 125) ** 2 <= radius**2
    return image, sitk.GetImageFromArray(inside.astype(np.uint8)), load_settings("prime")


def tumour() -> Inputs:
    """Return the first liver tumour of 3D-IRCADb-01 case 17 (86 mL in 512 x 512 x 119 voxels)."""
    folder = DATA / "ircadb17_ct"
    mask = sitk.ReadImage(str(folder / "livertumor1.nii.gz")) != 0
    return sitk.ReadImage(str(folder / "ct.nii.gz")), mask, load_settings("prime")


def brain() -> Inputs:
    """Return PyRadiomics' own example with bins of 5, which makes about 160 grey levels."""
    folder = DATA / "pyradiomics"
    settings = RadiomicsSettings.from_dict(
        {
            "imageType": {"Original": {}, "Wavelet": {}},
            "featureClass": dict.fromkeys(("shape", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm")),
            "setting": {"binWidth": 5},
        }
    )
    names = ("brain1_image.nrrd", "brain1_label.nrrd")
    image, mask = (sitk.ReadImage(str(folder / name)) for name in names)
    return image, mask, settings


CASES: dict[str, Callable[[], Inputs]] = {
    "sphere of 50 mm": lambda: sphere(50),
    "sphere of 20 mm": lambda: sphere(20),
    "ircadb17 tumour": tumour,
    "brain1, bins of 5": brain,
}
AIMS = {
    ("sphere of 50 mm", 1): "6x",
    ("sphere of 50 mm", 2): "10x",
    ("sphere of 20 mm", 1): "4x",
    ("ircadb17 tumour", 1): "6x",
    ("ircadb17 tumour", 2): "10x",
}
NEEDS = {"ircadb17 tumour": "ircadb17_ct", "brain1, bins of 5": "pyradiomics"}


def measure(case: str, engine: str, workers: int, repeats: int) -> dict[str, float]:
    """Time the calls of one engine in this process."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    inputs = CASES[case]()
    before = peak_mb()
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        found = extract_region(*inputs, engine=engine, workers=workers)
        times.append(time.perf_counter() - start)
    voxels = int(np.count_nonzero(sitk.GetArrayViewFromImage(inputs[1])))
    return {
        "features": len(found),
        "first": times[0],
        "median": statistics.median(times[1:]),
        "peak": peak_mb() - before,
        "voxels": voxels,
        "images": len(image_names(inputs[2])),
    }


def peak_mb() -> float:
    """Return the largest memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_a_process(case: str, engine: str, workers: int, repeats: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", case, engine, str(workers), str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def cold_start() -> float:
    """Return the seconds from starting Python to the first feature of a small region, kernels cached on disk."""
    code = (
        "import numpy as np, SimpleITK as sitk\n"
        "from hccoutcome.radiomics.extraction import extract_region\n"
        "from hccoutcome.radiomics.settings import RadiomicsSettings\n"
        "image = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 300, (20, 20, 20)).astype(np.int16))\n"
        "mask = sitk.GetImageFromArray(np.pad(np.ones((10, 10, 10), np.uint8), 5))\n"
        "extract_region(image, mask, RadiomicsSettings())\n"
    )
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", nargs=4, metavar=("CASE", "ENGINE", "WORKERS", "REPEATS"), help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=5, help="timed calls of the engine per measurement")
    parser.add_argument("--rows", type=Path, help="JSON file for the rows of the table of all benchmarks")
    options = parser.parse_args()
    if options.measure:
        case, engine, workers, repeats = options.measure
        print(json.dumps(measure(case, engine, int(workers), int(repeats))))
        return
    write_rows(options.rows, report(options.repeats))


def report(repeats: int) -> list[Row]:
    """Measure everything, print the table and return its rows."""
    rows: list[Row] = []
    print(f"{'case':18} {'voxels':>8} {'features':>8} {'threads':>7} {'first s':>8} {'s':>7} {'PyRad. s':>8} ", end="")
    print(f"{'ratio':>6} {'MB':>6} {'PyRad. MB':>9} {'floor s':>8}")
    for case in CASES:
        if case in NEEDS and not (DATA / NEEDS[case]).is_dir():
            print(f"{case:18} left out: its data is not at hand")
            continue
        first_half, theirs, second_half = (
            in_a_process(case, "fast", 1, repeats),
            in_a_process(case, "pyradiomics", 1, max(repeats // 2, 1)) if pyradiomics.is_available() else None,
            in_a_process(case, "fast", 1, repeats),
        )
        one = {**first_half, "median": min(first_half["median"], second_half["median"])}
        for threads, ours in ((1, one), (2, in_a_process(case, "fast", 2, repeats))):
            floor = ours["voxels"] * 26 * ours["images"] * LOOKUP_NS * 1e-9 / threads
            print(row(case, threads, ours, theirs, floor), flush=True)
            rows.append(compared(case, threads, ours, theirs))
    start = cold_start()
    print(f"Cold start, from Python's start to the features of a small region: {start:.2f} s")
    return [*rows, Row("features", "cold start to the first feature", start)]


def compared(case: str, threads: int, ours: dict[str, float], theirs: dict[str, float] | None) -> Row:
    title = f"{ours['features']:.0f} features, {case}, {threads} thread{'s' * (threads > 1)}"
    reference = None if theirs is None else theirs["median"]
    return Row("features", title, ours["median"], "PyRadiomics, 1 thread", reference, AIMS.get((case, threads), ""))


def row(case: str, threads: int, ours: dict[str, float], theirs: dict[str, float] | None, floor: float) -> str:
    reference = ratio = memory = "-"
    if theirs is not None:
        reference, memory = f"{theirs['median']:.2f}", f"{theirs['peak']:.0f}"
        ratio = f"{theirs['median'] / ours['median']:.1f}"
    return (
        f"{case:18} {ours['voxels']:8.0f} {ours['features']:8.0f} {threads:7d} {ours['first']:8.2f} "
        f"{ours['median']:7.3f} {reference:>8} {ratio:>6} {ours['peak']:6.0f} {memory:>9} {floor:8.2f}"
    )


if __name__ == "__main__":
    main()
