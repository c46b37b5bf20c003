"""The built-in engine: needs no weights and no network, and is always ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial import cKDTree

from hccoutcome.errors import InputError
from hccoutcome.progress import Progress, part
from hccoutcome.segmentation.boxed import BoxSettings, lesion_in_box
from hccoutcome.segmentation.clicked import ClickSettings, lesion_at
from hccoutcome.segmentation.engine import Card, Draft, Offer, Readiness, Task
from hccoutcome.segmentation.lattice import Lattice, image_axes
from hccoutcome.segmentation.liver import LiverSettings, find_liver
from hccoutcome.segmentation.morphology import bounding
from hccoutcome.segmentation.prompts import Box, Clicks, Prompt, Stroke, check_in_image, dense
from hccoutcome.version import __version__

_LIVER_PHASES = ("portal", "delayed", "arterial", "precontrast")
"""In which the liver stands out from its surroundings, the best first."""
_SPECK = 0.02
"""Parts smaller than this share of the largest one are specks."""


@dataclass(frozen=True)
class BuiltinSettings:
    """How the built-in engine finds what it finds."""

    box: BoxSettings = field(default_factory=BoxSettings)
    clicks: ClickSettings = field(default_factory=ClickSettings)
    liver: LiverSettings = field(default_factory=LiverSettings)


@dataclass(frozen=True)
class BuiltinSegmenter:
    """Lesions from a box, clicks or a stroke; the liver alone or with a stroke."""

    settings: BuiltinSettings = field(default_factory=BuiltinSettings)

    @property
    def card(self) -> Card:
        """What the engine says of itself."""
        return Card(
            name="builtin",
            title="Built-in (no weights)",
            version=__version__,
            offers=(
                Offer("tumor", ("box", "clicks", "stroke"), ("CT", "MR")),
                Offer("liver", ("none", "clicks", "stroke"), ("CT",)),
            ),
            licence="Apache-2.0; the minimum cut is PyMaxflow's, GPL-3.0",
            citation="Li K, Wu X, Chen DZ, Sonka M. IEEE TPAMI 2006;28:119-134, doi 10.1109/TPAMI.2006.19; "
            "Boykov Y, Funka-Lea G. IJCV 2006;70:109-131, doi 10.1007/s11263-006-7934-5",
        )

    def readiness(self, task: Task | None = None) -> Readiness:
        """Return whether PyMaxflow is installed; nothing else is needed."""
        if find_spec("maxflow") is None:
            return Readiness(False, "install the Python package PyMaxflow (GPL-3.0) and run again.")
        return Readiness(True)

    def segment(self, task: Task, progress: Progress) -> Draft:
        """Outline the regions of a task, each on the grid of its first image."""
        masks: dict[str, sitk.Image] = {}
        used: dict[str, Any] = {}
        for number, region in enumerate(task.regions):
            step = part(progress, number / len(task.regions), (number + 1) / len(task.regions))
            step(0.0, f"outlining the {region}")
            lattice, level = self._liver(task, step) if region == "liver" else self._lesion(task)
            inside = lattice.mask_on(level, task.reference)
            if region != "liver":
                inside = _without_beyond(inside, task)
            inside = _tidied(inside)
            masks[region] = _as_mask(inside, task.reference)
            used[region] = asdict(self._settings_for(region, task.prompt))
        record = {"settings": used, "weights": None, "libraries": _libraries()}
        return Draft(masks, record)

    def _settings_for(self, region: str, prompt: Prompt | None) -> BoxSettings | ClickSettings | LiverSettings:
        if region == "liver":
            return self.settings.liver
        return self.settings.box if isinstance(prompt, Box) else self.settings.clicks

    def _lesion(self, task: Task) -> tuple[Lattice, np.ndarray]:
        images, ct = list(task.images.values()), task.modality == "CT"
        if task.prompt is not None:
            for phase in list(task.images)[1:]:
                check_in_image(task.prompt, task.images[phase], phase)
        if isinstance(task.prompt, Box):
            return lesion_in_box(images, task.prompt, ct=ct, settings=self.settings.box)
        if not isinstance(task.prompt, Clicks | Stroke):
            raise InputError("A lesion needs a box, clicks or a stroke, found nothing: point at it.")
        return lesion_at(images, task.prompt.points, ct=ct, settings=self.settings.clicks)

    def _liver(self, task: Task, progress: Progress) -> tuple[Lattice, np.ndarray]:
        lesions = [mask for region, mask in task.known.items() if region.startswith("tumor")]
        lines = task.prompt.lines if isinstance(task.prompt, Clicks | Stroke) else ()
        return find_liver(_by_contrast(task.images), lines, lesions, self.settings.liver, progress)


def segmenter() -> BuiltinSegmenter:
    """Return the engine as it ships."""
    return BuiltinSegmenter()


def _by_contrast(images: Mapping[str, sitk.Image]) -> Sequence[sitk.Image]:
    """Return the images, that of the phase in which the liver stands out best first."""
    order = {phase: number for number, phase in enumerate(_LIVER_PHASES)}
    return [images[phase] for phase in sorted(images, key=lambda phase: order.get(phase, len(order)))]


def _tidied(inside: np.ndarray) -> np.ndarray:
    """Return a mask without holes and specks, which resampling leaves where grooves close and bridges break."""
    region = bounding(inside)
    part = ndimage.binary_fill_holes(inside[region])
    labels, number = ndimage.label(part, structure=np.ones((3, 3, 3)))
    if number > 1:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        part = (sizes >= _SPECK * sizes.max())[labels]
    inside[region] = part
    return inside


def _without_beyond(inside: np.ndarray, task: Task) -> np.ndarray:
    """Return a mask without the voxels that are nearer to a point said to lie outside than to any inside."""
    prompt, image = task.prompt, task.reference
    if isinstance(prompt, Box) or prompt is None or not prompt.outside:
        return inside
    index = np.argwhere(inside)
    places = image_axes(image) @ (index[:, ::-1] * image.GetSpacing()).T + np.array(image.GetOrigin())[:, None]
    own = np.concatenate([dense(line, min(image.GetSpacing())) for line in prompt.lines])
    to_own, to_other = (cKDTree(points).query(places.T)[0] for points in (own, np.array(prompt.outside)))
    kept = inside.copy()
    kept[tuple(index[to_other < to_own].T)] = False
    return kept


def _as_mask(inside: np.ndarray, image: sitk.Image) -> sitk.Image:
    mask = sitk.GetImageFromArray(inside.astype(np.uint8))
    mask.CopyInformation(image)
    return mask


def _libraries() -> dict[str, str]:
    return {name: version(name) for name in ("PyMaxflow", "SimpleITK", "numpy", "scipy")}
