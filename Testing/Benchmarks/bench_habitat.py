"""Time of the habitats, one thread: ``python bench_habitat.py [--rows FILE]``.

Clustering is timed for every k from 2 to 10 on 300,000 voxels of four phases, as blobs, as evenly spread values (the
slowest to converge) and, where the real data is at hand, as the grey levels of a real brain's four sequences. Beside it
stands scikit-learn's KMeans with one start on all voxels, on one thread and with as many as it takes; its inertia says
which is the better clustering. Every figure is the median of several runs; imports are not counted. The processor's
time stands beside ours, since a busy machine hardly changes that.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from rows import Row, write_rows
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from hccoutcome.habitat.agreement import judge
from hccoutcome.habitat.choice import choose
from hccoutcome.habitat.clustering import cluster, square_distances
from hccoutcome.habitat.entropy import local_entropy
from hccoutcome.habitat.find import find_habitats
from hccoutcome.habitat.islands import clean_islands
from hccoutcome.habitat.metrics import map_measures
from hccoutcome.habitat.scaling import learn_scaling
from hccoutcome.habitat.settings import HabitatSettings

DATA = Path(os.environ.get("HCC_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
VOXELS, PHASES = 300_000, 4
RANGE = range(2, 11)
SEQUENCES = {"t1": "t1_bet", "t1ce": "t1c_bet", "t2": "t2_bet", "flair": "fla_bet"}


def blobs() -> np.ndarray:
    """Return voxels around three centres, cut to 0..1."""
    draw = np.random.default_rng(0)
    centres = draw.random((3, PHASES))
    return (centres[draw.integers(0, 3, VOXELS)] + draw.normal(0, 0.12, (VOXELS, PHASES))).clip(0, 1).astype(np.float32)


def even() -> np.ndarray:
    """Return voxels spread evenly over 0..1."""
    return np.random.default_rng(0).random((VOXELS, PHASES)).astype(np.float32)


def brain() -> tuple[dict[str, sitk.Image], sitk.Image]:
    """Return a real patient's four sequences and tumour."""
    folder = DATA / "brain_4seq_mri"
    images = {phase: sitk.ReadImage(str(folder / f"{name}.nii.gz")) for phase, name in SEQUENCES.items()}
    return images, sitk.ReadImage(str(folder / "fusion_mav.nii.gz")) != 0


def brain_voxels() -> np.ndarray:
    """Return 300,000 voxels of the real brain, winsorised and scaled as habitats are."""
    images, _ = brain()
    arrays = [sitk.GetArrayFromImage(image) for image in images.values()]
    inside = np.all([array > 0 for array in arrays], axis=0)
    values = np.column_stack([array[inside] for array in arrays]).astype(float)[:VOXELS]
    return learn_scaling(values, list(images), "minmax", 0.05).apply(values)


def seconds(run: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the median time of a call in seconds."""
    times = []
    for _ in range(repeats):
        start = clock()
        run()
        times.append(clock() - start)
    return float(np.median(times))


def plain(rows: np.ndarray, threads: int | None) -> list[float]:
    """Return the inertia of scikit-learn's KMeans, one start on all voxels, for every k."""
    with threadpool_limits(threads):
        return [float(KMeans(k, n_init=1, random_state=0).fit(rows).inertia_) for k in RANGE]


def inertias(rows: np.ndarray) -> list[float]:
    """Return the inertia of our clustering for every k."""
    found = [cluster(rows, k) for k in RANGE]
    return [float(square_distances(rows, one.centres, one.labels(rows)).sum()) for one in found]


def clustering(title: str, rows: np.ndarray, repeats: int) -> Row:
    """Print the times of one set of voxels and return their row."""
    ours = seconds(lambda: [cluster(rows, k) for k in RANGE], repeats)
    busy = seconds(lambda: [cluster(rows, k) for k in RANGE], repeats, time.process_time)
    one = seconds(lambda: plain(rows, 1), 1)
    free = seconds(lambda: plain(rows, None), 1)
    better = np.divide(inertias(rows), plain(rows, 1)) - 1
    curve = seconds(lambda: choose(rows, HabitatSettings()), 1)
    print(
        f"{title:16s}{ours:8.2f}{busy:8.2f}{one:14.2f}{free:14.2f}{100 * better.max():+12.2f} %{curve:9.2f}",
        flush=True,
    )
    case = f"{title}: k = 2..10, {len(rows)} voxels x {PHASES}"
    return Row("habitats", case, ours, "scikit-learn KMeans, one start, one thread", one, "2 s on two cores")


def steps(repeats: int) -> None:
    """Print the times of the other steps on a cube of 67 voxels a side (300,763 voxels)."""
    draw = np.random.default_rng(0)
    smooth = draw.integers(1, 4, (9, 9, 9)).repeat(8, 0).repeat(8, 1).repeat(8, 2)[:67, :67, :67].astype(np.uint8)
    noisy = np.where(draw.random(smooth.shape) < 0.05, draw.integers(1, 4, smooth.shape), smooth).astype(np.uint8)
    inside = np.ones(smooth.shape, dtype=bool)
    values = draw.normal(size=inside.sum())
    local_entropy(values[:8], np.ones((2, 2, 2), dtype=bool), 1)
    rows = blobs()
    choice = choose(rows, HabitatSettings())
    for title, run in (
        ("local entropy, 3 x 3 x 3", lambda: local_entropy(values, inside, 1)),
        ("local entropy, 5 x 5 x 5", lambda: local_entropy(values, inside, 2)),
        ("islands below 100 voxels, 5 % noise", lambda: clean_islands(noisy, 100)),
        ("measures of the map", lambda: map_measures(smooth, 3, (1.0, 1.0, 1.0))),
        ("agreement, 10 seeds and 10 bootstraps", lambda: judge(rows, choice, HabitatSettings())),
    ):
        print(f"{title:40s}{seconds(run, repeats):8.2f} s", flush=True)


def whole(repeats: int) -> None:
    """Print the time of a real tumour from images to 1,140 features."""
    images, tumour = brain()
    asked = HabitatSettings(k=3)
    find_habitats(images, tumour, asked)
    for title, settings in (
        ("map alone", replace(asked, radiomics=None, repeats=0)),
        ("map and agreement", replace(asked, radiomics=None)),
        ("map, agreement and 1,140 features", asked),
    ):
        print(f"{title:40s}{seconds(lambda s=settings: find_habitats(images, tumour, s), repeats):8.2f} s", flush=True)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=Path, metavar="FILE", help="write the rows for the table of all benchmarks")
    options = parser.parse_args()
    repeats = options.repeats
    cluster(blobs()[:1000], 2)
    print(f"k = 2..10, {VOXELS} voxels of four phases; KMeans: one start on all voxels, on one thread and on all")
    titles = ("ours s", "cpu s", "KMeans, 1 s", "KMeans, all s", "inertia", "curve s")
    widths = (8, 8, 14, 14, 14, 9)
    print(f"{'voxels':16s}" + "".join(f"{title:>{width}s}" for title, width in zip(titles, widths, strict=True)))
    found = [clustering("blobs", blobs(), repeats), clustering("evenly spread", even(), repeats)]
    if (DATA / "brain_4seq_mri").is_dir():
        found.append(clustering("real brain", brain_voxels(), repeats))
    write_rows(options.rows, found)
    print("\nother steps, 300,763 voxels")
    steps(repeats)
    if (DATA / "brain_4seq_mri").is_dir():
        print("\nreal tumour, 24,188 voxels, four sequences, three habitats")
        whole(repeats)


if __name__ == "__main__":
    main()
