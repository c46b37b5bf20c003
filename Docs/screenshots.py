"""Make the pictures of the documentation anew: ``python Docs/screenshots.py``.

The case's pictures come from the project's own renderer, the windows from the stand-in for the application in
``Testing/Host``; both show the synthetic patient, for habitats in MR. The networks of the pictures of ATOM and of a map
have random weights.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "Resources" / "Screenshots"
THUMBNAILS = ROOT / "Resources" / "SampleData"
THUMBNAIL = (280, 260)
"""Width and height of a thumbnail of the Sample Data module, in pixels."""
SHOWN = ("arterial-axial", "delayed-axial", "portal-coronal", "surfaces")
SURVIVAL_PACKAGE = "tace-survival-fusion"
RANDOM_PACKAGES = {"tace": "response", "haic": "response", "tc": "one-year survival", "hc": "one-year survival"}
"""What the packages with random weights predict, by model of ATOM."""
MEDIANS, VIEW = (0.3, 0.5, 0.3, 0.5), 224
"""Their medians, so that the advice has both stages, and how much of the liver they see (mm, pixels)."""
RUN = ("applyButton", "progressBar", "readyLabel", "messageLabel")
"""Names of the widgets that show how far a run is."""
AROUND = 75.0
"""How far the picture of habitats reaches from its middle (mm)."""
WIDTH = 480
"""Of each of the four pictures of the case, in pixels."""
WINDOW_WIDTH, LOWEST = 560, 420
"""Width and least height of a picture of a window, in pixels."""
LONGEST_WAIT = 600.0


def main() -> None:
    """Draw the case, then fill in each window, run it and draw it."""
    sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Host")]
    from standin import application

    from hccoutcome.loading import load_case, read_case_folder
    from hccoutcome.phantom import PhantomSettings, write_phantom
    from hccoutcome.scene.build import add_case
    from hccoutcome.scene.host import clear_scene
    from hccoutcome.scene.render import case_pictures

    application.start()
    with tempfile.TemporaryDirectory() as folder:
        files = write_phantom(Path(folder) / "case", 1)
        nodes = add_case(load_case(read_case_folder(files)))
        pictures = case_pictures(nodes)
        write(side_by_side(pictures), "case.png")
        write(thumbnail(pictures["arterial-axial"]), "patient-CT.png", THUMBNAILS)
        clear_scene()
        write_walk(files)
        write_survival(files)
        write_networks(files, Path(folder))
        clear_scene()
        files = write_phantom(Path(folder) / "mr", 1, PhantomSettings(modality="MR"))
        nodes = add_case(load_case(read_case_folder(files)))
        write(thumbnail(case_pictures(nodes)["arterial-axial"]), "patient-MR.png", THUMBNAILS)
        widget = open_case("HCCHabitat", files)
        write(applied(widget), "HCCHabitat.png")
        close(widget)
        write(habitat_picture(nodes.case_id), "habitats.png")


def habitat_picture(case_id: str) -> Image.Image:
    """Return the map of habitats over the portal venous image and beside it the elbow, from the scene's nodes."""
    import numpy as np
    import slicer
    from matplotlib.figure import Figure

    from hccoutcome.scene.exchange import region_from_segment, table_from_node
    from hccoutcome.scene.habitats import habitats_in
    from hccoutcome.scene.nodes import nodes_of
    from hccoutcome.scene.places import largest_section
    from hccoutcome.scene.slices import PLANES, Frame, cut, cut_mask

    found, volume = habitats_in(slicer.mrmlScene, case_id), nodes_of(slicer.mrmlScene, case_id).images["portal"]
    segments = found.segmentation.GetSegmentation()
    keys = list(segments.GetSegmentIDs())
    masks = [region_from_segment(found.segmentation, key) for key in keys]
    axial = next(plane for plane in PLANES if plane.name == "axial")
    frame = Frame(largest_section(masks[1]), 2 * AROUND, 2 * AROUND, 0.25)
    figure = Figure(figsize=(9.6, 4.8), dpi=100, layout="constrained")
    image, chart = figure.subplots(1, 2)
    display = volume.GetDisplayNode()
    low, high = display.GetLevel() - display.GetWindow() / 2, display.GetLevel() + display.GetWindow() / 2
    image.imshow(cut(volume, axial, frame, low), cmap="gray", vmin=low, vmax=high)
    for key, mask in zip(keys, masks, strict=True):
        inside, colour = cut_mask(mask, axial, frame), segments.GetSegment(key).GetColor()
        if inside.max() > 0.5:
            image.contourf(inside, [0.5, 2.0], colors=[colour], alpha=0.5)
            image.contour(inside, [0.5], colors=[colour], linewidths=1.5)
        image.plot([], [], "s", color=colour, label=segments.GetSegment(key).GetName())
    image.set_axis_off()
    image.set_title("Habitats, portal venous phase, synthetic data", fontsize=10)
    image.legend(loc="lower right", fontsize=9)
    curve = {name: np.asarray(values) for name, values in table_from_node(found.nodes["curve"]).items()}
    chosen = curve["chosen"] == 1
    chart.plot(curve["k"], curve["inertia"], "o-", color=(0.18, 0.42, 0.65))
    chart.plot(curve["k"][chosen], curve["inertia"][chosen], "o", color=(0.85, 0.33, 0.1), markersize=12)
    chart.set_xlabel("Number of habitats")
    chart.set_ylabel("Inertia")
    chart.set_title(f"Elbow: {found.summary['k']} habitats", fontsize=10)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return few_colours(Image.open(stream).convert("RGB"), 200)


