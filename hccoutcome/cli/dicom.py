"""``hcc deidentify`` and ``hcc series``: DICOM folders made anonymous, and listed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hccoutcome.cli.common import DONE, FAILED, Bar, command, complain, say


def add(commands: Any) -> None:
    """Add the commands."""
    _add_deidentify(commands)
    _add_series(commands)


def _add_deidentify(commands: Any) -> None:
    parser = command(commands, "deidentify", _deidentify, "De-identify DICOM files by the basic profile of PS3.15.")
    parser.add_argument("source", type=Path, metavar="IN", help="folder with DICOM files; never written into")
    parser.add_argument("target", type=Path, metavar="OUT", help="new folder")
    parser.add_argument(
        "--keep-intervals", action="store_true", help="shift dates by an offset instead of removing them"
    )


def _add_series(commands: Any) -> None:
    parser = command(commands, "series", _series, "List the DICOM series in a folder and the phase of each.")
    parser.add_argument("folder", type=Path)


def _deidentify(options: argparse.Namespace) -> int:
    from hccoutcome.imaging.deidentify import deidentify

    with Bar(options) as bar:
        result = deidentify(
            options.source, options.target, keep_intervals=options.keep_intervals, progress=bar.progress
        )
    say(json.dumps(result.to_json(), indent=2) if options.json else result.summary())
    if options.verbose:
        for item in result.left_out:
            complain(f"left out: {item}")
    return DONE if not result.left_out else FAILED


def _series(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from hccoutcome.imaging.dicom import list_series

    series = list_series(options.folder)
    if options.json:
        say(json.dumps([asdict(item) for item in series], indent=2))
    for item in series if not options.json else ():
        say(f"{item.phase or 'phase?':12} {item.modality:3} {item.count:4} images  {item.description}  {item.uid}")
    return DONE
