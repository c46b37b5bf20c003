"""What the commands share: a parser that explains, common options, the progress bar, and how they speak."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hccoutcome.errors import InputError, nearest

Handler = Callable[[argparse.Namespace], int]

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses."""


class Parser(argparse.ArgumentParser):
    """A parser that raises its complaint as an ``InputError`` and names the nearest option."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong."""
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message and unknown.startswith("-"):
            message = (
                f"unknown option '{unknown.split()[0]}'; {nearest(unknown.split()[0], self._option_string_actions)}"
            )
        raise InputError(f"{message}. See '{self.prog} --help'.")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Complain about unknown options where their command is known, so that its own options are suggested."""
        namespace, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return namespace, rest


def command(commands: Any, name: str, handler: Handler, summary: str) -> argparse.ArgumentParser:
    """Add a command that ``handler`` answers, with the options that all have, and return its parser."""
    parser = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--verbose", action="store_true", help="print details and, on failure, the traceback")
    parser.set_defaults(handler=handler)
    return parser


def add_images(parser: argparse.ArgumentParser) -> None:
    """Add the options that name images and masks."""
    parser.add_argument("--image", action="append", default=[], metavar="PHASE=PATH", help="image file or DICOM folder")
    parser.add_argument("--mask", action="append", default=[], metavar="REGION=PATH", help="mask file; may be repeated")


def add_packages(parser: argparse.ArgumentParser) -> None:
    """Add the options that name packages, settings and references."""
    parser.add_argument("--package", action="append", nargs="+", default=[], metavar="NAME", help="package to apply")
    parser.add_argument(
        "--settings", action="append", default=[], metavar="NAME|FILE", help="also extract these features"
    )
    parser.add_argument(
        "--reference", action="append", default=[], metavar="PACKAGE=FILE", help="reference table of your own cohort"
    )
    parser.add_argument("--engine", default="auto", choices=("auto", "fast", "pyradiomics"), help="radiomics engine")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="of networks")


def reference_files(pairs: Sequence[str]) -> dict[str, Path]:
    """Return the reference file by package, from ``PACKAGE=FILE`` options."""
    references = {}
    for pair in pairs:
        name, separator, path = pair.partition("=")
        if not (name and separator and path):
            raise InputError(f"A reference is given as PACKAGE=FILE, found '{pair}': correct it.")
        references[name] = Path(path).resolve()
    return references


def positive(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found '{text}'")
    return int(text)


class Bar:
    """A progress bar on standard error; in a file or a pipe, or with ``--json``, nothing."""

    def __init__(self, options: argparse.Namespace) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=1.0,
            file=sys.stderr,
            disable=options.json or not sys.stderr.isatty(),
            bar_format="{percentage:3.0f}% |{bar:30}| {elapsed}<{remaining} {desc}",
        )

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def progress(self, fraction: float, message: str) -> None:
        """Show how far the work is."""
        self._bar.set_description_str(message, refresh=False)
        self._bar.update(max(fraction - self._bar.n, 0.0))


def say(text: str) -> None:
    """Write an answer to standard output."""
    sys.stdout.write(text.rstrip("\n") + "\n")


def complain(text: str) -> None:
    """Write a sentence to standard error."""
    sys.stderr.write(f"hcc: {text}\n")