def write_walk(files: Path) -> None:
    """Write the tutorial's pictures: HCC Response from the chosen case to its results, step by step."""
    widget = open_case("HCCResponse", files)
    ui = widget.window.ui
    ui.outlineButton.collapsed = True
    write(grab(widget, "caseButton", "regionsButton"), "tutorial-case.png")
    ui.outlineButton.collapsed = False
    write(draft_picture(widget), "draft.png")
    write(grab(widget, "clinicalButton"), "tutorial-record.png")
    ui.applyButton.click()
    wait_for(lambda: ui.progressBar.value > 0)
    write(grab(widget, "modelsButton", *RUN), "tutorial-run.png")
    wait_for(lambda: ui.applyButton.text == "Apply")
    write(grab(widget, "resultsButton", "messageLabel"), "tutorial-results.png")
    write(grab(widget), "HCCResponse.png")
    close(widget)


def write_survival(files: Path) -> None:
    """Write HCC Survival after an analysis, and the chart of a trained package as the report draws it."""
    from hccoutcome.explanation.figures import figure_bytes
    from hccoutcome.report.outlook_figures import survival_figure

    widget = open_case("HCCSurvival", files)
    write(applied(widget), "HCCSurvival.png")
    predictions = {found.package: found for found in widget.window.analysis.findings.predictions}
    found = predictions[SURVIVAL_PACKAGE]
    figure = survival_figure(found.title, found.outlook, found.outlook.survival)
    image = Image.open(io.BytesIO(figure_bytes(figure, "png"))).convert("RGB")
    image.thumbnail((2 * WINDOW_WIDTH, 2 * WINDOW_WIDTH), Image.Resampling.LANCZOS)
    write(few_colours(image, 64), "survival.png")
    close(widget)


