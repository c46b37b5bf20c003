"""Outlining regions: one protocol, several engines, and drafts that a person accepts, edits or rejects."""

from hccoutcome.segmentation.engine import (
    AUTO,
    ENGINES,
    Card,
    Draft,
    Offer,
    Readiness,
    Segmenter,
    Task,
    choose,
    engines,
    misfit,
    modality_of,
    segment,
)
from hccoutcome.segmentation.prompts import Box, Clicks, Prompt, PromptKind, Stroke

__all__ = [
    "AUTO", "ENGINES", "Box", "Card", "Clicks", "Draft", "Offer", "Prompt", "PromptKind", "Readiness", "Segmenter",
    "Stroke", "Task", "choose", "engines", "misfit", "modality_of",
    "segment",
]  # fmt: skip
