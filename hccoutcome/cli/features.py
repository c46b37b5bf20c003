"""``hcc features``: radiomic features into a table of one row."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hccoutcome.cli.common import DONE, Bar, add_images, command, positive, say


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
    if options.json:
        notes = [asdict(note) for note in case.notes]
        say(json.dumps({"features": len(features), "path": str(options.out), "quality": notes}))
        return DONE
    for note in case.notes:
        say(
            " ".join(
                filter(None, [f"{note.subject}, {note.check}: {note.found} (expected {note.expected}).", note.note])
            )
        )
    say(f"{len(features)} features written to {options.out}")
    return DONE
