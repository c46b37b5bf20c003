"""How long the windows stand still at each thing a user does: ``python bench_windows.py [--rows FILE] [--spacing MM]``.

The windows run on the stand-in of Testing/Host with the real worker, on a generated CT of two phases as fine as a
scanner's. What counts is the longest time in which the window's own process did not come back to its event loop.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rows import Row, write_rows

ROOT = Path(__file__).resolve().parents[2]
AIM = "100 ms"
LONGEST_WAIT = 600.0


class Stopwatch:
    """Does what a user does and keeps the longest time for which the window stood still meanwhile."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self.found: dict[str, float] = {}

    def __call__(self, what: str, action: Callable[[], Any], done: Callable[[], bool] | None = None) -> Any:
        """Do something, then let the event loop run until it is done."""
        start = time.perf_counter()
        result = action()
        longest = time.perf_counter() - start
        end = time.monotonic() + LONGEST_WAIT
        while True:
            start = time.perf_counter()
            self._application.processEvents()
            longest = max(longest, time.perf_counter() - start)
            if done is None or done() or time.monotonic() > end:
                break
            time.sleep(0.002)
        self.found[what] = longest
        print(f"{1e3 * longest:8.0f} ms  {what}", flush=True)
        return result


def main() -> None:
    """Go through the windows as a user does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, help="write the rows of the common table there")
    parser.add_argument("--spacing", type=float, default=0.8, help="width of a voxel in mm; 0.8 gives 440 x 440 x 88")
    options = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Host")]
    from standin import application

    application.start()
    import slicer

    from hccoutcome.phantom import PhantomSettings, phantom_case
    from hccoutcome.scene.build import add_case

    case = phantom_case(seed=1, settings=PhantomSettings(spacing=(options.spacing, options.spacing, 2.5)))
    nodes = add_case(case)
    size = "x".join(map(str, next(iter(case.images.values())).GetSize()))
    watch = Stopwatch(slicer.app)
    record = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in case.clinical.items()}
    survival = open_window(watch, application, "HCCSurvival")
    survival_steps(watch, survival, nodes, record)
    outline_steps(watch, survival, nodes)
    response = switch(watch, application, survival, "HCCResponse")
    apply_steps(watch, response, "HCCResponse", ("haic-mri-clinical",))
    habitat = switch(watch, application, response, "HCCHabitat")
    watch("HCCHabitat: Apply, until the habitats are in the scene", *pressed(habitat.window.ui.applyButton, "Apply"))
    print(habitat.window.ui.messageLabel.text)
    rows = [Row("windows stand still", f"{what} ({size})", seconds, aim=AIM) for what, seconds in watch.found.items()]
    write_rows(options.rows, rows)
    sys.stdout.flush()
    os._exit(0)  # without the order in which Qt and VTK would like to go


def open_window(watch: Stopwatch, application: Any, name: str) -> Any:
    """Open a module for the first time."""
    module, _ = application.load_module(ROOT / name / f"{name}.py")
    widget = watch(f"{name}: opening it for the first time", lambda: application.open_window(module))
    watch(f"{name}: entering it", lambda: application.enter(widget))
    return widget


def switch(watch: Stopwatch, application: Any, widget: Any, name: str) -> Any:
    """Go on to another module, which finds the case as it was left."""
    watch(f"leaving for {name}", lambda: application.leave(widget))
    return open_window(watch, application, name)


def pressed(button: Any, text: str) -> tuple[Callable[[], Any], Callable[[], bool]]:
    """Return what presses a button, and whether it is called again what it was before."""
    return button.click, lambda: button.text == text


def survival_steps(watch: Stopwatch, widget: Any, nodes: Any, record: dict[str, str]) -> None:
    """Fill in the case, apply an image model and open the report."""
    import qt

    ui, state = widget.window.ui, widget.window.state
    ui.caseIdEdit.text = nodes.case_id
    watch("guessing the phases", ui.guessButton.click)
    watch("choosing the segmentation", lambda: ui.segmentationSelector.setCurrentNode(nodes.segmentations[0]))
    watch("a whole clinical record", lambda: setattr(state.case, "clinical", record))
    row = next(row for row in range(ui.clinicalTable.rowCount) if ui.clinicalTable.item(row, 0).text() == "Albumin")
    watch("typing one value", lambda: ui.clinicalTable.item(row, 1).setText("41"))
    apply_steps(watch, widget, "HCCSurvival", ("radscore-tace-ct", "albi"))
    qt.QDesktopServices.openUrl = lambda url: True
    watch("HCCSurvival: report, until it is open", ui.reportButton.click, lambda: ui.applyButton.text == "Apply")


def apply_steps(watch: Stopwatch, widget: Any, name: str, models: tuple[str, ...]) -> None:
    """Tick models and apply them."""
    import qt

    ui = widget.window.ui
    for row, model in enumerate(widget.window.models.models):
        if model in models:
            watch(f"{name}: ticking {model}", lambda row=row: ui.modelsList.item(row).setCheckState(qt.Qt.Checked))
    watch(f"{name}: Apply, until the scores are in the scene", *pressed(ui.applyButton, "Apply"))
    print(ui.messageLabel.text)


def outline_steps(watch: Stopwatch, widget: Any, nodes: Any) -> None:
    """Outline a lesion from a click and accept the draft."""
    import SimpleITK as sitk

    from hccoutcome.scene.exchange import region_from_segment

    ui = widget.window.ui
    tumour = region_from_segment(nodes.segmentations[0], "tumor")
    parts = sitk.LabelShapeStatisticsImageFilter()
    parts.Execute(sitk.RelabelComponent(sitk.ConnectedComponent(tumour), sortByObjectSize=True))
    x, y, z = parts.GetCentroid(1)
    points = nodes.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Click")
    points.AddControlPoint(-x, -y, z)
    watch("choosing what points at the lesion", lambda: ui.promptSelector.setCurrentNode(points))
    watch("Outline, until the draft is shown", *pressed(ui.outlineApplyButton, "Outline"))
    print(ui.outlineMessageLabel.text)
    watch("accepting the draft", ui.acceptButton.click)


if __name__ == "__main__":
    main()
