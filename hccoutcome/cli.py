"""The command ``hcc``: everything that the windows do, without one.

Exit status: 0 when everything that was asked for was done; 2 for wrong input, with one sentence (this includes a
package that refused the case; all files are written nevertheless); 1 when something else prevented it.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hccoutcome.errors import Cancelled, HCCError, InputError, nearest
from hccoutcome.version import __version__

Handler = Callable[[argparse.Namespace], int]

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


class _Parser(argparse.ArgumentParser):
    """A parser that raises its complaint as an ``InputError`` and names the nearest option."""

    def error(self, message: str) -> NoReturn:
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


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(prog="hcc", description="Response and survival in hepatocellular carcinoma. For research only.")
    parser.add_argument("--version", action="version", version=f"hcc {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser, metavar="COMMAND")
    for add in (_add_analyse, _add_features, _add_cohort, _add_package, _add_deidentify, _add_series, _add_phantom):
        add(commands)
    return parser


def _command(commands: Any, name: str, handler: Handler, summary: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--verbose", action="store_true", help="print details and, on failure, the traceback")
    parser.set_defaults(handler=handler)
    return parser


def _add_images(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image", action="append", default=[], metavar="PHASE=PATH", help="image file or DICOM folder")
    parser.add_argument("--mask", action="append", default=[], metavar="REGION=PATH", help="mask file; may be repeated")


def _add_packages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--package", action="append", nargs="+", default=[], metavar="NAME", help="package to apply")
    parser.add_argument(
        "--settings", action="append", default=[], metavar="NAME|FILE", help="also extract these features"
    )
    parser.add_argument(
        "--reference", action="append", default=[], metavar="PACKAGE=FILE", help="reference table of your own cohort"
    )
    parser.add_argument("--engine", default="auto", choices=("auto", "fast", "pyradiomics"), help="radiomics engine")


def _add_analyse(commands: Any) -> None:
    parser = _command(commands, "analyse", _analyse, "Analyse one case: scene, report, features and scores.")
    parser.add_argument("--case", type=Path, metavar="FOLDER", help="folder with case.json")
    _add_images(parser)
    parser.add_argument("--clinical", type=Path, metavar="FILE", help="clinical record as JSON")
    parser.add_argument("--case-id", metavar="NAME", help="name of the case")
    parser.add_argument("--modality", choices=("CT", "MR"), help="modality, where the images do not say")
    _add_packages(parser)
    parser.add_argument("--no-scene", action="store_true", help="do not write the scene")
    parser.add_argument("--no-report", action="store_true", help="do not write the report")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")


def _add_features(commands: Any) -> None:
    parser = _command(commands, "features", _features, "Extract radiomic features into a table of one row.")
    _add_images(parser)
    parser.add_argument("--settings", required=True, metavar="NAME|FILE.yaml", help="parameter file")
    parser.add_argument("--engine", default="auto", choices=("auto", "fast", "pyradiomics"), help="radiomics engine")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv", help="table to write")


def _add_cohort(commands: Any) -> None:
    parser = _command(commands, "cohort", _cohort, "Analyse every case of a table.")
    parser.add_argument("table", type=Path, metavar="TABLE.csv", help="one row a case")
    _add_packages(parser)
    parser.add_argument("--scenes", action="store_true", help="write a scene for each case")
    parser.add_argument("--reports", action="store_true", help="write a report for each case")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes on this machine")
    where.add_argument("--scheduler", metavar="ADDRESS", help="address of a dask.distributed scheduler")
    parser.add_argument("--resume", action="store_true", help="go on with the run in DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found '{text}'")
    return int(text)


def _add_package(commands: Any) -> None:
    parser = commands.add_parser("package", help="List, show, verify or read the card of model packages.")
    actions = parser.add_subparsers(dest="action", required=True, parser_class=_Parser, metavar="ACTION")
    _command(actions, "list", _package, "List the packages.")
    for action, summary in (
        ("show", "Show what packages are and need."),
        ("verify", "Check that packages are intact."),
        ("card", "Print the cards of packages."),
    ):
        _command(actions, action, _package, summary).add_argument("names", nargs="+", metavar="NAME|PATH")
    reference = _command(actions, "reference", _reference, "Make the reference of a package from your own cohort.")
    reference.add_argument("name", metavar="NAME|PATH", help="package that needs a reference")
    reference.add_argument("table", type=Path, metavar="TABLE.csv", help="merged features of 'hcc cohort'")
    reference.add_argument("--cohort", metavar="TEXT", help="which cohort, in words")
    reference.add_argument("--out", type=Path, required=True, metavar="FILE.json", help="reference to write")


def _add_deidentify(commands: Any) -> None:
    parser = _command(commands, "deidentify", _deidentify, "De-identify DICOM files by the basic profile of PS3.15.")
    parser.add_argument("source", type=Path, metavar="IN", help="folder with DICOM files; never written into")
    parser.add_argument("target", type=Path, metavar="OUT", help="new folder")
    parser.add_argument(
        "--keep-intervals", action="store_true", help="shift dates by an offset instead of removing them"
    )


def _add_series(commands: Any) -> None:
    parser = _command(commands, "series", _series, "List the DICOM series in a folder and the phase of each.")
    parser.add_argument("folder", type=Path)


def _add_phantom(commands: Any) -> None:
    parser = _command(commands, "phantom", _phantom, "Write the synthetic patient as a case folder.")
    parser.add_argument("out", type=Path, metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=1)


def _analyse(options: argparse.Namespace) -> int:
    from hccoutcome.jobs import AnalyseJob
    from hccoutcome.loading import case_files
    from hccoutcome.worker import REPORT_FILE, RESULT_FILE, SCENE_FILE, run_job

    files = case_files(
        options.case, options.image, options.mask, options.clinical, case_id=options.case_id, modality=options.modality
    )
    job = AnalyseJob(
        case=files,
        packages=tuple(name for names in options.package for name in names),
        out=options.out.resolve(),
        settings=tuple(options.settings),
        references=_reference_files(options.reference),
        engine=options.engine,
        scene=not options.no_scene,
        report=not options.no_report,
    )
    with _Bar(options) as bar:
        findings = run_job(job, bar.progress)
    written = [SCENE_FILE] * job.scene + [REPORT_FILE] * job.report + [RESULT_FILE]
    if options.json:
        _print((job.out / RESULT_FILE).read_text(encoding="utf-8"))
    else:
        asked = {prediction.package for prediction in findings.predictions}
        besides = [item for item in findings.liver_scores if item.package not in asked and item.score is not None]
        for prediction in (*findings.predictions, *besides):
            _print(_score_line(prediction))
        for name in written:
            _print(f"{Path(name).stem:10} {job.out / name}")
    refused = [item for item in findings.predictions if item.applicability.status == "refused"]
    for item in refused:
        _complain(f"{item.package} gave no score: {' '.join(item.applicability.reasons)}")
    return WRONG_INPUT if refused else DONE


def _score_line(prediction: Any) -> str:
    """Return one score as a line: its number or why there is none."""
    applicability = prediction.applicability
    found = (
        "refused" if prediction.score is None else prediction.label or f"{prediction.score:.4g} ({prediction.scale})"
    )
    reasons = f"  [{applicability.status}: {' '.join(applicability.reasons)}]" if applicability.reasons else ""
    return f"{prediction.title}: {found}{reasons}"


def _reference_files(pairs: Sequence[str]) -> dict[str, Path]:
    references = {}
    for pair in pairs:
        name, separator, path = pair.partition("=")
        if not (name and separator and path):
            raise InputError(f"A reference is given as PACKAGE=FILE, found '{pair}': correct it.")
        references[name] = Path(path).resolve()
    return references


def _features(options: argparse.Namespace) -> int:
    from hccoutcome.analysis import extract_features
    from hccoutcome.files import write_csv
    from hccoutcome.loading import case_files, load_case

    case = load_case(case_files(None, options.image, options.mask, None))
    with _Bar(options) as bar:
        features = extract_features(case, options.settings, engine=options.engine, progress=bar.progress)
    write_csv(options.out, list(features), [features])
    _print(
        json.dumps({"features": len(features), "path": str(options.out)})
        if options.json
        else f"{len(features)} features written to {options.out}"
    )
    return DONE


def _cohort(options: argparse.Namespace) -> int:
    from functools import partial

    from hccoutcome.cohort.pool import run_here, run_on_cluster
    from hccoutcome.cohort.run import CohortSettings, run_cohort

    settings = CohortSettings(
        packages=tuple(name for names in options.package for name in names),
        settings=tuple(options.settings),
        references=_reference_files(options.reference),
        engine=options.engine,
        scene=options.scenes,
        report=options.reports,
    )
    runner = (
        partial(run_on_cluster, scheduler=options.scheduler)
        if options.scheduler
        else partial(run_here, workers=options.workers)
    )
    with _Bar(options) as bar:
        outcomes = run_cohort(
            options.table, settings, options.out, runner, resume=options.resume, progress=bar.progress
        )
    failed = [outcome for outcome in outcomes if outcome.status != 0]
    if options.json:
        _print(
            json.dumps({"cases": len(outcomes), "failed": [item.case_id for item in failed], "out": str(options.out)})
        )
    else:
        _print(f"{len(outcomes) - len(failed)} of {len(outcomes)} cases are done, results in {options.out}")
    for outcome in failed:
        _complain(f"case {outcome.case_id} failed: {outcome.message}")
    return max((outcome.status for outcome in failed), default=DONE)


def _package(options: argparse.Namespace) -> int:
    from hccoutcome.package import commands

    if options.action == "list":
        answers = commands.list_all()
    else:
        answer = {"show": commands.show, "verify": commands.verify, "card": commands.card}[options.action]
        answers = [answer(name) for name in options.names]
    _print(json.dumps(answers, indent=2) if options.json else commands.as_text(options.action, answers))
    return DONE


def _reference(options: argparse.Namespace) -> int:
    from hccoutcome.package.commands import make_reference
    from hccoutcome.package.reading import read_package
    from hccoutcome.package.reference import write_reference

    reference = make_reference(read_package(options.name), options.table, options.cohort or options.table.name)
    write_reference(reference, options.out)
    summary = {"package": options.name, "cases": reference.cases, "path": str(options.out)}
    _print(json.dumps(summary) if options.json else f"Reference of {reference.cases} cases written to {options.out}")
    return DONE


def _deidentify(options: argparse.Namespace) -> int:
    from hccoutcome.imaging.deidentify import deidentify

    with _Bar(options) as bar:
        result = deidentify(
            options.source, options.target, keep_intervals=options.keep_intervals, progress=bar.progress
        )
    _print(json.dumps(result.to_json(), indent=2) if options.json else result.summary())
    if options.verbose:
        for item in result.left_out:
            _complain(f"left out: {item}")
    return DONE if not result.left_out else FAILED


def _series(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from hccoutcome.imaging.dicom import list_series

    series = list_series(options.folder)
    if options.json:
        _print(json.dumps([asdict(item) for item in series], indent=2))
    for item in series if not options.json else ():
        _print(f"{item.phase or 'phase?':12} {item.modality:3} {item.count:4} images  {item.description}  {item.uid}")
    return DONE


def _phantom(options: argparse.Namespace) -> int:
    from hccoutcome.phantom import write_phantom

    folder = write_phantom(options.out, options.seed)
    _print(json.dumps({"path": str(folder)}) if options.json else f"The synthetic patient is in {folder}")
    return DONE


class _Bar:
    """A progress bar on standard error; in a file or a pipe, or with ``--json``, nothing."""

    def __init__(self, options: argparse.Namespace) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=1.0,
            file=sys.stderr,
            disable=options.json or not sys.stderr.isatty(),
            bar_format="{percentage:3.0f}% |{bar:30}| {elapsed}<{remaining} {desc}",
        )

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def progress(self, fraction: float, message: str) -> None:
        """Show how far the work is."""
        self._bar.set_description_str(message, refresh=False)
        self._bar.update(max(fraction - self._bar.n, 0.0))


def _print(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")


def _complain(text: str) -> None:
    sys.stderr.write(f"hcc: {text}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verbose = "--verbose" in arguments
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(name)s: %(message)s")
    try:
        options = build_parser().parse_args(arguments)
        return options.handler(options)
    except HCCError as error:
        if verbose:
            traceback.print_exc()
        _report_error(error, as_json="--json" in arguments)
        return WRONG_INPUT if isinstance(error, InputError) else INTERRUPTED if isinstance(error, Cancelled) else FAILED
    except KeyboardInterrupt:
        _complain("interrupted; what was finished is kept.")
        return INTERRUPTED
    except BrokenPipeError:
        return DONE


def _report_error(error: HCCError, as_json: bool) -> None:
    _complain(str(error))
    if as_json:
        _print(json.dumps({"error": str(error)}))


if __name__ == "__main__":
    sys.exit(main())
