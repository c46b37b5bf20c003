"""Time of a perturbation study against PyRadiomics, in one run: ``python bench_perturbation.py``.

30 perturbations x 944 features (PRIME's settings: original, LoG and wavelet images) of the larger tumour of the real CT
where it is at hand, and of a ball in noise elsewhere. PyRadiomics extracts the case once, and its time for all is that
times 30.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import SimpleITK as sitk
from rows import Row, write_rows
from scipy import ndimage

from hccoutcome.radiomics.extraction import extract_region
from hccoutcome.radiomics.settings import load_settings
from hccoutcome.stability.perturbation import PerturbationSettings
from hccoutcome.stability.study import perturb_case

DATA = Path(os.environ.get("HCC_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "ircadb17_ct"
CHAINS = ("RVC", "NTCV")
PERTURBATIONS = 30


def case() -> tuple[str, sitk.Image, sitk.Image]:
    """Return the name of the case, its image and its mask."""
    if DATA.is_dir():
        image = sitk.ReadImage(str(DATA / "ct.nii.gz"))
        mask = sitk.Cast(sitk.ReadImage(str(DATA / "livertumor1.nii.gz")) != 0, sitk.sitkUInt8)
        return "CT tumour of 86 mL", image, mask
    z, y, x = np.mgrid[:90, :200, :200]
    inside = ((z - 45) * 1.6) ** 2 + ((y - 100) * 0.75) ** 2 + ((x - 100) * 0.75) ** 2 <= 27.4**2
    texture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=inside.shape), (1, 2, 2))
    values = (100 - 40 * inside + 30 * texture / texture.std()).astype(np.int16)
    image, mask = sitk.GetImageFromArray(values), sitk.GetImageFromArray(inside.astype(np.uint8))
    for part in (image, mask):
        part.SetSpacing((0.75, 0.75, 1.6))
    return "ball of 86 mL", image, mask


def main() -> None:
    """Print what is measured, and write it as rows where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, help="JSON file for the rows of the table")
    parser.add_argument("--repeats", type=int, default=1, help="studies of each chain, of which the median counts")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    name, image, mask = case()
    settings = load_settings("prime")
    extract_region(image, mask, settings)  # compiles
    single = _single(image, mask, settings)
    rows = []
    for chain in CHAINS:
        times, busy = [], []
        for _ in range(options.repeats):
            start, cpu = time.perf_counter(), time.process_time()
            study = perturb_case(image, mask, settings, PerturbationSettings(chain), PERTURBATIONS)
            times.append(time.perf_counter() - start)
            busy.append(time.process_time() - cpu)
        took = statistics.median(times)
        title = f"{PERTURBATIONS} perturbations {chain} x {len(study.features)} features, {name}"
        against = "" if single is None else f", {took / single:.1f} extractions of PyRadiomics ({single:.1f} s each)"
        print(f"{title}: {took:.1f} s ({statistics.median(busy):.1f} s of processor){against}", flush=True)
        theirs = None if single is None else single * PERTURBATIONS
        rows.append(Row("stability", title, took, "PyRadiomics, 30 x one extraction", theirs, "a few extractions"))
    write_rows(options.rows, rows)


def _single(image: sitk.Image, mask: sitk.Image, settings: object) -> float | None:
    """Return PyRadiomics' time for one extraction, the better of two; None where it is not installed."""
    if find_spec("radiomics") is None:
        return None
    times = []
    for _ in range(2):
        start = time.perf_counter()
        extract_region(image, mask, settings, engine="pyradiomics")
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
