"""The command ``hcc``: everything that the windows do, without one.

Exit status: 0 when everything that was asked for was done; 2 for wrong input, with one sentence (this includes a
package that refused the case; all files are written nevertheless); 1 when something else prevented it.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hccoutcome.cli import (
    analyse,
    atom,
    cohort,
    dicom,
    dicomseg,
    engine,
    evaluate,
    explain,
    features,
    habitat,
    maps,
    package,
    phantom,
    segment,
    stability,
    table,
    train,
)
from hccoutcome.cli.common import DONE, FAILED, INTERRUPTED, WRONG_INPUT, Parser, complain, say
from hccoutcome.errors import Cancelled, HCCError, InputError
from hccoutcome.version import __version__

COMMANDS = (
    analyse,
    atom,
    features,
    cohort,
    habitat,
    maps,
    package,
    dicom,
    phantom,
    stability,
    table,
    train,
    evaluate,
    explain,
    segment,
    engine,
    dicomseg,
)
"""Modules with a function ``add`` that adds commands; what a command needs is imported when it runs."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(prog="hcc", description="Response and survival in hepatocellular carcinoma. For research only.")
    parser.add_argument("--version", action="version", version=f"hcc {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser, metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verbose = "--verbose" in arguments
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(name)s: %(message)s")
    try:
        with _ended_as_interrupted():
            options = build_parser().parse_args(arguments)
            return options.handler(options)
    except HCCError as error:
        if verbose:
            traceback.print_exc()
        _report_error(error, as_json="--json" in arguments)
        return WRONG_INPUT if isinstance(error, InputError) else INTERRUPTED if isinstance(error, Cancelled) else FAILED
    except ModuleNotFoundError as error:
        if verbose:
            traceback.print_exc()
        complain(
            f"This needs the Python package '{error.name}', which is not installed here: install it and run again."
        )
        return FAILED
    except KeyboardInterrupt:
        complain("interrupted; what was finished is kept.")
        return INTERRUPTED
    except BrokenPipeError:
        return DONE


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """Let a request to end (SIGTERM) do what Ctrl-C does: programs that were started end, temporary files go."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _report_error(error: HCCError, as_json: bool) -> None:
    complain(str(error))
    if as_json:
        say(json.dumps({"error": str(error)}))
