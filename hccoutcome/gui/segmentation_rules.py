"""What the segmentation panel decides, apart from Qt: which engine fits, what is missing, how a draft reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from hccoutcome.case import REGIONS, Modality
from hccoutcome.gui.translate import _
from hccoutcome.segmentation.engine import AUTO, Offer, engines
from hccoutcome.segmentation.prompts import PROMPTS, PromptKind
from hccoutcome.segmentation.setup import read_setup
from hccoutcome.status import QualityItem

BUILTIN, NETWORKS = "builtin", ("medsam", "monai")
"""Engines whose one step may be Python packages, which the button asks for; networks may have a Python of their own."""
_NEEDED = ("torch", "monai")
_REGIONS_FIRST = ("tumor", "liver")
_PHASES_FIRST = ("portal", "arterial", "delayed", "precontrast")


@dataclass(frozen=True)
class EngineFacts:
    """An engine as the panel shows it.

    Attributes:
        name: by which it is asked for.
        title: by which it is shown.
        offers: what it outlines, from what.
        ready: whether it can run on this machine.
        step: the one step that makes it so.
        licence: of the program and its weights.
        citation: publication to cite.
        library: what Python packages alone make it ready (a key of ``gui.compat.LISTS``), empty where none would.
    """

    name: str
    title: str
    offers: tuple[Offer, ...]
    ready: bool
    step: str = ""
    licence: str = ""
    citation: str = ""
    library: str = ""

    @property
    def usable(self) -> bool:
        """Whether pressing the button can work: it is ready, or its step is taken then."""
        return self.ready or bool(self.library)

    def offer(self, region: str) -> Offer | None:
        """Return what it offers for a region."""
        return next((offer for offer in self.offers if offer.region == region), None)


@dataclass(frozen=True)
class OutlineChoice:
    """What the user has chosen to be outlined.

    Attributes:
        region: the region.
        phases: phases that have a volume.
        engine: name of an engine, or ``auto``.
        prompt: kind of what the user points at.
        modality: of the images; not stated counts as CT, as on the command line.
        empty_prompt: name of a markup that is chosen but in which nothing was drawn, empty otherwise.
    """

    region: str = "tumor"
    phases: tuple[str, ...] = ()
    engine: str = AUTO
    prompt: PromptKind = "none"
    modality: Modality | None = None
    empty_prompt: str = ""


@dataclass(frozen=True)
class DraftRow:
    """A draft as the panel lists it: the region's title, what outlined it, its volume, and what to look at."""

    title: str
    source: str
    volume: str
    hints: tuple[str, ...]


def engine_facts() -> tuple[EngineFacts, ...]:
    """Return what every engine says of itself now, in the order in which ``auto`` takes them."""
    found = []
    for engine in engines():
        card, state = engine.card, engine.readiness()
        found.append(
            EngineFacts(
                name=card.name,
                title=card.title,
                offers=card.offers,
                ready=state.ready,
                step=state.step,
                licence=card.licence,
                citation=card.citation,
                library="" if state.ready else _library(card.name),
            )
        )
    return tuple(found)


def _library(name: str) -> str:
    """Return what Python packages make an engine ready that is not, empty where it lacks something else."""
    if name == BUILTIN:
        return "segmentation"
    if name in NETWORKS:
        setup = read_setup(name)
        if setup.python is None and setup.weights is not None and any(find_spec(module) is None for module in _NEEDED):
            return "deep"
    return ""


def libraries_of(engine: str, facts: Sequence[EngineFacts]) -> tuple[str, ...]:
    """Return what libraries are asked for before an engine starts: those that it lacks and that can be had here."""
    name = BUILTIN if engine == AUTO else engine
    return ("analysis", *(found.library for found in facts if found.name == name and found.library))


def best_phase(phases: Sequence[str]) -> str:
    """Return the phase on which to outline where nobody chose one: that in which most is seen; empty without any."""
    return next((phase for phase in _PHASES_FIRST if phase in phases), next(iter(phases), ""))


def offered_regions(facts: Sequence[EngineFacts]) -> tuple[str, ...]:
    """Return the regions of a case that some engine outlines, tumour and liver first."""
    offered = {offer.region for engine in facts for offer in engine.offers}
    order = (*_REGIONS_FIRST, *(region for region in REGIONS if region not in _REGIONS_FIRST))
    return tuple(region for region in order if region in offered)


