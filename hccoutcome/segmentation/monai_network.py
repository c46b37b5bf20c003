"""A MONAI network of a person's own: described by plain JSON, its weights by path, by a sliding window.

The description is ``network_config``'s; weights are a ``state_dict`` in ``.pt`` (read with ``weights_only=True``) or
``.safetensors``. Nothing of either is run as code.

Source: Cardoso et al., MONAI, arXiv 2211.02701.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field

import SimpleITK as sitk

from hccoutcome.case import MODALITIES
from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.files import sha256_of
from hccoutcome.progress import Progress, part
from hccoutcome.segmentation.checkpoints import check_ending
from hccoutcome.segmentation.engine import Card, Draft, Offer, Readiness, Task
from hccoutcome.segmentation.exchange import mask_of, read_labels, workspace
from hccoutcome.segmentation.medsam import missing_modules, missing_step
from hccoutcome.segmentation.network_config import ANY_PHASE, NetworkConfig, read_config
from hccoutcome.segmentation.network_process import ask, python_of
from hccoutcome.segmentation.setup import Setup, installed_version, read_setup

CONFIG, REFERENCE = "network.json", "reference.nrrd"
MODULES = ("torch", "monai")


@dataclass(frozen=True)
class MonaiNetwork:
    """The engine, as a person has set it up."""

    setup: Setup = field(default_factory=Setup)

    @property
    def card(self) -> Card:
        """What the engine says of itself: what the network's labels name; liver and tumour where there is none."""
        config = self._config_or_none()
        return Card(
            name="monai",
            title=f"MONAI network ({config.name})" if config else "MONAI network",
            version=installed_version(python_of(self.setup), "monai"),
            offers=tuple(
                Offer(region, ("none",), config.modalities if config else MODALITIES)
                for region in (config.regions if config else ("liver", "tumor"))
            ),
            licence=f"Apache-2.0 (MONAI); the network: {config.licence}" if config else "Apache-2.0 (MONAI)",
            citation=config.citation if config else "Cardoso MJ, et al. MONAI. arXiv 2211.02701",
            weights="a network of your own: its description (JSON) and its weights (.pt or .safetensors)",
        )

    def _config_or_none(self) -> NetworkConfig | None:
        try:
            return None if self.setup.model is None else read_config(self.setup.model)
        except InputError:
            return None  # said by readiness

    def readiness(self, task: Task | None = None) -> Readiness:
        """Return whether PyTorch, MONAI, description and weights are there."""
        missing = missing_modules(self.setup, MODULES)
        if missing:
            return Readiness(False, missing_step("monai", missing))
        if self.setup.model is None or self.setup.weights is None:
            return Readiness(
                False,
                "name the network's description and weights: hcc engine monai --model FILE.json --weights FILE.pt.",
            )
        try:
            read_config(self.setup.model)
            check_ending(self.setup.weights)
        except InputError as error:
            return Readiness(False, str(error))
        return Readiness(True)

    def segment(self, task: Task, progress: Progress) -> Draft:
        """Outline the regions of a task by one run of the network."""
        readiness, model, weights = self.readiness(task), self.setup.model, self.setup.weights
        if not readiness.ready or model is None or weights is None:
            raise EnvironmentNeeded(f"The engine 'monai' is not ready on this machine: {readiness.step}")
        config = read_config(model)
        images = _images(config, task)
        with workspace() as folder:
            shutil.copyfile(model, folder / CONFIG)
            names = [f"image{number}.nrrd" for number in range(len(images))]
            for image, name in zip((task.reference, *images), (REFERENCE, *names), strict=True):
                sitk.WriteImage(image, str(folder / name))
            request = {
                "config": CONFIG,
                "weights": str(weights.absolute()),
                "images": names,
                "reference": REFERENCE,
                "regions": {region: list(config.regions[region]) for region in task.regions},
            }
            found = ask("monai", request, self.setup, folder, part(progress, 0.0, 0.95))
            masks = {
                region: mask_of(read_labels(folder / f"{region}.nrrd", task.reference, "The network"), (1,))
                for region in task.regions
            }
        record = {
            "version": found["monai"],
            "settings": {
                "network": config.name,
                "class": config.network,
                "regions": request["regions"],
                **found.pop("grid"),
            },
            "weights": {path.name: sha256_of(path) for path in (model, weights)},
            "libraries": {name: found.pop(name) for name in ("torch", "monai")},
            **found,
        }
        return Draft(masks, record)


def segmenter() -> MonaiNetwork:
    """Return the engine as it is set up on this machine."""
    return MonaiNetwork(read_setup("monai"))


def _images(config: NetworkConfig, task: Task) -> tuple[sitk.Image, ...]:
    """Return the images that a network takes; ``any`` is the first one.

    Raises:
        InputError: a phase is missing.
    """
    missing = [phase for phase in config.channels if phase != ANY_PHASE and phase not in task.images]
    if missing:
        listed = ", ".join(task.images)
        raise InputError(f"The network '{config.name}' takes the {missing[0]} image, found {listed}: give it as well.")
    return tuple(task.reference if phase == ANY_PHASE else task.images[phase] for phase in config.channels)
