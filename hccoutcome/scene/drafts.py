"""Drafts in the MRML scene: what an engine outlined, beside the case, until a person accepts, edits or rejects it.

A draft is a segmentation of its own with its own colour, and a text node with its provenance and hints. Accepting puts
its segment into the one segmentation of the case, with the standard name, colour and code of its region, and notes who
outlined it and whether it was changed since.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import slicer
from vtkmodules.util.numpy_support import vtk_to_numpy

from hccoutcome.errors import InputError
from hccoutcome.scene.appearance import appearance
from hccoutcome.scene.exchange import BINARY_LABELMAP, segment_from_mask
from hccoutcome.scene.nodes import (
    CASE,
    ROLE,
    SEGMENTATION,
    CaseNodes,
    find_case_nodes,
    mark,
    place,
    remove,
    study_of,
)
from hccoutcome.scene.places import Point, middle_of
from hccoutcome.scene.review import DRAFT, RECORDS, REVIEW_TAG, SOURCE_TAG, records_of
from hccoutcome.segmentation.draft import REVIEW
from hccoutcome.segmentation.handover import Cut, HandedDraft, fingerprint
from hccoutcome.status import QualityItem

RECORD = "draft-record"
"""Role of the text node of a draft; ``draft-record:<region>``."""
DRAFT_COLOUR = (0.80, 0.47, 0.65)
"""Reddish purple of Okabe and Ito's palette, which no region has: a draft is never taken for a region."""
SOURCE_IMAGE = "HCC.source-image"
"""Role of the reference from a draft to the volume on whose voxels it lies."""


@dataclass(frozen=True)
class SceneDraft:
    """A draft of one region as it lies in the scene.

    Attributes:
        region: the region.
        segmentation: its node, whose one segment bears the region's name as identifier.
        record: provenance of the draft, JSON data.
        hints: what a reviewer should look at.
        volume_ml: volume as it was outlined.
        sha256: fingerprint of its voxels as they were outlined.
        middle: of the box around it as it was outlined, RAS in mm.
    """

    region: str
    segmentation: slicer.vtkMRMLSegmentationNode
    record: Mapping[str, Any]
    hints: tuple[QualityItem, ...]
    volume_ml: float
    sha256: str
    middle: Point

    @property
    def source(self) -> str:
        """The engine and its version."""
        return f"{self.record['engine']} {self.record['version']}"

    @property
    def edited(self) -> bool:
        """Whether its voxels are other ones than those that were outlined."""
        return _hash(self.segmentation, self.region) != self.sha256


def add_draft(handed: HandedDraft, nodes: CaseNodes, volume: slicer.vtkMRMLScalarVolumeNode) -> tuple[SceneDraft, ...]:
    """Put a draft beside a case and return it, one for each of its regions; an earlier draft of a region is replaced.

    Args:
        handed: the draft.
        nodes: the case.
        volume: the volume on whose voxels it was outlined.
    """
    for region, cut in handed.cuts.items():
        reject_drafts(nodes.case_id, region)
        segmentation = _draft_segmentation(region, cut, nodes, volume)
        record = {
            "provenance": {**handed.provenance, "image": volume.GetName()},
            "hints": [asdict(hint) for hint in handed.hints if hint.subject == f"mask {region}"],
            "volume_ml": cut.volume_ml,
            "sha256": cut.sha256,
            "middle": list(middle_of(cut.mask)),
        }
        text = _text(f"Draft: {appearance(region).title}: provenance", record)
        mark(text, nodes.case_id, f"{RECORD}:{region}")
        study = study_of(nodes.scene, nodes.case_id, nodes.case_id)
        place(nodes.scene, study, [segmentation, text])
    return tuple(draft for draft in drafts_in(nodes.case_id) if draft.region in handed.cuts)


def drafts_in(case_id: str) -> tuple[SceneDraft, ...]:
    """Return the drafts of a case that wait in the scene; one whose record is damaged is none: outline it again."""
    case = find_case_nodes(slicer.mrmlScene).get(case_id)
    found = []
    for role, node in {} if case is None else case.findings.items():
        kind, _, region = role.partition(":")
        text = None if case is None else case.findings.get(f"{RECORD}:{region}")
        if kind == DRAFT and text is not None and node.GetSegmentation().GetSegment(region) is not None:
            draft = _draft_of(region, node, text.GetText())
            found += [] if draft is None else [draft]
    return tuple(found)


def _draft_of(region: str, node: slicer.vtkMRMLSegmentationNode, text: str) -> SceneDraft | None:
    """Return a draft as its record tells it, None where another version or somebody wrote something else there."""
    try:
        data = json.loads(text)
        record = dict(data["provenance"])
        hints = tuple(QualityItem(**hint) for hint in data["hints"])
        middle = tuple(map(float, data["middle"]))
        draft = SceneDraft(region, node, record, hints, float(data["volume_ml"]), str(data["sha256"]), middle)
        return draft if draft.source else None
    except (ValueError, KeyError, TypeError):
        return None


