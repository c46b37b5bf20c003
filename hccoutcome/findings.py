"""What was found out about a case, as plain data that travels between processes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hccoutcome.case import Modality
from hccoutcome.package.prediction import Prediction
from hccoutcome.status import QualityItem


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
        )
