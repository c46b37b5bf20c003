"""What a learned package says of a case: its model applied to the case's features, variables and indices."""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Mapping
from dataclasses import dataclass

from hccoutcome.clinical.indices import INDICES, composite_index, missing_for_index
from hccoutcome.errors import InputError
from hccoutcome.package.applicability import PackageInputs, values_for
from hccoutcome.package.format import Package
from hccoutcome.package.learned import LearnedModel
from hccoutcome.package.skops_file import load_model
from hccoutcome.package.system import Outcome, System
from hccoutcome.package.vectors import check_vectors

LIBRARIES = ("numpy", "scipy", "scikit-learn", "scikit-survival", "skops")
"""Libraries on which the numbers of a learned package depend."""


def installed_versions() -> dict[str, str]:
    """Return the versions of the libraries that are installed here, by name."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def inputs_of(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the clinical variables and features behind a model's columns: an index stands for what it is made of."""
    names = [name for column in columns for name in (INDICES[column].needs if column in INDICES else (column,))]
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class LearnedSystem:
    """The system of all packages that were learned from a cohort."""

    def check(self, package: Package) -> None:
        """Refuse weights that read other inputs than ``package.json`` asks for, or lack a model file or results."""
        model = LearnedModel.from_json(package.weights)
        asked = {*package.requirements.features, *(need.name for need in package.requirements.variables)}
        read = set(inputs_of(model.names))
        if read != asked:
            raise InputError(
                f"The weights of '{package.name}' read other inputs than package.json lists "
                f"({', '.join(sorted(read ^ asked))}): get the package again."
            )
        if set(model.files.values()) != set(package.models):
            raise InputError(
                f"The package '{package.name}' should hold the model files "
                f"{', '.join(sorted(model.files.values())) or 'none'}, found {', '.join(package.models) or 'none'}: "
                "get the package again."
            )
        if not package.vectors:
            raise InputError(f"The package '{package.name}' lacks the results to check it with: get it again.")

    def load(self, package: Package) -> LearnedModel:
        """Return the model of a checked package, its files read and its stored results reproduced.

        Raises:
            InputError: a model file is damaged or hostile, or the model does not give its stored results here.
            EnvironmentNeeded: a library that the model needs is not installed.
        """
        model = LearnedModel.from_json(package.weights)
        parts = {part.name: part for part in model.parts}
        models = {
            name: load_model(package.models[file], file, len(parts[name].columns)) for name, file in model.files.items()
        }
        model = model.with_models(models)
        check_vectors(model, package.vectors, package.name, other_versions(package))
        return model

    def compute(self, package: Package, inputs: PackageInputs) -> Outcome:
        """Return the score, its risk group where the package tells one, and what each input adds where it is linear."""
        model = self.load(package)
        row = model_row(model, package, inputs)
        number = float(model.predict([row])[0])
        if not math.isfinite(number):
            return Outcome(None, refusal="The inputs are so large that no finite score results: check the image.")
        units = {need.name: need.unit for need in package.requirements.variables}
        label = "" if package.prognosis is None else package.prognosis.group(number)
        return Outcome(number, label, model.contributions(row, units))


def model_row(model: LearnedModel, package: Package, inputs: PackageInputs) -> Mapping[str, float | str]:
    """Return the values of a model's columns for a case; what cannot be had is left out."""
    row: dict[str, float | str] = dict(values_for(package, inputs))
    for name in model.names:
        if name in INDICES and not missing_for_index(name, inputs.clinical):
            try:
                row[name] = composite_index(name, inputs.clinical)
            except InputError:  # a denominator of zero: the index has no value, as in the training table
                continue
    return row


def other_versions(package: Package) -> str:
    """Return the libraries that the package was made with in other versions than those here, in words."""
    here = installed_versions()
    differing = [
        f"{name} {version} (here {here.get(name, 'none')})"
        for name, version in sorted(package.software.items())
        if name in LIBRARIES and here.get(name) != version
    ]
    return ", ".join(differing)


@dataclass(frozen=True)
class PrintedOrLearned:
    """A published system of which there are packages as printed and packages trained anew."""

    printed: System
    learned: System = LearnedSystem()

    def of(self, package: Package) -> System:
        """Return the system that the package's weights belong to."""
        return self.learned if package.weights.get("model") == "learned" else self.printed

    def check(self, package: Package) -> None:
        """Refuse a package that is not consistent in itself."""
        self.of(package).check(package)

    def compute(self, package: Package, inputs: PackageInputs) -> Outcome:
        """Return what the package computes for a case."""
        return self.of(package).compute(package, inputs)
