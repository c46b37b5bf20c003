"""The window of HCCHabitat: the habitats of a tumour, and the features of whole regions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.gui.case_panel import modality_of, volumes_of
from hccoutcome.gui.habitat_panels import HabitatMapPanel, HabitatResultsPanel, HabitatSettingsPanel
from hccoutcome.gui.habitat_rules import (
    CRH,
    HabitatChoice,
    handed_over,
    plan_in_words,
    preparation_for_modality,
    ready_for_habitats,
)
from hccoutcome.gui.habitat_work import HabitatWork
from hccoutcome.gui.panels import show_message
from hccoutcome.gui.result_panels import QualityPanel
from hccoutcome.gui.rules import Chosen, Needs, ready, summary
from hccoutcome.gui.translate import _
from hccoutcome.gui.window import OUTDATED, Application, CaseWindow, Works
from hccoutcome.habitat.facts import PackageFacts, read_facts
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.scene.display import show_chart, show_map
from hccoutcome.scene.habitats import HabitatNodes, habitats_in
from hccoutcome.scene.nodes import find_case_nodes
from hccoutcome.scene.parameters import AUTOMATIC, BY_MODALITY, NO_FEATURES, PHASES
from hccoutcome.scene.places import largest_section


class HabitatWindow(CaseWindow):
    """Apply finds the habitats of a region; a button of its own computes the features of whole regions."""

    def __init__(self, ui: Any, works: Works, application: Application, habitats: HabitatWork) -> None:
        """Build the panels.

        Args:
            ui: the widgets by name.
            works: the work that every window offers; the analysis computes the features of whole regions.
            application: what the window asks of the application.
            habitats: finds habitats.
        """
        self.habitats = habitats
        self.settings, self.found, self.map = HabitatSettingsPanel(ui), HabitatResultsPanel(ui), HabitatMapPanel(ui)
        self.quality = QualityPanel(ui.resultsTable, ui.detailsLabel)
        super().__init__(ui, works, application, main=habitats)
        for widget in (ui.habitatsSelectorLabel, ui.habitatsSelector):
            widget.setVisible(False)
        self.settings.left_out_changed.connect(lambda phases: self._write("left_out", phases))
        self.settings.region_changed.connect(lambda region: self._write("region", region))
        self.settings.package_changed.connect(lambda folder: self._write("package", folder))
        self.found.chart_asked.connect(self.show_elbow)
        self.found.crh_asked.connect(self.use_for_crh)
        ui.featuresButton.connect("clicked()", self.compute_features)
        works.analysis.finished.connect(self._on_features)
        habitats.finished.connect(self._on_habitats)
        self._show_results()

    def close(self) -> None:
        """Let go of the state and of the map, and end what is under way."""
        super().close()
        self.map.close()

    def compute_features(self) -> None:
        """Compute the features of every region on every phase."""
        case, files = self.scene_case(), (self.state.parameter_file,)
        self._start(
            self.analysis,
            lambda: self.analysis.process(case, settings=files, out=self._folder(), wait=False),
        )

    def show_elbow(self) -> None:
        """Show the elbow beside the slice views."""
        found = self._in_scene()
        if found is not None:
            show_chart(found.chart)

    def use_for_crh(self) -> None:
        """Hand the habitats to HCCResponse, and tick the score that reads them."""
        found = self._in_scene()
        if found is None:
            return
        self.state.case.habitats = found.segmentation
        chosen = list(self.state.response_models)
        if CRH not in chosen:
            self.state.response_models = [*chosen, CRH]
        self.ui.messageLabel.setText(handed_over(found.segmentation.GetName(), found.summary["phases"]))

    def choice(self) -> HabitatChoice:
        """Return what is chosen, as the rules judge it."""
        case, asked = self.state.case, self.state.habitat
        volumes = tuple(volumes_of(case))
        package, error = self._package()
        return HabitatChoice(
            case_id=case.case_id,
            volumes=volumes,
            phases=tuple(phase for phase in volumes if phase not in asked.left_out),
            region=asked.region,
            regions=tuple(dict.fromkeys(self._used_segments().values())),
            method=asked.method,
            algorithm=asked.algorithm,
            k=None if asked.number == AUTOMATIC else int(asked.number),
            criterion=asked.criterion,
            preparation=self._preparation(),
            registration=asked.registration,
            features=None if asked.features == NO_FEATURES else asked.features,
            package=package,
            package_error=error,
        )

    def _write(self, name: str, value: Any) -> None:
        if self.state is not None and getattr(self.state.habitat, name) != value:
            setattr(self.state.habitat, name, value)

    def _preparation(self) -> str:
        asked = self.state.habitat.preparation
        return preparation_for_modality(modality_of(self.state.case)) if asked == BY_MODALITY else asked

    def _package(self) -> tuple[PackageFacts | None, str]:
        """Return what the chosen package says of itself, or why it cannot be read."""
        asked = self.state.habitat
        if not asked.package or asked.method == "one-step":
            return None, ""
        try:
            return read_facts(Path(asked.package)), ""
        except InputError as error:
            return None, str(error)

    def _show_state(self) -> None:
        asked, choice = self.state.habitat, self.choice()
        self.settings.show(choice.volumes, list(asked.left_out), choice.regions, choice.region)
        applied = choice.package is not None
        self.settings.show_package(
            asked.package, asked.method, applied, choice.preparation != "none", choice.package_error
        )
        self.ui.planLabel.setText(plan_in_words(choice))
        self._show_features_ready()
        self._show_results()

    def _readiness(self) -> tuple[bool, str]:
        problem = self._case_problem()
        return (False, problem) if problem else ready_for_habitats(self.choice())

    def _begin(self) -> None:
        choice, asked = self.choice(), self.state.habitat
        case = self.scene_case()
        self.habitats.process(
            replace(case, volumes={phase: case.volumes[phase] for phase in choice.phases}),
            region=choice.region,
            settings=HabitatSettings(
                method=choice.method,
                algorithm=choice.algorithm,
                k=None if choice.package is not None else choice.k,
                criterion=choice.criterion,
                radiomics=choice.features,
                resample=asked.resample,
            ),
            preparation=choice.preparation,
            registration=choice.registration,
            package=None if choice.package is None else Path(asked.package),
            out=self._folder(),
            wait=False,
        )

    def _show_busy(self, busy: bool) -> None:
        self._show_features_ready()

    def _show_features_ready(self) -> None:
        """Offer to compute features, or say in the button's tip what is missing."""
        if self.state is None or self.running:
            self.ui.featuresButton.setEnabled(False)
            return
        case, file = self.state.case, self.state.parameter_file
        regions = tuple(self._used_segments().values())
        needs = Needs(phases=(PHASES,), regions=("tumor",))
        chosen = Chosen(case.case_id, tuple(volumes_of(case)), regions, dict(case.clinical), (file,), {file: needs})
        problem = self._case_problem()
        possible, reason = (False, problem) if problem else ready(chosen)
        self.ui.featuresButton.setEnabled(possible)
        self.ui.featuresButton.setToolTip(_("Every region, on every phase.") if possible else reason)

    def _in_scene(self) -> HabitatNodes | None:
        """Return the habitats of the case that lie in the scene, also where a file brought them."""
        if self.state is None or self.state.parameterNode.GetScene() is None:
            return None
        return habitats_in(self.state.parameterNode.GetScene(), self.state.case.case_id)

    def _found_nodes(self) -> list[Any]:
        if self.state is None or self.state.parameterNode.GetScene() is None:
            return []
        case = find_case_nodes(self.state.parameterNode.GetScene()).get(self.state.case.case_id)
        return [] if case is None else list(case.findings.values())

    def _show_results(self) -> None:
        found = self._in_scene()
        self.found.show(found)
        self.map.show(found)
        work = self.habitats
        outdated = self.state is not None and work.result is not None and not work.is_of(self.scene_case())
        show_message(self.ui.habitatResultsMessage, OUTDATED if outdated else "")
        findings = self.analysis.findings
        self.quality.show(findings)
        for widget in (self.ui.resultsTable, self.ui.detailsLabel, self.ui.reportButton):
            widget.setVisible(findings is not None)
        self._show_tables(self._found_nodes())
        self.ui.resultsButton.setVisible(bool(self._tables))

    def _on_features(self, findings: Any, nodes: Any) -> None:
        self._show_results()
        self._show_idle(summary(findings, self._tables))

    def _on_habitats(self, result: Any, nodes: Any) -> None:
        self._show_results()
        phase = next((phase for phase in ("portal", *result.summary["phases"]) if phase in nodes.images), None)
        if phase is not None:
            show_map(nodes.images[phase], largest_section(sitk.Cast(result.labels > 0, sitk.sitkUInt8)))
        if result.summary["settings"]["k"] is None and result.summary["model"] is None:
            show_chart(nodes.findings["habitats:elbow"])
        kind = _(" of the synthetic case") if result.provenance.get("synthetic") else ""
        found = _("{k} habitats, {features:,} features").format(k=result.summary["k"], features=len(result.features))
        self._show_idle(
            _("Done{kind}: {found}, {tables} tables in the scene.").format(
                kind=kind, found=found, tables=len(self._tables)
            )
        )
