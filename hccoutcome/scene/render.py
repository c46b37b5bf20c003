"""Pictures of a case for the report, drawn from the scene without a window or OpenGL.

Slices are cut by MRML's slice logic and show the segments' outlines in the segments' colours; the surfaces come from
the same segments. Colours, names, windows and visibility are those of the scene's nodes: what the user changed there
shows in the pictures.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import slicer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from hccoutcome.progress import Progress, silent
from hccoutcome.report.wording import phase_title
from hccoutcome.scene.appearance import Rgb
from hccoutcome.scene.exchange import region_from_segment
from hccoutcome.scene.nodes import SYNTHETIC, CaseNodes
from hccoutcome.scene.places import Point, box_of, nearest_first, on_grid_of, point_of_interest
from hccoutcome.scene.slices import PLANES, Frame, Plane, body_box, cut, cut_mask
from hccoutcome.scene.surface import Surface, draw_surfaces

SURFACES = "surfaces"
"""Key of the picture of the surfaces; slices have ``<phase>-<plane>``."""
WIDTH_PIXELS, LEAST_PIXELS, DPI = 720, 300, 100
MARGIN_MM, AROUND_REGIONS_MM = 8.0, 40.0
BAR_LENGTHS_MM = (0.1, 0.5, 1.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True)
class Region:
    """A segment to draw: its title, colour, opacity, its mask, and whether it was outlined on the image shown."""

    title: str
    colour: Rgb
    opacity: float
    mask: sitk.Image
    own_grid: bool = True


def case_pictures(nodes: CaseNodes, progress: Progress = silent) -> dict[str, bytes]:
    """Return PNG pictures by name: for each phase ``<phase>-axial``, ``-coronal`` and ``-sagittal``, and ``surfaces``.

    The planes cross in the largest axial section of the tumour; without a tumour in that of the liver, without either
    in the middle of the image. ``surfaces`` is there where any region is.
    """
    pictures: dict[str, bytes] = {}
    for index, (phase, volume) in enumerate(nodes.images.items()):
        progress(index / (len(nodes.images) + 1), f"rendering the {phase_title(phase).lower()}")
        regions = list(_regions(nodes, volume))
        for plane, picture in _phase_pictures(volume, phase_title(phase), regions, point_of_interest(nodes, volume)):
            pictures[f"{phase}-{plane.name}"] = picture
    if nodes.segmentations:
        progress(1 - 1 / (len(nodes.images) + 1), "rendering the surfaces")
        pictures[SURFACES] = _surface_picture(
            list(_regions_of(nodes.segmentations[0], None)), "".join({_notice(node) for node in nodes.images.values()})
        )
    return pictures


def _regions(nodes: CaseNodes, volume: slicer.vtkMRMLScalarVolumeNode) -> Iterable[Region]:
    """Yield the visible regions for one volume: those outlined on its grid, and others only where it has none."""
    shown: set[str] = set()
    for segmentation in nearest_first(nodes, volume):
        for region in _regions_of(segmentation, volume):
            if region.title not in shown:
                shown.add(region.title)
                yield region


def _regions_of(
    segmentation: slicer.vtkMRMLSegmentationNode, volume: slicer.vtkMRMLScalarVolumeNode | None
) -> Iterable[Region]:
    """Yield the visible, non-empty segments of one segmentation."""
    display = segmentation.GetDisplayNode()
    for segment_id in segmentation.GetSegmentation().GetSegmentIDs():
        segment = segmentation.GetSegmentation().GetSegment(segment_id)
        if display.GetSegmentVisibility(segment_id):
            yield Region(
                title=segment.GetName(),
                colour=segment.GetColor(),
                opacity=display.GetSegmentOpacity3D(segment_id),
                mask=region_from_segment(segmentation, segment_id),
                own_grid=volume is None or on_grid_of(segmentation, volume),
            )


def _phase_pictures(
    volume: slicer.vtkMRMLScalarVolumeNode, title: str, regions: Sequence[Region], target: Point
) -> Iterable[tuple[Plane, bytes]]:
    """Yield the three pictures of one volume, all with the same size of a pixel."""
    low, high = _bounds(volume, regions, target)
    pixel = float((high - low)[0]) / WIDTH_PIXELS
    for plane in PLANES:
        across, upwards = int(np.flatnonzero(plane.right)[0]), int(np.flatnonzero(plane.up)[0])
        middle = (low + high) / 2
        middle[plane.normal] = target[plane.normal]
        extent = np.maximum((high - low)[[across, upwards]], LEAST_PIXELS * pixel)
        yield (
            plane,
            _slice_picture(volume, title, regions, plane, Frame(tuple(middle.tolist()), *extent.tolist(), pixel)),
        )


def _bounds(
    volume: slicer.vtkMRMLScalarVolumeNode, regions: Sequence[Region], target: Point
) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners in RAS of what the pictures show: the body, above and below only around the regions."""
    low, high = body_box(volume)
    if regions:
        boxes = np.array([box_of(region.mask) for region in regions])
        low[2] = max(low[2], boxes[:, 0, 2].min() - AROUND_REGIONS_MM)
        high[2] = min(high[2], boxes[:, 1, 2].max() + AROUND_REGIONS_MM)
    return np.minimum(low - MARGIN_MM, target), np.maximum(high + MARGIN_MM, target)


