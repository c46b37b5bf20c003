"""``hcc features``: radiomic features into a table of one row, and beside it how they came about."""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, Bar, add_images, command, positive, say

if TYPE_CHECKING:
    from hccoutcome.case import Case


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(commands, "features", _features, "Extract radiomic features into a table of one row.")
    add_images(parser)
    parser.add_argument("--settings", required=True, metavar="NAME|FILE.yaml", help="parameter file")
    parser.add_argument("--engine", default="auto", choices=("auto", "fast", "pyradiomics"), help="radiomics engine")
    parser.add_argument("--threads", type=positive, default=os.cpu_count() or 1, metavar="N", help="default: all cores")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv", help="table to write")


def _features(options: argparse.Namespace) -> int:
    from hccoutcome.analysis import extract_features
    from hccoutcome.files import check_target, write_csv
    from hccoutcome.loading import case_files, load_case

    check_target(options.out)
    case = load_case(case_files(None, options.image, options.mask, None))
    with Bar(options) as bar:
        features = extract_features(
            case, options.settings, engine=options.engine, progress=bar.progress, workers=options.threads
        )
    write_csv(options.out, list(features), [features])
    record = _write_provenance(case, len(features), options)
    if options.json:
        notes = [asdict(note) for note in case.notes]
        answer = {"features": len(features), "path": str(options.out), "provenance": str(record), "quality": notes}
        say(json.dumps(answer))
        return DONE
    for note in case.notes:
        say(
            " ".join(
                filter(None, [f"{note.subject}, {note.check}: {note.found} (expected {note.expected}).", note.note])
            )
        )
    say(f"{len(features)} features written to {options.out}, how they came about to {record}")
    return DONE


def _write_provenance(case: Case, features: int, options: argparse.Namespace) -> Path:
    """Write beside the table what it takes to make it again, by hashes and names of phases and regions alone."""
    from hccoutcome.files import sha256_of, write_json
    from hccoutcome.radiomics.extraction import provenance
    from hccoutcome.radiomics.settings import load_settings

    record = {
        "table": {"name": options.out.name, "sha256": sha256_of(options.out), "features": features},
        "inputs": dict(case.sources),
        "quality": [asdict(note) for note in case.notes],
        "parameters": Path(options.settings).name,
        **provenance(load_settings(options.settings), options.engine),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    return write_json(options.out.with_name(f"{options.out.stem}.provenance.json"), record)
