"""What a network looks at as a picture: the map over the slice in which it says most, with its legend.

The less a value says, the more of the image is seen through it. Maps that know no sign have the colours of inferno;
those with a sign are red where they add to the score and blue where they take away, as dark for the one as for the
other. Both can be told apart by readers with colour vision deficiency.
"""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import SimpleITK as sitk
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hccoutcome.deep.relevance import TITLES, RelevanceMap
from hccoutcome.report.wording import phase_title

SIGNED, UNSIGNED = "RdBu_r", "inferno"
COLOURS = 255
UPPER_PERCENTILE = 99.5
FULL = 0.4
"""Part of the range at which a colour hides what lies beneath as far as it ever does."""
MOST_OPAQUE = 0.65
INCHES, DOTS = 5.0, 100
GREY_PERCENTILES = (2.0, 99.5)


def relevance_range(values: NDArray[np.floating], signed: bool) -> tuple[float, float]:
    """Return the values at which the colours begin and end: 0 and few outliers below the most, or both ways."""
    known = values[np.isfinite(values)]
    most = float(np.percentile(np.abs(known), UPPER_PERCENTILE)) if known.size else 1.0
    most = most if most > 0 else 1.0
    return (-most if signed else 0.0), most


def relevance_colours(signed: bool, count: int = COLOURS) -> NDArray[np.float64]:
    """Return red, green, blue and opacity of colours from the least to the greatest value, (count, 4)."""
    fraction = np.linspace(0.0, 1.0, count)
    colours = mpl.colormaps[SIGNED if signed else UNSIGNED](fraction)
    strength = np.abs(2 * fraction - 1) if signed else fraction
    colours[:, 3] = np.clip(strength / FULL, 0.0, 1.0) * MOST_OPAQUE
    return colours


def relevance_picture(found: RelevanceMap, image: sitk.Image, package: str, synthetic: bool = False) -> bytes:
    """Return a PNG of a map over the axial slice of its image in which it is strongest.

    Args:
        found: the map.
        image: of its phase.
        package: name of the package, for the title.
        synthetic: True for generated data, which the title says.
    """
    volume = sitk.DICOMOrient(found.image, "LPS")
    grey = sitk.DICOMOrient(_beneath(image, found.image), "LPS")
    values, levels = sitk.GetArrayFromImage(volume), sitk.GetArrayFromImage(grey)
    plane = int(np.nansum(np.abs(np.nan_to_num(values)), axis=(1, 2)).argmax())
    low, high = relevance_range(values, found.signed)
    figure = Figure(figsize=(INCHES + 1.2, INCHES), dpi=DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    width, depth = volume.GetWidth() * volume.GetSpacing()[0], volume.GetHeight() * volume.GetSpacing()[1]
    place = (0.0, width, depth, 0.0)
    window = np.percentile(levels, GREY_PERCENTILES)
    axes.imshow(levels[plane], cmap="gray", vmin=window[0], vmax=max(window[1], window[0] + 1e-6), extent=place)
    colours = ListedColormap(relevance_colours(found.signed))
    drawn = axes.imshow(np.ma.masked_invalid(values[plane]), cmap=colours, vmin=low, vmax=high, extent=place)
    figure.colorbar(drawn, ax=axes, label=f"{TITLES[found.method]} [{found.unit}]", shrink=0.85)
    kind = "Synthetic data. " if synthetic else ""
    axes.set_title(f"{kind}{TITLES[found.method]} of {package}\n{phase_title(found.phase)}", fontsize=10)
    axes.set_axis_off()
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _beneath(image: sitk.Image, volume: sitk.Image) -> sitk.Image:
    """Return the voxels of an image beneath a map on its lattice."""
    start = image.TransformPhysicalPointToIndex(volume.GetOrigin())
    return sitk.RegionOfInterest(image, volume.GetSize(), start)
