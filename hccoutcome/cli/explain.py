"""``hcc explain``: what a score is made of, for one case or, out of fold, for the patients of a cohort."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, Bar, add_images, command, positive, reference_files, say
from hccoutcome.errors import InputError

if TYPE_CHECKING:
    from hccoutcome.cohort.explaining import CaseRequest, CohortRequest, Explained

_OF_A_CASE = ("case", "image", "mask", "clinical", "case_id", "reference")
_OF_A_COHORT = (
    "features", "ignore", "time_unit", "endpoint", "reader", "stability", "candidate", "patient"
)  # fmt: skip
_IMAGES, _COLUMNS = ("CT", "MR"), ("clinical", "imaging", "early", "late")
_MOST_INPUTS = 10
"""Inputs listed in the terminal; all stand in the tables."""


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(commands, "explain", _explain, "Take a score apart: what each input adds.")
    parser.add_argument("name", metavar="PACKAGE|SYSTEM", help="package to apply to a case, or system to train")
    parser.add_argument("table", type=Path, nargs="?", metavar="TABLE.csv", help="cohort to train and explain on")
    parser.add_argument("--case", type=Path, metavar="FOLDER", help="folder with case.json")
    add_images(parser)
    parser.add_argument("--clinical", type=Path, metavar="FILE", help="clinical record as JSON")
    parser.add_argument("--case-id", metavar="NAME", help="name of the case")
    parser.add_argument(
        "--modality", metavar="NAME", help="CT or MR of a case; clinical, imaging, early or late fusion of a system"
    )
    parser.add_argument(
        "--reference", action="append", default=[], metavar="PACKAGE=FILE", help="reference table of your own cohort"
    )
    parser.add_argument("--engine", default="auto", choices=("auto", "fast", "pyradiomics"), help="radiomics engine")
    _add_cohort(parser)
    parser.add_argument("--seed", type=int, default=0, help="of whatever is random; default 0")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for figures and tables")


def _add_cohort(parser: argparse.ArgumentParser) -> None:
    """Add the options of a cohort."""
    parser.add_argument("--features", type=Path, metavar="FILE.csv", help="features, joined by case_id")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="COLUMN", help="leave out; * stands for any text"
    )
    parser.add_argument("--time-unit", choices=("days", "weeks", "months", "years"), help="unit of times without one")
    parser.add_argument("--endpoint", metavar="NAME", help="os, pfs, ttp, or a response: mrecist, recist, responder...")
    parser.add_argument("--reader", default="", metavar="NAME", help="whose reading of the response")
    parser.add_argument("--stability", type=Path, metavar="FILE.json", help="stability table: unstable features go")
    parser.add_argument("--candidate", action="append", default=[], metavar="NAME", help="classifier of PRIME-R to try")
    parser.add_argument("--folds", type=positive, default=5, help="held-out parts; default 5")
    parser.add_argument("--permutations", type=positive, default=10, help="for each patient; default 10")
    parser.add_argument("--background", type=positive, default=100, help="most training rows; default 100")
    parser.add_argument("--patient", action="append", default=[], metavar="ID", help="also draw this one's waterfall")


def _explain(options: argparse.Namespace) -> int:
    from hccoutcome.cohort.explaining import explain_in_own_process

    strange = _OF_A_CASE if options.table else _OF_A_COHORT
    given = [f"--{name.replace('_', '-')}" for name in strange if getattr(options, name)]
    if given:
        kind, other = ("a cohort", "without TABLE.csv") if options.table else ("one case", "with TABLE.csv")
        raise InputError(f"{', '.join(given)} has no meaning for {kind}: leave it out, or call {other}.")
    request = _cohort(options) if options.table else _case(options)
    with Bar(options) as bar:
        found = explain_in_own_process(request, bar.progress)
    if options.json:
        say(json.dumps(dict(found.summary)))
    else:
        say(_report(found, _of_cohort(found.summary) if options.table else _of_case(found.summary)))
    return DONE


def _case(options: argparse.Namespace) -> CaseRequest:
    from hccoutcome.cohort.explaining import CaseRequest
    from hccoutcome.loading import case_files

    modality = _one_of(options.modality, _IMAGES, "a case")
    files = case_files(
        options.case, options.image, options.mask, options.clinical, case_id=options.case_id, modality=modality
    )
    reference = _reference(options.name, reference_files(options.reference))
    package = _package(options.name)
    return CaseRequest(files, package, options.out.resolve(), reference, options.engine, options.seed)


def _package(name: str) -> str:
    """Return the name of a shipped package, or the whole path of another: its reader works elsewhere."""
    from hccoutcome.package.reading import list_packages

    return name if name in list_packages() or not Path(name).exists() else str(Path(name).resolve())


def _one_of(modality: str | None, known: Sequence[str], whose: str) -> Any:
    """Return the modality if it is one of those that can be meant."""
    if modality is not None and modality not in known:
        raise InputError(f"The modality of {whose} is one of {', '.join(known)}, found '{modality}': correct it.")
    return modality


def _reference(package: str, given: Mapping[str, Path]) -> Path | None:
    """Return the reference given for the package; one for another is a slip of the pen."""
    for name in given:
        if name != package:
            raise InputError(
                f"A reference is given for '{name}', and the package explained is '{package}': correct it."
            )
    return given.get(package)


def _cohort(options: argparse.Namespace) -> CohortRequest:
    from hccoutcome.cohort.explaining import CohortRequest

    return CohortRequest(
        system=options.name,
        table=options.table.resolve(),
        out=options.out.resolve(),
        features=None if options.features is None else options.features.resolve(),
        ignore=tuple(options.ignore),
        time_unit=options.time_unit,
        modality=_one_of(options.modality, _COLUMNS, "a system"),
        endpoint=options.endpoint,
        reader=options.reader,
        stability=None if options.stability is None else options.stability.resolve(),
        candidates=tuple(options.candidate),
        folds=options.folds,
        permutations=options.permutations,
        background=options.background,
        patients=tuple(options.patient),
        seed=options.seed,
    )


def _report(found: Explained, lines: list[str]) -> str:
    """Return what was found, the doubts and the files in words."""
    lines = [*lines, *(f"warning: {warning}" for warning in found.warnings)]
    return "\n".join([*lines, *(f"{path.suffix[1:]:5} {path}" for path in found.files)])


def _of_case(summary: Mapping[str, Any]) -> list[str]:
    """Return the steps of a waterfall, the largest first."""
    told = f" = {summary['output_in_words']}" if summary["output_in_words"] else ""
    steps = sorted(summary["steps"], key=lambda step: -abs(step["adds"]))
    return [
        f"{summary['title']}: {summary['scale']} {summary['output']:.4g}{told}",
        f"  {summary['base']:+10.4g}  base: {summary['base_in_words']}",
        *(f"  {step['adds']:+10.4g}  {step['input']} ({step['value']})" for step in steps),
    ]


def _of_cohort(summary: Mapping[str, Any]) -> list[str]:
    """Return how a cohort was explained and its most important inputs."""
    ranked = list(summary["importance"].items())
    shares = " and ".join(f"{share:.0%} {kind}" for kind, share in summary["shares"].items())
    lines = [
        f"{summary['title']}: {summary['cases']} patients out of {summary['folds']} folds, {summary['scale']}, "
        f"{summary['method']}; {shares or 'no input matters'}",
        *(f"  {value:10.4g}  {name}" for name, value in ranked[:_MOST_INPUTS] if value > 0),
    ]
    rest = sum(value > 0 for _, value in ranked[_MOST_INPUTS:])
    return [*lines, f"  and {rest} more"] if rest else lines
