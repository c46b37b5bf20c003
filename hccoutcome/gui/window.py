"""What the windows of the modules share: they tie the panels to the state in the scene, and Apply to the work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qt

from hccoutcome.errors import HCCError
from hccoutcome.gui.case_panel import CasePanel, modality_of, volumes_of
from hccoutcome.gui.panels import ClinicalPanel, ModelsPanel, RegionsPanel
from hccoutcome.gui.result_panels import ScoresPanel
from hccoutcome.gui.rules import Chosen, Needs, ready, summary
from hccoutcome.gui.run_panel import RunPanel
from hccoutcome.gui.work import CaseAnalysis, CaseWork
from hccoutcome.scene.display import show_table
from hccoutcome.scene.inputs import SceneCase, segment_ids
from hccoutcome.scene.nodes import ROLE
from hccoutcome.scene.parameters import CaseState

POLL_MILLISECONDS = 100
LATE = -1.0
"""Priority of an observer that is called after the usual ones."""


class CaseWindow:
    """The window of one module: the case, its regions, the work on it, the tables that come of it.

    A module's window says in ``_show_state`` what else it shows of the state, in ``_readiness`` whether the work can
    start, in ``_begin`` what starts, and in ``_show_results`` what it shows of the last work.
    """

    def __init__(self, ui: Any, analysis: CaseAnalysis, prepare: Callable[[], None], *further: CaseWork) -> None:
        """Build the panels.

        Args:
            ui: the widgets by name (``slicer.util.childWidgetVariables``).
            analysis: computes features and scores.
            prepare: called on the main thread before any work; asks for missing libraries.
            further: other work that the window offers; one is done at a time, and Apply starts the last.
        """
        self.ui, self.analysis = ui, analysis
        self.works = (analysis, *further)
        self._main: CaseWork = self.works[-1]
        self._prepare = prepare
        self.state: CaseState | None = None
        self._gui_tag: int | None = None
        self._observer: int | None = None
        self._tables: list[Any] = []
        self.case, self.regions, self.run = CasePanel(ui), RegionsPanel(ui.regionsTable), RunPanel(ui)
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MILLISECONDS)
        self._connect()
        self._show_tables([])

    def _connect(self) -> None:
        self.case.guess_asked.connect(lambda: self.case.guess(self.state.case))
        self.regions.changed.connect(lambda regions: setattr(self.state.case, "regions", regions))
        self.regions.segments_changed.connect(self.refresh)
        self.run.pressed.connect(self.apply_or_cancel)
        self.ui.outputFolder.connect("currentPathChanged(QString)", self._on_folder)
        self.ui.reportButton.connect("clicked()", self.open_report)
        self.ui.showTableButton.connect("clicked()", self.show_chosen_table)
        self._timer.connect("timeout()", self._step)
        for work in self.works:
            work.progressed.connect(self.run.show_progress)
            work.failed.connect(self._show_idle)
            work.cancelled.connect(lambda: self._show_idle("Cancelled; the scene is as it was."))

    # --- what a module's window adds

    def _show_state(self) -> None:
        """Show what else there is of the state."""

    def _readiness(self) -> tuple[bool, str]:
        """Return whether the work can start and, if not, the one thing to do next."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Start the work of Apply."""
        raise NotImplementedError

    def _show_results(self) -> None:
        """Show what the last work found, nothing where there is none."""
        raise NotImplementedError

    # --- the state

    def set_state(self, state: CaseState | None) -> None:
        """Show and follow a state; None lets go of it."""
        if self.state is not None:
            self.state.disconnectGui(self._gui_tag)
            self.state.RemoveObserver(self._observer)
        self.state = state
        if state is None:
            self.regions.close()
            return
        self._gui_tag = state.connectGui(self.ui)
        # After the state's own observers, which bring its values up to date.
        self._observer = state.AddObserver("ModifiedEvent", lambda caller, event: self.refresh(), LATE)
        self.refresh()

    def close(self) -> None:
        """Let go of the state and end what is under way."""
        self.set_state(None)
        self.stop()

    def stop(self) -> None:
        """End the work that is under way, if any, and forget the results shown."""
        self._timer.stop()
        for work in self.works:
            work.cancel()
            work.forget()
        self._show_results()

    def refresh(self) -> None:
        """Show the state, and whether the work can start."""
        if self.state is None:
            return
        case = self.state.case
        self.regions.show(case.segmentation, dict(case.regions), self._habitats())
        if self.ui.outputFolder.currentPath != self.state.output_folder:
            self.ui.outputFolder.currentPath = self.state.output_folder
        self._show_state()
        self._show_ready()

    def scene_case(self) -> SceneCase:
        """Return the case as chosen."""
        case = self.state.case
        segments: dict[str, tuple[str, ...]] = {}
        for key, region in self._used_segments().items():
            segments[region] = (*segments.get(region, ()), key)
        return SceneCase(
            case_id=case.case_id,
            volumes=volumes_of(case),
            segmentation=case.segmentation,
            segments=segments,
            clinical=dict(case.clinical),
            modality=modality_of(case),
            habitats=self._habitats(),
        )

    def _habitats(self) -> Any:
        """Return the segmentation of habitats whose segments are regions too, None where the window reads none."""
        return None

    def _used_segments(self) -> dict[str, str]:
        """Return the region of every segment that still exists and is used."""
        case = self.state.case
        known = segment_ids(case.segmentation)
        return {key: region for key, region in case.regions.items() if region and key in known}

    def _on_folder(self, path: str) -> None:
        if self.state is not None and self.state.output_folder != path:
            self.state.output_folder = path

    def _folder(self) -> Path | None:
        return Path(self.state.output_folder) if self.state.output_folder else None

    # --- the work

    @property
    def running(self) -> bool:
        """Whether work is under way."""
        return any(work.running for work in self.works)

    def apply_or_cancel(self) -> None:
        """Start the work, or end that which is under way."""
        if self.running:
            self._timer.stop()
            for work in self.works:
                work.cancel()
            return
        self._start(self._main, self._begin)

    def _start(self, work: CaseWork, begin: Callable[[], None]) -> None:
        """Start a kind of work; what is wrong with its input is said."""
        work.forget()
        self._show_results()
        try:
            self._prepare()
            begin()
        except HCCError as error:
            self._show_idle(str(error))
            return
        self.run.show_running()
        self._show_busy(True)
        self._timer.start()

    def _show_busy(self, busy: bool) -> None:
        """Show on other widgets that work is under way, or is not."""

    def _show_ready(self) -> None:
        if not self.running:
            self.run.show_ready(*self._readiness())

    def _show_idle(self, message: str) -> None:
        self._timer.stop()
        self.run.show_idle(message)
        self._show_busy(False)
        if self.state is not None:
            self._show_ready()

    def _step(self) -> None:
        try:
            for work in self.works:
                work.step()
        except Exception as error:  # shown to the user here; the application logs it
            self._show_idle(f"The program failed ({type(error).__name__}: {error}): report it with the error log.")
            logging.getLogger(__name__).exception("The analysis failed")

    # --- the results

    def open_report(self) -> None:
        """Write the report and open it in the browser."""
        try:
            path = self.analysis.write_report()
        except HCCError as error:
            self.ui.messageLabel.setText(str(error))
            return
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(path)))

    def show_chosen_table(self) -> None:
        """Show the chosen table beside the slice views."""
        index = self.ui.tableBox.currentIndex
        if 0 <= index < len(self._tables) and self._tables[index].GetScene() is not None:
            show_table(self._tables[index])

    def _show_tables(self, nodes: Sequence[Any]) -> None:
        """Offer the tables among nodes of the scene."""
        tables = [node for node in nodes if node.GetClassName() == "vtkMRMLTableNode"]
        if tables != self._tables:
            self._tables = tables
            self.ui.tableBox.clear()
            self.ui.tableBox.addItems([node.GetName() for node in tables])

    def _found_nodes(self) -> list[Any]:
        """Return the nodes that belong to the case after the last analysis."""
        return [] if self.analysis.nodes is None else list(self.analysis.nodes.findings.values())


