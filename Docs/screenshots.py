"""Make the pictures of the documentation anew: ``python Docs/screenshots.py``.

The case's pictures come from the project's own renderer, the windows from the stand-in for the application in
``Testing/Host``; both show the synthetic patient.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "Resources" / "Screenshots"
SHOWN = ("arterial-axial", "delayed-axial", "portal-coronal", "surfaces")
MODULES = ("HCCResponse", "HCCSurvival", "HCCHabitat")
WIDTH = 480
"""Of each of the four pictures of the case, in pixels."""
WINDOW_WIDTH = 560
LONGEST_WAIT = 300.0


def main() -> None:
    """Draw the case, then fill in each window, run it and draw it."""
    sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Host")]
    from standin import application

    from hccoutcome.loading import load_case, read_case_folder
    from hccoutcome.phantom import write_phantom
    from hccoutcome.scene.build import add_case
    from hccoutcome.scene.render import case_pictures

    application.start()
    with tempfile.TemporaryDirectory() as folder:
        files = write_phantom(Path(folder) / "case", 1)
        nodes = add_case(load_case(read_case_folder(files)))
        write(side_by_side(case_pictures(nodes)), "case.png")
        record = (files / "case.json").read_text(encoding="utf-8")
        for name in MODULES:
            write(window_picture(name, nodes, record), f"{name}.png")


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


def few_colours(image: Image.Image, colours: int) -> Image.Image:
    """Return an image with a palette of at most so many colours, chosen for it."""
    found = image.quantize(colours, kmeans=2, dither=Image.Dither.NONE)
    found.putpalette([*found.getpalette(), *[0] * (3 * colours)][: 3 * colours])
    return found


def window_picture(name: str, nodes: Any, record: str) -> Image.Image:
    """Return a module's window after an analysis of the case."""
    import slicer
    from standin import application

    module, _ = application.load_module(ROOT / name / f"{name}.py")
    widget = application.open_window(module)
    application.enter(widget)
    fill_in(widget, nodes, record)
    ui = widget.window.ui
    ui.applyButton.click()
    end = time.monotonic() + LONGEST_WAIT
    while ui.applyButton.text != "Apply" and time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.02)
    picture = grab(widget.parent)
    application.leave(widget)
    application.close_window(widget)
    return picture


def fill_in(widget: Any, nodes: Any, record: str) -> None:
    """Choose the case as a user does, with its first models."""
    import qt

    from hccoutcome.gui.rules import record_from_json

    ui = widget.window.ui
    ui.caseIdEdit.text = nodes.case_id
    ui.guessButton.click()
    ui.segmentationSelector.setCurrentNode(nodes.segmentations[0])
    widget.window.state.case.clinical = record_from_json(record)
    if widget.window.models is not None:
        for row in range(min(3, ui.modelsList.count)):
            ui.modelsList.item(row).setCheckState(qt.Qt.Checked)


def grab(window: Any) -> Image.Image:
    """Return a window as it would look on a screen, as tall as it likes to be."""
    import slicer

    window.resize(WINDOW_WIDTH, 100)
    window.show()
    slicer.app.processEvents()
    window.resize(WINDOW_WIDTH, window.layout().totalHeightForWidth(WINDOW_WIDTH))
    slicer.app.processEvents()
    image = window.grab().toImage()
    image = image.convertToFormat(image.Format.Format_RGB888)
    rows = bytes(image.constBits())[: image.bytesPerLine() * image.height()]
    size = (image.width(), image.height())
    return few_colours(Image.frombuffer("RGB", size, rows, "raw", "RGB", image.bytesPerLine(), 1), 256)


def write(image: Image.Image, name: str) -> None:
    """Write a picture and say how large it is."""
    TARGET.mkdir(parents=True, exist_ok=True)
    image.save(TARGET / name, optimize=True)
    sys.stdout.write(f"{name}: {(TARGET / name).stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
