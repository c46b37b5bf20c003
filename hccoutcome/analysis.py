"""The whole way of one case: prepare, extract, predict. Plain data in, plain data out."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pywt
import scipy
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.clinical.complete import complete, derived_items
from hccoutcome.clinical.record import check_record
from hccoutcome.deep.package import DEEP
from hccoutcome.deep.screenshots import Screenshots
from hccoutcome.errors import HCCError, InputError
from hccoutcome.explanation.packages import explained
from hccoutcome.files import sha256_of_json
from hccoutcome.findings import Findings
from hccoutcome.imaging.prepare import Preparation, Prepared, prepare
from hccoutcome.imaging.quality import check_quality
from hccoutcome.imaging.register import doubt
from hccoutcome.imaging.registration_check import RegistrationCheck, registration_checks
from hccoutcome.package.applicability import ImageFacts, PackageInputs, plan
from hccoutcome.package.doubts import on_phases
from hccoutcome.package.format import Package
from hccoutcome.package.placing import outlook_of
from hccoutcome.package.prediction import Prediction
from hccoutcome.progress import Progress, part, silent
from hccoutcome.radiomics.extraction import extract
from hccoutcome.radiomics.settings import RadiomicsSettings, load_settings, parse_settings
from hccoutcome.status import QualityItem
from hccoutcome.systems import liver_scores, predict
from hccoutcome.version import __version__

OnRegistration = Callable[[str, RegistrationCheck, sitk.Image | None], object]


@dataclass(frozen=True)
class Recipe:
    """How feature values come about: what is done to the images first, and by which settings they are computed.

    Attributes:
        name: what the recipe is called where two give a feature of the same name.
        preparation: what is done to the images.
        settings: the radiomics settings.
    """

    name: str
    preparation: Preparation
    settings: RadiomicsSettings

    @property
    def sha256(self) -> str:
        """A hash over everything that decides a feature's value but the image."""
        return sha256_of_json({"preparation": self.preparation.to_dict(), "settings": self.settings.to_dict()})


@dataclass(frozen=True)
class Order:
    """A recipe and where it is to be followed: the phases wanted for each region.

    Attributes:
        recipe: the recipe.
        images: the phases to prepare; more than are measured where others are registered to one of them.
        regions: phases to measure by region; none where the case lacks them.
        required: True where someone asked for the features themselves: then a misfit is an error.
    """

    recipe: Recipe
    images: tuple[str, ...]
    regions: Mapping[str, tuple[str, ...]]
    required: bool = False

    def united(self, other: Order) -> Order:
        """Return the order for all that this and another one of the same recipe want."""
        regions = {
            name: _each_once(self.regions.get(name, ()), other.regions.get(name, ()))
            for name in _each_once(self.regions, other.regions)
        }
        return Order(self.recipe, _each_once(self.images, other.images), regions, self.required or other.required)


