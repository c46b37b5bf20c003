"""Read images and masks of every supported format, refusing with one sentence what is wrong.

NIfTI, NRRD (``.seg.nrrd`` too) and MetaImage are told apart by their content; a folder, or a file that is DICOM, is
read as a DICOM series, and a mask as DICOM SEG.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import ImageFile, MaskFile
from hccoutcome.errors import InputError
from hccoutcome.imaging.dicom import read_series
from hccoutcome.imaging.dicom_seg import read_seg
from hccoutcome.imaging.geometry import describe_difference, on_grid, same_geometry, same_lattice
from hccoutcome.imaging.header_rules import not_finite
from hccoutcome.imaging.headers import Kind, check_header, files_of, image_kind
from hccoutcome.imaging.itk import quiet_itk
from hccoutcome.imaging.labels import chosen_label, chosen_segment, named_segments
from hccoutcome.progress import Progress, silent

FORMATS = "NIfTI (.nii, .nii.gz), NRRD, MetaImage or DICOM"


RIGHT_ANGLE = 1e-3
"""How far the cosine between two axes may be from 0; headers round their numbers."""


@dataclass(frozen=True)
class Loaded:
    """An image as read: the voxels, what DICOM says about them, and the files that hold them.

    Attributes:
        image: the image.
        modality: DICOM modality, or None where the format does not say.
        files: every file that was read, for the provenance.
    """

    image: sitk.Image
    modality: str | None
    files: tuple[Path, ...]


def read_image(file: ImageFile, phase: str | None = None) -> sitk.Image:
    """Read one image.

    Args:
        file: where it lies: a file, a folder with a DICOM series, or one file of a DICOM series.
        phase: the phase sought where a folder holds several series and none is named.

    Returns:
        A 3D image (LPS, mm) in the numeric type in which it was stored; DICOM in its rescaled unit (CT: HU).

    Raises:
        InputError: not found, not an image, damaged, not 3D, voxel size not positive, axes not at right angles, NaN or
            infinite voxels, no single DICOM series, slices missing or mixed.
    """
    return load_image(file, phase).image


def load_image(file: ImageFile, phase: str | None = None, progress: Progress = silent) -> Loaded:
    """Read one image as ``read_image`` does and say what it was read from."""
    kind = _kind(file.path, "image")
    if kind == "dicom":
        found = read_series(file.path, file.series_uid, phase, progress)
        loaded = Loaded(found.image, found.series.modality or None, found.files)
    else:
        loaded = Loaded(_read_volume(file.path, kind), None, files_of(file.path, kind))
    _refuse_several_components(loaded.image, file.path)
    _refuse_sheared(loaded.image, file.path)
    _refuse_not_finite(loaded.image, file.path)
    return loaded


def read_map(path: Path) -> sitk.Image:
    """Read a voxel map (NIfTI, NRRD or MetaImage); as ``hcc maps`` writes it, NaN stands where it has no value.

    Raises:
        InputError: as for an image, but for NaN.
    """
    kind = _kind(path, "map")
    if kind == "dicom":
        raise InputError(f"A voxel map is a NIfTI, NRRD or MetaImage file, found DICOM in '{path.name}': convert it.")
    volume = _read_volume(path, kind)
    _refuse_several_components(volume, path)
    return volume


def read_mask(file: MaskFile, reference: sitk.Image | None = None) -> sitk.Image:
    """Read one mask.

    Args:
        file: where it lies; for a file with several segments or labels the name or number of the one meant.
        reference: an image; a mask on the same lattice of voxels (cropped, flipped, DICOM SEG) is brought to its grid.

    Returns:
        A binary mask (uint8, 0/1) on the grid of the file, or on that of the reference where the lattice is the same.

    Raises:
        InputError: as for an image; empty, with several labels and none chosen, or with values that are no labels.
    """
    kind = _kind(file.path, "mask")
    if kind == "dicom":
        mask = read_seg(file.path, file.segment)
    else:
        volume = _read_volume(file.path, kind)
        segments = named_segments(file.path) if kind == "nrrd" else ()
        mask = chosen_segment(volume, segments, file) if segments else chosen_label(volume, file)
    if reference is not None and same_lattice(mask, reference):
        return on_grid(mask, reference)
    return mask


def unite(masks: Iterable[sitk.Image]) -> sitk.Image:
    """Return the union of binary masks on one grid, on the grid of the first.

    Raises:
        InputError: the grids differ.
    """
    first, *others = masks
    union = sitk.Cast(first != 0, sitk.sitkUInt8)
    for other in others:
        if not same_geometry(first, other):
            raise InputError(
                "Masks of one region were expected on one grid to be united, but they differ: "
                f"{describe_difference(first, other)}: resample one onto the grid of the other."
            )
        union = sitk.Or(union, on_grid(sitk.Cast(other != 0, sitk.sitkUInt8), union))
    return union


def _kind(path: Path, what: str) -> Kind:
    if path.is_dir():
        return "dicom"
    if not path.is_file():
        raise InputError(
            f"The {what} '{path.name}' was expected in '{path.parent.name}', found no such file: check the path."
        )
    kind = image_kind(path)
    if kind is None:
        size = path.stat().st_size
        found = "an empty file" if size == 0 else f"a file of another kind ({size:,} bytes)"
        raise InputError(
            f"The {what} '{path.name}' was expected to be {FORMATS}, found {found}: convert it or check the path."
        )
    return kind


def _read_volume(path: Path, kind: Kind) -> sitk.Image:
    """Read a NIfTI, NRRD or MetaImage file whose header has been checked."""
    check_header(path, kind)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO({"nifti": "NiftiImageIO", "nrrd": "NrrdImageIO", "meta": "MetaImageIO"}[kind])
    try:
        with quiet_itk():
            image = reader.Execute()
    except RuntimeError as error:
        raise InputError(_unreadable(path, str(error))) from error
    while image.GetDimension() > 3:
        image = image[(slice(None),) * (image.GetDimension() - 1) + (0,)]
    return image


def _unreadable(path: Path, message: str) -> str:
    if "orthonormal" in message:
        return _sheared(path)
    if "data" in message or "reading" in message or "read" in message:
        return f"'{path.name}' is cut short or damaged, its voxels cannot be read: copy it again from its source."
    last = [line.strip() for line in message.splitlines() if line.strip()][-1]
    return f"'{path.name}' was expected to be {FORMATS}, but it cannot be read ({last}): export it again."


def _sheared(path: Path) -> str:
    return (
        f"'{path.name}' was expected to have axes at right angles, found sheared ones: "
        "resample it to a rectangular grid with the program that wrote it."
    )


def _refuse_sheared(image: sitk.Image, path: Path) -> None:
    """Refuse axes that NRRD and MetaImage allow, on which every length, surface and volume would silently be wrong."""
    axes = np.reshape(image.GetDirection(), (image.GetDimension(), image.GetDimension()))
    if not np.allclose(axes.T @ axes, np.eye(len(axes)), atol=RIGHT_ANGLE):
        raise InputError(_sheared(path))


def _refuse_several_components(image: sitk.Image, path: Path) -> None:
    components = image.GetNumberOfComponentsPerPixel()
    if components > 1:
        raise InputError(
            f"'{path.name}' was expected to hold one value per voxel, found {components} (a colour image, a "
            "field or a segmentation): give the image."
        )


def _refuse_not_finite(image: sitk.Image, path: Path) -> None:
    voxels = sitk.GetArrayViewFromImage(image)
    if not np.issubdtype(voxels.dtype, np.floating):
        return
    count = voxels.size - int(np.count_nonzero(np.isfinite(voxels)))
    if count:
        raise InputError(not_finite(path, count, voxels.size))
