"""Words for scales and methods of explanations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Scale = Literal["log-odds", "probability", "risk"]
Method = Literal["exact", "permutation"]

METHODS: Mapping[Method, str] = {
    "exact": "exact Shapley values: the model is additive in its inputs, each enters by a function of its own",
    "permutation": "Shapley values estimated over permutations, forward and backward (shap.PermutationExplainer)",
}

SCALES = {"risk": "risk (higher is worse)"}


def scale_title(scale: str) -> str:
    """Return what an axis of a scale is called."""
    return SCALES.get(scale, scale)
