"""A trained network as a package: what its ``weights.json`` says, and what it says of a case.

The weights themselves lie in ``network.safetensors``; PyTorch is imported only where they are used.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from hccoutcome.deep.dlopctr_inputs import DlopctrView, dlopctr_input
from hccoutcome.deep.inputs import Images, Masks, NetworkInput, refuse_other_than_ct
from hccoutcome.deep.screenshots import Screenshots
from hccoutcome.deep.selection_inputs import SelectionView, selection_input
from hccoutcome.deep.tci_inputs import TciView, tci_input
from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.package.applicability import PackageInputs
from hccoutcome.package.container import NETWORK
from hccoutcome.package.format import Package
from hccoutcome.package.inputs import Column
from hccoutcome.package.prediction import Contribution
from hccoutcome.package.system import Outcome
from hccoutcome.strict_json import Fields, one_of

DEEP = "deep"
"""What ``weights.json`` of such a package calls its model."""
WHERE = "weights.json"
DeepName = Literal["selection", "selection-vit", "tci", "dlopctr"]
SYSTEMS: tuple[DeepName, ...] = get_args(DeepName)
Target = Literal["response", "one-year survival", "survival"]
View = SelectionView | TciView | DlopctrView
VIEWS: Mapping[str, type[View]] = MappingProxyType(
    {"selection": SelectionView, "selection-vit": SelectionView, "tci": TciView, "dlopctr": DlopctrView}
)
SHOWN_MONTHS = (12.0, 24.0, 36.0)
MOST_PIXELS = 2**24
"""Of all planes of a case together, nine times those of TCI."""
_BOUNDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        **dict.fromkeys(("pixel", "voxel", "thickness"), (0.05, 50.0)),
        **dict.fromkeys(("low", "high"), (-1e6, 1e6)),
        "pixels": (1, 4096), "patches": (1, 256), "reach": (0, 64), "levels": (2, 4096), "margin": (0.0, 500.0),
    }
)  # fmt: skip
"""Least and largest value of what tells how a network looks: beyond them memory ends, or no image can be made."""


@dataclass(frozen=True)
class DeepConfig:
    """Everything about a trained network but its weights.

    Attributes:
        system: which network it is.
        target: what it was trained on.
        size: of the network (``SelectionSize``, ``TciSize``; for DLOPCTR the number of features).
        view: how it looks at a case.
        median: of the scores of its training part: who reaches it is on the other side of it.
        phantoms: whether it was trained on generated cases, which refuses patients.
        extractor: size of the convolutions (``ResNetSize``), None where there are none.
        columns: clinical variables in order, with the numbers of categories.
        breaks: limits of the intervals of survival in months, of DLOPCTR.
    """

    system: DeepName
    target: Target
    size: Mapping[str, Any]
    view: View
    median: float
    phantoms: bool
    extractor: Mapping[str, Any] | None = None
    columns: tuple[Column, ...] = ()
    breaks: tuple[float, ...] = ()

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases that it reads."""
        return (self.view.phase,) if isinstance(self.view, DlopctrView) else self.view.phases

    @property
    def planes(self) -> int:
        """How many planes it reads of a case."""
        if isinstance(self.view, DlopctrView):
            return self.view.patches
        return len(self.phases) * (len(self.view.offsets) if isinstance(self.view, TciView) else 1)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``weights.json``."""
        return {
            "model": DEEP,
            "system": self.system,
            "target": self.target,
            "size": dict(self.size),
            "view": self.view.to_dict(),
            "median": self.median,
            "phantoms": self.phantoms,
            "extractor": None if self.extractor is None else dict(self.extractor),
            "columns": [column.to_json() for column in self.columns],
            "breaks": list(self.breaks),
        }

    @classmethod
    def from_json(cls, data: Any) -> DeepConfig:
        """Return the configuration that ``to_json`` wrote.

        Raises:
            InputError: names the fault.
        """
        fields = Fields(data, WHERE)
        one_of(fields.text("model"), (DEEP,), WHERE)
        system = one_of(fields.text("system"), SYSTEMS, WHERE)
        breaks = fields.value("breaks", list, "a list of numbers")
        if not all(type(value) in (int, float) and math.isfinite(value) for value in breaks):
            raise InputError(f"{WHERE}: 'breaks' should be finite numbers: get the package again.")
        config = cls(
            system=system,
            target=one_of(fields.text("target"), get_args(Target), WHERE),
            size=fields.object("size"),
            view=_view(fields.object("view"), VIEWS[system]),
            median=fields.number("median"),
            phantoms=fields.value("phantoms", bool, "true or false"),
            extractor=fields.object("extractor", None),
            columns=tuple(Column.from_json(item, f"{WHERE}, column") for item in fields.objects("columns")),
            breaks=tuple(float(value) for value in breaks),
        )
        fields.done()
        if config.planes * config.view.pixels**2 > MOST_PIXELS:
            raise InputError(
                f"{WHERE}: 'view' asks for more than {MOST_PIXELS} pixels of a case: get the package again."
            )
        if config.target != "survival" and not 0 <= config.median <= 1:
            raise InputError(
                f"{WHERE}: 'median' of probabilities lies from 0 to 1, found {config.median:g}: get it again."
            )
        return config


def _view(data: Mapping[str, Any], kind: type[View]) -> View:
    """Return how a network looks at a case, its settings of the types that they have in the code."""
    usual = kind().to_dict()
    if set(data) != set(usual) or any(not _alike(data[name], usual[name]) for name in usual) or not _sensible(data):
        raise InputError(f"{WHERE}: 'view' is not how {kind.__name__} looks at a case: get the package again.")
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return kind(**given)


def _alike(value: Any, usual: Any) -> bool:
    if isinstance(usual, list):
        return isinstance(value, list) and bool(value) and all(_alike(item, usual[0]) for item in value)
    if type(usual) is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is type(usual)


def _sensible(data: Mapping[str, Any]) -> bool:
    """Return whether planes can be made of such settings, of the right types, and hold grey levels from 0 to 1."""
    phases, low, high = data.get("phases", []), data.get("low", 0.0), data.get("high", 1.0)
    shares = data.get("percentiles", [0.0, 100.0])
    return (
        all(least <= data[name] <= most for name, (least, most) in _BOUNDS.items() if name in data)
        and len(set(phases)) == len(phases)
        and low < high
        and len(shares) == 2
        and 0 <= shares[0] < shares[1] <= 100
    )


def network_input(
    config: DeepConfig, images: Images, masks: Masks, screenshots: Screenshots | None = None
) -> NetworkInput:
    """Return what a network sees of a case.

    Raises:
        InputError: the case lacks what it reads, or screenshots are given to another network than TCI.
    """
    if screenshots and not isinstance(config.view, TciView):
        raise InputError("Screenshots can take the place of images for TCI alone: give the images themselves.")
    if isinstance(config.view, SelectionView):
        return selection_input(images, masks, config.view)
    if isinstance(config.view, TciView):
        return tci_input(images, masks, config.view, screenshots)
    return dlopctr_input(images, masks, config.view)


def clinical_row(config: DeepConfig, record: Mapping[str, float | str]) -> list[float]:
    """Return the numbers of a network's clinical variables, NaN where not known.

    Raises:
        InputError: a category that the network does not know.
    """
    return [column.number(record.get(column.name)) for column in config.columns]


@dataclass(frozen=True)
class Scored:
    """What a network says of a case.

    Attributes:
        score: probability, or of DLOPCTR the logarithm of the cumulative hazard.
        reaches: whether it reaches the median of the training part.
        survival: by month, of DLOPCTR.
        device: on which it was computed.
    """

    score: float
    reaches: bool
    survival: Mapping[float, float] = field(default_factory=dict)
    device: str = "cpu"

    def label(self, config: DeepConfig) -> str:
        """Return the score in words."""
        high = self.reaches if config.target == "survival" else not self.reaches
        than = f"{'reaches' if self.reaches else 'is below'} the training median {config.median:.4f}"
        group = f"{'high' if high else 'low'} risk: {self.score:.4f} {than}"
        curve = ", ".join(f"{value:.0%} at {month:g} months" for month, value in self.survival.items())
        return f"{group}; survival {curve}" if curve else group


def require_torch() -> None:
    """Refuse to go on without the libraries of the networks.

    Raises:
        EnvironmentNeeded: names what is missing and how to get it.
    """
    try:
        import safetensors
        import torch  # noqa: F401
    except ImportError as error:
        missing = error.name
    else:
        del safetensors
        # Found and not imported, which takes seconds: not every network needs it.
        missing = None if importlib.util.find_spec("monai") else "monai"
    if missing is not None:
        raise EnvironmentNeeded(
            f"Networks need PyTorch, MONAI and safetensors, found no '{missing}': install them with "
            "pip install 'hccoutcome[deep]'."
        )


@dataclass(frozen=True)
class DeepSystem:
    """The system of all packages that hold a network."""

    def check(self, package: Package) -> None:
        """Refuse a package whose parts do not belong together."""
        config = DeepConfig.from_json(package.weights)
        if config.system != package.system:
            raise InputError(
                f"The weights of '{package.name}' are those of {config.system}, and package.json says "
                f"{package.system}: get the package again."
            )
        asked = [need.name for need in package.requirements.variables]
        phases = [need.phase for need in package.requirements.phases]
        if asked != [column.name for column in config.columns] or phases != list(config.phases):
            raise InputError(
                f"The network of '{package.name}' reads other phases or variables than package.json lists: get the "
                "package again."
            )
        if set(package.models) != {NETWORK} or not package.vectors:
            raise InputError(
                f"The package '{package.name}' should hold '{NETWORK}' and the results to check it with: get it again."
            )

    def compute(self, package: Package, inputs: PackageInputs) -> Outcome:
        """Return the score and its side of the training median; the inputs add up to nothing, so no amounts."""
        config = DeepConfig.from_json(package.weights)
        try:
            refuse_patients(package.name, config, inputs.synthetic)
            if inputs.modality is None and package.requirements.modality == "CT":
                refuse_other_than_ct(inputs.images, config.phases)
            if config.view not in inputs.seen:
                shots = inputs.screenshots if isinstance(config.view, TciView) else None
                inputs.seen[config.view] = network_input(config, inputs.images, inputs.masks, shots)
            seen = inputs.seen[config.view]
            row = clinical_row(config, inputs.clinical)
        except InputError as error:
            return Outcome(None, refusal=str(error))
        found = score(package, config, seen, row, inputs.device)
        if not math.isfinite(found.score):
            return Outcome(None, refusal="The inputs are so large that no finite score results: check the image.")
        units = {need.name: need.unit for need in package.requirements.variables}
        used = tuple(
            Contribution(column.name, inputs.clinical[column.name], units.get(column.name, ""))
            for column in config.columns
            if column.name in inputs.clinical
        )
        fallen = inputs.device not in ("auto", found.device)
        notes = [f"{inputs.device} could not be used, so the processor computed it"] * fallen
        return Outcome(found.score, "; ".join([found.label(config), *notes, *seen.notes]), used)


def refuse_patients(name: str, config: DeepConfig, synthetic: bool) -> None:
    """Refuse a patient where a network was trained on generated cases.

    Raises:
        InputError: it was, and the case is none of them.
    """
    if config.phantoms and not synthetic:
        raise InputError(
            f"The package '{name}' was trained on generated cases to test the software and says nothing about a "
            "patient: train one on patients with 'hcc train'."
        )


def score(package: Package, config: DeepConfig, seen: NetworkInput, row: Sequence[float], device: str) -> Scored:
    """Return what the network of a checked package says of what it sees.

    Raises:
        EnvironmentNeeded: PyTorch or MONAI is not installed.
        InputError: the weights are not those of the network, or do not give their stored results here.
    """
    require_torch()
    from hccoutcome.deep.package_network import apply_network

    raw, used = apply_network(package, config, seen, row, device)
    if config.target != "survival":
        value = float(1 / (1 + np.exp(-raw[0])))
        return Scored(value, value >= config.median, device=used)
    from hccoutcome.deep.hazards import risk_of, survival_at

    hazards = 1 / (1 + np.exp(-raw[None].astype(float)))
    value = float(np.log(risk_of(hazards)[0]))
    months = [month for month in SHOWN_MONTHS if month <= config.breaks[-1]]
    curve = survival_at(hazards, np.array(config.breaks), np.array(months))[0] if months else []
    return Scored(value, value >= config.median, dict(zip(months, map(float, curve), strict=True)), used)
