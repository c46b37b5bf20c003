"""All that was found out about a case, kept in the scene as text: a window shows it when the scene is opened."""

from __future__ import annotations

import json

import slicer

from hccoutcome.errors import InputError
from hccoutcome.findings import Findings
from hccoutcome.scene.nodes import CaseNodes, find_case_nodes

ROLE = "findings"
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError)


def findings_node(findings: Findings, scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLTextNode:
    """Return a text node with the findings as JSON, as ``result.json`` holds them; it is in the scene."""
    text = slicer.vtkMRMLTextNode()
    text.SetName("What was found")
    text.SetText(json.dumps(findings.to_json(), ensure_ascii=False))
    text.SetForceCreateStorageNode(text.CreateStorageNodeAlways)
    scene.AddNode(text)
    return text


def findings_of(nodes: CaseNodes) -> Findings | None:
    """Return what an earlier analysis found out about a case, None where nothing was kept.

    Raises:
        InputError: the text was changed or damaged.
    """
    node = nodes.findings.get(ROLE)
    if node is None:
        return None
    try:
        return Findings.from_json(json.loads(node.GetText()))
    except _DAMAGED as error:
        raise InputError(
            f"'{node.GetName()}' of the case '{nodes.case_id}' should hold the results of an analysis, found something "
            "else: analyse the case again."
        ) from error


def stored(case_id: str) -> tuple[Findings, CaseNodes] | None:
    """Return what the application's scene holds of an earlier analysis of a case, with its nodes; None for nothing.

    Raises:
        InputError: what it holds is damaged.
    """
    nodes = find_case_nodes(slicer.mrmlScene).get(case_id)
    findings = None if nodes is None else findings_of(nodes)
    return None if findings is None or nodes is None else (findings, nodes)
