"""Screenshots (PNG, JPEG) in place of images, as TCI accepts them: grey levels without scale or place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.case import canonical_phase
from hccoutcome.errors import InputError
from hccoutcome.imaging.itk import quiet_itk

ENDINGS = (".png", ".jpg", ".jpeg")
_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_NAME = re.compile(r"(?P<phase>[A-Za-z0-9-]+?)(?:_(?P<offset>[+-]?[0-9]))?")
SMALLEST, LARGEST = 32, 8192
"""Width and height in pixels that a screenshot may have."""
_LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey level (ITU-R BT.601)."""

Screenshots = Mapping[tuple[str, int], Path]
"""File by phase and slice: 0 for the largest cross-section, -4 to 4 for the slices beneath and above it."""


def find_screenshots(folder: Path) -> dict[tuple[str, int], Path]:
    """Return the screenshots in a folder by phase and slice, read from their names.

    ``arterial.png`` is the largest cross-section of the arterial phase, ``portal_+2.jpg`` the second slice above it.

    Raises:
        InputError: none, a name that says no phase, or two for the same slice.
    """
    found: dict[tuple[str, int], Path] = {}
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS) if folder.is_dir() else []
    for path in files:
        match = _NAME.fullmatch(path.stem)
        if match is None:
            raise InputError(
                "A screenshot is named by its phase and, beside the largest cross-section, its slice (arterial.png, "
                f"portal_+2.jpg), found '{path.name}': rename it."
            )
        place = canonical_phase(match["phase"]), int(match["offset"] or 0)
        if place in found:
            raise InputError(
                f"One screenshot was expected of {place[0]} slice {place[1]:+d}, found '{found[place].name}' and "
                f"'{path.name}': keep one."
            )
        found[place] = path
    if not found:
        raise InputError(
            f"Screenshots (PNG or JPEG) were expected in '{folder.name}', found none: save one of each phase there."
        )
    return found


def read_screenshot(path: Path) -> NDArray[np.float32]:
    """Return the grey levels of a PNG or JPEG file, shape (rows, columns); colours become their brightness.

    Raises:
        InputError: another kind of file, damaged, far too small or large, or of one grey level.
    """
    _check_beginning(path)
    try:
        with quiet_itk():
            picture = sitk.ReadImage(str(path))
    except RuntimeError:
        raise InputError(f"The screenshot '{path.name}' is damaged: save it again as PNG.") from None
    levels = _brightness(sitk.GetArrayFromImage(picture).astype(np.float32), picture, path)
    if not all(SMALLEST <= length <= LARGEST for length in levels.shape):
        raise InputError(
            f"A screenshot measures {SMALLEST} to {LARGEST} pixels in width and height, found {levels.shape[1]} x "
            f"{levels.shape[0]} in '{path.name}': save the tumour's slice again."
        )
    if levels.min() == levels.max():
        raise InputError(f"The screenshot '{path.name}' has one grey level everywhere: save the tumour's slice again.")
    return levels


def _check_beginning(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"The screenshot '{path.name}' is not a file: check its name.")
    with path.open("rb") as file:
        start = file.read(8)
    if not start.startswith(_BEGINNINGS):
        raise InputError(f"A screenshot is a PNG or JPEG file, found '{path.name}' to be neither: save it as PNG.")


def _brightness(values: NDArray[np.float32], picture: sitk.Image, path: Path) -> NDArray[np.float32]:
    channels = picture.GetNumberOfComponentsPerPixel()
    if picture.GetDimension() != 2 or channels > 4:
        raise InputError(f"A screenshot is one picture, found '{path.name}' to hold more: save it again as PNG.")
    if channels == 1:
        return values
    if channels == 2:
        return values[..., 0]
    return (values[..., :3] @ np.array(_LUMA, np.float32)).astype(np.float32)


def square(levels: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    """Return a picture padded to a square with its darkest level and brought to ``pixels`` x ``pixels``."""
    side = max(levels.shape)
    image = sitk.GetImageFromArray(levels)
    # The middle of the picture becomes that of the square, whose pixels are side / pixels wide.
    width = side / pixels
    origin = [(length - 1) / 2 - (pixels - 1) / 2 * width for length in image.GetSize()]
    smooth = sitk.DiscreteGaussian(image, (width / 2) ** 2, useImageSpacing=False) if width > 1 else image
    taken = sitk.Resample(
        smooth,
        (pixels, pixels),
        sitk.Transform(2, sitk.sitkIdentity),
        sitk.sitkLinear,
        origin,
        (width, width),
        (1.0, 0.0, 0.0, 1.0),
        float(levels.min()),
        sitk.sitkFloat32,
    )
    return sitk.GetArrayFromImage(taken)
