"""What the systems of a study use: their SHAP values out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hccoutcome.cohort.explaining import BEESWARM, CohortRequest, explain_in_own_process
from hccoutcome.evaluation.study import Study
from hccoutcome.progress import Progress, part, silent
from hccoutcome.report.study_figures import slug


def explain_systems(
    study: Study,
    out: Path,
    *,
    table: Path,
    features: Path | None = None,
    ignore: Sequence[str] = (),
    time_unit: str | None = None,
    stability: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Path]:
    """Explain the cross-validated systems of a study out of fold; return the beeswarm (SVG) of each by its label.

    Args:
        study: the study.
        out: folder; each system gets one of its own in it.
        table, features, ignore, time_unit, stability: what the study read.
        progress: told how far the work is.

    Raises:
        InputError: a system cannot be explained.
        EnvironmentNeeded: shap or its private folder is missing.
    """
    settings = study.settings
    chosen = [given for given in study.predicted if given.system and not given.baseline]
    found = {}
    for place, given in enumerate(chosen):
        folder = out / slug(given.label)
        request = CohortRequest(
            system=given.system,
            table=table.resolve(),
            out=folder.resolve(),
            features=None if features is None else features.resolve(),
            ignore=tuple(ignore),
            time_unit=time_unit,
            modality=given.modality,
            endpoint=settings["endpoint"],
            reader=settings["reader"],
            stability=None if stability is None else stability.resolve(),
            candidates=tuple(settings["candidates"]) if given.system == "prime-r" else (),
            folds=settings["folds"],
            seed=settings["seed"],
        )
        explain_in_own_process(request, part(progress, place / len(chosen), (place + 1) / len(chosen)))
        found[given.label] = folder / f"{BEESWARM}.svg"
    return found
