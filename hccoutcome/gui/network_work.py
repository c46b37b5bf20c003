"""Networks on a case of the scene beyond their score, in a worker process: ATOM's advice, and what they look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.case import CaseFiles
from hccoutcome.errors import InputError
from hccoutcome.findings import Findings
from hccoutcome.gui.work import CaseWork, FindingsWork
from hccoutcome.scene.inputs import SceneCase, case_nodes, outlined_by
from hccoutcome.scene.nodes import CaseNodes, nodes_of

if TYPE_CHECKING:
    from hccoutcome.jobs import AtomJob, MapsJob

ATOM_FOLDER, MAPS_FOLDER = "atom", "maps"
"""Where the files lie in the folder of the case."""


class AtomWork(FindingsWork):
    """The advice of ATOM on a case: it comes into the scene with the scores of its models."""

    def process(
        self,
        case: SceneCase,
        models: Mapping[str, str],
        out: Path | None = None,
        device: str = "auto",
        wait: bool = True,
    ) -> Findings | None:
        """Ask ATOM about a case of the scene; the numbers are those of ``hcc atom``.

        Args:
            case: volumes, segments and record.
            models: name or path of the SELECTION package by model of ATOM.
            out: folder where the files are kept, in ``<case>/atom``; None keeps none.
            device: on which the networks compute: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
            wait: return when it is done; otherwise at once, and ``step`` reports until it is.

        Returns:
            What was found, None where it is not waited for.

        Raises:
            InputError: the input is wrong, before or after the worker looked at it.
            HCCError: with ``wait``, the worker could not do it.
        """
        # Needs libraries that are installed when an analysis is first asked for.
        from hccoutcome.jobs import AtomJob

        if not models:
            raise InputError("ATOM needs the packages of its models, found none: name at least those of TACE and HAIC.")

        def job_of(files: CaseFiles) -> AtomJob:
            self._out = out
            folder = None if out is None else out / case.case_id / ATOM_FOLDER
            return AtomJob(files, dict(models), folder, device, outlined_by(case))

        self._launch(case, job_of, wait)
        return self.findings


@dataclass(frozen=True)
class Mapped:
    """What was found out about what a network looks at.

    Attributes:
        package: name of the package.
        data: content of ``maps.json`` (``deep.relevance.write_relevance``).
        volumes: how many maps came into the scene.
    """

    package: str
    data: Mapping[str, Any]
    volumes: int


class MapsWork(CaseWork):
    """What a package's network looks at in a case, as volumes of the scene.

    Signals:
        As ``CaseWork``; finished(mapped, nodes).
    """

    def __init__(self, command: Callable[[], Sequence[str]] | None = None) -> None:
        """Take what names the worker's command."""
        super().__init__(command)
        self.mapped: Mapped | None = None

    def process(
        self,
        case: SceneCase,
        package: str,
        method: str = "gradcam",
        out: Path | None = None,
        device: str = "auto",
        wait: bool = True,
    ) -> Mapped | None:
        """Map what a network looks at; the numbers are those of ``hcc maps --package``.

        Args:
            case: volumes, segments and record.
            package: name or path of the package.
            method: ``"rollout"``, ``"gradcam"`` or ``"shap"``.
            out: folder where the files are kept, in ``<case>/maps/<package>``; None keeps none.
            device: on which the network computes: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
            wait: return when it is done; otherwise at once, and ``step`` reports until it is.

        Returns:
            What was found, None where it is not waited for.

        Raises:
            InputError: the input is wrong, before or after the worker looked at it.
            HCCError: with ``wait``, the worker could not do it.
        """
        # Needs libraries that are installed when an analysis is first asked for.
        from hccoutcome.jobs import MapsJob

        def job_of(files: CaseFiles) -> MapsJob:
            name = Path(package).name.removesuffix(".zip")
            folder = None if out is None else out / case.case_id / MAPS_FOLDER / name
            return MapsJob(files, package, method, folder, device)

        self._launch(case, job_of, wait)
        return self.mapped

    def forget(self) -> None:
        """Let go of the last maps; the scene keeps them."""
        super().forget()
        self.mapped = None

    def _take(self, path: Path) -> tuple[Mapped, CaseNodes]:
        # The colours of the maps come from a library that is installed when an analysis is first asked for.
        from hccoutcome.deep.relevance import read_relevance
        from hccoutcome.scene.deepmaps import add_relevance, add_seen, add_shares

        data, maps, seen = read_relevance(path.parent)
        package = data["package"]["name"]
        nodes = case_nodes(self._case)
        add_seen(seen, nodes, package)
        add_shares(data, nodes, package)
        add_relevance(maps, nodes, package)
        self.mapped = Mapped(package, data, len(maps))
        return self.mapped, replace(nodes, findings=nodes_of(nodes.scene, nodes.case_id).findings)