def write_networks(files: Path, folder: Path) -> None:
    """Write ATOM's advice and a map of what a network looks at, by small networks with random weights."""
    sys.path.append(str(ROOT / "Testing" / "Python" / "deep"))
    from small_models import SIZE
    from small_packages import selection_package

    from hccoutcome.package.writing import write_package

    # The fields show the packages' paths as they were typed.
    with contextlib.chdir(folder):
        size = replace(SIZE, pixels=VIEW, patch=VIEW // 14)
        for (model, target), median in zip(RANDOM_PACKAGES.items(), MEDIANS, strict=True):
            package = selection_package(target, median=median, size=size)[0]
            write_package(
                replace(package, name=f"random-{model}", title=f"Random weights ({model})"), f"random-{model}"
            )
        widget = open_case("HCCResponse", files)
        ui = widget.window.ui
        ui.atomButton.collapsed = ui.mapsButton.collapsed = False
        for model in RANDOM_PACKAGES:
            getattr(ui, f"atom{model.title()}Package").currentPath = f"random-{model}"
        title = ui.atomApplyButton.text
        ui.atomApplyButton.click()
        wait_for(lambda: ui.atomApplyButton.text == title)
        write(grab(widget, "atomButton"), "atom.png")
        title = ui.mapsApplyButton.text
        ui.mapsApplyButton.click()
        wait_for(lambda: ui.mapsApplyButton.text == title)
        write(map_picture(widget), "map.png")
        close(widget)


def map_picture(widget: Any) -> Image.Image:
    """Return the panel of maps, and the first map over its image as the report draws it."""
    from hccoutcome.deep.relevance import RelevanceMap
    from hccoutcome.report.relevance_figure import relevance_picture
    from hccoutcome.scene.exchange import image_from_node
    from hccoutcome.scene.nodes import PHASE, nodes_of
    from hccoutcome.scene.overlay import volumes_of_networks

    case, data = widget.window.state.case, widget.logic.networkMaps.mapped.data
    volume = volumes_of_networks(nodes_of(case.portal.GetScene(), case.case_id))[0]
    phase = volume.GetAttribute(PHASE)
    # Of the methods only SHAP knows a sign; the window's first one is taken.
    found = RelevanceMap(phase, data["method"], data["unit"], data["method"] == "shap", image_from_node(volume))
    picture = relevance_picture(found, image_from_node(getattr(case, phase)), data["package"]["name"], synthetic=True)
    return beside(grab(widget, "mapsButton"), Image.open(io.BytesIO(picture)).convert("RGB"))


def beside(panel: Image.Image, image: Image.Image) -> Image.Image:
    """Return a part of a window and at its right a picture, on the window's ground."""
    panel = panel.convert("RGB")
    size = (panel.width + image.width, max(panel.height, image.height))
    sheet = Image.new("RGB", size, panel.getpixel((0, 0)))
    sheet.paste(panel, (0, 0))
    sheet.paste(image, (panel.width, 0))
    return few_colours(sheet, 256)


def draft_picture(widget: Any) -> Image.Image:
    """Return the panel with a draft of the tumour that waits to be accepted, and the draft over the image."""
    from matplotlib.figure import Figure

    from hccoutcome.scene.drafts import drafts_in
    from hccoutcome.scene.exchange import region_from_segment
    from hccoutcome.scene.slices import PLANES, Frame, cut, cut_mask

    ui, case = widget.window.ui, widget.window.state.case
    ui.promptSelector.setCurrentNode(box_around(case.segmentation))
    ui.outlineApplyButton.click()
    wait_for(lambda: ui.outlineApplyButton.text == "Outline")
    (draft,) = drafts_in(case.case_id)
    panel = grab(widget, "regionsButton")
    axial = next(plane for plane in PLANES if plane.name == "axial")
    frame = Frame(draft.middle, AROUND, AROUND, 0.15)
    figure = Figure(figsize=(panel.width / 100, panel.width / 100), dpi=100, layout="constrained")
    axes = figure.subplots()
    display = case.portal.GetDisplayNode()
    low, high = display.GetLevel() - display.GetWindow() / 2, display.GetLevel() + display.GetWindow() / 2
    axes.imshow(cut(case.portal, axial, frame, low), cmap="gray", vmin=low, vmax=high)
    colour = draft.segmentation.GetSegmentation().GetSegment(draft.region).GetColor()
    inside = cut_mask(region_from_segment(draft.segmentation, draft.region), axial, frame)
    axes.contourf(inside, [0.5, 2.0], colors=[colour], alpha=0.25)
    axes.contour(inside, [0.5], colors=[colour], linewidths=2)
    axes.set_axis_off()
    axes.set_title("Draft over the portal venous phase, synthetic data", fontsize=9)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    widget.window.outlining.reject(0)
    ui.promptSelector.setCurrentNode(None)
    return beside(panel, Image.open(stream).convert("RGB"))


def box_around(segmentation: Any) -> Any:
    """Return a ROI around the largest tumour."""
    import numpy as np
    import SimpleITK as sitk
    import slicer

    from hccoutcome.scene.exchange import region_from_segment

    tumour = region_from_segment(segmentation, "tumor")
    parts = sitk.LabelShapeStatisticsImageFilter()
    parts.Execute(sitk.RelabelComponent(sitk.ConnectedComponent(tumour), sortByObjectSize=True))
    bounds = np.array(parts.GetBoundingBox(1))
    middle = tumour.TransformContinuousIndexToPhysicalPoint((bounds[:3] + (bounds[3:] - 1) / 2).tolist())
    box = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Box: tumor")
    box.SetCenter(-middle[0], -middle[1], middle[2])
    box.SetSize(*(bounds[3:] * tumour.GetSpacing() + 4.0))
    return box


def side_by_side(pictures: dict[str, bytes]) -> Image.Image:
    """Return three slices and the surfaces in two rows; the surfaces have colours of their own in the palette."""
    images = [Image.open(io.BytesIO(pictures[name])).convert("RGB") for name in SHOWN]
    images = [image.resize((WIDTH, image.height * WIDTH // image.width), Image.Resampling.LANCZOS) for image in images]
    first, second = (max(image.height for image in images[row : row + 2]) for row in (0, 2))
    sheet = Image.new("RGB", (2 * WIDTH, first + second))
    surfaces = Image.new("RGB", (WIDTH, second), images[-1].getpixel((0, 0)))
    for place, image in enumerate(images[:-1]):
        row, column = divmod(place, 2)
        sheet.paste(image, (column * WIDTH, row * first))
    surfaces.paste(images[-1], (0, (second - images[-1].height) // 2))
    sheet, surfaces = few_colours(sheet, 96), few_colours(surfaces, 160)
    palette = [*sheet.getpalette()[: 3 * 96], *surfaces.getpalette()]
    sheet.putpalette(palette[: 3 * 256])
    sheet.paste(surfaces.point(lambda index: index + 96), (WIDTH, first))
    return sheet


def thumbnail(picture: bytes) -> Image.Image:
    """Return a picture of the case as the Sample Data module shows it on a button."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    return few_colours(ImageOps.pad(image, THUMBNAIL, Image.Resampling.LANCZOS), 128)


def few_colours(image: Image.Image, colours: int) -> Image.Image:
    """Return an image with a palette of at most so many colours, chosen for it."""
    found = image.quantize(colours, kmeans=2, dither=Image.Dither.NONE)
    found.putpalette([*found.getpalette(), *[0] * (3 * colours)][: 3 * colours])
    return found


def applied(widget: Any) -> Image.Image:
    """Return a module's window after an analysis of its case."""
    ui = widget.window.ui
    ui.applyButton.click()
    wait_for(lambda: ui.applyButton.text == "Apply")
    return grab(widget)


def open_case(name: str, files: Path) -> Any:
    """Return a module's window with the case chosen, as the Sample Data module chooses it, and its first models."""
    import qt
    from standin import application

    from hccoutcome.gui.sample_data import choose

    module, _ = application.load_module(ROOT / name / f"{name}.py")
    widget = application.open_window(module)
    application.enter(widget)
    choose(files, widget.window.state.case)
    ui = widget.window.ui
    if hasattr(ui, "modelsList"):
        for row in range(min(3, ui.modelsList.count)):
            ui.modelsList.item(row).setCheckState(qt.Qt.Checked)
    return widget


def close(widget: Any) -> None:
    """Close a module's window."""
    from standin import application

    application.leave(widget)
    application.close_window(widget)


def wait_for(condition: Callable[[], bool]) -> None:
    """Let the window work until a condition holds."""
    import slicer

    end = time.monotonic() + LONGEST_WAIT
    while not condition() and time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.02)


def grab(widget: Any, *names: str) -> Image.Image:
    """Return a window as it would look on a screen, as tall as it likes to be; only its named parts where given."""
    import slicer
    from PySide6.QtWidgets import QWidget

    window, whole = widget.parent, widget.window.ui.applyButton.parentWidget()
    parts = [part for part in whole.children() if isinstance(part, QWidget) and not part.isHidden()]
    kept = [part for part in parts if any(part.name == name or part.findChild(QWidget, name) for name in names)]
    hidden = [part for part in parts if names and part not in kept]
    for part in hidden:
        part.visible = False
    window.show()
    # Tables and labels that wrap settle on their height after they were given a width.
    for height in (100, None, None):
        window.resize(WINDOW_WIDTH, height or max(LOWEST, window.layout().totalHeightForWidth(WINDOW_WIDTH)))
        slicer.app.processEvents()
    image = window.grab().toImage()
    for part in hidden:
        part.visible = True
    image = image.convertToFormat(image.Format.Format_RGB888)
    rows = bytes(image.constBits())[: image.bytesPerLine() * image.height()]
    size = (image.width(), image.height())
    return few_colours(Image.frombuffer("RGB", size, rows, "raw", "RGB", image.bytesPerLine(), 1), 256)


def write(image: Image.Image, name: str, folder: Path = TARGET) -> None:
    """Write a picture and say how large it is."""
    folder.mkdir(parents=True, exist_ok=True)
    image.save(folder / name, optimize=True)
    sys.stdout.write(f"{name}: {(folder / name).stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
