"""Networks on one case beyond their score: what they look at, and what ATOM makes of four of them.

Whatever a package refuses is refused here too, by the same judgement as in ``hcc analyse``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hccoutcome.analysis import analyse
from hccoutcome.case import Case
from hccoutcome.cohort.network_packages import config_of, rule_of
from hccoutcome.deep.package import clinical_row, network_input
from hccoutcome.deep.relevance import Method, Relevance, RelevanceMap, relevance_maps, write_relevance
from hccoutcome.deep.seen import SeenVolume, seen_volumes
from hccoutcome.errors import InputError
from hccoutcome.files import explained_write_errors
from hccoutcome.findings import Findings
from hccoutcome.imaging.prepare import prepare
from hccoutcome.package.format import Package
from hccoutcome.progress import Progress, part, silent
from hccoutcome.treatment.atom import Advice, recommend


@dataclass(frozen=True, eq=False)
class CaseMaps:
    """What a network looks at in a case.

    Attributes:
        findings: of the case, with the package's prediction.
        relevance: what it looks at.
        maps: of it, in the case's images.
        seen: what it saw of the case.
    """

    findings: Findings
    relevance: Relevance
    maps: tuple[RelevanceMap, ...]
    seen: tuple[SeenVolume, ...]


def maps_of_case(
    case: Case, package: Package, method: Method, device: str = "auto", progress: Progress = silent
) -> CaseMaps:
    """Return what a package's network looks at in a case.

    Raises:
        InputError: the package holds no network or refuses the case, or the network does not allow the method.
        EnvironmentNeeded: PyTorch or MONAI is not installed.
        Cancelled: the progress callback asked to stop.
    """
    config = config_of(package)
    findings = analyse(case, [package], explain=False, device=device, progress=part(progress, 0.0, 0.3))
    prediction = findings.predictions[0]
    if prediction.score is None:
        raise InputError(f"{package.name} gives no score for this case: {' '.join(prediction.applicability.reasons)}")
    from hccoutcome.deep.package_maps import relevance

    seen = network_input(config, case.images, prepare(case.images, case.masks).masks)
    row = clinical_row(config, findings.clinical)
    found = relevance(package, config, seen, row, method, device, part(progress, 0.3, 0.95))
    progress(0.95, "Brings the maps back into the images")
    maps = tuple(relevance_maps(found, seen, case.images))
    return CaseMaps(findings, found, maps, tuple(seen_volumes(seen)))


def write_case_maps(found: CaseMaps, case: Case, package: Package, folder: Path) -> dict[str, Any]:
    """Write maps and what the network saw into a folder, with a picture of each map; return what ``maps.json`` says.

    Raises:
        EnvironmentNeeded: the folder cannot be written to.
    """
    from hccoutcome.report.relevance_figure import relevance_picture

    with explained_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    data = write_relevance(found.relevance, found.maps, package, case.sources, folder, found.seen)
    for one in found.maps:
        picture = relevance_picture(one, case.images[one.phase], package.name, case.synthetic)
        with explained_write_errors(folder):
            (folder / f"{one.name}.png").write_bytes(picture)
    return data


def advise(case: Case, packages: Mapping[str, Package], device: str = "auto", progress: Progress = silent) -> Findings:
    """Return the findings of a case with what ATOM says of it by the packages at hand.

    A package that refuses the case counts as missing.

    Args:
        case: the case as read.
        packages: SELECTION packages by model, at least one.
        device: on which they compute.
        progress: told how far it is; may stop it.

    Raises:
        InputError: there is no package, or one does not fit its model.
        EnvironmentNeeded: PyTorch or MONAI is not installed.
    """
    if not packages:
        raise InputError("ATOM needs the packages of its models, found none: name at least --tace and --haic.")
    rule = rule_of(packages)
    findings = analyse(case, list(packages.values()), explain=False, device=device, progress=progress)
    scores = dict(zip(packages, (item.score for item in findings.predictions), strict=True))
    advice = Advice(
        models={model: package.name for model, package in packages.items()},
        rule=rule,
        recommendation=recommend(scores, rule),
        scores=scores,
        remarks={
            model: " ".join(item.applicability.reasons)
            for model, item in zip(packages, findings.predictions, strict=True)
        },
    )
    return replace(findings, advice=advice)