def _each_once(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


@dataclass(frozen=True)
class Extracted:
    """What came of an order.

    Attributes:
        features: value by feature column.
        volumes: volume in mL by region and phase, of the masks that the features come from.
        quality: what only this order met: registrations, refusals.
        notes: what the preparation reports, JSON data.
    """

    features: Mapping[str, float] = field(default_factory=dict)
    volumes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    quality: tuple[QualityItem, ...] = ()
    notes: tuple[Any, ...] = ()


def analyse(
    case: Case,
    packages: Sequence[Package],
    *,
    settings: Sequence[str] = (),
    engine: str = "auto",
    seed: int = 0,
    explain: bool = True,
    device: str = "auto",
    screenshots: Screenshots | None = None,
    progress: Progress = silent,
    on_registration: OnRegistration | None = None,
) -> Findings:
    """Check a case, extract what the packages need of it and apply them.

    Args:
        case: the case as read.
        packages: the packages to apply; each gives a prediction, if need be a refused one.
        settings: parameter files (names or paths) whose features of all images and regions are wanted besides.
        engine: ``"fast"``, ``"pyradiomics"`` or ``"auto"``.
        seed: of what is random: where registrations sample the images, and SHAP values.
        explain: compute what each input adds where that takes SHAP, some seconds for each package that is not linear.
        device: on which networks compute: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        screenshots: picture files by phase and slice that take the place of phases, for packages that accept them.
        progress: told how far the work is.
        on_registration: called with the name of the recipe, the check of each phase that it registered, and a region
            on their grid.

    Raises:
        InputError: a parameter file or a package is wrong, or features asked for by ``settings`` cannot be had. A case
            that does not fit a package gives a refused prediction, not an error.
    """
    derived = complete(case.clinical)
    of_record = (*check_record(case.clinical), *derived_items(derived, case.clinical))
    quality = (*check_quality(case, part(progress, 0.0, 0.05)), *of_record)
    orders = _orders(case, packages, settings)
    extracted: dict[str, Extracted] = {}
    for index, order in enumerate(orders):
        step = part(progress, 0.05 + 0.95 * index / len(orders), 0.05 + 0.95 * (index + 1) / len(orders))
        extracted[order.recipe.sha256] = _follow(order, case, quality, engine, seed, step, on_registration)
    inputs = inputs_of_case(case, packages, quality, derived.record, device, screenshots)
    predictions, doubts = _predictions(packages, inputs, extracted, seed, explain)
    asked = {package.name for package in packages}
    extras = tuple(item for found in extracted.values() for item in found.quality)
    return Findings(
        case_id=case.case_id,
        modality=case.modality,
        synthetic=case.synthetic,
        clinical=derived.record,
        quality=quality + extras,
        features=_merged(orders, extracted),
        predictions=predictions,
        liver_scores=tuple(
            item for item in liver_scores(derived.record, case.synthetic, quality) if item.package not in asked
        ),
        provenance={**_provenance(case, packages, orders, extracted, derived.notes, engine, seed), **doubts},
    )


def inputs_of_case(
    case: Case,
    packages: Sequence[Package],
    quality: tuple[QualityItem, ...],
    record: Mapping[str, float | str],
    device: str = "auto",
    screenshots: Screenshots | None = None,
) -> PackageInputs:
    """Return what is known of a case before any feature is extracted, which is all that networks read.

    Args:
        case: the case as read.
        packages: those that will be applied.
        quality: the case's quality table.
        record: its clinical record, completed by what follows from it.
        device: on which networks compute.
        screenshots: picture files by phase and slice that take the place of phases.
    """
    return PackageInputs(
        modality=case.modality,
        phases={phase: ImageFacts(image.GetSpacing(), image.GetSize()) for phase, image in case.images.items()},
        clinical=record,
        synthetic=case.synthetic,
        quality=quality,
        device=device,
        screenshots=screenshots or {},
        **_looked_at(case, packages),
    )


def extract_features(
    case: Case, settings: str, *, engine: str = "auto", progress: Progress = silent, workers: int = 1
) -> Mapping[str, float]:
    """Return all features of all regions of a case on all images that they fit, the images taken as they are.

    ``workers`` is the number of threads, which changes no bit of any value.

    Raises:
        InputError: a mask fits no image, there is no mask or image, or the settings are wrong.
    """
    order = _order_of_everything(case, settings)
    return _extract(order, case, engine, 0, progress, workers=workers).features


def _recipe(package: Package) -> Recipe:
    return Recipe(package.name, Preparation.from_dict(package.preparation), parse_settings(package.parameters))


def _orders(case: Case, packages: Sequence[Package], settings: Sequence[str]) -> list[Order]:
    """Return what is to be extracted: each recipe once, for all the regions and phases that anyone needs of it."""
    orders = []
    for package in packages:
        if package.requirements.features and case.modality in (None, package.requirements.modality):
            needs = plan(package, case.images)
            regions = {region: phases for region, phases in needs.regions.items() if region in case.masks}
            orders.append(Order(_recipe(package), tuple(needs.phases.values()), regions))
    # The packages come first, so that their features bear the plain names.
    orders += [_order_of_everything(case, name) for name in settings]
    united: dict[str, Order] = {}
    for order in orders:
        known = united.get(order.recipe.sha256)
        united[order.recipe.sha256] = order if known is None else known.united(order)
    return list(united.values())


def _order_of_everything(case: Case, settings: str) -> Order:
    if not case.masks or not case.images:
        raise InputError(
            "Features need at least one image and one mask, found none: give both, the mask by its region."
        )
    recipe = Recipe(Path(settings).stem, Preparation(), load_settings(settings))
    phases = tuple(case.images)
    return Order(recipe, phases, dict.fromkeys(case.masks, phases), required=True)


def _follow(
    order: Order,
    case: Case,
    quality: Sequence[QualityItem],
    engine: str,
    seed: int,
    progress: Progress,
    on_registration: OnRegistration | None = None,
) -> Extracted:
    """Extract what is ordered; where the case does not allow it, say so in place of features."""
    if not order.required and _is_blocked(order, quality):
        return Extracted()
    try:
        return _extract(order, case, engine, seed, progress, on_registration)
    except InputError as error:
        if order.required:
            raise
        where = f"{', '.join(order.regions)} on {', '.join(order.images)}"
        item = QualityItem("features", f"extraction of {where}", "none", "features", "refused", str(error))
        return Extracted(quality=(item,))


def _is_blocked(order: Order, quality: Iterable[QualityItem]) -> bool:
    """Return whether there is nothing to extract, or something that the quality table refuses."""
    used = {f"image {phase}" for phase in order.images} | {f"mask {region}" for region in order.regions}
    return not any(order.regions.values()) or any(
        item.status == "refused" and item.subject in used and on_phases(item, order.images) for item in quality
    )


def _extract(
    order: Order,
    case: Case,
    engine: str,
    seed: int,
    progress: Progress,
    on_registration: OnRegistration | None = None,
    workers: int = 1,
) -> Extracted:
    """Prepare the images, then extract the features of every region on the phases wanted."""
    preparation = order.recipe.preparation
    regions = _each_once(order.regions, filter(None, [preparation.registration_region]))
    prepared = prepare(
        {phase: case.images[phase] for phase in order.images},
        {region: case.masks[region] for region in regions if region in case.masks},
        preparation,
        seed=seed,
        progress=part(progress, 0.0, 0.4),
    )
    masks = {
        region: {phase: prepared.masks[region][phase] for phase in phases if phase in prepared.masks[region]}
        for region, phases in order.regions.items()
    }
    if on_registration is not None and prepared.registrations:
        reference = str(preparation.reference_phase)
        region = next((mask for found in prepared.masks.values() for mask in found.values()), None)
        for check in registration_checks(case.images, prepared, reference):
            on_registration(order.recipe.name, check, region)
    start = 0.4 if preparation != Preparation() else 0.0
    features = extract(prepared.images, masks, order.recipe.settings, engine, part(progress, start, 1.0), workers)
    volumes = {region: {phase: _volume_ml(mask) for phase, mask in on.items()} for region, on in masks.items()}
    return Extracted(features, volumes, _registrations(prepared, preparation), prepared.notes)


def _registrations(prepared: Prepared, preparation: Preparation) -> tuple[QualityItem, ...]:
    """Return a line of the quality table for each phase that was registered."""
    return tuple(
        QualityItem(
            f"image {phase}",
            "registration",
            f"mutual information {found.before:.3f} as scanned, {found.after:.3f} registered",
            f"more in common with the {preparation.reference_phase} image than as scanned",
            "warning" if doubt(found) else "ok",
            doubt(found),
        )
        for phase, found in prepared.registrations.items()
    )


def _volume_ml(mask: sitk.Image) -> float:
    return float(np.count_nonzero(sitk.GetArrayViewFromImage(mask)) * np.prod(mask.GetSpacing()) / 1000)


def _predictions(
    packages: Sequence[Package], inputs: PackageInputs, extracted: Mapping[str, Extracted], seed: int, explain: bool
) -> tuple[tuple[Prediction, ...], dict[str, Any]]:
    """Return what each package says, where the case stands in its cohort and what its inputs add.

    Besides, for the provenance, why that could not be computed.
    """
    predictions, failures = [], {}
    for package in packages:
        own = _inputs_of(package, inputs, extracted)
        found = predict(package, own)
        prediction = replace(found, outlook=outlook_of(found, package, own))
        try:
            predictions.append(explained(prediction, package, own, seed) if explain else prediction)
        except HCCError as error:  # the score stands without its explanation
            predictions.append(prediction)
            failures[package.name] = str(error)
    return tuple(predictions), {"unexplained": failures} if failures else {}


def _looked_at(case: Case, packages: Sequence[Package]) -> dict[str, Any]:
    """Return images, masks and volumes for the packages whose networks look at the images themselves."""
    if not any(package.weights.get("model") == DEEP for package in packages) or not case.images:
        return {}
    try:
        masks = prepare(case.images, case.masks).masks
    except InputError:  # the quality table says what is wrong with a mask; what needs it finds it missing
        return {"images": case.images}
    volumes = {region: {phase: _volume_ml(mask) for phase, mask in on.items()} for region, on in masks.items()}
    return {"images": case.images, "masks": masks, "regions": volumes}


def _inputs_of(package: Package, inputs: PackageInputs, extracted: Mapping[str, Extracted]) -> PackageInputs:
    """Return what is known of the case with the features that the package's own recipe gave."""
    if not package.requirements.features:
        return inputs
    found = extracted.get(_recipe(package).sha256, Extracted())
    return replace(inputs, features=found.features, regions=found.volumes, quality=inputs.quality + found.quality)


def _merged(orders: Sequence[Order], extracted: Mapping[str, Extracted]) -> dict[str, float]:
    """Return all features; of two recipes that give one name, the later one's columns tell their recipe."""
    merged: dict[str, float] = {}
    for order in orders:
        for name, value in extracted[order.recipe.sha256].features.items():
            merged[f"{name}@{order.recipe.name}" if name in merged else name] = value
    return merged


def _provenance(
    case: Case,
    packages: Sequence[Package],
    orders: Sequence[Order],
    extracted: Mapping[str, Extracted],
    derived: Sequence[str],
    engine: str,
    seed: int,
) -> dict[str, Any]:
    """Return what it takes to do the same again."""
    return {
        "software": {
            "hccoutcome": __version__,
            "python": platform.python_version(),
            **{module.__name__: module.__version__ for module in (numba, np, pywt, scipy, sitk)},
        },
        "inputs": dict(case.sources),
        "packages": [
            {"name": package.name, "version": package.version, "sha256": package.sha256} for package in packages
        ],
        "extractions": [
            {
                "name": order.recipe.name,
                "sha256": order.recipe.sha256,
                "images": list(order.images),
                "regions": {region: list(phases) for region, phases in order.regions.items()},
                "preparation": order.recipe.preparation.to_dict(),
                "settings": order.recipe.settings.to_dict(),
                "notes": list(extracted[order.recipe.sha256].notes),
            }
            for order in orders
        ],
        "derived": list(derived),
        "engine": engine,
        "seed": seed,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
