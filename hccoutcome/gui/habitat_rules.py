"""What the window for habitats decides, apart from Qt: what is missing, what will be done, how the result reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hccoutcome.case import check_case_id
from hccoutcome.errors import InputError
from hccoutcome.gui.rules import phase_title
from hccoutcome.habitat.facts import PackageFacts

CRH = "haic-mri-crh"
CRH_HABITATS = 3
"""The score reads habitat1 to habitat3."""

_PREPARATIONS = {
    "none": "The images are taken as they are.",
    "mri": "First the bias field is removed from each image, all are brought to 1 mm{registered}, and to grey "
    "levels of 0 to 255, as published for MR.",
    "ct": "First all images are brought to 1 mm{registered}; HU stay as they are.",
}
_ALGORITHMS = {"kmeans": "k-means", "gmm": "a Gaussian mixture"}
_CRITERIA = {
    "elbow": "the elbow of the inertia",
    "silhouette": "the best silhouette",
    "calinski-harabasz": "the best Calinski-Harabasz index",
    "davies-bouldin": "the best Davies-Bouldin index",
    "gap": "the gap statistic",
}
_METHODS = {
    "one-step": "{algorithm} clusters the voxels of this region alone, so its numbers mean nothing in another patient",
    "two-step": "{algorithm} clusters supervoxels of this region alone; without a package the numbers mean nothing in "
    "another patient",
    "pooled": "{algorithm} clusters the voxels of this region alone; without a package the numbers mean nothing in "
    "another patient",
}


@dataclass(frozen=True)
class HabitatChoice:
    """What the user has chosen so far.

    Attributes:
        case_id: name of the case.
        volumes: phases that have a volume.
        phases: those of them that take part.
        region: the region to divide.
        regions: regions that have at least one segment.
        method: how habitats are found.
        algorithm: by which clustering.
        k: number of habitats; None chooses it.
        criterion: how it is chosen.
        preparation: what is done to the images first.
        registration: how phases are registered, with a preparation.
        features: parameter file of each habitat's features; None measures none.
        package: what the habitat package says of itself; None for none.
        package_error: why the package cannot be read, empty where it can.
    """

    case_id: str = "case"
    volumes: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    region: str = "tumor"
    regions: tuple[str, ...] = ()
    method: str = "one-step"
    algorithm: str = "kmeans"
    k: int | None = None
    criterion: str = "elbow"
    preparation: str = "none"
    registration: str = "rigid"
    features: str | None = "haic-mri"
    package: PackageFacts | None = None
    package_error: str = ""


def ready_for_habitats(choice: HabitatChoice) -> tuple[bool, str]:
    """Return whether habitats can be looked for and, if not, the one thing to do next."""
    message = _obstacle(choice)
    return not message, message or "Ready."


def _obstacle(choice: HabitatChoice) -> str:
    try:
        check_case_id(choice.case_id)
    except InputError as error:
        return str(error)
    if not choice.volumes:
        return "Choose the volume of at least one phase."
    if not choice.phases:
        return "Tick at least one phase."
    if choice.region not in choice.regions:
        return f"Say which segment is the region '{choice.region}'."
    return choice.package_error or _package_obstacle(choice)


def _package_obstacle(choice: HabitatChoice) -> str:
    facts = choice.package
    if facts is None:
        return ""
    if facts.method != choice.method:
        return f"The habitat package was learnt by '{facts.method}': choose that method."
    missing = [phase for phase in facts.phases if phase not in choice.phases]
    if missing:
        named = " and ".join(phase_title(phase) for phase in missing)
        return f"The habitat package needs {named} too: choose the volume, and tick the phase."
    return ""


def preparation_for_modality(modality: str | None) -> str:
    """Return what is done to the images where the modality decides: as published for MR, nothing for anything else."""
    return "mri" if modality == "MR" else "none"


def plan_in_words(choice: HabitatChoice) -> str:
    """Return what Apply will do."""
    if choice.package is not None:
        facts = choice.package
        prepared = "prepares the images and " if facts.prepared else ""
        sentences = [
            f"The package {prepared}gives each voxel of '{choice.region}' one of its {facts.k} habitats "
            f"({facts.method}, learnt from {facts.patients} patients in {', '.join(facts.phases)})."
        ]
    else:
        method = _METHODS[choice.method].format(algorithm=_ALGORITHMS[choice.algorithm])
        number = (
            f"Of 2 to 10 habitats, {_CRITERIA[choice.criterion]} chooses."
            if choice.k is None
            else f"There will be {choice.k} habitats."
        )
        sentences = [
            _PREPARATIONS[choice.preparation].format(registered=_registered(choice)),
            f"{method[:1].upper()}{method[1:]}.",
            number,
        ]
    measured = "No radiomics" if choice.features is None else f"Radiomics by '{choice.features}'"
    return " ".join([*sentences, f"{measured} of each habitat."])


def _registered(choice: HabitatChoice) -> str:
    if len(choice.phases) < 2:
        return ""
    reference = "portal" if "portal" in choice.phases else choice.phases[0]
    kind = "rigidly" if choice.registration == "rigid" else "with deformation"
    return f" and registered {kind} to {phase_title(reference)}"


def habitats_in_words(summary: Mapping[str, Any], region: str, synthetic: bool = False) -> str:
    """Return what was found, as a paragraph for each thing to know, the most important first."""
    sizes = summary["habitats"]
    volume = sum(size["volume_ml"] for size in sizes)
    settings = summary["settings"]
    lines = [
        f"{summary['k']} habitats in {region} ({volume:.1f} mL) by {_ALGORITHMS[settings['algorithm']]} in "
        f"{', '.join(summary['phases'])}; {_who_chose(summary)}. {summary['ordering']}",
        f"Heterogeneity (ITH) {summary['measures']['ith']:.2f}: 0 is each habitat in one piece, towards 1 many small "
        "pieces.",
    ]
    agreement = summary["agreement"]
    if agreement is not None:
        lines.append(
            f"Found again: adjusted Rand index {agreement['seed_rand']:.2f} with other seeds, "
            f"{agreement['bootstrap_rand']:.2f} with resampled voxels; 1 is the same map."
        )
    lines += summary["notes"]
    lines.append("Habitats describe grey levels. Which tissue they are was not verified.")
    return "\n".join((["Synthetic data."] if synthetic else []) + lines)


def _who_chose(summary: Mapping[str, Any]) -> str:
    if summary["model"] is not None:
        return "the number is the package's"
    settings = summary["settings"]
    return "the number was asked for" if settings["k"] is not None else f"{_CRITERIA[settings['criterion']]} chose"


def size_titles(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of ``size_rows``: the last are the phases, for mean grey levels."""
    return ("Habitat", "mL", "%", "Parts", *summary["phases"])


