"""MedSAM: a lesion from a box or a click, slice by slice, by the published ViT-B checkpoint that a person has.

Each slice is resized to 1024 x 1024 and given the box's rectangle in it; slices between those outlined are filled by
shape. The network learned from boxes only, so clicks become a box first, by the built-in engine.

Source: Ma et al., Nature Communications 2024;15:654; its public code (bowang-lab/MedSAM, Apache-2.0) says how images
are prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.files import sha256_of
from hccoutcome.imaging.geometry import on_grid
from hccoutcome.progress import Progress, part
from hccoutcome.segmentation.builtin import BuiltinSegmenter
from hccoutcome.segmentation.checkpoints import check_ending
from hccoutcome.segmentation.engine import Card, Draft, Offer, Readiness, Task
from hccoutcome.segmentation.exchange import mask_of, read_labels, workspace
from hccoutcome.segmentation.network_process import ask, python_of
from hccoutcome.segmentation.prompts import Box
from hccoutcome.segmentation.sam_settings import SamSettings
from hccoutcome.segmentation.setup import Setup, installed_version, read_setup
from hccoutcome.segmentation.slices import rectangles

IMAGE, LABELS = "image.nrrd", "labels.nrrd"
MODULES = ("torch",)


@dataclass(frozen=True)
class MedsamSettings:
    """How slices are outlined.

    Attributes:
        every_mm: a slice is outlined at least every so many mm; those between are filled by shape.
        margin_mm: by which the rectangle around one slice's mask is grown for the next slice.
        click_margin_mm: by which the box around what the built-in engine finds at a click is grown.
        network: the sizes of the network; the published checkpoint has those of ViT-B.
    """

    every_mm: float = 3.0
    margin_mm: float = 5.0
    click_margin_mm: float = 5.0
    network: SamSettings = field(default_factory=SamSettings)


@dataclass(frozen=True)
class Medsam:
    """The engine, as a person has set it up."""

    setup: Setup = field(default_factory=Setup)
    settings: MedsamSettings = field(default_factory=MedsamSettings)

    @property
    def card(self) -> Card:
        """What the engine says of itself."""
        return Card(
            name="medsam",
            title="MedSAM",
            version="ViT-B",
            offers=(Offer("tumor", ("box", "clicks", "stroke"), ("CT", "MR")),),
            licence="Apache-2.0; its authors state no other for the published weights",
            citation="Ma J, et al. Nature Communications 2024;15:654, doi 10.1038/s41467-024-44824-z",
            weights="the checkpoint medsam_vit_b.pth (375 MB) from https://github.com/bowang-lab/MedSAM",
        )

    def readiness(self, task: Task | None = None) -> Readiness:
        """Return whether PyTorch and the checkpoint are there."""
        missing = missing_modules(self.setup, MODULES)
        if missing:
            return Readiness(False, missing_step("medsam", missing))
        if self.setup.weights is None:
            return Readiness(
                False,
                "get medsam_vit_b.pth from https://github.com/bowang-lab/MedSAM and name it: hcc engine medsam "
                "--weights FILE.",
            )
        try:
            check_ending(self.setup.weights)
        except InputError as error:
            return Readiness(False, str(error))
        return Readiness(True)

    def segment(self, task: Task, progress: Progress) -> Draft:
        """Outline the lesion of a task."""
        readiness, checkpoint = self.readiness(task), self.setup.weights
        if not readiness.ready or checkpoint is None:
            raise EnvironmentNeeded(f"The engine 'medsam' is not ready on this machine: {readiness.step}")
        box = task.prompt if isinstance(task.prompt, Box) else self._box_at(task, part(progress, 0.0, 0.1))
        # The network saw axial slices; the patient's axes are those of the image to within its obliquity.
        axial = sitk.DICOMOrient(task.reference, "LPS")
        columns, rows, thickness = axial.GetSpacing()
        s = self.settings
        request = {
            "settings": asdict(s.network),
            "checkpoint": str(checkpoint.absolute()),
            "modality": task.modality,
            "rectangles": {str(index): list(found) for index, found in rectangles(box, axial).items()},
            "step": max(1, int(s.every_mm / thickness)),
            "margin": [s.margin_mm / columns, s.margin_mm / rows],
        }
        with workspace() as folder:
            sitk.WriteImage(axial, str(folder / IMAGE))
            found = ask("medsam", request, self.setup, folder, part(progress, 0.1, 0.98))
            mask = mask_of(read_labels(folder / LABELS, axial, "MedSAM"), (1,))
        record = {
            "settings": {**asdict(s), "box": box.to_json(), "slices": found.pop("slices")},
            "weights": {checkpoint.name: sha256_of(checkpoint)},
            "libraries": {"torch": found.pop("torch")},
            **found,
        }
        return Draft({task.regions[0]: on_grid(mask, task.reference)}, record)

    def _box_at(self, task: Task, progress: Progress) -> Box:
        """Return a box around what the built-in engine finds at clicks or a stroke."""
        draft = BuiltinSegmenter().segment(replace(task, regions=("tumor",)), progress)
        inside = np.argwhere(sitk.GetArrayViewFromImage(draft.masks["tumor"]))[:, ::-1]
        if not len(inside):
            raise InputError("A lesion was expected around the click, found none: draw a box around it instead.")
        image = task.reference
        more = np.ceil(self.settings.click_margin_mm / np.array(image.GetSpacing())).astype(int)
        low = np.maximum(inside.min(axis=0) - more, 0)
        high = np.minimum(inside.max(axis=0) + more, np.array(image.GetSize()) - 1)
        return Box.from_voxels(image, np.stack([low, high], axis=1).ravel().tolist())


def segmenter() -> Medsam:
    """Return the engine as it is set up on this machine."""
    return Medsam(read_setup("medsam"))


def missing_modules(setup: Setup, modules: Sequence[str]) -> tuple[str, ...]:
    """Return which of some packages the Python that computes does not have."""
    if setup.python is None:
        return tuple(name for name in modules if find_spec(name) is None)
    return tuple(name for name in modules if not installed_version(python_of(setup), name))


def missing_step(engine: str, missing: Sequence[str]) -> str:
    """Return the one step that brings missing packages."""
    listed = " and ".join(missing)
    return (
        f"install {listed} (in 3D Slicer by the PyTorch extension), or name a Python that has it: hcc engine {engine} "
        "--python PYTHON."
    )
