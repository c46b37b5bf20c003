"""What the windows of the modules share: they tie the panels to the state in the scene, and Apply to the work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import qt

from hccoutcome.errors import HCCError
from hccoutcome.findings import Findings
from hccoutcome.gui.case_panel import CasePanel, modality_of, volumes_of
from hccoutcome.gui.clinical_panel import ClinicalPanel, RecordTable
from hccoutcome.gui.models import Model
from hccoutcome.gui.network_panels import AtomPanel, MapsPanel
from hccoutcome.gui.network_work import AtomWork, MapsWork
from hccoutcome.gui.outlining import Outlining
from hccoutcome.gui.own_packages import OwnPackages
from hccoutcome.gui.panels import ModelsPanel, RegionsPanel, show_message
from hccoutcome.gui.reference_panel import ReferencePanel
from hccoutcome.gui.report_work import ReportWork
from hccoutcome.gui.result_outlook import ChartsPanel
from hccoutcome.gui.result_panels import ScoresPanel
from hccoutcome.gui.rules import Chosen, Needs, folder_error, of_outcome, ready, summary
from hccoutcome.gui.run_panel import RunPanel
from hccoutcome.gui.segment_work import SegmentWork
from hccoutcome.gui.side import Side
from hccoutcome.gui.translate import _
from hccoutcome.gui.work import CaseAnalysis, CaseWork, FindingsWork
from hccoutcome.scene.chart_view import charts_of
from hccoutcome.scene.display import show_table
from hccoutcome.scene.found import stored
from hccoutcome.scene.inputs import SceneCase, segment_ids
from hccoutcome.scene.nodes import ROLE, CaseNodes, is_in_between
from hccoutcome.scene.parameters import DEVICES, CaseState
from hccoutcome.scene.review import is_draft, unreviewed
from hccoutcome.treatment.atom import Advice

POLL_MILLISECONDS, HAND_OVER_MILLISECONDS = 100, 10
"""Between two looks at a worker, and between two steps of handing over voxels."""
LATE = -1.0
"""Priority of an observer that is called after the usual ones."""
OUTDATED = _(
    "Something of the case (its name, volumes, outlines or record) was changed since these results were computed: "
    "press Apply to compute them anew."
)
ANALYSIS = "analysis"
"""What libraries every analysis needs (a key of ``gui.compat.LISTS``)."""


@dataclass(frozen=True)
class Application:
    """What a window asks of the application.

    Attributes:
        prepare: called on the main thread before any work with what it needs; asks for missing libraries.
        select_module: shows another module.
    """

    prepare: Callable[[Sequence[str]], None]
    select_module: Callable[[str], None]


@dataclass(frozen=True)
class Works:
    """The work of a window, of which one is done at a time.

    Attributes:
        analysis: computes features and scores.
        segmentation: outlines regions.
        report: writes reports.
    """

    analysis: CaseAnalysis
    segmentation: SegmentWork
    report: ReportWork


@dataclass(frozen=True)
class NetworkWorks:
    """The work of networks besides scores.

    Attributes:
        maps: maps what they look at.
        atom: asks ATOM, in the window that offers it.
    """

    maps: MapsWork
    atom: AtomWork | None = None


class CaseWindow:
    """The window of one module: the case, its regions, its record, the work on it, the tables that come of it.

    A module's window says in ``_show_state`` what else it shows of the state, in ``_readiness`` whether the work can
    start, in ``_begin`` what starts, and in ``_show_results`` what it shows of the last work.
    """

    def __init__(
        self,
        ui: Any,
        works: Works,
        application: Application,
        main: CaseWork | None = None,
        sides: Sequence[Side] = (),
    ) -> None:
        """Build the panels.

        Args:
            ui: the widgets by name (``slicer.util.childWidgetVariables``).
            works: the work that every window offers.
            application: what the window asks of the application.
            main: what Apply starts, the analysis where None.
            sides: groups with work of their own besides that for outlines.
        """
        self.ui, self.analysis, self.report = ui, works.analysis, works.report
        self._main: CaseWork = main or works.analysis
        self._last: CaseWork = self._main
        self._reported: FindingsWork = works.analysis
        self._application = application
        self.state: CaseState | None = None
        self._gui_tag: int | None = None
        self._observer: int | None = None
        self._tables: list[Any] = []
        self.case, self.regions = CasePanel(ui), RegionsPanel(ui.regionsTable)
        self.clinical, self._record = ClinicalPanel(ui), RecordTable()
        self.outlining = Outlining(ui, works.segmentation)
        self.sides: tuple[Side, ...] = (self.outlining, *sides)
        others = (self._main, *(side.work for side in self.sides), works.report)
        self.works: tuple[CaseWork, ...] = tuple(dict.fromkeys((works.analysis, *others)))
        self.run = RunPanel(ui.applyButton, ui.readyLabel, ui.progressBar, ui.messageLabel)
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MILLISECONDS)
        self._connect()
        self._show_tables([])

    def _connect(self) -> None:
        self.case.guess_asked.connect(lambda: self.case.guess(self.state.case))
        self.regions.changed.connect(lambda regions: setattr(self.state.case, "regions", regions))
        self.regions.segments_changed.connect(self.refresh)
        self.clinical.changed.connect(lambda record: setattr(self.state.case, "clinical", record))
        self.outlining.changed.connect(self.refresh)
        for side in self.sides:
            side.start_asked.connect(lambda side=side: self.start_or_cancel(side))
        self.outlining.edit_asked.connect(self._application.select_module)
        self.run.pressed.connect(self.apply_or_cancel)
        self.report.finished.connect(self._on_report)
        self.ui.outputFolder.connect("currentPathChanged(QString)", self._on_folder)
        self.ui.reportButton.connect("clicked()", self.open_report)
        self.ui.showTableButton.connect("clicked()", self.show_chosen_table)
        self.ui.logButton.connect("contentsCollapsed(bool)", lambda collapsed: self._show_log())
        self._timer.connect("timeout()", self._step)
        for work in self.works:
            panel = self._panel_of(work)
            work.progressed.connect(panel.show_progress)
            work.failed.connect(lambda message, work=work: self._show_idle(message, work))
            work.cancelled.connect(lambda work=work: self._show_idle(_("Cancelled; the scene is as it was."), work))

    def _panel_of(self, work: CaseWork) -> RunPanel:
        """Return the panel that shows how far a kind of work is."""
        return next((side.run for side in self.sides if side.work is work), self.run)

    # --- what a module's window adds

    def _show_state(self) -> None:
        """Show what else there is of the state."""

    def _needed_variables(self) -> list[str]:
        """Return the clinical variables that the work reads."""
        return []

    def _readiness(self) -> tuple[bool, str]:
        """Return whether the work can start and, if not, the one thing to do next."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Start the work of Apply."""
        raise NotImplementedError

    def _libraries(self) -> tuple[str, ...]:
        """Return what libraries the work of Apply needs."""
        return (ANALYSIS,)

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
            for side in self.sides:
                side.show(None)
            self._record.follow(None)
            return
        self.outlining.look_again()
        self._gui_tag = state.connectGui(self.ui)
        # After the state's own observers, which bring its values up to date.
        self._observer = state.AddObserver("ModifiedEvent", lambda caller, event: self.refresh(), LATE)
        self.refresh()

    def close(self) -> None:
        """Let go of the state and end what is under way."""
        self.set_state(None)
        self.stop()

    def stop(self) -> None:
        """End the work that is under way, if any, and forget the results shown and what was said of them."""
        self._timer.stop()
        for panel in (self.run, *(side.run for side in self.sides)):
            panel.say("")
        for work in self.works:
            work.cancel()
            work.forget()
        self.report.close()
        self._show_results()

    def refresh(self) -> None:
        """Show the state, and whether the work can start; not while the scene is read or closed, but after it."""
        if self.state is None or is_in_between(self.state.parameterNode.GetScene()):
            return
        case = self.state.case
        self.regions.show(case.segmentation, dict(case.regions), self._habitats())
        if self.ui.outputFolder.currentPath != self.state.output_folder:
            self.ui.outputFolder.currentPath = self.state.output_folder
        show_message(self.ui.outputMessage, folder_error(self.state.output_folder))
        self.case.show(case)
        self._record.follow(case)
        self.clinical.show(dict(case.clinical), self._needed_variables())
        self._show_state()
        for side in self.sides:
            side.show(self.state)
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

    def _chosen(self) -> Chosen:
        """Return what is chosen of the case, as the rules judge it."""
        case = self.state.case
        regions = (*self._used_segments().values(), *segment_ids(self._habitats()))
        return Chosen(
            case_id=case.case_id,
            phases=tuple(volumes_of(case)),
            regions=tuple(dict.fromkeys(regions)),
            clinical=dict(case.clinical),
            problem=self._case_problem(),
        )

    def _used_segments(self) -> dict[str, str]:
        """Return the region of every segment that still exists and is used."""
        case = self.state.case
        known = segment_ids(case.segmentation)
        return {key: region for key, region in case.regions.items() if region and key in known}

    def _case_problem(self) -> str:
        """Return what is wrong with the case whatever is done with it, empty where nothing is."""
        case = self.state.case
        waiting = [key for key in unreviewed(case.segmentation) if case.regions.get(key)]
        if is_draft(case.segmentation):
            return _("The segmentation is a draft: accept it, or choose another.")
        if waiting:
            return _("A segment is automatic and not accepted: accept it, or set it to 'not used'.")
        return self.case.problem or folder_error(self.state.output_folder)

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
        if not self._cancelled():
            self._start(self._main, self._begin, self._libraries())

    def start_or_cancel(self, side: Side) -> None:
        """Start the work of a group, or end the work that is under way."""
        if not self._cancelled():
            self._start(side.work, lambda: side.begin(self.scene_case()), side.libraries())

    def _cancelled(self) -> bool:
        """End the work that is under way; False where there was none."""
        running = [work for work in self.works if work.running]
        self._timer.stop()
        for work in running:
            work.cancel()
        return bool(running)

    def _start(self, work: CaseWork, begin: Callable[[], None], libraries: Sequence[str] = (ANALYSIS,)) -> None:
        """Start a kind of work once its libraries are there; what is wrong with its input is said."""
        self._last = work
        work.forget()
        self._show_results()
        try:
            self._application.prepare(libraries)
            begin()
        except HCCError as error:
            self._show_idle(str(error), work)
            return
        self._panel_of(work).show_running()
        self._show_busy(True)
        self._show_ready()
        self._timer.setInterval(HAND_OVER_MILLISECONDS)
        self._timer.start()

    def _show_busy(self, busy: bool) -> None:
        """Show on other widgets that work is under way, or is not."""

    def _show_ready(self) -> None:
        """Say of Apply and of every other group whether it can start; one of them at a time."""
        running = next((work for work in self.works if work.running), None)
        if running is None:
            self.run.show_ready(*self._readiness())
            chosen = self._chosen()
            for side in self.sides:
                side.run.show_ready(*side.readiness(chosen))
            return
        for panel in (self.run, *(side.run for side in self.sides)):
            if self._panel_of(running) is not panel:
                panel.show_ready(False, _("Other work of this window is under way: wait for it or cancel it."))

    def _show_idle(self, message: str, work: CaseWork | None = None) -> None:
        """Say how work ended, Apply's where None."""
        self._timer.stop()
        self._panel_of(work or self._main).show_idle(message)
        self._show_busy(False)
        self._show_log()
        if self.state is not None:
            self._show_ready()

    def _step(self) -> None:
        work = next((work for work in self.works if work.running), self._last)
        try:
            work.step()
        except Exception as error:  # shown to the user here; the application logs it
            message = _("The program failed ({error}): report it with the error log.")
            self._show_idle(message.format(error=f"{type(error).__name__}: {error}"), work)
            logging.getLogger(__name__).exception("The analysis failed")
            return
        if not self.running:
            self._timer.stop()
        self._timer.setInterval(HAND_OVER_MILLISECONDS if work.handing_over else POLL_MILLISECONDS)
        self._show_log()

    def _show_log(self) -> None:
        """Show what the worker wrote last, where somebody looks."""
        if not self.ui.logButton.collapsed and self.ui.logText.plainText != self._last.log:
            self.ui.logText.setPlainText(self._last.log)

    # --- the results

    def open_report(self) -> None:
        """Let a worker draw and write the report, then open it in the browser."""
        case, findings = self._reported.case, self._reported.all_found
        if self._cancelled():
            return
        if case is None or findings is None:
            self.run.say(_("The report is drawn from results of this session: press Apply first."))
        elif self.state is None or not self._reported.is_of(self.scene_case()):
            self.run.say(OUTDATED)
        else:
            folder = self._reported.kept_in
            self._start(self.report, lambda: self.report.process(case, findings, folder, wait=False))

    def _on_report(self, path: Path, nodes: Any) -> None:
        self._show_idle(_("The report is open in the browser."))
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
        self,
        ui: Any,
        works: Works,
        application: Application,
        models: ModelsPanel,
        field: str,
        networks: NetworkWorks,
    ) -> None:
        """Build the panels.

        Args:
            ui: the widgets by name.
            works: the work that every window offers.
            application: what the window asks of the application.
            models: the list of models.
            field: name of the state's parameter that keeps the ticked models.
            networks: the work of networks.
        """
        self.models, self._field = models, field
        self.maps = MapsPanel(ui, networks.maps, self._networks)
        self.atom = None if networks.atom is None else AtomPanel(ui, networks.atom)
        self._nodes: CaseNodes | None = None
        self.scores = ScoresPanel(ui.resultsTable, ui.detailsLabel)
        self.charts = ChartsPanel(ui.chartBox, ui.showChartButton)
        response = field == "response_models"
        self.own = OwnPackages(ui.addPackageButton, models, response, partial(show_message, ui.addPackageMessage))
        self.references = ReferencePanel(ui, models.models)
        super().__init__(ui, works, application, sides=tuple(filter(None, (self.atom, self.maps))))
        ui.habitatsSelector.addAttribute("vtkMRMLSegmentationNode", ROLE, "habitats")
        self.models.changed.connect(lambda names: setattr(self.state, self._field, names))
        self.own.changed.connect(lambda paths: setattr(self.state, "own_packages", paths))
        self.references.changed.connect(lambda files: setattr(self.state, "references", files))
        self.scores.looked_at.connect(lambda found: self.charts.show(self._charts(found)))
        self.scores.picked.connect(lambda found: self.charts.show_beside())
        self.maps.changed.connect(lambda name, value: setattr(self.state.maps, name, value))
        self.analysis.finished.connect(lambda findings, nodes: self._on_finished(self.analysis, findings))
        if self.atom is not None:
            work = self.atom.work
            self.atom.changed.connect(lambda paths: setattr(self.state, "atom_packages", paths))
            work.finished.connect(lambda findings, nodes: self._on_finished(work, findings))
        self._show_results()

    def set_state(self, state: CaseState | None) -> None:
        """Show and follow a state, and what its scene holds of an earlier analysis; None lets go of it."""
        super().set_state(state)
        if state is not None and self._reported.findings is None and not self.running:
            self._show_stored(state.case.case_id)

    def _show_state(self) -> None:
        self.own.show(list(self.state.own_packages))
        self.models.show(self._chosen_models())
        self.references.show(dict(self.state.references))
        self._show_outdated()

    def _needed_variables(self) -> list[str]:
        return [variable for needs in self._needs().values() for variable in needs.variables]

    def _habitats(self) -> Any:
        return self.state.case.habitats

    def _networks(self) -> dict[str, Model]:
        """Return the models whose networks look at images, those of ATOM among them."""
        atom = {} if self.atom is None else {model.name: model for model in self.atom.models.values()}
        return {**{name: model for name, model in self.models.models.items() if model.methods}, **atom}

    def _readiness(self) -> tuple[bool, str]:
        return ready(replace(self._chosen(), models=self._chosen_models(), needs=self._needs()))

    def _libraries(self) -> tuple[str, ...]:
        wanted = (name for model in self._chosen_models() for name in self.models.models[model].libraries)
        return tuple(dict.fromkeys((ANALYSIS, *wanted)))

    def _begin(self) -> None:
        chosen = self._chosen_models()
        self.analysis.process(
            self.scene_case(),
            packages=chosen,
            out=self._folder(),
            references={name: Path(file) for name, file in dict(self.state.references).items() if name in chosen},
            device=DEVICES[self.state.device],
            wait=False,
        )

    def _charts(self, found: Any) -> dict[str, Any]:
        """Return the charts of a score, by their titles."""
        nodes = self._nodes
        return {} if found is None or nodes is None else charts_of(nodes, found.package)

    def _show_results(self) -> None:
        found = self._reported
        self._show_found(found.findings, found.nodes, None if found.all_found is None else found.all_found.advice)

    def _show_stored(self, case_id: str) -> None:
        """Show what the scene holds of an earlier analysis of the case, as far as it is of this window's outcome."""
        try:
            found = stored(case_id)
        except HCCError as error:
            self.ui.messageLabel.setText(str(error))
            return
        if found is None:
            self._show_found(None, None, None)
            return
        findings = of_outcome(found[0], self._field == "response_models")
        self._show_found(findings, None if findings is None else found[1], found[0].advice)

    def _show_found(self, findings: Findings | None, nodes: CaseNodes | None, advice: Advice | None) -> None:
        self._nodes = nodes
        self.scores.show(findings)
        self.ui.resultsButton.setVisible(findings is not None)
        self._show_tables([] if nodes is None else list(nodes.findings.values()))
        if self.atom is not None:
            self.atom.show_advice(advice)
        self._show_outdated()

    def _show_outdated(self) -> None:
        """Say so where the results shown are of the case as it was before."""
        found = self._reported
        outdated = self.state is not None and found.findings is not None and not found.is_of(self.scene_case())
        show_message(self.ui.resultsMessage, OUTDATED if outdated else "")

    def _on_finished(self, work: FindingsWork, findings: Findings) -> None:
        self._reported = work
        self._show_results()
        self._show_idle(summary(findings, self._tables), work)

    def _chosen_models(self) -> tuple[str, ...]:
        return tuple(name for name in getattr(self.state, self._field) if name in self.models.models)

    def _needs(self) -> dict[str, Needs]:
        return {name: self.models.models[name].needs for name in self._chosen_models()}
