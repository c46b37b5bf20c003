"""Networks on the patients of a study: each case is read once and shown to all of them, as in ``hcc analyse``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hccoutcome.analysis import inputs_of_case
from hccoutcome.case import Case, CaseFiles
from hccoutcome.clinical.record import check_record
from hccoutcome.cohort.deep_cases import find_cases
from hccoutcome.deep.fingerprints import LEARNED_IMAGES, fingerprints
from hccoutcome.deep.inputs import NetworkInput
from hccoutcome.deep.package import DEEP, DeepConfig, clinical_row, require_torch
from hccoutcome.deep.tci_inputs import TciView
from hccoutcome.errors import InputError
from hccoutcome.evaluation.estimate import Bools, Floats
from hccoutcome.imaging.quality import check_quality
from hccoutcome.loading import load_case
from hccoutcome.package.applicability import PackageInputs
from hccoutcome.package.format import Package
from hccoutcome.package.prediction import Prediction
from hccoutcome.progress import Progress, silent
from hccoutcome.systems import predict, refusal

Record = Mapping[str, float | str]


@dataclass(frozen=True)
class CaseImages:
    """Where the images of a study's patients lie.

    Attributes:
        table: the study's table.
        root: folder with a case folder for each patient, or from which the paths in the table start.
        device: on which networks compute: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        weights: file with ImageNet weights of a ResNet-50, for SELECTION's convolutional comparator.
    """

    table: Path
    root: Path
    device: str = "auto"
    weights: Path | None = None


@dataclass(frozen=True, eq=False)
class NetworkFindings:
    """What one network says of the patients of a study.

    Attributes:
        predictions: of each patient, as of one case.
        learned: of whose images it learned, by the fingerprints in the package, shape (patients,).
        survival: probability of surviving each time by its own hazards, shape (patients, times); NaN without a score,
            None where it predicts no survival.
        without: its number, higher where the outcome is expected, by what is left out of the images, shape (patients,)
            each; empty where it predicts survival.
        synthetic: whether any case is generated.
    """

    predictions: tuple[Prediction, ...]
    learned: Bools
    survival: Floats | None
    without: Mapping[str, Floats]
    synthetic: bool


def network_of(package: Package | None) -> DeepConfig | None:
    """Return the configuration of a package's network, None where it holds none."""
    if package is None or package.weights.get("model") != DEEP:
        return None
    return DeepConfig.from_json(package.weights)


def learned_images(package: Package) -> frozenset[str]:
    """Return the fingerprints of the images that a package learned from, empty where it does not tell them."""
    listed = package.settings.get(LEARNED_IMAGES)
    return frozenset(item for item in listed if isinstance(item, str)) if isinstance(listed, list) else frozenset()


def look_at_cases(
    packages: Sequence[Package],
    cases: Sequence[str],
    records: Mapping[str, Record],
    images: CaseImages,
    times: Sequence[float],
    progress: Progress = silent,
) -> dict[str, NetworkFindings]:
    """Return what networks say of patients, by the name of their package.

    Args:
        packages: each with a network.
        cases: the patients.
        records: completed clinical record by patient, which takes the place of that in the case folder.
        images: where their images lie.
        times: months at which survival is wanted, within what each network of survival knows.
        progress: told after every case.

    Raises:
        InputError: a patient has no images, or a package is not intact.
        EnvironmentNeeded: PyTorch or MONAI is not installed.
    """
    require_torch()
    from hccoutcome.deep.package_network import KEPT

    files = find_cases(images.table, images.root, cases)
    found: dict[str, list[_OfCase]] = {package.name: [] for package in packages}
    # So many at a time as stay in memory: each network is loaded once for all cases.
    rounds = [packages[start : start + KEPT] for start in range(0, len(packages), KEPT)]
    for place, some in enumerate(rounds):
        for number, name in enumerate(cases):
            done = (place + number / len(cases)) / len(rounds)
            progress(done, f"Shows case {number + 1} of {len(cases)} to the networks")
            inputs = _inputs(files[name], records[name], some, images.device)
            for package in some:
                found[package.name].append(_of_case(package, inputs, times))
    return {name: _findings(own) for name, own in found.items()}


@dataclass(frozen=True, eq=False)
class _OfCase:
    """What one network says of one case."""

    prediction: Prediction
    learned: bool = False
    synthetic: bool = False
    survival: Floats | None = None
    without: Mapping[str, float] = field(default_factory=dict)


def _inputs(files: CaseFiles, record: Record, packages: Sequence[Package], device: str) -> PackageInputs | str:
    """Return a case as packages take it, or why it cannot be read."""
    try:
        case: Case = replace(load_case(files), clinical=dict(record))
    except InputError as error:
        return str(error)
    quality = (*check_quality(case), *check_record(case.clinical))
    return inputs_of_case(case, packages, quality, case.clinical, device)


def _of_case(package: Package, inputs: PackageInputs | str, times: Sequence[float]) -> _OfCase:
    if isinstance(inputs, str):
        return _OfCase(refusal(package, inputs))
    config = DeepConfig.from_json(package.weights)
    learned = not learned_images(package).isdisjoint(fingerprints(inputs.images, config.phases))
    prediction = predict(package, inputs)
    told = (prediction, learned, inputs.synthetic)
    if prediction.score is None:
        return _OfCase(*told)
    seen, row = inputs.seen[config.view], clinical_row(config, inputs.clinical)
    if config.target == "survival":
        return _OfCase(*told, survival=_survival(package, config, seen, row, inputs.device, times))
    return _OfCase(*told, without=_without(package, config, seen, row, inputs.device))


def _survival(
    package: Package,
    config: DeepConfig,
    seen: NetworkInput,
    row: Sequence[float],
    device: str,
    times: Sequence[float],
) -> Floats:
    """Return survival at some months by the network's hazards, shape (times,)."""
    from hccoutcome.deep.hazards import survival_at
    from hccoutcome.deep.package_network import apply_network

    raw, _ = apply_network(package, config, seen, row, device)
    hazards = 1 / (1 + np.exp(-raw[None]))
    return np.asarray(survival_at(hazards, np.array(config.breaks), np.array(times))[0])


def _without(
    package: Package, config: DeepConfig, seen: NetworkInput, row: Sequence[float], device: str
) -> dict[str, float]:
    """Return the network's number by what is left out of the images."""
    from hccoutcome.deep.occlusion import numbers_without, planes_kept
    from hccoutcome.deep.package_network import on_device

    kept = planes_kept(config.phases, config.view.offsets if isinstance(config.view, TciView) else (0,))
    found, _ = on_device(package, device, lambda model: numbers_without(model, kept, seen.pixels, seen.present, row))
    return found


def _findings(found: Sequence[_OfCase]) -> NetworkFindings:
    survival = next((one.survival for one in found if one.survival is not None), None)
    names = next((tuple(one.without) for one in found if one.without), ())
    rows = None if survival is None else np.full((len(found), len(survival)), np.nan)
    for number, one in enumerate(found):
        if rows is not None and one.survival is not None:
            rows[number] = one.survival
    return NetworkFindings(
        predictions=tuple(one.prediction for one in found),
        learned=np.array([one.learned for one in found], bool),
        survival=rows,
        without={name: np.array([one.without.get(name, np.nan) for one in found]) for name in names},
        synthetic=any(one.synthetic for one in found),
    )
