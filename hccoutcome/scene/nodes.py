"""The nodes of one case in the scene: how they are marked, found again, placed and removed.

Every node carries the attributes ``HCC.case`` (name of the case) and ``HCC.role`` (what it is), images ``HCC.phase``
and where stated ``HCC.modality`` and ``HCC.synthetic`` too, and all lie under one study in the subject hierarchy. So a
case is found again in any scene, after reading a file just as after building it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import slicer
from vtkmodules.vtkCommonCore import vtkIdList

from hccoutcome.errors import InputError, nearest

CASE, ROLE, PHASE, MODALITY, SYNTHETIC = "HCC.case", "HCC.role", "HCC.phase", "HCC.modality", "HCC.synthetic"
IMAGE, SEGMENTATION = "image", "segmentation"


@dataclass(frozen=True)
class CaseNodes:
    """The nodes of one case.

    Attributes:
        case_id: name of the case.
        scene: the scene that holds them.
        images: volume node by phase.
        segmentations: one node for each grid on which regions were outlined.
        findings: node by role: ``"features"``, ``"quality"``, ``"results"``, ``"provenance"``...
    """

    case_id: str
    scene: slicer.vtkMRMLScene
    images: Mapping[str, slicer.vtkMRMLScalarVolumeNode] = field(default_factory=dict)
    segmentations: tuple[slicer.vtkMRMLSegmentationNode, ...] = ()
    findings: Mapping[str, slicer.vtkMRMLNode] = field(default_factory=dict)


def is_in_between(scene: slicer.vtkMRMLScene | None) -> bool:
    """Say whether a scene is being read or closed, when nobody may change it; None is one that is gone."""
    return scene is None or bool(scene.IsImporting() or scene.IsClosing())


def find_case_nodes(scene: slicer.vtkMRMLScene) -> dict[str, CaseNodes]:
    """Return the nodes of every case in the scene, by the case's name."""
    marked: dict[str, list[slicer.vtkMRMLNode]] = {}
    for node in _all_nodes(scene):
        if node.GetAttribute(CASE):
            marked.setdefault(node.GetAttribute(CASE), []).append(node)
    return {case_id: _sorted_out(case_id, scene, nodes) for case_id, nodes in marked.items()}


def nodes_of(scene: slicer.vtkMRMLScene, case_id: str) -> CaseNodes:
    """Return the nodes of one case.

    Raises:
        InputError: the scene holds no such case.
    """
    cases = find_case_nodes(scene)
    if case_id not in cases:
        raise InputError(f"The scene holds no case '{case_id}'; {nearest(case_id, cases) if cases else 'it is empty'}.")
    return cases[case_id]


def mark(node: slicer.vtkMRMLNode, case_id: str, role: str, phase: str | None = None) -> None:
    """Note on a node whose it is and what it is."""
    node.SetAttribute(CASE, case_id)
    node.SetAttribute(ROLE, role)
    if phase is not None:
        node.SetAttribute(PHASE, phase)


def place(scene: slicer.vtkMRMLScene, study: int, nodes: Iterable[slicer.vtkMRMLNode]) -> None:
    """Put nodes under a study in the subject hierarchy, whether or not the application has already listed them."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, study)
        else:
            hierarchy.CreateItem(study, node)


def study_of(scene: slicer.vtkMRMLScene, case_id: str, patient_name: str) -> int:
    """Return the subject hierarchy item of a case's study; it and its patient are made where they are missing."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = _study_item(hierarchy, case_id)
    if item is not None:
        return item
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), patient_name)
    hierarchy.SetItemAttribute(
        patient, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMPatientIDAttributeName(), case_id
    )
    study = hierarchy.CreateStudyItem(patient, "Liver imaging")
    hierarchy.SetItemAttribute(study, CASE, case_id)
    return study


def patient_of(node: slicer.vtkMRMLNode) -> int | None:
    """Return the subject hierarchy item of the patient under whom a node lies, None where it lies under none."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    level = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelPatient()
    return (hierarchy.GetItemAncestorAtLevel(item, level) or None) if item else None


def remove(scene: slicer.vtkMRMLScene, nodes: Iterable[slicer.vtkMRMLNode]) -> None:
    """Take nodes out of the scene, with their display and storage nodes and their subject hierarchy items."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    for node in list(nodes):
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.RemoveItem(item, False, False)
        for helper in _helpers(node):
            scene.RemoveNode(helper)
        scene.RemoveNode(node)


def remove_case(scene: slicer.vtkMRMLScene, case_id: str) -> None:
    """Take everything of a case out of the scene, its patient and study included."""
    remove(scene, [node for node in _all_nodes(scene) if node.GetAttribute(CASE) == case_id])
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = _study_item(hierarchy, case_id)
    if study is not None:
        hierarchy.RemoveItem(hierarchy.GetItemParent(study), False, True)


def remove_if_empty(scene: slicer.vtkMRMLScene, case_id: str) -> None:
    """Take a case's patient and study out of the subject hierarchy where nothing lies under them any more."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = _study_item(hierarchy, case_id)
    for _level in ("study", "patient"):
        if item is None or _children(hierarchy, item):
            return
        parent = hierarchy.GetItemParent(item)
        hierarchy.RemoveItem(item, False, False)
        item = parent


def _children(hierarchy: slicer.vtkMRMLSubjectHierarchyNode, item: int) -> int:
    children = vtkIdList()
    hierarchy.GetItemChildren(item, children)
    return children.GetNumberOfIds()


def _all_nodes(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLNode]:
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]


def _sorted_out(case_id: str, scene: slicer.vtkMRMLScene, nodes: list[slicer.vtkMRMLNode]) -> CaseNodes:
    """Return a case's nodes by what they are."""
    by_role = {node.GetAttribute(ROLE): node for node in nodes}
    return CaseNodes(
        case_id=case_id,
        scene=scene,
        images={node.GetAttribute(PHASE): node for node in nodes if node.GetAttribute(ROLE) == IMAGE},
        segmentations=tuple(node for node in nodes if node.GetAttribute(ROLE) == SEGMENTATION),
        findings={role: node for role, node in by_role.items() if role not in (IMAGE, SEGMENTATION)},
    )


def _study_item(hierarchy: slicer.vtkMRMLSubjectHierarchyNode, case_id: str) -> int | None:
    """Return the item of a case's study, None where there is none."""
    items = vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    for item in (items.GetId(index) for index in range(items.GetNumberOfIds())):
        if hierarchy.GetItemAttribute(item, CASE) == case_id:
            return item
    return None


def _helpers(node: slicer.vtkMRMLNode) -> list[slicer.vtkMRMLNode]:
    """Return the display and storage nodes that exist for a node alone."""
    helpers = []
    if isinstance(node, slicer.vtkMRMLDisplayableNode):
        helpers += [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    if isinstance(node, slicer.vtkMRMLStorableNode):
        helpers += [node.GetNthStorageNode(index) for index in range(node.GetNumberOfStorageNodes())]
    return [helper for helper in helpers if helper is not None]
