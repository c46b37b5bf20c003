"""What the window for habitats decides, apart from Qt: what is missing, what will be done, how the result reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hccoutcome.case import check_case_id
from hccoutcome.errors import InputError
from hccoutcome.gui.rules import phase_title
from hccoutcome.gui.translate import _
from hccoutcome.habitat.facts import PackageFacts

CRH = "haic-mri-crh"
CRH_HABITATS = 3
"""The score reads habitat1 to habitat3."""

_PREPARATIONS = {
    "none": _("The images are taken as they are."),
    "mri": _(
        "First the bias field is removed from each image, all are brought to 1 mm{registered}, and to grey "
        "levels of 0 to 255, as published for MR."
    ),
    "ct": _("First all images are brought to 1 mm{registered}; HU stay as they are."),
}
_ALGORITHMS = {"kmeans": "k-means", "gmm": _("a Gaussian mixture")}
_CRITERIA = {
    "elbow": _("the elbow of the inertia"),
    "silhouette": _("the best silhouette"),
    "calinski-harabasz": _("the best Calinski-Harabasz index"),
    "davies-bouldin": _("the best Davies-Bouldin index"),
    "gap": _("the gap statistic"),
}
_METHODS = {
    "one-step": _(
        "{algorithm} clusters the voxels of this region alone, so its numbers mean nothing in another patient"
    ),
    "two-step": _(
        "{algorithm} clusters supervoxels of this region alone; without a package the numbers mean nothing in "
        "another patient"
    ),
    "pooled": _(
        "{algorithm} clusters the voxels of this region alone; without a package the numbers mean nothing in "
        "another patient"
    ),
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
    return not message, message or _("Ready.")


def _obstacle(choice: HabitatChoice) -> str:
    try:
        check_case_id(choice.case_id)
    except InputError as error:
        return str(error)
    if not choice.volumes:
        return _("Choose the volume of at least one phase.")
    if not choice.phases:
        return _("Tick at least one phase.")
    if choice.region not in choice.regions:
        return _("Say which segment is the region '{region}'.").format(region=choice.region)
    return choice.package_error or _package_obstacle(choice)


def _package_obstacle(choice: HabitatChoice) -> str:
    facts = choice.package
    if facts is None:
        return ""
    if facts.method != choice.method:
        return _("The habitat package was learnt by '{method}': choose that method.").format(method=facts.method)
    missing = [phase for phase in facts.phases if phase not in choice.phases]
    if missing:
        named = " and ".join(phase_title(phase) for phase in missing)
        return _("The habitat package needs {named} too: choose the volume, and tick the phase.").format(named=named)
    return ""


def preparation_for_modality(modality: str | None) -> str:
    """Return what is done to the images where the modality decides: as published for MR, nothing for anything else."""
    return "mri" if modality == "MR" else "none"


def plan_in_words(choice: HabitatChoice) -> str:
    """Return what Apply will do."""
    if choice.package is not None:
        facts = choice.package
        prepared = _("prepares the images and ") if facts.prepared else ""
        sentences = [
            _(
                "The package {prepared}gives each voxel of '{region}' one of its {k} habitats ({method}, learnt from "
                "{patients} patients in {phases})."
            ).format(
                prepared=prepared,
                region=choice.region,
                k=facts.k,
                method=facts.method,
                patients=facts.patients,
                phases=", ".join(facts.phases),
            )
        ]
    else:
        method = _METHODS[choice.method].format(algorithm=_ALGORITHMS[choice.algorithm])
        number = (
            _("Of 2 to 10 habitats, {criterion} chooses.").format(criterion=_CRITERIA[choice.criterion])
            if choice.k is None
            else _("There will be {k} habitats.").format(k=choice.k)
        )
        sentences = [
            _PREPARATIONS[choice.preparation].format(registered=_registered(choice)),
            f"{method[:1].upper()}{method[1:]}.",
            number,
        ]
    measured = (
        _("No radiomics")
        if choice.features is None
        else _("Radiomics by '{features}'").format(features=choice.features)
    )
    return " ".join([*sentences, _("{measured} of each habitat.").format(measured=measured)])


def _registered(choice: HabitatChoice) -> str:
    if len(choice.phases) < 2:
        return ""
    reference = "portal" if "portal" in choice.phases else choice.phases[0]
    kind = _("rigidly") if choice.registration == "rigid" else _("with deformation")
    return _(" and registered {kind} to {reference}").format(kind=kind, reference=phase_title(reference))


def habitats_in_words(summary: Mapping[str, Any], region: str, synthetic: bool = False) -> str:
    """Return what was found, as a paragraph for each thing to know, the most important first."""
    sizes = summary["habitats"]
    volume = sum(size["volume_ml"] for size in sizes)
    settings = summary["settings"]
    lines = [
        _("{k} habitats in {region} ({volume:.1f} mL) by {algorithm} in {phases}; {who_chose}. {ordering}").format(
            k=summary["k"],
            region=region,
            volume=volume,
            algorithm=_ALGORITHMS[settings["algorithm"]],
            phases=", ".join(summary["phases"]),
            who_chose=_who_chose(summary),
            ordering=summary["ordering"],
        ),
        _("Heterogeneity (ITH) {ith:.2f}: 0 is each habitat in one piece, towards 1 many small pieces.").format(
            ith=summary["measures"]["ith"]
        ),
    ]
    agreement = summary["agreement"]
    if agreement is not None:
        lines.append(
            _(
                "Found again: adjusted Rand index {seed_rand:.2f} with other seeds, {bootstrap_rand:.2f} with "
                "resampled voxels; 1 is the same map."
            ).format(seed_rand=agreement["seed_rand"], bootstrap_rand=agreement["bootstrap_rand"])
        )
    lines += summary["notes"]
    lines.append(_("Habitats describe grey levels. Which tissue they are was not verified."))
    return "\n".join(([_("Synthetic data.")] if synthetic else []) + lines)


def _who_chose(summary: Mapping[str, Any]) -> str:
    if summary["model"] is not None:
        return _("the number is the package's")
    settings = summary["settings"]
    if settings["k"] is not None:
        return _("the number was asked for")
    return _("{criterion} chose").format(criterion=_CRITERIA[settings["criterion"]])


def size_titles(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of ``size_rows``: the last are the phases, for mean grey levels."""
    return (_("Habitat"), "mL", "%", _("Parts"), *summary["phases"])


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
        return _("The score reads {wanted} habitats, found {k}: choose {wanted} and press Apply.").format(
            wanted=CRH_HABITATS, k=summary["k"]
        )
    absent = [str(size["habitat"]) for size in summary["habitats"] if not size["voxels"]]
    if absent:
        return _("The score reads three habitats, and this region has no voxel of habitat {absent}.").format(
            absent=" and ".join(absent)
        )
    return ""


def handed_over(name: str, phases: Sequence[str]) -> str:
    """Return what a user should know once habitats were handed to the score."""
    published = ("precontrast", "arterial", "portal", "delayed")
    missing = [phase for phase in published if phase not in phases]
    note = _(" They were found without {missing}: the published ones come from four MR sequences.").format(
        missing=", ".join(missing)
    )
    return _("'{name}' is handed over: open HCC Response and press Apply.{note}").format(
        name=name, note=note if missing else ""
    )
