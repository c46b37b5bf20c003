"""DICOM series made for the tests, with everything in them that a test wants to find again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

STUDY, SERIES, FRAME = "1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3"


def voxels_of(slices: int, rows: int = 6, columns: int = 8) -> np.ndarray:
    """Return stored values (before rescaling) in which every voxel differs, shape (slices, rows, columns)."""
    return np.arange(slices * rows * columns, dtype=np.int16).reshape(slices, rows, columns)


def slice_dataset(pixels: np.ndarray, position: Sequence[float], number: int, **elements: Any) -> Dataset:
    """Return one CT slice; ``elements`` are set over the defaults, and None removes one."""
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = STUDY, FRAME
    dataset.SeriesInstanceUID = elements.pop("SeriesInstanceUID", SERIES)
    dataset.SOPInstanceUID = elements.pop("SOPInstanceUID", f"{dataset.SeriesInstanceUID}.{number}")
    dataset.Modality, dataset.PatientName, dataset.PatientID = "CT", "Doe^Jane", "4711"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, number
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelSpacing = [0.8, 0.7]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = list(position)
    dataset.PixelData = pixels.astype("<i2").tobytes()
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def save(dataset: Dataset, path: Path, transfer_syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write a data set as a DICOM file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_series(
    folder: Path, slices: int = 5, *, start: float = 100.0, step: float = 2.5, name: str = "ct", **elements: Any
) -> list[Path]:
    """Write a series of axial slices whose file names and instance numbers run against their positions."""
    volume = voxels_of(slices)
    return [
        save(
            slice_dataset(volume[k], (-10.0, -20.0, start + step * k), slices - k, **elements),
            folder / f"{name}{slices - k:03d}.dcm",
        )
        for k in range(slices)
    ]
