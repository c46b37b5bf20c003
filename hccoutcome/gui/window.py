"""A module's window: it ties the panels to the state in the scene, and the Apply button to the analysis."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt

from hccoutcome.errors import HCCError
from hccoutcome.gui.panels import ClinicalPanel, ModelsPanel, QualityPanel, RegionsPanel, ScoresPanel
from hccoutcome.gui.rules import Chosen, Needs, guess_phases, ready, summary
from hccoutcome.gui.work import CaseAnalysis
from hccoutcome.scene.display import show_table
from hccoutcome.scene.inputs import SceneCase
from hccoutcome.scene.nodes import MODALITY, PHASE
from hccoutcome.scene.parameters import MODALITY_CHOICES, NOT_STATED, PHASES, CaseState

POLL_MILLISECONDS = 100
LATE = -1.0
"""Priority of an observer that is called after the usual ones."""


class CaseWindow:
    """The window of one module.

    What differs between the modules is which models they offer: ticked in a list and kept in the state's ``field``, or
    one parameter file chosen in the .ui file itself, whose features are wanted.
    """

    def __init__(
        self,
        ui: Any,
        analysis: CaseAnalysis,
        prepare: Callable[[], None],
        models: ModelsPanel | None = None,
        field: str = "",
    ) -> None:
        """Build the panels.

        Args:
            ui: the widgets by name (``slicer.util.childWidgetVariables``).
            analysis: what does the work.
            prepare: called on the main thread before an analysis; asks for missing libraries.
            models: the list of models; None where the window has a parameter file instead.
            field: name of the state's parameter that keeps the ticked models.
        """
        self.ui, self.analysis, self.models = ui, analysis, models
        self._prepare, self._field = prepare, field
        self.state: CaseState | None = None
        self._gui_tag: int | None = None
        self._observer: int | None = None
        self.regions = RegionsPanel(ui.regionsTable)
        self.clinical = ClinicalPanel(ui.clinicalTable, ui.clinicalMessage, ui.readRecordButton)
        self.results = (ScoresPanel if models else QualityPanel)(ui.resultsTable, ui.detailsLabel)
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MILLISECONDS)
        self._connect()
        self._show_idle("")
        self._show_results(None, None)

    def _connect(self) -> None:
        self.regions.changed.connect(lambda regions: self._write("regions", regions))
        self.regions.segments_changed.connect(self.refresh)
        self.clinical.changed.connect(lambda record: self._write("clinical", record))
        if self.models is not None:
            self.models.changed.connect(lambda names: setattr(self.state, self._field, names))
        self.ui.guessButton.connect("clicked()", self.guess_volumes)
        self.ui.outputFolder.connect("currentPathChanged(QString)", self._on_folder)
        self.ui.applyButton.connect("clicked()", self.apply_or_cancel)
        self.ui.reportButton.connect("clicked()", self.open_report)
        self.ui.showTableButton.connect("clicked()", self.show_chosen_table)
        self._timer.connect("timeout()", self._step)
        self.analysis.progressed.connect(self._on_progress)
        self.analysis.finished.connect(self._on_finished)
        self.analysis.failed.connect(lambda message: self._show_idle(message))
        self.analysis.cancelled.connect(lambda: self._show_idle("Cancelled; the scene is as it was."))

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
        """End the analysis that is under way, if any, and forget the results shown."""
        self._timer.stop()
        self.analysis.cancel()
        self.analysis.forget()
        self._show_results(None, None)

    def refresh(self) -> None:
        """Show the state, and whether the analysis can start."""
        if self.state is None:
            return
        case = self.state.case
        self.regions.show(case.segmentation, dict(case.regions))
        if self.models is not None:
            self.models.show(self._chosen_models())
        self.clinical.show(dict(case.clinical), self._needed_variables())
        if self.ui.outputFolder.currentPath != self.state.output_folder:
            self.ui.outputFolder.currentPath = self.state.output_folder
        self._show_ready()

    def guess_volumes(self) -> None:
        """Choose the volume of each phase from the volumes' marks or names, leaving alone what is chosen already."""
        scene = self.ui.portalSelector.mrmlScene()
        volumes = [
            scene.GetNthNodeByClass(index, "vtkMRMLScalarVolumeNode")
            for index in range(scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode"))
        ]
        case = self.state.case
        names = {node.GetID(): node.GetAttribute(PHASE) or node.GetName() for node in volumes}
        for phase, identifier in guess_phases(names).items():
            if phase in PHASES and getattr(case, phase) is None:
                setattr(case, phase, scene.GetNodeByID(identifier))
        known = {getattr(case, phase).GetAttribute(MODALITY) for phase in PHASES if getattr(case, phase) is not None}
        if case.modality == NOT_STATED and len(known) == 1 and known <= set(MODALITY_CHOICES):
            case.modality = known.pop()

    def scene_case(self) -> SceneCase:
        """Return the case as chosen."""
        case = self.state.case
        segments: dict[str, tuple[str, ...]] = {}
        for key, region in self._used_segments().items():
            segments[region] = (*segments.get(region, ()), key)
        return SceneCase(
            case_id=case.case_id,
            volumes={phase: getattr(case, phase) for phase in PHASES if getattr(case, phase) is not None},
            segmentation=case.segmentation,
            segments=segments,
            clinical=dict(case.clinical),
            modality=None if case.modality == NOT_STATED else case.modality,
        )

    def apply_or_cancel(self) -> None:
        """Start the analysis, or end the one that is under way."""
        if self.analysis.running:
            self._timer.stop()
            self.analysis.cancel()
            return
        self._show_results(None, None)
        folder = self.state.output_folder
        try:
            self._prepare()
            self.analysis.process(
                self.scene_case(),
                packages=self._chosen_models() if self.models is not None else (),
                settings=() if self.models is not None else (self.state.parameter_file,),
                out=Path(folder) if folder else None,
                wait=False,
            )
        except HCCError as error:
            self._show_idle(str(error))
            return
        self._show_running()

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
        tables = self._tables()
        if 0 <= self.ui.tableBox.currentIndex < len(tables):
            show_table(tables[self.ui.tableBox.currentIndex])

    def _write(self, name: str, value: Any) -> None:
        setattr(self.state.case, name, value)

    def _on_folder(self, path: str) -> None:
        if self.state is not None and self.state.output_folder != path:
            self.state.output_folder = path

    def _chosen_models(self) -> tuple[str, ...]:
        if self.models is None:
            return (self.state.parameter_file,)
        return tuple(name for name in getattr(self.state, self._field) if name in self.models.models)

    def _needs(self) -> dict[str, Needs]:
        if self.models is None:
            return {self.state.parameter_file: Needs(phases=(PHASES,), regions=("tumor",))}
        return {name: self.models.models[name].needs for name in self._chosen_models()}

    def _needed_variables(self) -> list[str]:
        return [variable for needs in self._needs().values() for variable in needs.variables]

    def _used_segments(self) -> dict[str, str]:
        """Return the region of every segment that still exists and is used."""
        case = self.state.case
        if case.segmentation is None:
            return {}
        segmentation = case.segmentation.GetSegmentation()
        return {key: region for key, region in case.regions.items() if region and segmentation.GetSegment(key)}

    def _show_ready(self) -> None:
        if self.analysis.running:
            return
        case = self.state.case
        chosen = Chosen(
            case_id=case.case_id,
            phases=tuple(phase for phase in PHASES if getattr(case, phase) is not None),
            regions=tuple(dict.fromkeys(self._used_segments().values())),
            clinical=dict(case.clinical),
            models=self._chosen_models(),
            needs=self._needs(),
        )
        possible, reason = ready(chosen)
        self.ui.applyButton.setEnabled(possible)
        self.ui.applyButton.setToolTip(reason)
        self.ui.readyLabel.setText("" if possible else reason)
        self.ui.readyLabel.setVisible(not possible)

    def _show_running(self) -> None:
        self.ui.applyButton.setText("Cancel")
        self.ui.applyButton.setToolTip("End the analysis; the scene stays as it is.")
        self.ui.progressBar.setValue(0)
        self.ui.progressBar.setVisible(True)
        self.ui.messageLabel.setText("Starting...")
        self._timer.start()

    def _show_idle(self, message: str) -> None:
        self._timer.stop()
        self.ui.applyButton.setText("Apply")
        self.ui.progressBar.setVisible(False)
        self.ui.messageLabel.setText(message)
        if self.state is not None:
            self._show_ready()

    def _step(self) -> None:
        try:
            self.analysis.step()
        except Exception as error:  # shown to the user here; the application logs it
            self._show_idle(f"The program failed ({type(error).__name__}: {error}): report it with the error log.")
            logging.getLogger(__name__).exception("The analysis failed")

    def _on_progress(self, fraction: float, message: str) -> None:
        self.ui.progressBar.setValue(round(100 * fraction))
        self.ui.messageLabel.setText(f"{message[:1].upper()}{message[1:]}...")

    def _on_finished(self, findings: Any, nodes: Any) -> None:
        self._show_results(findings, nodes)
        self._show_idle(summary(findings, self._tables()))

    def _tables(self) -> list[Any]:
        nodes = self.analysis.nodes
        if nodes is None:
            return []
        return [node for node in nodes.findings.values() if node.GetClassName() == "vtkMRMLTableNode"]

    def _show_results(self, findings: Any, nodes: Any) -> None:
        self.results.show(findings)
        self.ui.resultsButton.setVisible(findings is not None)
        self.ui.tableBox.clear()
        if nodes is not None:
            self.ui.tableBox.addItems([node.GetName() for node in self._tables()])
