"""The registration check as a picture: checkerboards as scanned and as registered, side by side."""

from __future__ import annotations

import io

import numpy as np
import SimpleITK as sitk
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hccoutcome.imaging.registration_check import RegistrationCheck

PLANES = ("axial", "coronal")
INCHES, DOTS = 4.0, 100
"""Width of one panel and dots an inch: legible on a screen, some 200 kB a phase."""
_OUTLINE = "#ffd228"


def registration_picture(check: RegistrationCheck, region: sitk.Image | None = None) -> bytes:
    """Return a PNG of a registration check: columns as scanned and as registered, rows axial and coronal.

    Args:
        check: what to show.
        region: mask on the same grid whose outline is drawn and through whose middle the planes go; the middle of the
            image where None.
    """
    boards = {"As scanned": (check.as_scanned, check.before), "Registered": (check.checkerboard, check.after)}
    shown = [(title, _upright(image), value) for title, (image, value) in boards.items() if image is not None]
    mask = None if region is None else sitk.GetArrayFromImage(_upright(region)) != 0
    z, y = _middle(mask, sitk.GetArrayViewFromImage(shown[0][1]).shape)
    width, depth, height = (n * step for n, step in zip(shown[0][1].GetSize(), shown[0][1].GetSpacing(), strict=True))
    rows = (depth / width, height / width)
    figure = Figure(figsize=(INCHES * len(shown), INCHES * sum(rows) + 0.9), dpi=DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(shown), squeeze=False, height_ratios=rows)
    for column, (title, image, value) in enumerate(shown):
        voxels = sitk.GetArrayFromImage(image)
        cuts = ((voxels[z], None if mask is None else mask[z]), (voxels[:, y], None if mask is None else mask[:, y]))
        for row, (plane, outline) in enumerate(cuts):
            _draw(axes[row, column], plane, outline, (width, (depth, height)[row]), upwards=bool(row))
        axes[0, column].set_title(f"{title}: mutual information {value:.3f}", fontsize=10)
    figure.suptitle(f"{check.phase} in turns with {check.reference}; edges run on where they match", fontsize=10)
    if check.warning:
        figure.supxlabel("To be doubted: see the notes", fontsize=9, color="#8d1f2d")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _upright(image: sitk.Image) -> sitk.Image:
    """Return an image with axes from right to left, front to back and foot to head, as nearly as its own axes allow."""
    return sitk.DICOMOrient(image, "LPS")


def _middle(mask: np.ndarray | None, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the axial and coronal plane in which a region is largest; the middle ones where there is none."""
    if mask is None or not mask.any():
        return shape[0] // 2, shape[1] // 2
    return int(mask.sum(axis=(1, 2)).argmax()), int(mask.sum(axis=(0, 2)).argmax())


def _draw(axes: Axes, plane: np.ndarray, outline: np.ndarray | None, size: tuple[float, float], upwards: bool) -> None:
    """Draw one plane in mm, the head or the front upwards."""
    extent = (0.0, size[0], 0.0, size[1]) if upwards else (0.0, size[0], size[1], 0.0)
    axes.imshow(
        plane, cmap="gray", vmin=0, vmax=255, extent=extent, origin="lower" if upwards else "upper",
        interpolation="nearest",
    )  # fmt: skip
    if outline is not None and outline.any() and not outline.all():
        rows, columns = outline.shape
        x = (np.arange(columns) + 0.5) * size[0] / columns
        y = (np.arange(rows) + 0.5) * size[1] / rows
        axes.contour(x, y, outline.astype(float), levels=[0.5], colors=[_OUTLINE], linewidths=1.2)
    axes.set_xticks([])
    axes.set_yticks([])
