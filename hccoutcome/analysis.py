"""The whole way of one case: prepare, extract, predict. Plain data in, plain data out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hccoutcome.case import Case
from hccoutcome.package.prediction import Prediction
from hccoutcome.status import QualityItem


@dataclass(frozen=True)
class Analysis:
    """Everything that was found out about one case.

    Attributes:
        case: the case as read.
        quality: the quality table, one item a line.
        features: value by feature column (``hccoutcome.naming``), in the order of extraction.
        predictions: one for each package asked for.
        liver_scores: liver function and staging scores that the clinical record allows.
        provenance: software versions, settings, package and input hashes, time.
    """

    case: Case
    quality: tuple[QualityItem, ...] = ()
    features: Mapping[str, float] = field(default_factory=dict)
    predictions: tuple[Prediction, ...] = ()
    liver_scores: tuple[Prediction, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