def size_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return number, volume, share, parts and mean grey level by phase of each habitat."""
    rows = []
    for size in summary["habitats"]:
        means = [size["means"].get(phase) for phase in summary["phases"]]
        rows.append(
            (
                str(size["habitat"]),
                f"{size['volume_ml']:.2f}",
                f"{100 * size['proportion']:.1f}",
                str(size["parts"]),
                *("" if mean is None else f"{mean:.4g}" for mean in means),
            )
        )
    return rows


def crh_obstacle(summary: Mapping[str, Any]) -> str:
    """Return why the habitats cannot be handed to the Clinical-Radiomics-Habitat score, empty where they can."""
    if summary["k"] != CRH_HABITATS:
        return f"The score reads {CRH_HABITATS} habitats, found {summary['k']}: choose {CRH_HABITATS} and press Apply."
    absent = [str(size["habitat"]) for size in summary["habitats"] if not size["voxels"]]
    if absent:
        return f"The score reads three habitats, and this region has no voxel of habitat {' and '.join(absent)}."
    return ""


def handed_over(name: str, phases: Sequence[str]) -> str:
    """Return what a user should know once habitats were handed to the score."""
    published = ("precontrast", "arterial", "portal", "delayed")
    missing = [phase for phase in published if phase not in phases]
    note = f" They were found without {', '.join(missing)}: the published ones come from four MR sequences."
    return f"'{name}' is handed over: open HCC Response and press Apply.{note if missing else ''}"
