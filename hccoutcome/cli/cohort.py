"""``hcc cohort``: every case of a table."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hccoutcome.cli.common import (
    DONE,
    WRONG_INPUT,
    Bar,
    add_packages,
    command,
    complain,
    positive,
    reference_files,
    say,
)


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(commands, "cohort", _cohort, "Analyse every case of a table.")
    parser.add_argument("table", type=Path, metavar="TABLE.csv", help="one row a case")
    add_packages(parser)
    parser.add_argument("--scenes", action="store_true", help="write a scene for each case")
    parser.add_argument("--reports", action="store_true", help="write a report for each case")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=positive, default=1, metavar="N", help="processes on this machine")
    where.add_argument("--scheduler", metavar="ADDRESS", help="address of a dask.distributed scheduler")
    parser.add_argument("--resume", action="store_true", help="go on with the run in DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")


def _cohort(options: argparse.Namespace) -> int:
    from functools import partial

    from hccoutcome.cohort.merge import refusals
    from hccoutcome.cohort.pool import run_here, run_on_cluster
    from hccoutcome.cohort.run import CohortSettings, run_cohort

    settings = CohortSettings(
        packages=tuple(name for names in options.package for name in names),
        settings=tuple(options.settings),
        references=reference_files(options.reference),
        engine=options.engine,
        device=options.device,
        scene=options.scenes,
        report=options.reports,
    )
    runner = (
        partial(run_on_cluster, scheduler=options.scheduler)
        if options.scheduler
        else partial(run_here, workers=options.workers)
    )
    with Bar(options) as bar:
        outcomes = run_cohort(
            options.table, settings, options.out, runner, resume=options.resume, progress=bar.progress
        )
    failed = [outcome for outcome in outcomes if outcome.status != 0]
    if options.json:
        say(json.dumps({"cases": len(outcomes), "failed": [item.case_id for item in failed], "out": str(options.out)}))
    else:
        say(f"{len(outcomes) - len(failed)} of {len(outcomes)} cases are done, results in {options.out}")
    for outcome in failed:
        complain(f"case {outcome.case_id} failed: {outcome.message}")
    refused = refusals(options.out)
    for package, cases in refused.items():
        complain(f"{package} gave no score to {len(cases)} cases ({', '.join(cases)}): results.csv tells the reasons.")
    return max((outcome.status for outcome in failed), default=WRONG_INPUT if refused else DONE)
