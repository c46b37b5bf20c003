"""The panels for habitats: how they are found, what was found, and the map over the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt

from hccoutcome.gui.habitat_rules import crh_obstacle, habitats_in_words, size_rows, size_titles
from hccoutcome.gui.panels import fill_rows, prepare_table, read_only_item, show_message
from hccoutcome.gui.signals import Signal
from hccoutcome.gui.translate import _
from hccoutcome.habitat.palette import habitat_colour
from hccoutcome.report.wording import phase_title
from hccoutcome.scene.exchange import table_from_node
from hccoutcome.scene.habitats import HabitatNodes

OPACITY_STEP = 0.005
"""Opacities closer than this are the same: the slider shows two digits."""


class HabitatSettingsPanel:
    """Which phases take part, which region is divided, and by which package; the rest the state connects itself.

    Signals:
        left_out_changed(phases), region_changed(region), package_changed(folder).
    """

    OF_THE_PACKAGE = ("algorithmBox", "numberBox", "criterionBox", "preparationBox")
    """Widgets whose values a habitat package decides."""

    def __init__(self, ui: Any) -> None:
        """Take the widgets of the group "Habitats"."""
        self.left_out_changed, self.region_changed, self.package_changed = Signal(), Signal(), Signal()
        self._ui = ui
        self._volumes: tuple[str, ...] = ()
        self._regions: tuple[str, ...] = ()
        self._filling = False
        ui.phasesList.connect("itemChanged(QListWidgetItem*)", self._on_phase)
        ui.regionBox.connect("currentIndexChanged(int)", self._on_region)
        ui.packageFolder.connect("currentPathChanged(QString)", self._on_package)

    def show(self, volumes: Sequence[str], left_out: Sequence[str], regions: Sequence[str], region: str) -> None:
        """Show the phases that have a volume, ticked unless left out, and the regions, one of them chosen."""
        self._filling = True
        try:
            self._show_phases(tuple(volumes), left_out)
            self._show_regions(tuple(dict.fromkeys((*regions, region))), region)
        finally:
            self._filling = False

    def show_package(self, folder: str, method: str, applied: bool, prepared: bool, error: str) -> None:
        """Show which package is chosen, and which settings it leaves to the user.

        Args:
            folder: the package's folder, empty for none.
            method: the method chosen; ``"one-step"`` takes no package.
            applied: whether the package can be read and is applied.
            prepared: whether images are prepared, so that the kind of registration matters.
            error: why the package cannot be read, empty where it can.
        """
        show_message(self._ui.packageMessage, error)
        if self._ui.packageFolder.currentPath != folder:
            self._ui.packageFolder.currentPath = folder
        self._ui.packageFolder.setEnabled(method != "one-step")
        for name in self.OF_THE_PACKAGE:
            getattr(self._ui, name).setEnabled(not applied)
        self._ui.criterionBox.setEnabled(not applied and self._ui.numberBox.currentIndex == 0)
        self._ui.registrationBox.setEnabled(not applied and prepared)

    def _show_phases(self, volumes: tuple[str, ...], left_out: Sequence[str]) -> None:
        view = self._ui.phasesList
        if volumes != self._volumes:
            self._volumes = volumes
            view.clear()
            for phase in volumes:
                item = qt.QListWidgetItem(phase_title(phase))
                item.setFlags(item.flags() | qt.Qt.ItemIsUserCheckable)
                item.setToolTip(
                    _("Whether the {phase} takes part.").format(
                        phase=phase_title(phase)[:1].lower() + phase_title(phase)[1:]
                    )
                )
                view.addItem(item)
        for row, phase in enumerate(volumes):
            view.item(row).setCheckState(qt.Qt.Unchecked if phase in left_out else qt.Qt.Checked)

    def _show_regions(self, regions: tuple[str, ...], region: str) -> None:
        box = self._ui.regionBox
        if regions != self._regions:
            self._regions = regions
            box.clear()
            box.addItems(list(regions))
        box.setCurrentIndex(regions.index(region))

    def _on_phase(self, item: Any) -> None:
        if not self._filling:
            view = self._ui.phasesList
            unticked = [
                phase for row, phase in enumerate(self._volumes) if view.item(row).checkState() == qt.Qt.Unchecked
            ]
            self.left_out_changed.emit(unticked)

    def _on_region(self, index: int) -> None:
        if not self._filling and 0 <= index < len(self._regions):
            self.region_changed.emit(self._regions[index])

    def _on_package(self, path: str) -> None:
        self.package_changed.emit(path)


class HabitatResultsPanel:
    """What was found, in the order in which it is read: sentences, the habitats, the measures of the map.

    Signals:
        chart_asked(), crh_asked().
    """

    def __init__(self, ui: Any) -> None:
        """Take the widgets of the group "Results: habitats"."""
        self.chart_asked, self.crh_asked = Signal(), Signal()
        self._ui = ui
        self._shown: Any = None
        prepare_table(ui.measuresTable, (_("Measure"), _("Value"), _("Meaning")), 0, 2)
        ui.measuresTable.setWordWrap(True)
        ui.elbowButton.connect("clicked()", self.chart_asked.emit)
        ui.crhButton.connect("clicked()", self.crh_asked.emit)

    def show(self, found: HabitatNodes | None) -> None:
        """Show the habitats of a case, None for nothing."""
        shown = None if found is None else found.segmentation
        if shown is self._shown and found is not None:
            return
        self._shown = shown
        self._ui.habitatResultsButton.setVisible(found is not None)
        if found is None:
            return
        summary = found.summary
        regions = table_from_node(found.nodes["table"])["region"]
        synthetic = bool(found.provenance.get("synthetic"))
        self._ui.habitatsLabel.setText(habitats_in_words(summary, f"'{regions[-1]}'", synthetic))
        self._show_sizes(summary)
        self._show_measures(found)
        obstacle = crh_obstacle(summary)
        self._ui.crhButton.setEnabled(not obstacle)
        self._ui.crhButton.setToolTip(
            obstacle or _("Hand the habitats to the Clinical-Radiomics-Habitat score of HCC Response.")
        )

    def _show_sizes(self, summary: Any) -> None:
        table = self._ui.habitatsTable
        titles = size_titles(summary)
        prepare_table(table, titles)
        fill_rows(table, size_rows(summary))
        for row, size in enumerate(summary["habitats"]):
            item = read_only_item(
                str(size["habitat"]), _("Colour of habitat {habitat} in the map").format(habitat=size["habitat"])
            )
            item.setData(qt.Qt.DecorationRole, qt.QColor(*habitat_colour(size["habitat"])))
            table.setItem(row, 0, item)

    def _show_measures(self, found: HabitatNodes) -> None:
        columns = table_from_node(found.nodes["measures"])
        rows = zip(columns["Measure"], columns["Value"], columns["Meaning"], strict=True)
        fill_rows(self._ui.measuresTable, [(name, f"{value:.4g}", meaning) for name, value, meaning in rows])


class HabitatMapPanel:
    """The map over the image: whether it is shown, how opaque, and its surfaces; follows what others change of it."""

    def __init__(self, ui: Any) -> None:
        """Take the widgets ``mapBox``, ``opacitySlider`` and ``surfacesButton``."""
        self._ui = ui
        self._segmentation: Any = None
        self._observed: tuple[Any, int] = (None, 0)
        ui.mapBox.connect("toggled(bool)", self._on_visible)
        ui.opacitySlider.connect("valueChanged(double)", self._on_opacity)
        ui.surfacesButton.connect("clicked()", self.show_surfaces)

    def show(self, found: HabitatNodes | None) -> None:
        """Follow the map of the habitats of a case, None for nothing."""
        self._segmentation = None if found is None else found.segmentation
        display = None if found is None else found.segmentation.GetDisplayNode()
        old, tag = self._observed
        if display is not old:
            if old is not None:
                old.RemoveObserver(tag)
            new = 0 if display is None else display.AddObserver("ModifiedEvent", lambda caller, event: self._read())
            self._observed = (display, new)
        self._read()

    def close(self) -> None:
        """Stop following the map."""
        self.show(None)

    def show_surfaces(self) -> None:
        """Let the application make the surfaces of the habitats and show them in 3D."""
        if self._segmentation is not None and self._segmentation.GetScene() is not None:
            self._segmentation.CreateClosedSurfaceRepresentation()
            self._segmentation.GetDisplayNode().SetVisibility3D(True)

    def _display(self) -> Any:
        display, _ = self._observed
        return display

    def _read(self) -> None:
        display = self._display()
        if display is not None:
            self._ui.mapBox.setChecked(bool(display.GetVisibility()))
            if abs(self._ui.opacitySlider.value - display.GetOpacity2DFill()) > OPACITY_STEP:
                self._ui.opacitySlider.setValue(display.GetOpacity2DFill())

    def _on_visible(self, checked: bool) -> None:
        display = self._display()
        if display is not None and bool(display.GetVisibility()) != checked:
            display.SetVisibility(checked)

    def _on_opacity(self, value: float) -> None:
        display = self._display()
        if display is not None and abs(display.GetOpacity2DFill() - value) > OPACITY_STEP:
            display.SetOpacity2DFill(value)
