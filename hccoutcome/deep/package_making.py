"""From a trained network to its package: what it needs of a case, its weights, and results to prove them by."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from hccoutcome.case import Modality
from hccoutcome.deep.model import DeepModel
from hccoutcome.deep.package import DeepConfig
from hccoutcome.deep.package_network import make_vectors, network_bytes
from hccoutcome.deep.tci_inputs import TciView
from hccoutcome.package.container import NETWORK
from hccoutcome.package.format import Package, PhaseNeed, Range, RegionNeed, Requirements, VariableNeed
from hccoutcome.package.inputs import Column
from hccoutcome.package.liver_scores import variable_need
from hccoutcome.package.prognosis import Prognosis
from hccoutcome.package.reference import learned_distribution, learned_reference
from hccoutcome.package.threshold import ClassThreshold
from hccoutcome.version import __version__

LIBRARIES = ("torch", "monai", "numpy", "safetensors")
MISSING_SHARE = 3
"""A case may lack one of so many clinical variables."""
LEVELS = (0.75,)
"""Quantiles at which results are stored: each costs a large network a second whenever it is loaded."""
LEAST_ML = 0.1
CERTAIN_ML = 1.0
COARSEST_MM = 10.0
REGIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"selection": ("tumor", "liver"), "selection-vit": ("tumor", "liver"), "tci": ("tumor",), "dlopctr": ("tumor",)}
)
MODALITIES: Mapping[str, Modality] = MappingProxyType(
    {"selection": "CT", "selection-vit": "CT", "tci": "MR", "dlopctr": "CT"}
)
TITLES: Mapping[str, str] = MappingProxyType(
    {"selection": "SELECTION", "selection-vit": "ViT", "tci": "TCI transformer", "dlopctr": "DLOPCTR"}
)
_SELECTION = (
    "Lin X, Wei R, Xu Z, et al. A deep learning model for personalized intra-arterial therapy planning in unresectable "
    "hepatocellular carcinoma. eClinicalMedicine 2024;75:102808"
)
CITATIONS: Mapping[str, str] = MappingProxyType(
    {
        "selection": _SELECTION,
        "selection-vit": f"{_SELECTION} (the comparator that reads images alone)",
        "tci": "TCI transformer, J Cancer 2025;16:2663-2672",
        "dlopctr": (
            "Sun Z, Li X, Liang H, Shi Z, Ren H. A deep learning model combining multimodal factors to predict the "
            "overall survival of transarterial chemoembolization. J Hepatocell Carcinoma 2024;11:385-397"
        ),
    }
)


@dataclass(frozen=True)
class Making:
    """What a package says besides its network.

    Attributes:
        name: of the package.
        endpoint: what is predicted, in words.
        card: Markdown.
        version: of the package.
        title: what a reader calls it; made of system and endpoint where empty.
        cohort: who the patients are, in words.
        settings: what it takes to train it again, JSON data.
        threshold: from which the outcome is predicted, None where it tells no classes.
        prognosis: what became of its cohort, None where it says nothing on survival.
    """

    name: str
    endpoint: str
    card: str
    version: str = "1.0.0"
    title: str = ""
    cohort: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    threshold: ClassThreshold | None = None
    prognosis: Prognosis | None = None


def make_package(config: DeepConfig, model: DeepModel, table: pd.DataFrame, making: Making) -> Package:
    """Return the package of a trained network.

    Args:
        config: everything about it but its weights.
        model: in evaluation, on the processor.
        table: clinical columns of the patients that it learned from.
        making: what the package says besides.
    """
    survival = config.target == "survival"
    package = Package(
        name=making.name,
        version=making.version,
        system=config.system,
        title=making.title or f"{TITLES[config.system]} ({making.endpoint})",
        endpoint=f"{making.endpoint}; a higher score means a higher risk" if survival else making.endpoint,
        scale="score" if survival else "probability",
        citation=CITATIONS[config.system],
        requirements=requirements_of(config, table),
        settings=dict(making.settings),
        weights=config.to_json(),
        models={NETWORK: network_bytes(model)},
        vectors=make_vectors(model, config.planes, config.view.pixels, _made_up(config, table)),
        threshold=making.threshold,
        prognosis=making.prognosis,
        card=making.card,
        software={"hccoutcome": __version__, "python": platform.python_version(), **installed_versions()},
    )
    numbers = {column.name: _values(column, table) for column in config.columns if not column.codes}
    varying = {name: values for name, values in numbers.items() if np.nanstd(values) > 0}
    if not varying:
        return package
    cohort = making.cohort or "training cohort"
    return replace(package, reference=learned_reference({}, varying, package.settings_sha256, cohort, len(table)))


def installed_versions() -> dict[str, str]:
    """Return the versions of the libraries that the numbers depend on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def requirements_of(config: DeepConfig, table: pd.DataFrame) -> Requirements:
    """Return what a network needs of a case."""
    optional = isinstance(config.view, TciView)
    return Requirements(
        modality=MODALITIES[config.system],
        phases=tuple(PhaseNeed(phase, coarsest_mm=COARSEST_MM, optional=optional) for phase in config.phases),
        regions=tuple(RegionNeed(name, LEAST_ML, CERTAIN_ML) for name in REGIONS[config.system]),
        variables=tuple(_need(column, table) for column in config.columns),
        most_missing=len(config.columns) // MISSING_SHARE,
    )


def _need(column: Column, table: pd.DataFrame) -> VariableNeed:
    """Return the need for a variable: its usual values by the training cohort."""
    need = variable_need(column.name)
    middle = column.value(column.fill)
    shown = middle if isinstance(middle, str) else f"{middle:.4g} {need.unit}".rstrip()
    need = replace(need, stand_in=f"the training cohort's median, {shown}")
    if need.kind != "number":
        return need
    known = learned_distribution(_values(column, table))
    return replace(need, usual=Range(known.low, known.high))


def _values(column: Column, table: pd.DataFrame) -> np.ndarray:
    return np.array([np.nan if value is None else float(value) for value in table[column.name]])


def _made_up(config: DeepConfig, table: pd.DataFrame) -> list[list[float]]:
    """Return rows of clinical numbers at quantiles of the cohort: no patient stands among them."""
    numbers = [[column.number(value) for value in table[column.name]] for column in config.columns]
    return [
        [float(np.nanquantile(np.array(values, float), level, method="lower")) for values in numbers]
        for level in LEVELS
    ]
