"""Automatic outlines in a window: it starts the engine, and puts what a person accepts into the case."""

from __future__ import annotations

from typing import Any

from hccoutcome.case import REGIONS
from hccoutcome.errors import InputError
from hccoutcome.gui.case_panel import modality_of, volumes_of
from hccoutcome.gui.panels import show_message
from hccoutcome.gui.rules import Chosen
from hccoutcome.gui.run_panel import RunPanel
from hccoutcome.gui.segment_work import SegmentWork
from hccoutcome.gui.segmentation_panels import DraftsPanel, OutlinePanel
from hccoutcome.gui.segmentation_rules import (
    DraftRow,
    EngineFacts,
    OutlineChoice,
    accepted_regions,
    engine_facts,
    hints_in_words,
    libraries_of,
    offered_regions,
    ready_to_outline,
    unreviewed_in_words,
)
from hccoutcome.gui.signals import Signal
from hccoutcome.gui.translate import _
from hccoutcome.scene.display import show_map
from hccoutcome.scene.drafts import (
    SceneDraft,
    accept_draft,
    accept_segment,
    drafts_in,
    open_in_editor,
    other_name_of_drafts,
    reject_drafts,
)
from hccoutcome.scene.inputs import SceneCase
from hccoutcome.scene.parameters import CaseState
from hccoutcome.scene.prompts import follow_prompt, is_placed, kind_of_node, new_prompt
from hccoutcome.scene.review import SOURCE_TAG, is_draft, tag_of, unreviewed


