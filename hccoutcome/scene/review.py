"""Whether a person has accepted a segment: what the scene's nodes and tags say of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import slicer
from vtkmodules.vtkCommonCore import reference

from hccoutcome.errors import InputError
from hccoutcome.scene.nodes import ROLE
from hccoutcome.segmentation.draft import REVIEW

DRAFT = "draft"
"""Role of a segmentation that nobody has accepted; ``draft:<region>``."""
REVIEW_TAG, SOURCE_TAG = "HCCOutcome.Review", "HCCOutcome.Source"
"""Tags of a segment, in files too: whether it was reviewed, and what outlined it."""
RECORDS = "HCC.outlines"
"""Role of the reference from a segmentation to the text node that says who outlined its segments."""


def is_draft(segmentation: slicer.vtkMRMLSegmentationNode | None) -> bool:
    """Say whether a segmentation is a draft."""
    return segmentation is not None and str(segmentation.GetAttribute(ROLE)).partition(":")[0] == DRAFT


def unreviewed(segmentation: slicer.vtkMRMLSegmentationNode | None) -> tuple[str, ...]:
    """Return the segments of a segmentation that are automatic and that nobody has accepted, as their tags say."""
    if segmentation is None:
        return ()
    segments = segmentation.GetSegmentation()
    return tuple(
        key for key in segments.GetSegmentIDs() if tag_of(segments.GetSegment(key), REVIEW_TAG) == REVIEW[DRAFT]
    )


def tag_of(segment: slicer.vtkSegment, name: str) -> str:
    """Return a tag of a segment, empty where it has none."""
    value = reference("")
    return str(value) if segment.GetTag(name, value) else ""


def records_of(segmentation: slicer.vtkMRMLSegmentationNode | None) -> Mapping[str, Any]:
    """Return what is known of who outlined each segment of a segmentation, by its identifier.

    Raises:
        InputError: the text was changed or damaged.
    """
    node = None if segmentation is None else segmentation.GetNodeReference(RECORDS)
    if node is None or not node.GetText():
        return {}
    try:
        return dict(json.loads(node.GetText()))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"'{node.GetName()}' should say who outlined the segments of '{segmentation.GetName()}', found something "
            "else: remove this text from the scene."
        ) from error
