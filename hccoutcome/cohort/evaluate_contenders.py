"""The systems and packages that a study compares, by the names that a user gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hccoutcome.clinical.endpoints import CRITERIA, ENDPOINTS, ONE_YEAR
from hccoutcome.cohort.evaluate_cnn import CNN_LOGISTIC
from hccoutcome.cohort.evaluate_networks import network_of
from hccoutcome.cohort.extraction import find_extraction
from hccoutcome.errors import InputError, nearest
from hccoutcome.evaluation.study import Task
from hccoutcome.package.commands import COHORT_MANIFEST
from hccoutcome.package.format import Package
from hccoutcome.package.reading import list_packages, read_package
from hccoutcome.trainable import TRAINABLE, Trainable

SYSTEMS = {**TRAINABLE, CNN_LOGISTIC.name: CNN_LOGISTIC}
"""What a study can cross-validate, by name."""
ALL = "all"
"""Stands for every modality of a system."""
BASELINES = ("albi", "bclc")
ONE_YEAR_SURVIVAL = "one-year survival"
MOST = 6
"""Curves that a figure can tell apart."""


@dataclass(frozen=True, eq=False)
class Contender:
    """A system that is trained and cross-validated, or a finished package that is applied.

    Attributes:
        label: what figures and tables call it.
        baseline: whether it is there only to be compared with.
        system, modality: of a system; None and empty for a package.
        package: the package, None for a system.
    """

    label: str
    baseline: bool = False
    system: Trainable | None = None
    modality: str = ""
    package: Package | None = None

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it can predict."""
        if self.system is not None:
            return self.system.tasks
        return ("response",) if self.package is not None and self.package.scale == "probability" else ("survival",)

    @property
    def title(self) -> str:
        """What it is, in words."""
        if self.system is not None:
            return f"{self.system.title}, {_READS[self.modality]}"
        return "" if self.package is None else f"{self.package.title}, package {self.package.version}"


_READS = {
    "clinical": "on clinical variables",
    "imaging": "on imaging features",
    "early": "on both together (early fusion)",
    "late": "on both apart (late fusion)",
}


def contenders_of(names: Sequence[str]) -> tuple[Contender, ...]:
    """Return what the names stand for.

    Args:
        names: ``SYSTEM``, ``SYSTEM:MODALITY``, ``SYSTEM:all``, or name or path of a package. A system goes before a
            shipped package of the same name.

    Raises:
        InputError: a name stands for nothing, or two for the same.
    """
    found = [contender for name in names for contender in _named(name)]
    labels = [contender.label for contender in found]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(f"'{label}' is named twice: name each system or package once.")
    return tuple(found)


def _named(name: str) -> list[Contender]:
    word, _, modality = name.partition(":")
    if word in SYSTEMS:
        system = SYSTEMS[word]
        if modality == ALL:
            return [_of_system(system, each) for each in system.modalities]
        if modality and modality not in system.modalities:
            raise InputError(f"{system.title} does not read '{modality}'; {nearest(modality, system.modalities)}.")
        return [_of_system(system, modality or system.modalities[0])]
    if name in list_packages() or Path(name).exists():
        package = read_package(name)
        return [Contender(package.name, package=package)]
    raise InputError(
        f"'{name}' is neither a system, a shipped package nor the path of one; "
        f"{nearest(word, {*SYSTEMS, *list_packages()})}."
    )


def _of_system(system: Trainable, modality: str, baseline: bool = False) -> Contender:
    label = f"{system.name} {modality}" if len(system.modalities) > 1 else system.name
    return Contender(label, baseline, system, modality)


def with_baselines(contenders: Sequence[Contender], table: pd.DataFrame) -> tuple[Contender, ...]:
    """Return the contenders with ALBI and BCLC alone behind them, where the table has these and there is room."""
    there = [name for name in BASELINES if name in table.columns and table[name].nunique() > 1]
    labels = {contender.label for contender in contenders}
    added = [_of_system(TRAINABLE[name], "clinical", True) for name in there if name not in labels]
    return (*contenders, *added[: max(MOST - len(contenders), 0)])


def endpoint_of(contenders: Sequence[Contender], endpoint: str = "") -> tuple[str, Task]:
    """Return the endpoint and its kind, and check that all contenders predict it.

    Args:
        contenders: at least one; where no endpoint is named, the usual one of the first.
        endpoint: ``"os"``, ``"pfs"``, ``"ttp"``, a response criterion or ``"survival-1y"``; empty where none is named.

    Raises:
        InputError: no such endpoint, too many contenders, or one that predicts another kind.
    """
    endpoint = endpoint or _usual_endpoint(contenders[0])
    if endpoint not in (*ENDPOINTS, *CRITERIA, ONE_YEAR):
        raise InputError(f"'{endpoint}' is not an endpoint; {nearest(endpoint, [*ENDPOINTS, *CRITERIA, ONE_YEAR])}.")
    if len(contenders) > MOST:
        raise InputError(f"A study compares at most {MOST} systems, found {len(contenders)}: leave some out.")
    task: Task = "survival" if endpoint in ENDPOINTS else "response"
    for contender in contenders:
        if task not in contender.tasks:
            raise InputError(
                f"'{contender.label}' predicts {contender.tasks[0]} and the endpoint '{endpoint}' is one of {task}: "
                "name another endpoint, or leave it out."
            )
        target = _target(contender.package)
        if target and (target == ONE_YEAR_SURVIVAL) != (endpoint == ONE_YEAR):
            raise InputError(
                f"The package '{contender.label}' learned {target} and the endpoint is '{endpoint}': name the one "
                "that it learned, or leave it out."
            )
    return endpoint, task


def _usual_endpoint(contender: Contender) -> str:
    if _target(contender.package) == ONE_YEAR_SURVIVAL:
        return ONE_YEAR
    return {"response": "mrecist", "survival": "os"}[contender.tasks[0]]


def _target(package: Package | None) -> str:
    """Return what a package learned, empty where there is none or it does not say."""
    network = network_of(package)
    if network is not None:
        return network.target
    endpoint = None if package is None else package.settings.get("endpoint")
    return "" if endpoint is None else ONE_YEAR_SURVIVAL if endpoint == ONE_YEAR else "another endpoint"


def verified_packages(names: Sequence[str], features: Path | None) -> tuple[str, ...]:
    """Return the packages among the contenders with whose settings a features file was provably extracted.

    Args:
        names: as in ``contenders_of``.
        features: the features file; the manifest of a cohort run may lie beside it.

    Raises:
        InputError: the manifest says that other settings were used.
    """
    if features is None or not features.with_name(COHORT_MANIFEST).is_file():
        return ()
    packages = [contender.package for contender in contenders_of(names) if contender.package is not None]
    reading = [package for package in packages if package.requirements.features]
    known = {package.name: find_extraction(features, str(package.source or package.name)) for package in reading}
    return tuple(name for name, extraction in known.items() if extraction.verified)
