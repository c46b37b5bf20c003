"""The published systems by name, and what a package of theirs says of a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from hccoutcome.clinical.scores import LIVER_SCORES
from hccoutcome.deep import package as deep
from hccoutcome.errors import InputError, nearest
from hccoutcome.package import liver_scores as liver
from hccoutcome.package.applicability import PackageInputs, judge, plan
from hccoutcome.package.format import Package
from hccoutcome.package.learned_system import LearnedSystem, PrintedOrLearned
from hccoutcome.package.prediction import Applicability, Prediction
from hccoutcome.package.reading import read_package
from hccoutcome.package.stability import input_stability
from hccoutcome.package.system import LinearSystem, Outcome, System
from hccoutcome.package.writing import write_package
from hccoutcome.response import haic_mri
from hccoutcome.status import QualityItem
from hccoutcome.survival import radscore

LEARNED = ("prime-r", "prime-s", "cox-ridge", "survival-forest", "survival-boosting", "logistic-ridge", "single-score")
"""Systems of which there are no printed weights."""

SYSTEMS: Mapping[str, System] = MappingProxyType(
    {
        radscore.Radscore.system: PrintedOrLearned(LinearSystem(radscore.Radscore)),
        haic_mri.HaicClinical.system: PrintedOrLearned(LinearSystem(haic_mri.HaicClinical)),
        haic_mri.HaicCR.system: PrintedOrLearned(LinearSystem(haic_mri.HaicCR)),
        haic_mri.HaicCRH.system: PrintedOrLearned(LinearSystem(haic_mri.HaicCRH)),
        liver.SYSTEM: liver.LiverScoreSystem(),
        **{name: LearnedSystem() for name in LEARNED},
        **{name: deep.DeepSystem() for name in deep.SYSTEMS},
    }
)
"""Every system that can apply packages, by the name that ``package.json`` gives it."""

WRITTEN_BY: Mapping[str, str] = MappingProxyType({"hccoutcome": "0.1.0"})
"""The software that first wrote the shipped packages; nothing in them was computed by other software."""


def system_of(package: Package) -> System:
    """Return the system that applies a package, after checking that the package is consistent.

    Raises:
        InputError: no such system, or the package's weights and inputs do not belong together.
    """
    if package.system not in SYSTEMS:
        raise InputError(
            f"The package '{package.name}' belongs to the unknown system '{package.system}'; "
            f"{nearest(package.system, SYSTEMS)}."
        )
    system = SYSTEMS[package.system]
    system.check(package)
    return system


def predict(package: Package, inputs: PackageInputs) -> Prediction:
    """Return what a package says of a case; where it refuses, no number at all.

    Raises:
        InputError: the package belongs to no known system or is not consistent in itself.
    """
    system = system_of(package)
    applicability = judge(package, inputs)
    if applicability.status == "refused":
        return _prediction(package, applicability, Outcome(None))
    outcome = system.compute(package, inputs)
    if outcome.score is None:
        return refusal(package, outcome.refusal, *applicability.reasons)
    # A feature goes by the name of the phase that was really read, so that it is found again among the features.
    columns = plan(package, inputs.phases).columns
    contributions = tuple(
        replace(
            item,
            name=columns.get(item.name, item.name),
            stability=input_stability(package, item.name, columns.get(item.name)),
        )
        for item in outcome.contributions
    )
    return _prediction(package, applicability, replace(outcome, contributions=contributions))


def refusal(package: Package, *reasons: str) -> Prediction:
    """Return what a package says of a case that it refuses: no number, and why."""
    return _prediction(package, Applicability("refused", reasons), Outcome(None))


def liver_scores(
    record: Mapping[str, float | str], synthetic: bool = False, quality: tuple[QualityItem, ...] = ()
) -> tuple[Prediction, ...]:
    """Return all liver function and staging scores of a clinical record; where inputs are missing, a refused one.

    Args:
        record: value by schema name in the schema's unit, as ``clinical.record.parse_record`` returns it.
        synthetic: True for generated data.
        quality: the quality table of the record; of the images and masks no score reads anything.
    """
    quality = tuple(item for item in quality if item.subject.startswith("clinical "))
    inputs = PackageInputs(clinical=record, synthetic=synthetic, quality=quality)
    return tuple(predict(read_package(name), inputs) for name in LIVER_SCORES)


def _prediction(package: Package, applicability: Applicability, outcome: Outcome) -> Prediction:
    return Prediction(
        package=package.name,
        version=package.version,
        sha256=package.sha256,
        title=package.title,
        endpoint=package.endpoint,
        score=outcome.score,
        scale=package.scale,
        applicability=applicability,
        label=outcome.label or _class(package, outcome.score),
        contributions=outcome.contributions,
        citation=package.citation,
    )


def _class(package: Package, score: float | None) -> str:
    """Return the class of a score in words, empty where the package tells no classes."""
    return "" if package.threshold is None or score is None else package.threshold.called(score)


def shipped_packages() -> tuple[Package, ...]:
    """Return the packages that need no training, made from the published coefficients and rules."""
    printed = (radscore.printed_package(), *haic_mri.printed_packages(), *liver.printed_packages())
    return tuple(replace(package, software=dict(WRITTEN_BY)) for package in printed)


def write_shipped_packages(folder: Path) -> tuple[Path, ...]:
    """Write the packages that need no training into ``Resources/Models``; maintainers call it after a change."""
    return tuple(write_package(package, folder / package.name) for package in shipped_packages())
