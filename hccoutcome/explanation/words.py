"""Words for scales and methods of explanations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Scale = Literal["log-odds", "probability", "risk"]
Method = Literal["exact", "subsets", "permutation"]

METHODS: Mapping[Method, str] = {
    "exact": "exact Shapley values of a model that is additive in its inputs",
    "subsets": "exact Shapley values over all subsets of the inputs read (shap's ExactExplainer)",
    "permutation": "Shapley values estimated over permutations, forward and backward (shap's PermutationExplainer)",
}

SCALES = {"risk": "risk (higher is worse)"}


def scale_title(scale: str) -> str:
    """Return what an axis of a scale is called."""
    return SCALES.get(scale, scale)


def method_title(method: Method) -> str:
    """Return how values were computed, for the line below a title."""
    return "estimated by permutation" if method == "permutation" else "exact"
