"""The clinical record as typed, as a table under the patient: others see it there, and it is saved with the scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import slicer

from hccoutcome.case import check_case_id
from hccoutcome.clinical.variables import NAMES, VARIABLES, plain
from hccoutcome.errors import InputError
from hccoutcome.scene.exchange import node_from_table, table_from_node
from hccoutcome.scene.nodes import CASE, mark, place, remove_if_empty, study_of

RECORD = "record"
"""Role of the table."""
TITLE = "Clinical record as typed"
NAME, VALUE = "Name", "Value"


def read_record(table: slicer.vtkMRMLTableNode) -> dict[str, str]:
    """Return what a table of a record holds, text by schema name, without names that are not known and empty values."""
    columns = table_from_node(table)
    if not {NAME, VALUE} <= set(columns):
        return {}
    named = ((NAMES.get(plain(str(name))), str(value).strip()) for name, value in zip(*_cells(columns), strict=True))
    return {name: value for name, value in named if name is not None and value}


def _cells(columns: Mapping[str, object]) -> tuple[list, list]:
    return list(columns[NAME]), list(columns[VALUE])


def write_record(
    table: slicer.vtkMRMLTableNode | None, case_id: str, record: Mapping[str, str]
) -> slicer.vtkMRMLTableNode | None:
    """Write the record of a case into its table, and put the table under the case's patient.

    Args:
        table: the table that holds the record so far, under whichever case; None where there is none yet.
        case_id: name of the case.
        record: text by schema name.

    Returns:
        The table; None where there is none and nothing to put into one, or the case has no usable name.
    """
    if (table is None and not record) or not _is_case_id(case_id):
        return table
    scene = slicer.mrmlScene
    known = {name: text for name, text in record.items() if name in VARIABLES}
    if table is None:
        table = _table_of(known)
        scene.AddNode(table)
    elif read_record(table) != known:
        table.GetTable().DeepCopy(_table_of(known).GetTable())
        table.Modified()
    if table.GetAttribute(CASE) != case_id:
        before = table.GetAttribute(CASE)
        mark(table, case_id, RECORD)
        place(scene, study_of(scene, case_id, case_id), [table])
        if before:
            remove_if_empty(scene, before)
    return table


def follow_record(table: slicer.vtkMRMLTableNode, changed: Callable[[], None]) -> int:
    """Call back whenever somebody changes a table; return the observer's tag."""
    return table.AddObserver("ModifiedEvent", lambda caller, event: changed())


def _table_of(record: Mapping[str, str]) -> slicer.vtkMRMLTableNode:
    return node_from_table(
        {
            "Variable": [VARIABLES[name].title for name in record] or [""],
            VALUE: list(record.values()) or [""],
            "Unit": [VARIABLES[name].unit for name in record] or [""],
            NAME: list(record) or [""],
        },
        TITLE,
    )


def _is_case_id(case_id: str) -> bool:
    try:
        check_case_id(case_id)
    except InputError:
        return False
    return True
