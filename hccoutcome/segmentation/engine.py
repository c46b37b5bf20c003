"""What every segmentation engine is: what it needs and gives, whether it is ready here, and how it is run.

An engine is an object that satisfies ``Segmenter``; ``ENGINES`` names where each is made, the most capable first and
the built-in one, which is always ready, last. Images and masks are SimpleITK, prompts are in mm (LPS), and what comes
out is a ``Draft``: masks that nobody has reviewed yet, with all it takes to make them again.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import Modality, canonical_region
from hccoutcome.errors import EnvironmentNeeded, InputError, nearest
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.progress import Progress, part, silent
from hccoutcome.segmentation.lattice import extent_of
from hccoutcome.segmentation.prompts import PROMPTS, Prompt, PromptKind, check_in_image, kind_of
from hccoutcome.version import __version__

AUTO = "auto"
ENGINES: Mapping[str, str] = MappingProxyType(
    {
        "totalsegmentator": "hccoutcome.segmentation.totalsegmentator",
        "nnunet": "hccoutcome.segmentation.nnunet",
        "monai": "hccoutcome.segmentation.monai_network",
        "medsam": "hccoutcome.segmentation.medsam",
        "builtin": "hccoutcome.segmentation.builtin",
    }
)
"""Module by engine; its function ``segmenter()`` returns it. ``auto`` takes the first that is ready and fits."""


_MR_ONLY = frozenset({"hepatobiliary", "t1", "t1ce", "t2", "flair", "dwi", "adc"})
"""What ``hccoutcome.case.PHASES`` names that no CT has."""


@dataclass(frozen=True)
class Offer:
    """One region that an engine outlines: from which prompts, in images of which modality."""

    region: str
    prompts: tuple[PromptKind, ...]
    modalities: tuple[Modality, ...] = ("CT",)


@dataclass(frozen=True)
class Card:
    """What an engine says of itself.

    Attributes:
        name: by which it is asked for.
        title: by which it is shown.
        version: of the program that computes.
        offers: what it gives, each with what it needs for it.
        licence: of its program and, where it has any, of its weights.
        citation: publication to cite.
        weights: the weights that it needs, in words; empty for none.
    """

    name: str
    title: str
    version: str
    offers: tuple[Offer, ...]
    licence: str
    citation: str
    weights: str = ""

    def offer(self, region: str) -> Offer | None:
        """Return what it offers for a region."""
        return next((offer for offer in self.offers if offer.region == region), None)


@dataclass(frozen=True)
class Readiness:
    """Whether an engine can run on this machine and, if not, the one step that makes it so."""

    ready: bool
    step: str = ""


@dataclass(frozen=True)
class Task:
    """What is to be outlined.

    Attributes:
        images: image by phase; the first one's grid is that of the masks. All show the body in one place.
        regions: canonical names of the regions wanted.
        prompt: what a person pointed at, None for nothing.
        modality: of the images.
        known: masks that are already there, by region: lesions help to find the liver that holds them.
        seed: of what is random in an engine.
    """

    images: Mapping[str, sitk.Image]
    regions: tuple[str, ...]
    prompt: Prompt | None = None
    modality: Modality = "CT"
    known: Mapping[str, sitk.Image] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.images:
            raise InputError("A segmentation needs at least one image, found none: give one as PHASE=PATH.")
        if not self.regions:
            raise InputError("A segmentation needs at least one region, found none: name liver or tumor.")
        for region in self.regions:
            if canonical_region(region) != region:
                raise InputError(f"Regions go by their canonical names, found '{region}': write it so.")

    @property
    def reference(self) -> sitk.Image:
        """The image on whose grid the masks lie."""
        return next(iter(self.images.values()))


def modality_of(stated: Modality | None, phases: Iterable[str]) -> Modality:
    """Return the modality of images that need not say it: MR where one of them is a sequence of MR, else CT."""
    return stated or ("CT" if _MR_ONLY.isdisjoint(phases) else "MR")


@dataclass(frozen=True)
class Draft:
    """Masks that nobody has reviewed.

    Attributes:
        masks: binary mask (uint8, 0/1) by region, on the grid of the task's first image.
        provenance: engine, version, weights (SHA256), settings, prompt, images; JSON data.
    """

    masks: Mapping[str, sitk.Image]
    provenance: Mapping[str, Any]


class Segmenter(Protocol):
    """An engine."""

    @property
    def card(self) -> Card:
        """What it says of itself."""

    def readiness(self, task: Task | None = None) -> Readiness:
        """Return whether it can run here, that task where one is given; loads nothing heavy and asks no network."""

    def segment(self, task: Task, progress: Progress) -> Draft:
        """Outline the regions of a task that its card offers.

        ``progress`` may raise ``Cancelled``; then everything that was started ends within two seconds.

        Raises:
            InputError: the region cannot be found with this prompt.
            EnvironmentNeeded: something is missing on this machine.
        """


def engine(name: str) -> Segmenter:
    """Return an engine by its name.

    Raises:
        InputError: no such engine is known.
    """
    if name not in ENGINES:
        raise InputError(f"'{name}' is not a known segmentation engine; {nearest(name, (AUTO, *ENGINES))}.")
    return importlib.import_module(ENGINES[name]).segmenter()


def engines() -> tuple[Segmenter, ...]:
    """Return all engines, ready or not, in the order in which ``auto`` takes them."""
    return tuple(engine(name) for name in ENGINES)


def misfit(card: Card, task: Task) -> str:
    """Return why an engine does not fit a task, in one sentence; empty where it does."""
    for region in task.regions:
        offer = card.offer(region)
        if offer is None:
            known = ", ".join(offer.region for offer in card.offers)
            return f"The engine '{card.name}' gives {known}, found {region} asked for: choose another engine or region."
        if task.modality not in offer.modalities:
            return (
                f"The engine '{card.name}' outlines the {region} in {' and '.join(offer.modalities)}, found "
                f"{task.modality}: choose another engine, or outline it by hand."
            )
        if kind_of(task.prompt) not in offer.prompts:
            needs = " or ".join(PROMPTS[kind] for kind in offer.prompts)
            return (
                f"For the {region} the engine '{card.name}' needs {needs}, found {PROMPTS[kind_of(task.prompt)]}: "
                "give what it needs, or choose another engine."
            )
    return ""


def choose(name: str, task: Task, available: Iterable[Segmenter] | None = None) -> Segmenter:
    """Return the engine of that name, or for ``auto`` the first that is ready and fits the task.

    Args:
        name: an engine's name or ``auto``.
        task: what is to be outlined.
        available: the engines to choose from; all where None.

    Raises:
        InputError: the engine is not known, or it does not fit the task (for ``auto``: none does).
        EnvironmentNeeded: the engine asked for by name is not ready; the sentence names the one step.
    """
    known = {found.card.name: found for found in (engines() if available is None else available)}
    if name != AUTO:
        if name not in known:
            raise InputError(f"'{name}' is not a known segmentation engine; {nearest(name, (AUTO, *known))}.")
        chosen = known[name]
        problem = misfit(chosen.card, task)
        if problem:
            raise InputError(problem)
        readiness = chosen.readiness(task)
        if not readiness.ready:
            raise EnvironmentNeeded(f"The engine '{name}' is not ready on this machine: {readiness.step}")
        return chosen
    for chosen in known.values():
        if not misfit(chosen.card, task) and chosen.readiness(task).ready:
            return chosen
    raise InputError(_nothing_fits(task, known))


def _nothing_fits(task: Task, known: Mapping[str, Segmenter]) -> str:
    """Return the sentence for a task that no engine can do, with the nearest ways out."""
    wanted = " and ".join(task.regions)
    nearer = _what_to_give(task, known.values())
    for found in known.values():
        if not misfit(found.card, task):
            step = found.readiness(task).step
            other = f" Or {nearer}" if nearer else ""
            return f"No engine for the {wanted} is ready on this machine; for '{found.card.name}': {step}{other}"
    if nearer:
        return f"No engine outlines the {wanted} from {PROMPTS[kind_of(task.prompt)]}: {nearer}"
    last = list(known.values())[-1] if known else None
    return f"No engine fits the {wanted}. {misfit(last.card, task) if last else 'Install one.'}"


def _what_to_give(task: Task, known: Iterable[Segmenter]) -> str:
    """Return what a ready engine needs for the task, the end of a sentence; empty where no prompt would help."""
    for found in known:
        offers = [found.card.offer(region) for region in task.regions]
        if all(offer and task.modality in offer.modalities for offer in offers) and found.readiness(task).ready:
            prompts = [kind for kind in PROMPTS if all(offer and kind in offer.prompts for offer in offers)]
            if prompts:
                needs = " or ".join(PROMPTS[kind] for kind in prompts)
                return f"give {needs}; '{found.card.name}' is ready for that."
    return ""


def segment(task: Task, name: str = AUTO, progress: Progress = silent) -> Draft:
    """Outline the regions of a task.

    Returns:
        The draft; its provenance names the engine, its version and licence, settings, prompt and images, and no time,
            so that the same task gives the same bytes.

    Raises:
        InputError: an image shows another place than the first, the prompt lies outside the image, the engine does
            not fit, or nothing was found.
        EnvironmentNeeded: the engine is not ready on this machine.
    """
    _check_places(task)
    if task.prompt is not None:
        check_in_image(task.prompt, task.reference)
    chosen = choose(name, task)
    draft = chosen.segment(task, part(progress, 0.0, 0.98))
    for region in task.regions:
        _check_mask(draft, region, task)
    progress(1.0, "outlined")
    record = {
        "engine": chosen.card.name,
        "version": chosen.card.version,
        "hccoutcome": __version__,
        "licence": chosen.card.licence,
        "regions": list(task.regions),
        "images": list(task.images),
        "modality": task.modality,
        "prompt": None if task.prompt is None else task.prompt.to_json(),
        "review": "automatic, not reviewed",
    }
    # Through JSON once, so that what is kept beside the masks and what a file gives back are equal.
    return replace(draft, provenance=json.loads(json.dumps({**record, **draft.provenance})))


def _check_places(task: Task) -> None:
    """Refuse images that do not overlap the first one: what they show would be taken for what lies there."""
    first, *others = task.images
    low, high = extent_of(task.reference)
    for phase in others:
        start, end = extent_of(task.images[phase])
        if (np.maximum(low, start) >= np.minimum(high, end)).any():
            raise InputError(
                f"The {phase} image was expected to show the same place as the {first} one, found that they do not "
                "overlap: register them, or leave it out."
            )


def _check_mask(draft: Draft, region: str, task: Task) -> None:
    """Refuse an empty mask; one on another grid is the engine's defect."""
    mask = draft.masks[region]
    if not same_geometry(mask, task.reference):
        raise ValueError(f"The mask of {region} lies on another grid than the first image.")
    if not np.any(sitk.GetArrayViewFromImage(mask)):
        raise InputError(
            f"The {region} was expected to be found from {PROMPTS[kind_of(task.prompt)]}, found nothing: point at it "
            "again, or outline it by hand."
        )
