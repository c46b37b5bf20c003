"""``hcc evaluate``: how good systems and packages are on a table of patients, with figures, tables and a report."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, Bar, command, positive, say
from hccoutcome.cli.table import add_table, table_options

if TYPE_CHECKING:
    from hccoutcome.cohort.evaluate_settings import StudySettings
    from hccoutcome.evaluation.study import Study
    from hccoutcome.progress import Progress


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(commands, "evaluate", _evaluate, "Evaluate systems and packages on a table of patients.")
    parser.add_argument(
        "name", metavar="PACKAGE|SYSTEM", help="package to apply, or system to cross-validate; SYSTEM:late, SYSTEM:all"
    )
    add_table(parser)
    parser.add_argument(
        "--against", action="append", nargs="+", default=[], metavar="NAME", help="packages and systems to compare with"
    )
    parser.add_argument("--no-baselines", action="store_true", help="leave ALBI and BCLC alone out")
    parser.add_argument(
        "--endpoint", default="", metavar="NAME", help="os, pfs, ttp, survival-1y, or a response: mrecist..."
    )
    parser.add_argument("--reader", default="", metavar="NAME", help="whose reading of the response")
    parser.add_argument("--months", type=float, metavar="N", help="horizon of calibration and decision curves")
    parser.add_argument("--images", type=Path, metavar="ROOT", help="folder of the cases that networks look at")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="ImageNet weights of a ResNet-50: cnn-logistic")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="of networks; default auto"
    )
    _add_cross_validation(parser)
    _add_besides(parser)
    parser.add_argument("--seed", type=int, default=0, help="of everything random; default 0")
    parser.add_argument("--workers", type=positive, default=1, metavar="N", help="processes")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for figures, tables and report")


def _add_cross_validation(parser: argparse.ArgumentParser) -> None:
    """Add the options of systems that are trained."""
    parser.add_argument("--folds", type=positive, default=5, help="of the cross-validation; default 5")
    parser.add_argument("--repeats", type=positive, default=5, help="of the cross-validation; default 5")
    parser.add_argument(
        "--threshold-folds", type=int, default=0, metavar="N", help="inner folds that choose a response's threshold"
    )
    parser.add_argument("--stability", type=Path, metavar="FILE.json", help="stability table: unstable features go")
    parser.add_argument("--candidate", action="append", default=[], metavar="NAME", help="classifier of PRIME-R to try")


def _add_besides(parser: argparse.ArgumentParser) -> None:
    """Add the options of what is measured only where it is asked for."""
    parser.add_argument("--bootstrap", type=int, default=0, metavar="N", help="samples: optimism and .632+")
    parser.add_argument("--leaks", type=int, default=0, metavar="N", help="permutations of the test for leaks")
    parser.add_argument("--explain", action="store_true", help="SHAP values out of fold, as a beeswarm")
    parser.add_argument(
        "--adjust", action="append", default=[], metavar="COLUMN", help="covariate of a Cox model beside the risk group"
    )
    parser.add_argument("--added", default="", metavar="COLUMN", help="covariate with and without which it is fitted")
    parser.add_argument("--treatment", default="", metavar="COLUMN", help="0 or 1: match patients by its propensity")
    parser.add_argument("--match", action="append", default=[], metavar="COLUMN", help="covariate of the propensity")


def _evaluate(options: argparse.Namespace) -> int:
    from hccoutcome.cohort.evaluate import evaluate
    from hccoutcome.cohort.evaluate_contenders import verified_packages
    from hccoutcome.cohort.evaluate_networks import CaseImages
    from hccoutcome.cohort.evaluate_patients import read_study_cohort
    from hccoutcome.files import check_target
    from hccoutcome.progress import part
    from hccoutcome.report.study import REPORT, write_study

    check_target(options.out / REPORT)
    settings = _settings(options)
    cohort = read_study_cohort(**table_options(options), extras=settings.extras)
    with Bar(options) as bar:
        study = evaluate(
            cohort,
            settings,
            verified=verified_packages(settings.names, options.features),
            images=None
            if options.images is None
            else CaseImages(options.table, options.images, options.device, options.weights),
            workers=options.workers,
            progress=part(bar.progress, 0.0, 0.7 if options.explain else 0.98),
        )
        beeswarms = _explained(options, study, part(bar.progress, 0.7, 0.98)) if options.explain else {}
        written = write_study(study, options.out, beeswarms)
    say(json.dumps(_as_json(study, written)) if options.json else _as_text(study, options.out))
    return DONE


def _settings(options: argparse.Namespace) -> StudySettings:
    from hccoutcome.cohort.evaluate_settings import StudySettings
    from hccoutcome.stability.table import read_table

    return StudySettings(
        names=(options.name, *(name for names in options.against for name in names)),
        endpoint=options.endpoint,
        reader=options.reader,
        seed=options.seed,
        folds=options.folds,
        repeats=options.repeats,
        threshold_folds=options.threshold_folds,
        bootstrap=options.bootstrap,
        leaks=options.leaks,
        months=options.months,
        baselines=not options.no_baselines,
        stability=None if options.stability is None else read_table(options.stability),
        candidates=tuple(options.candidate),
        adjust=tuple(options.adjust),
        added=options.added,
        treatment=options.treatment,
        match=tuple(options.match),
    )


def _explained(options: argparse.Namespace, study: Study, progress: Progress) -> dict[str, Path]:
    """Explain the systems out of fold, each in a process of its own, and return the beeswarm of each."""
    from hccoutcome.cohort.evaluate_explaining import explain_systems

    read = table_options(options)
    table = read.pop("path")
    out = options.out / "explanation"
    return explain_systems(study, out, table=table, **read, stability=options.stability, progress=progress)


def _as_json(study: Study, written: Sequence[Path]) -> dict[str, Any]:
    from hccoutcome.report.study_numbers import metrics_of
    from hccoutcome.report.study_words import verdict

    return {
        "summary": [sentence.text for sentence in verdict(study)],
        "metrics": metrics_of(study),
        "files": [str(path) for path in written],
    }


def _as_text(study: Study, out: Path) -> str:
    from hccoutcome.report.study import REPORT
    from hccoutcome.report.study_words import figure_text, verdict

    lines = [
        f"{study.endpoint[0].upper()}{study.endpoint[1:]}: {len(study.y)} patients, {study.events} with the outcome"
    ]
    width = max(len(item.label) for item in study.figures)
    lines += [f"  {item.label:<{width}}  {study.figure} {figure_text(item.main)}" for item in study.figures]
    marks = {"ok": "+", "warning": "!", "refused": "x"}
    lines += ["", *(f"{marks[sentence.status]} {sentence.text}" for sentence in verdict(study))]
    return "\n".join([*lines, "", f"{out / REPORT}"])
