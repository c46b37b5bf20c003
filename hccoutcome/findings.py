"""What was found out about a case, as plain data that travels between processes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hccoutcome.case import Modality
from hccoutcome.package.prediction import Prediction
from hccoutcome.status import QualityItem
from hccoutcome.treatment.atom import Advice


@dataclass(frozen=True)
class Findings:
    """Everything that was found out about one case, without its images.

    Attributes:
        case_id: name of the case.
        modality: ``"CT"``, ``"MR"`` or None where not known.
        synthetic: True for generated data, which every display must say.
        clinical: value by schema name in the schema's unit, as used.
        quality: the quality table, one item a line.
        features: value by feature column (``hccoutcome.naming``), in the order of extraction.
        predictions: one for each package asked for.
        liver_scores: liver function and staging scores besides; refused where the record lacks something.
        provenance: software versions, settings, package and input hashes, time; JSON data.
        advice: what ATOM makes of the predictions of its models, None where it was not asked.
    """

    case_id: str
    modality: Modality | None = None
    synthetic: bool = False
    clinical: Mapping[str, float | str] = field(default_factory=dict)
    quality: tuple[QualityItem, ...] = ()
    features: Mapping[str, float] = field(default_factory=dict)
    predictions: tuple[Prediction, ...] = ()
    liver_scores: tuple[Prediction, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    advice: Advice | None = None

    def joined(self, earlier: Findings | None) -> Findings:
        """Return these findings with what an earlier analysis of the very same inputs found by other packages.

        Where images, masks or record have changed since, the earlier findings no longer belong to the case. A feature
        that both have with different values, by different settings, keeps its plain name here; the earlier one ends in
        ``@earlier``.
        """
        if earlier is None or self._inputs() != earlier._inputs():
            return self
        asked = {item.package for item in self.predictions}
        kept = tuple(item for item in earlier.predictions if item.package not in asked)
        mine = asked | {item.package for item in kept}
        told = [earlier.provenance, *earlier.provenance.get("earlier", ())]
        before = [_without_earlier(item) for item in told if _packages(item) & {item.package for item in kept}]
        return replace(
            self,
            features={**_renamed(earlier.features, self.features), **self.features},
            quality=self.quality + tuple(item for item in earlier.quality if item not in self.quality),
            predictions=self.predictions + kept,
            liver_scores=tuple(item for item in self.liver_scores if item.package not in mine),
            provenance={**self.provenance, **({"earlier": before} if before else {})},
            advice=self.advice or earlier.advice,
        )

    def _inputs(self) -> tuple[Any, ...]:
        """Return what has to be the same for findings to be of the same inputs."""
        return self.case_id, self.modality, dict(self.clinical), dict(self.provenance.get("inputs", {}))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data; a feature that is not a number becomes null."""
        return {
            "case": self.case_id,
            "modality": self.modality,
            "synthetic": self.synthetic,
            "results": [prediction.to_json() for prediction in self.predictions],
            "liver_scores": [prediction.to_json() for prediction in self.liver_scores],
            "clinical": dict(self.clinical),
            "quality": [asdict(item) for item in self.quality],
            "features": {name: value if math.isfinite(value) else None for name, value in self.features.items()},
            "provenance": dict(self.provenance),
            **({} if self.advice is None else {"atom": self.advice.to_json()}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Findings:
        """Return the findings that ``to_json`` wrote."""
        return cls(
            case_id=data["case"],
            modality=data["modality"],
            synthetic=data["synthetic"],
            clinical=data["clinical"],
            quality=tuple(QualityItem(**item) for item in data["quality"]),
            features={name: math.nan if value is None else value for name, value in data["features"].items()},
            predictions=tuple(map(Prediction.from_json, data["results"])),
            liver_scores=tuple(map(Prediction.from_json, data["liver_scores"])),
            provenance=data["provenance"],
            advice=Advice.from_json(data["atom"]) if "atom" in data else None,
        )


def _packages(provenance: Mapping[str, Any]) -> set[str]:
    return {package["name"] for package in provenance.get("packages", ())}


def _without_earlier(provenance: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in provenance.items() if name != "earlier"}


def _renamed(earlier: Mapping[str, float], features: Mapping[str, float]) -> dict[str, float]:
    """Return earlier features, those that have another value now under another name."""
    return {
        name if name not in features or _same(features[name], value) else f"{name}@earlier": value
        for name, value in earlier.items()
    }


def _same(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))