class Outlining:
    """The group "Segmentation" of a window but for its regions.

    Signals:
        changed() where a draft came, went or was accepted; start_asked(); edit_asked(name of the module to show).
    """

    def __init__(self, ui: Any, work: SegmentWork) -> None:
        """Build the panels.

        Args:
            ui: the widgets by name.
            work: outlines.
        """
        self.changed, self.start_asked, self.edit_asked = Signal(), Signal(), Signal()
        self.work = work
        self.run = RunPanel(ui.outlineApplyButton, ui.outlineReadyLabel, ui.outlineBar, ui.outlineMessageLabel)
        self._ui = ui
        self._panel, self._drafts = OutlinePanel(ui), DraftsPanel(ui)
        self._state: CaseState | None = None
        self._facts: tuple[EngineFacts, ...] | None = None
        self._waiting: list[SceneDraft | tuple[Any, str]] = []
        self._prompt: tuple[Any, list[int]] = (None, [])
        self.run.pressed.connect(self.start_asked.emit)
        self._panel.changed.connect(self._on_changed)
        self._panel.place_asked.connect(self.place)
        self._drafts.accept_asked.connect(self.accept)
        self._drafts.edit_asked.connect(self.edit)
        self._drafts.reject_asked.connect(self.reject)
        work.finished.connect(self._on_finished)

    # --- what is shown

    def show(self, state: CaseState | None) -> None:
        """Show a state; None lets go of it."""
        self._state = state
        self._watch(None if state is None else state.outline.prompt)
        if state is None:
            return
        self._panel.show(state.outline, offered_regions(self.facts), tuple(volumes_of(state.case)), self.facts)
        self._waiting = self._find_waiting()
        self._drafts.show([self._row(draft) for draft in self._waiting])
        names = [
            draft[0].GetSegmentation().GetSegment(draft[1]).GetName()
            for draft in self._waiting
            if isinstance(draft, tuple)
        ]
        message = unreviewed_in_words(names)
        if is_draft(state.case.segmentation):
            message = _("This segmentation is a draft: accept it below, or choose another.")
        other = other_name_of_drafts(state.case.case_id, volumes_of(state.case).values())
        if other and not message:
            message = _(
                "A draft on these volumes waits under the case name '{name}': take that name to see it."
            ).format(name=other)
        show_message(self._ui.regionsMessage, message)

    @property
    def facts(self) -> tuple[EngineFacts, ...]:
        """What the engines say of themselves; asked once until ``look_again``."""
        if self._facts is None:
            self._facts = engine_facts()
        return self._facts

    def look_again(self) -> None:
        """Ask the engines anew, for something may have been installed."""
        self._facts = None

    def readiness(self, chosen: Chosen) -> tuple[bool, str]:
        """Return whether a draft can be made, whatever else is wrong, and if not, the one thing to do next."""
        case, prompt = self._state.case, self._state.outline.prompt
        return ready_to_outline(
            OutlineChoice(
                region=self._state.outline.region,
                phases=tuple(volumes_of(case)),
                engine=self._state.outline.engine,
                prompt=kind_of_node(prompt),
                modality=modality_of(case),
                empty_prompt="" if prompt is None or is_placed(prompt) else prompt.GetName(),
            ),
            self.facts,
        )

    def libraries(self) -> tuple[str, ...]:
        """Return what libraries the chosen engine needs."""
        return libraries_of(self._state.outline.engine, self.facts)

    # --- what a person does

    def begin(self, case: SceneCase) -> None:
        """Start to outline.

        Raises:
            InputError: the input is wrong.
        """
        self.look_again()
        asked = self._state.outline
        self.work.process(case, asked.region, asked.phase, asked.engine, asked.prompt, wait=False)

    def place(self, kind: Any) -> None:
        """Let the user point at the region."""
        self._state.outline.prompt = new_prompt(kind, self._state.outline.region)

    def accept(self, row: int) -> None:
        """Make a draft part of the case."""
        draft, state = self._waiting[row], self._state
        target = None if is_draft(state.case.segmentation) else state.case.segmentation
        try:
            if isinstance(draft, tuple):
                accept_segment(*draft, state.case.case_id)
                self.run.say(_("Accepted."))
                self.changed.emit()
                return
            segmentation, key = accept_draft(draft, state.case.case_id, target)
        except InputError as error:
            self.run.say(str(error))
            return
        known = set(segmentation.GetSegmentation().GetSegmentIDs())
        regions = {name: region for name, region in state.case.regions.items() if name in known}
        state.case.regions = accepted_regions(regions, key, draft.region)
        state.case.segmentation = segmentation
        name = segmentation.GetSegmentation().GetSegment(key).GetName()
        self.run.say(_("Accepted as '{segment}' of '{node}'.").format(segment=name, node=segmentation.GetName()))
        self.changed.emit()

    def edit(self, row: int) -> None:
        """Open a draft in the Segment Editor."""
        draft = self._waiting[row]
        open_in_editor(*(draft if isinstance(draft, tuple) else (draft.segmentation, draft.region)))
        self.edit_asked.emit("SegmentEditor")

    def reject(self, row: int) -> None:
        """Take a draft away."""
        draft, state = self._waiting[row], self._state
        if isinstance(draft, tuple):
            state.case.regions = {**dict(state.case.regions), draft[1]: ""}
            self.run.say(_("Set to 'not used'."))
        else:
            reject_drafts(state.case.case_id, draft.region)
            self.run.say(_("Rejected; the draft is gone."))
        self.changed.emit()

    # --- within

    def _on_changed(self, field: str, value: Any) -> None:
        if self._state is not None and getattr(self._state.outline, field) is not value:
            setattr(self._state.outline, field, value)

    def _watch(self, node: Any) -> None:
        """Follow what is drawn in the markup that is chosen."""
        old, tags = self._prompt
        if node is old:
            return
        for tag in tags:
            old.RemoveObserver(tag)
        self._prompt = (node, [] if node is None else follow_prompt(node, self.changed.emit))

    def _find_waiting(self) -> list[SceneDraft | tuple[Any, str]]:
        """Return the drafts of the case, and segments of its segmentation that came as drafts and are used."""
        case = self._state.case
        used = (
            [key for key in unreviewed(case.segmentation) if case.regions.get(key)]
            if not is_draft(case.segmentation)
            else []
        )
        return [*drafts_in(case.case_id), *((case.segmentation, key) for key in used)]

    def _row(self, draft: SceneDraft | tuple[Any, str]) -> DraftRow:
        if isinstance(draft, SceneDraft):
            title = REGIONS.get(draft.region, draft.region)
            return DraftRow(title, draft.source, f"{draft.volume_ml:.1f}", hints_in_words(draft.hints))
        segment = draft[0].GetSegmentation().GetSegment(draft[1])
        return DraftRow(segment.GetName(), tag_of(segment, SOURCE_TAG) or _("not stated"), "", ())

    def _on_finished(self, drafts: tuple[SceneDraft, ...], nodes: Any) -> None:
        for draft in drafts:
            show_map(nodes.images[self.work.phase], draft.middle)
        self.run.show_idle(_("A draft: look at every slice, then accept, edit or reject it."))
        self.changed.emit()
