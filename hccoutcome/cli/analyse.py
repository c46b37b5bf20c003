"""``hcc analyse``: one case, to scene, report, features and scores."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import (
    DONE,
    WRONG_INPUT,
    Bar,
    add_images,
    add_packages,
    command,
    complain,
    reference_files,
    say,
)
from hccoutcome.cli.segment import add_prompts, voxels
from hccoutcome.errors import InputError

if TYPE_CHECKING:
    from hccoutcome.segmentation.order import DraftOrder


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(commands, "analyse", _analyse, "Analyse one case: scene, report, features and scores.")
    parser.add_argument("--case", type=Path, metavar="FOLDER", help="folder with case.json")
    add_images(parser)
    parser.add_argument("--clinical", type=Path, metavar="FILE", help="clinical record as JSON")
    parser.add_argument("--case-id", metavar="NAME", help="name of the case")
    parser.add_argument("--modality", choices=("CT", "MR"), help="modality, where the images do not say")
    add_packages(parser)
    parser.add_argument("--segment", metavar="auto|NAME", help="outline a missing liver and tumour first, as drafts")
    add_prompts(parser)
    parser.add_argument("--screenshots", type=Path, metavar="DIR", help="arterial.png, portal_+2.jpg... for TCI")
    parser.add_argument("--no-scene", action="store_true", help="do not write the scene")
    parser.add_argument("--no-report", action="store_true", help="do not write the report")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")


def _analyse(options: argparse.Namespace) -> int:
    from hccoutcome.jobs import AnalyseJob
    from hccoutcome.loading import case_files
    from hccoutcome.report.outlook_words import sentences
    from hccoutcome.worker import REPORT_FILE, RESULT_FILE, SCENE_FILE, run_job

    files = case_files(
        options.case, options.image, options.mask, options.clinical, case_id=options.case_id, modality=options.modality
    )
    job = AnalyseJob(
        case=files,
        packages=tuple(name for names in options.package for name in names),
        out=options.out.resolve(),
        settings=tuple(options.settings),
        references=reference_files(options.reference),
        engine=options.engine,
        scene=not options.no_scene,
        report=not options.no_report,
        segment=_drafts(options),
        device=options.device,
        screenshots=None if options.screenshots is None else options.screenshots.resolve(),
    )
    with Bar(options) as bar:
        findings = run_job(job, bar.progress)
    written = [SCENE_FILE] * job.scene + [REPORT_FILE] * job.report + [RESULT_FILE]
    if options.json:
        say((job.out / RESULT_FILE).read_text(encoding="utf-8"))
    else:
        besides = [item for item in findings.liver_scores if item.score is not None]
        for prediction in (*findings.predictions, *besides):
            say("\n  ".join((_score_line(prediction), *sentences(prediction))))
        for name in written:
            say(f"{Path(name).stem:10} {job.out / name}")
    refused = [item for item in findings.predictions if item.applicability.status == "refused"]
    for item in refused:
        complain(f"{item.package} gave no score: {' '.join(item.applicability.reasons)}")
    return WRONG_INPUT if refused else DONE


def _drafts(options: argparse.Namespace) -> DraftOrder | None:
    """Return what is to be outlined first."""
    from hccoutcome.segmentation.order import DraftOrder

    prompts = [name for name in ("box", "roi", "seeds") if getattr(options, name) is not None]
    if options.segment is None:
        if prompts:
            raise InputError(f"--{prompts[0]} points at a region to outline, found no --segment: add --segment auto.")
        return None
    box = None if options.box is None else tuple(voxels(options.box))
    return DraftOrder(options.segment, box, options.roi, options.seeds)


def _score_line(prediction: Any) -> str:
    """Return one score as a line: its number or why there is none."""
    applicability = prediction.applicability
    from hccoutcome.report.outlook_words import result_in_words

    found = "refused" if prediction.score is None else result_in_words(prediction)
    reasons = f"  [{applicability.status}: {' '.join(applicability.reasons)}]" if applicability.reasons else ""
    return f"{prediction.title}: {found}{reasons}"
