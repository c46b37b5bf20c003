"""``hcc engine`` and ``hcc phase``: where a person's own engines lie, and the contrast phase that one of them sees."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hccoutcome.cli.common import DONE, Bar, command, say
from hccoutcome.errors import InputError

_PATHS = ("python", "model", "weights")


def add(commands: Any) -> None:
    """Add the commands."""
    _add_engine(commands)
    _add_phase(commands)


def _add_engine(commands: Any) -> None:
    parser = command(commands, "engine", _engine, "Say where the Python and the weights of an engine lie.")
    parser.add_argument("name", metavar="NAME", help="totalsegmentator, nnunet, monai or medsam")
    parser.add_argument("--python", type=Path, metavar="PYTHON", help="Python that runs it")
    parser.add_argument(
        "--model", type=Path, metavar="PATH", help="trained model folder (nnunet) or description (monai)"
    )
    parser.add_argument("--weights", type=Path, metavar="PATH", help="folder or file with its weights")
    parser.add_argument(
        "--labels", metavar="REGION=N+N,...", help="labels of each region, where their names do not say"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), help="device; auto by default")
    parser.add_argument("--trust", action="store_true", help="say that the nnU-Net model folder is your own")
    parser.add_argument("--forget", action="store_true", help="forget what was set of the engine")


def _add_phase(commands: Any) -> None:
    parser = command(commands, "phase", _phase, "Detect the contrast phase of a CT with TotalSegmentator.")
    parser.add_argument("image", type=Path, metavar="IMAGE", help="CT file or DICOM folder")


def _engine(options: argparse.Namespace) -> int:
    from hccoutcome.segmentation.setup import change_setup, forget_setup, read_setup

    if options.forget:
        forget_setup(_known(options.name))
    changes = {name: value for name in (*_PATHS, "labels", "device") if (value := getattr(options, name)) is not None}
    setup = change_setup(options.name, changes) if changes else read_setup(_known(options.name))
    if options.trust:
        from hccoutcome.segmentation.nnunet import TRUST, fingerprint, read_model_folder

        if options.name != "nnunet" or setup.model is None:
            raise InputError("Only an nnU-Net model folder is trusted, found none: hcc engine nnunet --model FOLDER.")
        model = setup.model
        setup = change_setup("nnunet", {"trusted": fingerprint(read_model_folder(model))})
        if not options.json:
            say(f"{TRUST} Trusted from now on, as it is: {model}")
    _answer(options, setup.to_json())
    return DONE


def _known(name: str) -> str:
    from hccoutcome.segmentation.setup import ENGINE_SETTINGS
    from hccoutcome.strict_json import one_of

    return one_of(name, ENGINE_SETTINGS, "hcc engine")


def _answer(options: argparse.Namespace, settings: dict[str, str]) -> None:
    from hccoutcome.segmentation.engine import engine

    state = engine(options.name).readiness()
    if options.json:
        say(json.dumps({"engine": options.name, "settings": settings, **asdict(state)}))
        return
    for name, value in settings.items():
        say(f"{name}: {value}")
    say(f"{options.name} is ready" if state.ready else f"{options.name} is not ready: {state.step}")


def _phase(options: argparse.Namespace) -> int:
    from hccoutcome.case import ImageFile
    from hccoutcome.imaging.reading import load_image
    from hccoutcome.progress import part
    from hccoutcome.segmentation.setup import read_setup
    from hccoutcome.segmentation.totalsegmentator import detect_phase

    with Bar(options) as bar:
        loaded = load_image(ImageFile(options.image), "portal", part(bar.progress, 0.0, 0.1))
        if loaded.modality not in (None, "CT"):
            raise InputError(f"The phase is detected in CT, found {loaded.modality}: name the phase yourself.")
        found = detect_phase(loaded.image, read_setup("totalsegmentator"), part(bar.progress, 0.1, 1.0))
    if options.json:
        say(json.dumps(asdict(found)))
        return DONE
    low, high = found.range_s
    say(
        f"{found.phase} ({found.found}), {found.seconds:.0f} s after injection ({low:.0f} to {high:.0f} s), "
        f"probability {found.probability:g} by its own estimate"
    )
    return DONE
