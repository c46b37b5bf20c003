"""``hcc explain``: what a score is made of, for one case or out of fold for a cohort."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, Bar, add_images, command, reference_files, say
from hccoutcome.errors import InputError

if TYPE_CHECKING:
    from hccoutcome.cohort.explain import Explained


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(commands, "explain", _explain, "Take a score apart: what each input adds.")
    parser.add_argument("package", metavar="PACKAGE", help="package whose score of one case is explained")
    parser.add_argument("--case", type=Path, metavar="FOLDER", help="folder with case.json")
    add_images(parser)
    parser.add_argument("--clinical", type=Path, metavar="FILE", help="clinical record as JSON")
    parser.add_argument("--case-id", metavar="NAME", help="name of the case")
    parser.add_argument("--modality", choices=("CT", "MR"), help="modality, where the images do not say")
    parser.add_argument(
        "--reference", action="append", default=[], metavar="PACKAGE=FILE", help="reference table of your own cohort"
    )
    parser.add_argument("--engine", default="auto", choices=("auto", "fast", "pyradiomics"), help="radiomics engine")
    parser.add_argument("--seed", type=int, default=0, help="of whatever is random; default 0")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for figures and tables")


def _explain(options: argparse.Namespace) -> int:
    from hccoutcome.cohort.explain import CaseRequest, explain_in_own_process
    from hccoutcome.loading import case_files

    files = case_files(
        options.case, options.image, options.mask, options.clinical, case_id=options.case_id, modality=options.modality
    )
    request = CaseRequest(
        case=files,
        package=options.package,
        out=options.out.resolve(),
        reference=_reference(options.package, reference_files(options.reference)),
        engine=options.engine,
        seed=options.seed,
    )
    with Bar(options) as bar:
        found = explain_in_own_process(request, bar.progress)
    say(json.dumps(dict(found.summary)) if options.json else _report(found))
    return DONE


def _reference(package: str, given: dict[str, Path]) -> Path | None:
    """Return the reference given for the package; one for another is a slip of the pen."""
    for name in given:
        if name != package:
            raise InputError(
                f"A reference is given for '{name}', and the package explained is '{package}': correct it."
            )
    return given.get(package)


def _report(found: Explained) -> str:
    """Return the largest steps of a waterfall and the files in words."""
    summary = found.summary
    told = f" = {summary['output_in_words']}" if summary["output_in_words"] else ""
    lines = [
        f"{summary['title']}: {summary['scale']} {summary['output']:.4g}{told}",
        f"  {summary['base']:+10.4g}  base: {summary['base_in_words']}",
    ]
    steps = sorted(summary["steps"], key=lambda step: -abs(step["adds"]))
    lines += [f"  {step['adds']:+10.4g}  {step['input']} ({step['value']})" for step in steps]
    lines += [f"warning: {warning}" for warning in found.warnings]
    return "\n".join([*lines, *(f"{path.stem:12} {path}" for path in found.files)])
