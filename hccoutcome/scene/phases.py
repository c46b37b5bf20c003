"""The phase of volumes that came from DICOM, from what the application's DICOM database knows of their series."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import slicer

INSTANCES = "DICOM.instanceUIDs"
"""Attribute by which the application notes from which DICOM files a volume was loaded."""
_ELEMENTS = {
    "Modality": "0008,0060",
    "SeriesDescription": "0008,103E",
    "ProtocolName": "0018,1030",
    "ContrastBolusStartTime": "0018,1042",
    "AcquisitionDate": "0008,0022",
    "AcquisitionTime": "0008,0032",
    "ContentDate": "0008,0023",
    "ContentTime": "0008,0033",
    "SeriesDate": "0008,0021",
    "SeriesTime": "0008,0031",
}


def phases_by_dicom(volumes: Iterable[slicer.vtkMRMLScalarVolumeNode]) -> dict[str, str]:
    """Return, by the identifier of the volume, the phase that its DICOM series tells: by its description, else by the
    time between the start of the contrast and the acquisition.

    Nothing of a volume that did not come from DICOM, and nothing without the application's database.
    """
    database = getattr(slicer, "dicomDatabase", None)
    if database is None:
        return {}
    found = {volume.GetID(): _phase(volume, database) for volume in volumes if volume.GetAttribute(INSTANCES)}
    return {identifier: phase for identifier, phase in found.items() if phase is not None}


def _phase(volume: slicer.vtkMRMLScalarVolumeNode, database: Any) -> str | None:
    from hccoutcome.imaging.dicom_headers import SliceHeader
    from hccoutcome.imaging.dicom_series import describe_series

    instance = volume.GetAttribute(INSTANCES).split()[0]
    elements = {keyword: str(database.instanceValue(instance, tag)).strip() for keyword, tag in _ELEMENTS.items()}
    header = SliceHeader(Path(instance), {keyword: text for keyword, text in elements.items() if text}, "")
    return describe_series(instance, [header]).phase