def other_name_of_drafts(case_id: str, volumes: Iterable[slicer.vtkMRMLScalarVolumeNode]) -> str:
    """Return another case's name under which a draft on one of these volumes waits, empty where none does.

    So it is where a case got another name after it was outlined.
    """
    own = set(volumes)
    for name, case in find_case_nodes(slicer.mrmlScene).items():
        drafts = (node for role, node in case.findings.items() if role.partition(":")[0] == DRAFT)
        if name != case_id and any(node.GetNodeReference(SOURCE_IMAGE) in own for node in drafts):
            return name
    return ""


def reject_drafts(case_id: str, region: str) -> None:
    """Take the draft of a region of a case out of the scene."""
    case = find_case_nodes(slicer.mrmlScene).get(case_id)
    if case is not None:
        roles = (f"{DRAFT}:{region}", f"{RECORD}:{region}")
        remove(slicer.mrmlScene, [case.findings[role] for role in roles if role in case.findings])


def accept_draft(
    draft: SceneDraft, case_id: str, target: slicer.vtkMRMLSegmentationNode | None
) -> tuple[slicer.vtkMRMLSegmentationNode, str]:
    """Make a draft a segment of the case's segmentation, and take the draft away.

    Args:
        draft: the draft, as it is now, with whatever a person changed of it.
        case_id: name of the case.
        target: the case's segmentation; None makes one, on the voxels on which the draft lies.

    Returns:
        The segmentation and the identifier of the segment. A segment that is there already stays; surfaces do not,
        until somebody shows the segmentation in 3D again.

    Raises:
        InputError: the draft was emptied, or what is known of the segmentation's outlines is damaged.
    """
    # Read before anything is changed.
    records_of(target)
    edited = draft.edited
    mask = _labelmap(draft.segmentation, draft.region)
    if mask is None:
        raise InputError(f"The draft of the {draft.region} was expected to hold a voxel, found none: reject it.")
    volume = draft.segmentation.GetNodeReference(SOURCE_IMAGE)
    segmentation = target if target is not None else _new_segmentation(case_id, volume)
    segments = segmentation.GetSegmentation()
    key = segments.GenerateUniqueSegmentID(draft.region)
    look = appearance(draft.region)
    segment = slicer.vtkSegment()
    segment.SetName(_unique_name(segments, look.title))
    segment.SetColor(*look.colour)
    segment.SetTerminology(look.terminology)
    segment.SetTag(REVIEW_TAG, REVIEW["edited" if edited else "accepted"])
    segment.SetTag(SOURCE_TAG, draft.source)
    segment.AddRepresentation(BINARY_LABELMAP, mask)
    # Slicer would make the surface of a new segment at once where the others have one: seconds for a liver.
    segmentation.RemoveClosedSurfaceRepresentation()
    segments.AddSegment(segment, key)
    _show(segmentation, key, look.opacity)
    _note(segmentation, key, case_id, _accepted(draft, edited, mask))
    reject_drafts(case_id, draft.region)
    return segmentation, key


def accept_segment(segmentation: slicer.vtkMRMLSegmentationNode, key: str, case_id: str) -> None:
    """Note that a person has accepted a segment that came as an automatic draft in a file."""
    from hccoutcome.scene.review import tag_of

    records_of(segmentation)
    segment = segmentation.GetSegmentation().GetSegment(key)
    record = {"engine": tag_of(segment, SOURCE_TAG) or "not stated", "review": REVIEW["accepted"], "accepted": _now()}
    segment.SetTag(REVIEW_TAG, REVIEW["accepted"])
    _note(segmentation, key, case_id, record)
    segmentation.Modified()


def open_in_editor(segmentation: slicer.vtkMRMLSegmentationNode, key: str) -> None:
    """Let the Segment Editor show a segment over its volume; it is the application that then selects the module."""
    scene = slicer.mrmlScene
    node = scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    if node is None:
        node = scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
        node.UnRegister(None)
        node.SetSingletonTag("SegmentEditor")
        node = scene.AddNode(node)
    node.SetAndObserveSegmentationNode(segmentation)
    reference = segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole())
    volume = segmentation.GetNodeReference(SOURCE_IMAGE) or reference
    if volume is not None:
        node.SetAndObserveSourceVolumeNode(volume)
    node.SetSelectedSegmentID(key)