class ModelWindow(CaseWindow):
    """The window of a module that applies models: they are ticked in a list and kept in the state's ``field``."""

    def __init__(
        self, ui: Any, analysis: CaseAnalysis, prepare: Callable[[], None], models: ModelsPanel, field: str
    ) -> None:
        """Build the panels.

        Args:
            ui: the widgets by name.
            analysis: computes features and scores.
            prepare: called on the main thread before any work.
            models: the list of models.
            field: name of the state's parameter that keeps the ticked models.
        """
        self.models, self._field = models, field
        self.clinical = ClinicalPanel(ui.clinicalTable, ui.clinicalMessage, ui.readRecordButton)
        self.scores = ScoresPanel(ui.resultsTable, ui.detailsLabel)
        super().__init__(ui, analysis, prepare)
        ui.habitatsSelector.addAttribute("vtkMRMLSegmentationNode", ROLE, "habitats")
        self.clinical.changed.connect(lambda record: setattr(self.state.case, "clinical", record))
        self.models.changed.connect(lambda names: setattr(self.state, self._field, names))
        self.analysis.finished.connect(self._on_finished)
        self._show_results()

    def _show_state(self) -> None:
        self.models.show(self._chosen_models())
        needed = [variable for needs in self._needs().values() for variable in needs.variables]
        self.clinical.show(dict(self.state.case.clinical), needed)

    def _habitats(self) -> Any:
        return self.state.case.habitats

    def _readiness(self) -> tuple[bool, str]:
        case = self.state.case
        regions = (*self._used_segments().values(), *segment_ids(case.habitats))
        return ready(
            Chosen(
                case_id=case.case_id,
                phases=tuple(volumes_of(case)),
                regions=tuple(dict.fromkeys(regions)),
                clinical=dict(case.clinical),
                models=self._chosen_models(),
                needs=self._needs(),
            )
        )

    def _begin(self) -> None:
        self.analysis.process(self.scene_case(), packages=self._chosen_models(), out=self._folder(), wait=False)

    def _show_results(self) -> None:
        findings = self.analysis.findings
        self.scores.show(findings)
        self.ui.resultsButton.setVisible(findings is not None)
        self._show_tables(self._found_nodes())

    def _on_finished(self, findings: Any, nodes: Any) -> None:
        self._show_results()
        self._show_idle(summary(findings, self._tables))

    def _chosen_models(self) -> tuple[str, ...]:
        return tuple(name for name in getattr(self.state, self._field) if name in self.models.models)

    def _needs(self) -> dict[str, Needs]:
        return {name: self.models.models[name].needs for name in self._chosen_models()}
