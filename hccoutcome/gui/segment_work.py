"""The draft of a region of a case of the scene, outlined in a worker process; the same for window and batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.case import CaseFiles
from hccoutcome.errors import InputError
from hccoutcome.gui.segmentation_rules import best_phase
from hccoutcome.gui.work import CaseWork
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.scene.drafts import SceneDraft, add_draft
from hccoutcome.scene.inputs import SceneCase, case_nodes, grid_of, segment_ids
from hccoutcome.scene.nodes import CaseNodes
from hccoutcome.scene.prompts import kind_of_node, write_prompt
from hccoutcome.scene.review import is_draft, unreviewed
from hccoutcome.segmentation.handover import load_handover

if TYPE_CHECKING:
    from hccoutcome.jobs import SegmentJob


class SegmentWork(CaseWork):
    """Outlines one region as a draft.

    Signals:
        As ``CaseWork``; finished(drafts, nodes).
    """

    def __init__(self, command: Callable[[], Sequence[str]] | None = None) -> None:
        """Take what names the worker's command."""
        super().__init__(command)
        self.drafts: tuple[SceneDraft, ...] = ()
        self._phase = ""

    def process(
        self,
        case: SceneCase,
        region: str = "tumor",
        phase: str = "",
        engine: str = "auto",
        prompt: Any = None,
        wait: bool = True,
    ) -> tuple[SceneDraft, ...]:
        """Outline a region of a case as a draft; the voxels are those of ``hcc segment``.

        Args:
            case: the volumes; accepted segments of other regions help.
            region: the region to outline.
            phase: the phase on whose voxels the draft lies; the one in which most is seen where empty.
            engine: name of the engine, or ``auto``.
            prompt: markup node that points at the region; None for nothing.
            wait: return when it is done; otherwise at once, and ``step`` reports until it is.

        Returns:
            The drafts, none where it is not waited for.

        Raises:
            InputError: the input is wrong, before or after the worker looked at it.
            HCCError: with ``wait``, the worker could not do it.
        """
        # Needs libraries that are installed when an analysis is first asked for.
        from hccoutcome.jobs import SegmentJob
        from hccoutcome.segmentation.order import DraftOrder

        if not case.volumes:
            raise InputError("A region is outlined in an image, found none: choose the volume of a phase.")
        self._phase = phase if phase in case.volumes else best_phase(tuple(case.volumes))

        def job_of(files: CaseFiles) -> SegmentJob:
            given: Mapping[str, Path] = {}
            if prompt is not None:
                name = "roi" if kind_of_node(prompt) == "box" else "seeds"
                given = {name: write_prompt(prompt, self._folder)}
            return SegmentJob(case=files, region=region, order=DraftOrder(engine=engine, **given))

        self._launch(self._for_engine(case, region), job_of, wait)
        return self.drafts

    @property
    def phase(self) -> str:
        """The phase on whose voxels the last draft lies."""
        return self._phase

    def forget(self) -> None:
        """Let go of the last draft; the scene keeps it."""
        super().forget()
        self.drafts = ()

    def _for_engine(self, case: SceneCase, region: str) -> SceneCase:
        """Return what an engine is given: the chosen volume first, those on its grid, and the other regions."""
        chosen = case.volumes[self._phase]
        rest = {
            phase: volume
            for phase, volume in case.volumes.items()
            if volume is not chosen and same_geometry(grid_of(volume), grid_of(chosen))
        }
        waiting = segment_ids(case.segmentation) if is_draft(case.segmentation) else unreviewed(case.segmentation)
        known = {name: tuple(key for key in keys if key not in waiting) for name, keys in case.segments.items()}
        segments = {name: keys for name, keys in known.items() if keys and name != region}
        return replace(case, volumes={self._phase: chosen, **rest}, segments=segments, clinical={}, habitats=None)

    def _take(self, path: Path) -> tuple[tuple[SceneDraft, ...], CaseNodes]:
        nodes = case_nodes(self._case)
        volume = self._case.volumes[self._phase]
        if volume.GetScene() is None:
            raise InputError(f"'{volume.GetName()}' is no longer in the scene: choose another and outline again.")
        self.drafts = add_draft(load_handover(path), nodes, volume)
        return self.drafts, nodes
