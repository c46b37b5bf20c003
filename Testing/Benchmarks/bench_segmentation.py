"""Drafts against an expert's outlines and against no image at all: ``python bench_segmentation.py [--rows FILE]``.

The data is 3D-IRCADb-01 case 17: one CT, a liver, two tumours. Boxes are the expert's, grown, shifted and with random
faces; beside each stands the ellipsoid inscribed in the same box, which ignores the image. Small lesions and low
contrast are generated patients. Dice is what is compared; seconds are of the whole call, processor seconds beside.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from rows import Row, write_rows
from scipy import ndimage

from hccoutcome.phantom import PhantomSettings, phantom_case
from hccoutcome.segmentation import Box, Clicks, Prompt, Stroke, Task, segment

DATA = Path(os.environ.get("HCC_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
IRCAD = DATA / "ircadb17_ct"


@dataclass(frozen=True)
class Lesion:
    """A lesion with its expert's mask and the images that show it."""

    name: str
    images: dict[str, sitk.Image]
    mask: np.ndarray
    modality: str = "CT"

    @property
    def image(self) -> sitk.Image:
        """The image on whose grid the mask lies."""
        return next(iter(self.images.values()))


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Dice overlap of two masks."""
    return 2 * float((a & b).sum()) / max(float(a.sum() + b.sum()), 1.0)


def bounds(lesion: Lesion) -> tuple[np.ndarray, np.ndarray]:
    """Return the lesion's outer faces in mm along the image's axes."""
    places = np.argwhere(lesion.mask)[:, ::-1]
    spacing = np.array(lesion.image.GetSpacing())
    return (places.min(axis=0) - 0.5) * spacing, (places.max(axis=0) + 0.5) * spacing


def as_box(lesion: Lesion, low: np.ndarray, high: np.ndarray) -> Box:
    """Return faces in mm along the image's axes as a box in space."""
    image = lesion.image
    middle = image.TransformContinuousIndexToPhysicalPoint([float(v) for v in (low + high) / 2 / image.GetSpacing()])
    return Box(middle, image.GetDirection(), tuple((high - low) / 2))


