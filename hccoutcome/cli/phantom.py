"""``hcc phantom``: the synthetic patient as a case folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hccoutcome.case import MODALITIES
from hccoutcome.cli.common import DONE, command, say


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(commands, "phantom", _phantom, "Write the synthetic patient as a case folder.")
    parser.add_argument("out", type=Path, metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which patient (default 1)")
    parser.add_argument("--modality", choices=MODALITIES, default="CT", help="of the images (default CT)")


def _phantom(options: argparse.Namespace) -> int:
    from hccoutcome.phantom import PhantomSettings, write_phantom

    folder = write_phantom(options.out, options.seed, PhantomSettings(modality=options.modality))
    say(json.dumps({"path": str(folder)}) if options.json else f"The synthetic patient is in {folder}")
    return DONE