def _draft_segmentation(
    region: str, cut: Cut, nodes: CaseNodes, volume: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLSegmentationNode:
    segmentation = slicer.vtkMRMLSegmentationNode()
    segmentation.SetName(f"Draft: {appearance(region).title}")
    # Before it enters the scene, so that selectors that look for its role see it at once.
    mark(segmentation, nodes.case_id, f"{DRAFT}:{region}")
    nodes.scene.AddNode(segmentation)
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segmentation.SetNodeReferenceID(SOURCE_IMAGE, volume.GetID())
    segment = segment_from_mask(cut.mask, f"{appearance(region).title} (draft)")
    _on_lattice(segment.GetRepresentation(BINARY_LABELMAP), cut, volume)
    segment.SetColor(*DRAFT_COLOUR)
    segment.SetTerminology(appearance(region).terminology)
    segment.SetTag(REVIEW_TAG, REVIEW[DRAFT])
    segmentation.GetSegmentation().AddSegment(segment, region)
    segmentation.GetDisplayNode().SetSegmentOpacity2DFill(region, 0.15)
    return segmentation


def _on_lattice(labelmap: slicer.vtkOrientedImageData, cut: Cut, volume: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Count the labelmap's voxels as the volume does, so that editors need not resample it."""
    x0, x1, y0, y1, z0, z1 = labelmap.GetExtent()
    x, y, z = cut.start
    labelmap.SetExtent(x0 + x, x1 + x, y0 + y, y1 + y, z0 + z, z1 + z)
    labelmap.SetOrigin(volume.GetOrigin())


def _new_segmentation(case_id: str, volume: slicer.vtkMRMLScalarVolumeNode | None) -> slicer.vtkMRMLSegmentationNode:
    scene = slicer.mrmlScene
    segmentation = slicer.vtkMRMLSegmentationNode()
    segmentation.SetName("Regions")
    mark(segmentation, case_id, SEGMENTATION)
    scene.AddNode(segmentation)
    segmentation.CreateDefaultDisplayNodes()
    if volume is not None:
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    place(scene, study_of(scene, case_id, case_id), [segmentation])
    return segmentation


def _show(segmentation: slicer.vtkMRMLSegmentationNode, key: str, opacity: float) -> None:
    if segmentation.GetDisplayNode() is None:
        segmentation.CreateDefaultDisplayNodes()
    display = segmentation.GetDisplayNode()
    display.SetSegmentOpacity3D(key, opacity)
    display.SetSegmentVisibility2DFill(key, opacity == 1.0)
    display.SetSegmentOpacity2DFill(key, 0.3)


def _accepted(draft: SceneDraft, edited: bool, mask: slicer.vtkOrientedImageData) -> dict[str, Any]:
    """Return what is kept of an accepted draft: its provenance, and what a person did to it."""
    spacing = np.prod(mask.GetSpacing()) / 1000
    after = float(np.count_nonzero(vtk_to_numpy(mask.GetPointData().GetScalars())) * spacing)
    edits = {"edited": edited, "volume_ml_before": draft.volume_ml, "volume_ml_after": round(after, 4)}
    review = REVIEW["edited" if edited else "accepted"]
    return {**draft.record, "review": review, "edits": edits, "accepted": _now()}


def _note(segmentation: slicer.vtkMRMLSegmentationNode, key: str, case_id: str, record: Mapping[str, Any]) -> None:
    """Note of a segment who outlined it, in the text node that belongs to its segmentation."""
    records = {**records_of(segmentation), key: record}
    node = segmentation.GetNodeReference(RECORDS)
    if node is None:
        node = _text(f"{segmentation.GetName()}: provenance", records)
        node.SetAttribute(CASE, case_id)
        node.SetAttribute(ROLE, "outlines")
        place(slicer.mrmlScene, study_of(slicer.mrmlScene, case_id, case_id), [node])
        segmentation.SetNodeReferenceID(RECORDS, node.GetID())
    node.SetText(json.dumps(records, indent=2, allow_nan=False))


def _text(name: str, data: Mapping[str, Any]) -> slicer.vtkMRMLTextNode:
    text = slicer.vtkMRMLTextNode()
    text.SetName(name)
    text.SetText(json.dumps(data, indent=2, allow_nan=False))
    text.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)
    slicer.mrmlScene.AddNode(text)
    return text


def _labelmap(segmentation: slicer.vtkMRMLSegmentationNode, key: str) -> slicer.vtkOrientedImageData | None:
    """Return a copy of a segment's labelmap (0/1), None where it is empty."""
    labelmap = slicer.vtkOrientedImageData()
    segmentation.GetBinaryLabelmapRepresentation(key, labelmap)
    scalars = labelmap.GetPointData().GetScalars()
    return labelmap if scalars is not None and vtk_to_numpy(scalars).any() else None


def _hash(segmentation: slicer.vtkMRMLSegmentationNode, key: str) -> str:
    """Return the fingerprint of a segment, however large the box is in which Slicer keeps it; empty where it is."""
    labelmap = _labelmap(segmentation, key)
    if labelmap is None:
        return ""
    inside = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(labelmap.GetDimensions()[::-1]) != 0
    spans = [np.flatnonzero(inside.any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    (x0, x1), (y0, y1), (z0, z1) = ((span[0], span[-1]) for span in spans)
    start = np.add(labelmap.GetExtent()[::2], (x0, y0, z0)).tolist()
    return fingerprint(inside[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1], start)


def _unique_name(segments: slicer.vtkSegmentation, title: str) -> str:
    """Return a name that no segment bears yet: ``"Tumour"``, ``"Tumour 2"``..."""
    taken = {segments.GetNthSegment(index).GetName() for index in range(segments.GetNumberOfSegments())}
    number = 1
    while (name := title if number == 1 else f"{title} {number}") in taken:
        number += 1
    return name


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
