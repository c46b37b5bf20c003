"""What packages of networks say of themselves; needs no library but those that read packages."""

from __future__ import annotations

from collections.abc import Mapping

from hccoutcome.deep.package import DEEP, DeepConfig
from hccoutcome.errors import InputError
from hccoutcome.package.format import Package
from hccoutcome.systems import system_of
from hccoutcome.treatment.atom import PREDICTS, WITH_SYSTEMIC, AtomRule


def config_of(package: Package) -> DeepConfig:
    """Return the configuration of a package's network.

    Raises:
        InputError: the package holds none, or is not consistent.
    """
    if package.weights.get("model") != DEEP:
        raise InputError(
            f"The package '{package.name}' holds no network: name one that 'hcc train selection', tci or dlopctr wrote."
        )
    system_of(package)
    return DeepConfig.from_json(package.weights)


def rule_of(packages: Mapping[str, Package]) -> AtomRule:
    """Return the rule with the medians of packages, which are the only ones on the scale of their scores.

    Args:
        packages: by model of ATOM: ``"TACE"``, ``"HAIC"``, ``"TC"``, ``"HC"``.

    Raises:
        InputError: a package is no SELECTION, or predicts something else than its model must; or one stands twice.
    """
    medians = {}
    for model, package in packages.items():
        config = config_of(package)
        wanted = "one-year survival" if model in WITH_SYSTEMIC.values() else "response"
        if config.system != "selection" or config.target != wanted:
            raise InputError(
                f"ATOM's model {model} predicts {PREDICTS[model]} ({wanted}), found {config.system} for "
                f"{config.target} in '{package.name}': give a SELECTION package trained on that."
            )
        medians[model] = config.median
    for first, one in packages.items():
        for second, other in packages.items():
            if first < second and one.sha256 == other.sha256:
                raise InputError(f"One package was given for {first} and for {second}: each has a model of its own.")
    return AtomRule(medians, "median scores of the packages' own training parts")