def _slice_picture(
    volume: slicer.vtkMRMLScalarVolumeNode, title: str, regions: Sequence[Region], plane: Plane, frame: Frame
) -> bytes:
    """Return one slice with outlines, letters, scale bar and legend as PNG."""
    display = volume.GetDisplayNode()
    low, high = display.GetLevel() - display.GetWindow() / 2, display.GetLevel() + display.GetWindow() / 2
    canvas = Canvas(*frame.pixels)
    canvas.axes.imshow(cut(volume, plane, frame, low), cmap="gray", vmin=low, vmax=high, interpolation="bilinear")
    drawn = []
    for region in regions:
        inside = cut_mask(region.mask, plane, frame)
        if inside.max() > 0.5:
            style = "solid" if region.own_grid else "dashed"
            width = 1.8 if region.opacity == 1 else 1.2
            canvas.axes.contour(inside, [0.5], colors=[region.colour], linewidths=width, linestyles=style)
            drawn.append(region)
    canvas.letters(plane.letters)
    canvas.write(0.012, 0.985, f"{title}\n{plane.name.capitalize()}, {_position(plane, frame)}{_notice(volume)}")
    canvas.write(0.988, 0.985, f"W {display.GetWindow():.0f}  L {display.GetLevel():.0f}", right=True)
    canvas.scale_bar(frame.pixel)
    canvas.legend(drawn)
    return canvas.png()


def _position(plane: Plane, frame: Frame) -> str:
    """Return where a slice lies, as scanners say it: ``"S 155.2 mm"``."""
    where = frame.middle[plane.normal]
    return f"{('RAS' if where >= 0 else 'LPI')[plane.normal]} {abs(where):.1f} mm"


def _notice(volume: slicer.vtkMRMLScalarVolumeNode) -> str:
    """Return the line that generated data must carry."""
    return "\nSynthetic data" if volume.GetAttribute(SYNTHETIC) else ""


def _surface_picture(regions: Sequence[Region], notice: str) -> bytes:
    """Return the surfaces of all regions in one picture with a legend as PNG."""
    background = (0.955, 0.962, 0.97)
    surfaces = [Surface(region.mask, region.colour, region.opacity) for region in regions]
    picture = draw_surfaces(surfaces, background=background)
    scale = WIDTH_PIXELS / picture.shape[1]
    canvas = Canvas(WIDTH_PIXELS, round(scale * picture.shape[0]), ink=(0.1, 0.12, 0.16), paper=background)
    canvas.axes.imshow(picture, interpolation="bicubic")
    canvas.letters(("R", "L", "S", "I"))
    canvas.write(0.012, 0.985, f"Surfaces\nSeen from the front{notice}")
    canvas.legend(regions)
    return canvas.png()


class Canvas:
    """A picture in pixels with the marks that a radiologist expects at its edges."""

    def __init__(self, columns: int, rows: int, ink: Rgb = (1.0, 1.0, 1.0), paper: Rgb = (0.0, 0.0, 0.0)) -> None:
        self._figure = Figure(figsize=(columns / DPI, rows / DPI), dpi=DPI, facecolor=paper)
        self._canvas = FigureCanvasAgg(self._figure)
        self.axes = self._figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self._columns, self._rows, self._ink = columns, rows, ink
        self._outline = [withStroke(linewidth=2.5, foreground=paper)]

    def write(self, x: float, y: float, text: str, right: bool = False) -> None:
        """Write text below a point given as fractions of the picture; ``right`` ends it there."""
        self._text(x, y, text, "right" if right else "left", "top", 11)

    def letters(self, letters: Sequence[str]) -> None:
        """Write the directions at the middle of the left, right, upper and lower edge."""
        places = ((0.012, 0.5, "left", "center"), (0.988, 0.5, "right", "center"))
        places += ((0.5, 0.985, "center", "top"), (0.5, 0.015, "center", "bottom"))
        for letter, (x, y, horizontal, vertical) in zip(letters, places, strict=True):
            self._text(x, y, letter, horizontal, vertical, 15, weight="bold")

    def scale_bar(self, pixel: float) -> None:
        """Draw a bar of a round length, with ticks at each centimetre; ``pixel`` is the size of a pixel in mm."""
        length = max(round_length for round_length in BAR_LENGTHS_MM if round_length <= 0.25 * self._columns * pixel)
        parts = round(length / 10) if length >= 20 else 5
        start, end = 0.012, 0.012 + length / pixel / self._columns
        base, tick = 0.028, 0.028 + 6 / self._rows
        for x in np.linspace(start, end, parts + 1):
            self._line([x, x], [base, tick])
        self._line([start, end], [base, base])
        self._text(end + 0.008, 0.018, f"{length / 10:g} cm", "left", "bottom", 10)

    def legend(self, regions: Sequence[Region]) -> None:
        """Name the regions, each in its colour, from the lower right corner upwards."""
        for line, region in enumerate(reversed(regions)):
            note = "" if region.own_grid else " (outlined on another image)"
            y = 0.015 + line * 19 / self._rows
            self._text(0.988, y, "■", "right", "bottom", 11, colour=region.colour)
            self._text(0.988 - 18 / self._columns, y, f"{region.title}{note}", "right", "bottom", 11)

    def _line(self, x: Sequence[float], y: Sequence[float]) -> None:
        self._figure.add_artist(Line2D(x, y, color=self._ink, linewidth=1.5, path_effects=self._outline))

    def png(self) -> bytes:
        """Return the picture as PNG."""
        stream = io.BytesIO()
        self._canvas.print_png(stream, metadata={"Software": None})
        return stream.getvalue()

    def _text(
        self, x: float, y: float, text: str, horizontal: str, vertical: str, size: float,
        weight: str = "normal", colour: Rgb | None = None,
    ) -> None:  # fmt: skip
        self._figure.text(
            x, y, text, ha=horizontal, va=vertical, fontsize=size, fontweight=weight, color=colour or self._ink,
            path_effects=self._outline, linespacing=1.35,
        )  # fmt: skip
