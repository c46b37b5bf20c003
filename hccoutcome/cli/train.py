"""``hcc train``: a model package from a table of patients."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, Bar, command, positive, say
from hccoutcome.cli.table import add_table, table_options
from hccoutcome.cli.train_network import NETWORKS, add_network, refuse_network_options, train_network
from hccoutcome.errors import InputError

if TYPE_CHECKING:
    from hccoutcome.cohort.packaging import Trained

FOLDS = 5


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(commands, "train", _train, "Train a system on a table of patients and write its package.")
    parser.add_argument("system", metavar="SYSTEM", help="prime-r, prime-s, crh, radscore...; a wrong name lists all")
    add_table(parser)
    parser.add_argument("--endpoint", metavar="NAME", help="os, pfs, ttp, or a response: mrecist, recist, responder...")
    parser.add_argument("--reader", default="", metavar="NAME", help="whose reading of the response")
    parser.add_argument("--modality", default="", metavar="NAME", help="clinical, imaging, early or late fusion")
    parser.add_argument("--extraction", metavar="NAME|FILE", help="package or parameter file the features come from")
    parser.add_argument("--stability", type=Path, metavar="FILE.json", help="stability table: unstable features go")
    parser.add_argument("--candidate", action="append", default=[], metavar="NAME", help="classifier of PRIME-R to try")
    parser.add_argument(
        "--images", metavar="CT|MR|ROOT", help="modality, default that of the paper; for networks the folder of cases"
    )
    parser.add_argument("--folds", type=positive, help="of the cross-validation; default 5, of networks none")
    parser.add_argument("--repeats", type=positive, default=5, help="of the cross-validation; default 5")
    parser.add_argument("--seed", type=int, default=0, help="of everything random; default 0")
    parser.add_argument("--workers", type=positive, default=1, metavar="N", help="processes of the cross-validation")
    parser.add_argument("--name", default="", help="name of the package")
    parser.add_argument("--cohort", default="", metavar="TEXT", help="who the patients are, in words, for the card")
    add_network(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder, or file ending in .zip")


def _train(options: argparse.Namespace) -> int:
    if options.system in NETWORKS:
        return train_network(options)
    refuse_network_options(options)
    from hccoutcome.cohort.packaging import TrainSettings, train_package
    from hccoutcome.cohort.training import read_training_table
    from hccoutcome.package.writing import check_target, write_package
    from hccoutcome.stability.table import read_table

    check_target(options.out)
    settings = TrainSettings(
        system=options.system,
        endpoint=_endpoint(options),
        reader=options.reader,
        modality=options.modality,
        seed=options.seed,
        folds=options.folds or FOLDS,
        repeats=options.repeats,
        candidates=tuple(options.candidate),
        stability=None if options.stability is None else read_table(options.stability),
        extraction=_extraction(options),
        images=_modality(options.images),
        name=options.name,
        cohort=options.cohort,
    )
    cohort = read_training_table(**table_options(options))
    with Bar(options) as bar:
        trained = train_package(cohort, settings, workers=options.workers, progress=bar.progress)
    write_package(trained.package, options.out)
    summary = _summary(trained, options.out)
    say(json.dumps(summary, indent=2) if options.json else _as_text(summary))
    return DONE


def _modality(name: str | None) -> Any:
    if name not in (None, "CT", "MR"):
        raise InputError(
            f"'{name}' is not a modality of images; --images is CT or MR, and a folder for networks alone."
        )
    return name


def _endpoint(options: argparse.Namespace) -> str:
    """Return the endpoint asked for, or the usual one of the system."""
    from hccoutcome.trainable import trainable

    return options.endpoint or {"response": "mrecist", "survival": "os"}[trainable(options.system).tasks[0]]


def _extraction(options: argparse.Namespace) -> Any:
    """Return how the features were extracted, where the model is going to read any."""
    from hccoutcome.cohort.extraction import find_extraction

    if options.features is None or options.modality == "clinical":
        return None
    return find_extraction(options.features, options.extraction)


def _summary(trained: Trained, out: Path) -> dict[str, Any]:
    from hccoutcome.evaluation.crossvalidated import cross_validated
    from hccoutcome.package.reading import read_package

    package = read_package(out)
    estimate = cross_validated(trained.cross_validation)
    return {
        "package": package.name,
        "version": package.version,
        "sha256": package.sha256,
        "title": package.title,
        "patients": len(trained.cross_validation.cases),
        "figure": "AUC" if package.scale == "probability" else "C-index",
        "value": estimate.value,
        "lower": estimate.lower,
        "upper": estimate.upper,
        "columns": [*package.requirements.features, *(need.name for need in package.requirements.variables)],
        "doubts": list(trained.doubts),
        "path": str(out),
    }


def _listed(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _as_text(summary: dict[str, Any]) -> str:
    figure = f"{summary['figure']} {summary['value']:.3f} (95% CI {summary['lower']:.3f} to {summary['upper']:.3f})"
    return "\n".join(
        [
            f"{summary['title']}: {summary['package']} {summary['version']}",
            f"  {figure}, cross-validated on {summary['patients']} patients",
            f"  reads {_listed(summary['columns'])}",
            *(f"! {doubt}" for doubt in summary["doubts"]),
            f"  {summary['path']}",
        ]
    )
