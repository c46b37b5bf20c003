"""The habitats of a case of the scene, found in a worker process; the same for window and batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hccoutcome.case import CaseFiles
from hccoutcome.errors import InputError
from hccoutcome.gui.work import CaseWork
from hccoutcome.habitat.result import HabitatResult, load_result
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.scene.habitats import add_result
from hccoutcome.scene.inputs import SceneCase, case_nodes
from hccoutcome.scene.nodes import CaseNodes

if TYPE_CHECKING:
    from hccoutcome.jobs import HabitatJob, HabitatPreparation, HabitatRegistration

FOLDER = "habitats"
"""Where the files lie in the folder of the case."""


class HabitatWork(CaseWork):
    """The habitats of a case.

    Signals:
        As ``CaseWork``; finished(result, nodes).
    """

    def __init__(self, command: Callable[[], Sequence[str]] | None = None) -> None:
        """Take what names the worker's command."""
        super().__init__(command)
        self.result: HabitatResult | None = None

    def process(
        self,
        case: SceneCase,
        region: str = "tumor",
        settings: HabitatSettings | None = None,
        preparation: HabitatPreparation = "none",
        registration: HabitatRegistration = "rigid",
        package: Path | None = None,
        out: Path | None = None,
        wait: bool = True,
    ) -> HabitatResult | None:
        """Divide a region of a case of the scene into habitats; the numbers are those of ``hcc habitat``.

        Args:
            case: the volumes that take part, and the segments of the region.
            region: the region to divide.
            settings: how habitats are found; the defaults where None.
            preparation: what is done to the images first; a package's own takes its place.
            registration: how phases are brought to the reference phase, with a preparation.
            package: folder of the habitat package to apply; None finds the habitats in this case alone.
            out: folder where the files are kept, in ``<case>/habitats``; None keeps none.
            wait: return when it is done; otherwise at once, and ``step`` reports until it is.

        Returns:
            What was found, None where it is not waited for.

        Raises:
            InputError: the input is wrong, before or after the worker looked at it.
            HCCError: with ``wait``, the worker could not do it.
        """
        # Needs libraries that are installed when habitats are first asked for.
        from hccoutcome.jobs import HabitatJob

        if not case.segments.get(region):
            raise InputError(f"Habitats divide the region '{region}', found no segment of it: say which segment it is.")

        def job_of(files: CaseFiles) -> HabitatJob:
            return HabitatJob(
                case=files,
                region=region,
                settings=settings or HabitatSettings(),
                preparation=preparation,
                registration=registration,
                package=package,
                out=None if out is None else out / case.case_id / FOLDER,
            )

        own = replace(case, segments={region: case.segments[region]}, clinical={}, habitats=None)
        self._launch(own, job_of, wait)
        return self.result

    def is_of(self, case: SceneCase) -> bool:
        """Whether the last job was on the phases and the region of this case as they are now."""
        done = self._case
        if done is None:
            return False
        return super().is_of(
            replace(
                case,
                volumes={phase: case.volumes[phase] for phase in done.volumes if phase in case.volumes},
                segments={region: case.segments.get(region, ()) for region in done.segments},
                clinical={},
                habitats=None,
            )
        )

    def forget(self) -> None:
        """Let go of the last habitats; the scene keeps them."""
        super().forget()
        self.result = None

    def _take(self, path: Path) -> tuple[HabitatResult, CaseNodes]:
        self.result = load_result(path)
        nodes = case_nodes(self._case)
        added = add_result(self.result, nodes, self._case.segments[self.result.region])
        return self.result, replace(nodes, findings=added.findings)