def ready_to_outline(choice: OutlineChoice, facts: Sequence[EngineFacts]) -> tuple[bool, str]:
    """Return whether a draft can be made and, if not, the one thing to do next."""
    if not choice.phases:
        return False, _("Choose the volume of at least one phase.")
    if choice.empty_prompt:
        return False, _("Nothing is drawn in '{name}' yet: draw it in a slice view.").format(name=choice.empty_prompt)
    chosen = [engine for engine in facts if choice.engine in (AUTO, engine.name)]
    problems = [_problem(choice, engine) for engine in chosen]
    if "" in problems:
        return True, _("Ready.")
    return False, _nearest(choice, chosen, problems)


def _problem(choice: OutlineChoice, engine: EngineFacts) -> str:
    """Return why an engine cannot make a draft, empty where it can."""
    offer = engine.offer(choice.region)
    if offer is None:
        return _("{engine} does not outline the {region}: choose another engine.").format(
            engine=engine.title, region=choice.region
        )
    if (choice.modality or "CT") not in offer.modalities:
        return _("{engine} outlines the {region} in {known}, not in {found}: choose another engine.").format(
            engine=engine.title, region=choice.region, known=" and ".join(offer.modalities), found=choice.modality
        )
    if choice.prompt not in offer.prompts:
        return _("The {region} is outlined from {needs}: {remedy}.").format(
            region=choice.region, needs=_or(PROMPTS[kind] for kind in offer.prompts), remedy=_remedy(choice, offer)
        )
    if not engine.usable:
        return _("{engine} is not ready: {step}").format(engine=engine.title, step=engine.step)
    return ""


def _remedy(choice: OutlineChoice, offer: Offer) -> str:
    if choice.prompt == "none":
        return _("press a button below and draw it")
    return _("choose another one, or nothing") if "none" in offer.prompts else _("choose another one")


def _nearest(choice: OutlineChoice, chosen: Sequence[EngineFacts], problems: Sequence[str]) -> str:
    """Return the problem that is most easily mended: what is pointed at, of an engine that could run."""
    fitting = [
        (not engine.usable, (choice.modality or "CT") not in offer.modalities, place)
        for place, engine in enumerate(chosen)
        if (offer := engine.offer(choice.region)) is not None
    ]
    return problems[min(fitting)[2]] if fitting else problems[-1]


def _or(words: object) -> str:
    return _(" or ").join(words)  # type: ignore[arg-type]


def engine_in_words(name: str, facts: Sequence[EngineFacts]) -> str:
    """Return what is to be known of the engine chosen: whether it is ready, its one step, its licence."""
    engine = next((engine for engine in facts if engine.name == name), None)
    if engine is None:
        ready = [engine.title for engine in facts if engine.usable]
        return _("Takes the first that fits of: {engines}.").format(engines=", ".join(ready))
    if engine.ready:
        return _("Ready. Licence: {licence}.").format(licence=engine.licence)
    if engine.usable:
        return _("You will be asked before a Python package is installed: {step}").format(step=engine.step)
    return _("Not ready: {step}").format(step=engine.step)


def hints_in_words(hints: Sequence[QualityItem]) -> tuple[str, ...]:
    """Return what a reviewer should look at, the line that every draft has left out."""
    return tuple(
        f"{hint.check.removeprefix('draft ').capitalize()} {hint.found}: {hint.note}"
        for hint in hints
        if hint.status != "ok" and hint.check != "review"
    )


def draft_in_words(row: DraftRow) -> str:
    """Return what stands below the list of drafts, for the one that is chosen."""
    lines = [_("Automatic, not reviewed: look at every slice before you accept it.")]
    return "\n".join([*lines, *row.hints])


def unreviewed_in_words(names: Sequence[str]) -> str:
    """Return what stands below the regions where segments are automatic and nobody has accepted them."""
    if not names:
        return ""
    return _("{names}: automatic and not accepted. Accept below, or set to 'not used'.").format(
        names=", ".join(f"'{name}'" for name in names)
    )


def accepted_regions(regions: Mapping[str, str], key: str, region: str) -> dict[str, str]:
    """Return the region of each segment once a draft was accepted as segment ``key``.

    Tumours add up; of any other region the accepted one is the one that is used, and an earlier one stays, not used.
    """
    others = {
        other: "" if found == region and not region.startswith("tumor") else found for other, found in regions.items()
    }
    return {**others, key: region}