def ellipsoid(lesion: Lesion, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the ellipsoid inscribed in a box, as a mask."""
    spacing = np.array(lesion.image.GetSpacing())
    middle, half = (low + high) / 2, (high - low) / 2
    axes = [
        ((np.arange(n) * s - c) / h) ** 2
        for n, s, c, h in zip(lesion.mask.shape, spacing[::-1], middle[::-1], half[::-1], strict=True)
    ]
    return axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :] <= 1


def boxes(lesion: Lesion, count: int) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Return boxes of every kind."""
    low, high = bounds(lesion)
    draw = np.random.default_rng(3)
    shifts = [sign * 5.0 * np.eye(3)[axis] for axis in range(3) for sign in (-1, 1)]
    return {
        "expert's box": [(low, high)],
        "grown 5 mm": [(low - 5, high + 5)],
        "grown 10 mm": [(low - 10, high + 10)],
        "shifted 5 mm, six ways": [(low + shift, high + shift) for shift in shifts],
        f"faces -2 to +8 mm, {count} boxes": [
            (low - draw.uniform(-2, 8, 3), high + draw.uniform(-2, 8, 3)) for _ in range(count)
        ],
    }


class Clock:
    """Times calls: wall and processor seconds of each."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.busy: list[float] = []

    def __call__(self, run: Callable[[], np.ndarray]) -> np.ndarray:
        """Return what a call gives."""
        wall, busy = time.perf_counter(), time.process_time()
        found = run()
        self.wall.append(time.perf_counter() - wall)
        self.busy.append(time.process_time() - busy)
        return found

    def __str__(self) -> str:
        return f"{np.median(self.wall):6.2f}{max(self.wall):7.2f}{np.median(self.busy):7.2f}"


def draft(lesion: Lesion, prompt: Prompt | None, region: str = "tumor", **known: sitk.Image) -> np.ndarray:
    """Return what the built-in engine outlines."""
    task = Task(lesion.images, (region,), prompt, lesion.modality, known)
    return sitk.GetArrayFromImage(segment(task, "builtin").masks[region]) != 0


def lesion_rows(lesion: Lesion, count: int, clock: Clock) -> None:
    """Print a line for each kind of box."""
    for kind, found in boxes(lesion, count).items():
        ours, plain, here = [], [], Clock()
        for low, high in found:
            box = as_box(lesion, low, high)
            ours.append(dice(here(lambda box=box: draft(lesion, box)), lesion.mask))
            plain.append(dice(ellipsoid(lesion, low, high), lesion.mask))
        clock.wall += here.wall
        clock.busy += here.busy
        show(lesion.name, kind, ours, here, np.mean(plain))


def show(name: str, kind: str, values: Sequence[float], clock: Clock, plain: float | None = None) -> None:
    """Print one line of the table."""
    beside = "       -" if plain is None else f"{plain:8.3f}"
    print(
        f"{name:26s}{kind:32s}{np.mean(values):7.3f}{np.median(values):7.3f}{min(values):7.3f}{beside}{clock}",
        flush=True,
    )


def clicks(lesion: Lesion, count: int) -> Iterator[Clicks]:
    """Yield single clicks: the deepest voxel, and others at least 0.6 times as deep."""
    depth = ndimage.distance_transform_edt(np.pad(lesion.mask, 1), sampling=lesion.image.GetSpacing()[::-1])[
        1:-1, 1:-1, 1:-1
    ]
    deep = np.argwhere(depth > 0.6 * depth.max())
    draw = np.random.default_rng(0)
    places = [np.argwhere(depth == depth.max())[0], *deep[draw.integers(0, len(deep), count)]]
    for place in places:
        yield Clicks((lesion.image.TransformIndexToPhysicalPoint([int(v) for v in place[::-1]]),))


def strokes(image: sitk.Image, liver: np.ndarray, count: int) -> Iterator[Stroke]:
    """Yield straight strokes of 20 mm that lie wholly in the liver, wherever in it."""
    draw = np.random.default_rng(1)
    places = np.argwhere(liver)
    steps = np.linspace(-10, 10, 41)[:, None]
    while count:
        middle = np.array(image.TransformIndexToPhysicalPoint([int(v) for v in draw.choice(places)[::-1]]))
        way = draw.normal(size=3) * (1, 1, draw.random() < 0.3)
        line = middle + steps * way / np.linalg.norm(way)
        index = [image.TransformPhysicalPointToIndex(point.tolist()) for point in line]
        inside = all(all(0 <= i < n for i, n in zip(at, image.GetSize(), strict=True)) for at in index)
        if inside and all(liver[at[::-1]] for at in index):
            count -= 1
            yield Stroke((tuple(tuple(point) for point in line.tolist()),))


def read(name: str) -> sitk.Image:
    """Return a file of the real case."""
    return sitk.ReadImage(str(IRCAD / f"{name}.nii.gz"))


def real_rows(options: argparse.Namespace) -> list[Row]:
    """Print the table of the real case."""
    image = read("ct")
    masks = {name: read(name) for name in ("liver", "livertumor1", "livertumor2")}
    arrays = {name: sitk.GetArrayFromImage(mask) != 0 for name, mask in masks.items()}
    tumours = [Lesion(f"tumour {k}", {"portal": image}, arrays[f"livertumor{k}"]) for k in (1, 2)]
    boxed, clicked, whole = Clock(), Clock(), Clock()
    for tumour in tumours:
        lesion_rows(tumour, options.boxes, boxed)
    for tumour in tumours:
        here = Clock()
        show(
            tumour.name,
            f"one click, {options.clicks + 1} places",
            [dice(here(lambda c=c, t=tumour: draft(t, c)), tumour.mask) for c in clicks(tumour, options.clicks)],
            here,
        )
        clicked.wall += here.wall
    expert, lesions = arrays["liver"], arrays["livertumor1"] | arrays["livertumor2"]
    liver = Lesion("liver", {"portal": image}, expert)
    found = whole(lambda: draft(liver, None, "liver"))
    show("liver", "automatic", [dice(found, expert)], whole)
    show("liver", "automatic, outside the tumours", [dice(found & ~lesions, expert & ~lesions)], whole)
    known = {"tumor": sitk.Or(masks["livertumor1"] != 0, masks["livertumor2"] != 0)}
    show("liver", "with both lesions given", [dice(whole(lambda: draft(liver, None, "liver", **known)), expert)], whole)
    drawn = list(strokes(image, expert, options.strokes))
    show(
        "liver",
        f"with one of {options.strokes} strokes",
        [dice(whole(lambda s=s: draft(liver, s, "liver")), expert) for s in drawn],
        whole,
    )
    return [
        Row("segmentation", "tumour from a box, 512 x 512 x 119", float(np.median(boxed.wall)), aim="2 s on two cores"),
        Row("segmentation", "tumour from a click", float(np.median(clicked.wall)), aim="2 s on two cores"),
        Row("segmentation", "liver, 512 x 512 x 119", float(np.median(whole.wall)), aim="10 s on two cores"),
    ]


GENERATED = {
    "usual contrast": PhantomSettings(spacing=(1.5, 1.5, 2.5), lesion_diameters=(45.0, 20.0, 10.0)),
    "low contrast": PhantomSettings(
        spacing=(1.5, 1.5, 2.5), lesion_diameters=(30.0, 14.0), washout=12.0, arterial_enhancement=20.0
    ),
}


def generated_rows(options: argparse.Namespace) -> None:
    """Print the table of generated patients, by contrast, phases and size."""
    for contrast, settings in GENERATED.items():
        found: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
        clock = Clock()
        for seed in range(1, options.seeds + 1):
            case = phantom_case(seed, settings)
            parts, number = ndimage.label(sitk.GetArrayFromImage(case.masks["tumor"][0]) != 0)
            for phases in (("arterial",), ("portal",), ("arterial", "portal")):
                images = {phase: case.images[phase] for phase in phases}
                for k in range(1, number + 1):
                    lesion = Lesion("generated", images, parts == k)
                    size = "below 16 mm" if _diameter(lesion) < 16 else "16 mm and more"
                    for kind, drawn in boxes(lesion, options.boxes // 3).items():
                        for low, high in drawn:
                            box = as_box(lesion, low, high)
                            pair = (
                                dice(clock(lambda box=box, lesion=lesion: draft(lesion, box)), lesion.mask),
                                dice(ellipsoid(lesion, low, high), lesion.mask),
                            )
                            found.setdefault((" + ".join(phases), size, kind), []).append(pair)
        for (phases, size, kind), pairs in found.items():
            name = f"{contrast}, {phases}"
            show(f"{name[:25]}", f"{size}, {kind}"[:32], [p[0] for p in pairs], clock, np.mean([p[1] for p in pairs]))


def _diameter(lesion: Lesion) -> float:
    volume = float(lesion.mask.sum() * np.prod(lesion.image.GetSpacing()))
    return (6 * volume / np.pi) ** (1 / 3)


def main() -> int:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxes", type=int, default=15, help="random boxes for each lesion")
    parser.add_argument("--clicks", type=int, default=20, help="clicks for each lesion besides the deepest")
    parser.add_argument("--strokes", type=int, default=10, help="strokes in the liver")
    parser.add_argument("--seeds", type=int, default=3, help="generated patients; 0 for none")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="write the rows for the table of all benchmarks")
    options = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(2)
    print(f"{'':58s}{'':7s}{'Dice':>7s}{'':7s}{'ellip-':>8s}{'seconds':>13s}{'cpu s':>7s}")
    heads = ("mean", "median", "worst", "soid", "median", "most", "median")
    widths = (7, 7, 7, 8, 6, 7, 7)
    print(" " * 58 + "".join(f"{head:>{width}s}" for head, width in zip(heads, widths, strict=True)))
    rows = real_rows(options) if IRCAD.is_dir() else []
    generated_rows(options)
    write_rows(options.rows, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
