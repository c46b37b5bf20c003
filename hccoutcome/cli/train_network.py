"""The part of ``hcc train`` that trains networks: SELECTION, its ViT, TCI and DLOPCTR."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, Bar, positive, say
from hccoutcome.cli.table import table_options
from hccoutcome.errors import InputError

if TYPE_CHECKING:
    from hccoutcome.cohort.deep_training import DeepTrainSettings, TrainedNetwork
    from hccoutcome.deep.training_settings import TrainingSettings

NETWORKS = ("selection", "selection-vit", "tci", "dlopctr")
EVALUATION_FILE, PREDICTIONS_FILE = "evaluation.json", "predictions.csv"
_OWN = (
    "device",
    "weights",
    "size",
    "from_scratch",
    "test",
    "epochs",
    "batch",
    "learning_rate",
    "patience",
    "intervals",
)
"""Options that only networks have; None where they were not given."""


def add_network(parser: argparse.ArgumentParser) -> None:
    """Add the options of networks."""
    group = parser.add_argument_group("networks (selection, selection-vit, tci, dlopctr)")
    group.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), help="default auto")
    group.add_argument("--weights", metavar="FILE|download", help="ImageNet weights of the ResNet (tci, dlopctr)")
    group.add_argument("--size", choices=("tiny", "base"), help="of the network; default base, the paper's")
    group.add_argument("--from-scratch", action="store_true", default=None, help="no ImageNet weights: train all")
    group.add_argument("--test", type=float, metavar="SHARE", help="patients only judged at the end; default 0.2")
    group.add_argument("--epochs", type=positive, help="most passes through the patients; default the paper's")
    group.add_argument("--batch", type=positive, help="patients of a step")
    group.add_argument("--learning-rate", type=float, help="at the start")
    group.add_argument("--patience", type=positive, help="epochs without improvement before it stops")
    group.add_argument("--intervals", type=positive, help="of survival (dlopctr); default 8")


def refuse_network_options(options: argparse.Namespace) -> None:
    """Refuse options of networks for a system that is none.

    Raises:
        InputError: one was given.
    """
    for name in _OWN:
        if getattr(options, name) is not None:
            raise InputError(
                f"--{name.replace('_', '-')} belongs to the networks {', '.join(NETWORKS)}, found the system "
                f"'{options.system}': leave it out."
            )


def train_network(options: argparse.Namespace) -> int:
    """Train a network and write its package, and beside it how it learned and how it was judged."""
    from hccoutcome.deep.package import require_torch

    require_torch()
    from hccoutcome.cohort import deep_training
    from hccoutcome.cohort.training import read_training_table
    from hccoutcome.files import write_csv, write_json
    from hccoutcome.package.writing import check_target, write_package

    check_target(options.out)
    if options.images is None:
        raise InputError(f"{options.system} looks at images, found no --images: name the folder that holds the cases.")
    settings = _settings(options)
    cohort = read_training_table(**table_options(options))
    folder = options.out.with_name(f"{options.out.name.removesuffix('.zip')}-training")
    with Bar(options) as bar:
        found = deep_training.train_network(cohort, options.table, Path(options.images), settings, folder, bar.progress)
    write_package(found.package, options.out)
    write_json(folder / EVALUATION_FILE, {**found.evaluation.to_json(), "lost": found.lost})
    rows = found.evaluation.predictions
    write_csv(folder / PREDICTIONS_FILE, list(rows[0]), rows)
    summary = _summary(found, options.out, folder)
    say(json.dumps(summary, indent=2) if options.json else _as_text(summary))
    return DONE


def _settings(options: argparse.Namespace) -> DeepTrainSettings:
    """Return what is to be trained.

    Raises:
        InputError: an option that networks do not have, or a share that is none.
    """
    from hccoutcome.cohort.deep_training import DeepTrainSettings

    if options.features is not None or options.stability is not None or options.candidate or options.modality:
        raise InputError(f"{options.system} reads images and clinical variables, no features: leave out their options.")
    given = {
        name: getattr(options, name)
        for name in ("device", "weights", "size", "from_scratch", "test", "intervals", "folds")
    }
    endpoint = options.endpoint or {"dlopctr": "os"}.get(options.system, "mrecist")
    return DeepTrainSettings(
        system=options.system,
        endpoint=endpoint,
        reader=options.reader,
        training=_loop(options),
        name=options.name,
        cohort=options.cohort,
        **{name: value for name, value in given.items() if value is not None},
    )


def _loop(options: argparse.Namespace) -> TrainingSettings:
    """Return the settings of the training loop: the system's own, changed by the options."""
    from dataclasses import replace

    from hccoutcome.cohort.deep_training import USUAL

    given: dict[str, Any] = {name: getattr(options, name) for name in ("epochs", "batch", "learning_rate", "patience")}
    changes = {name: value for name, value in given.items() if value is not None}
    return replace(USUAL[options.system], seed=options.seed, **changes)


def _summary(found: TrainedNetwork, out: Path, folder: Path) -> dict[str, Any]:
    from hccoutcome.package.reading import read_package

    package, main = read_package(out), found.evaluation.main
    figure: dict[str, Any] = {"figure": None, "value": None, "lower": None, "upper": None}
    if main is not None:
        figure = {"figure": main[0], "value": main[1].value, "lower": main[1].lower, "upper": main[1].upper}
    return {
        "package": package.name,
        "version": package.version,
        "sha256": package.sha256,
        "title": package.title,
        "patients": dict(found.evaluation.patients),
        "epochs": len(found.trained.epochs),
        "best_epoch": found.trained.best + 1,
        **figure,
        "cross_validation": found.evaluation.to_json()["cross_validation"],
        "lost": found.lost,
        "notes": list(found.evaluation.notes),
        "path": str(out),
        "training": str(folder),
    }


def _as_text(summary: dict[str, Any]) -> str:
    parts = summary["patients"]
    lines = [f"{summary['title']}: {summary['package']} {summary['version']}"]
    if summary["figure"] is not None:
        interval = f"95% CI {summary['lower']:.3f} to {summary['upper']:.3f}"
        lines.append(
            f"  {summary['figure']} {summary['value']:.3f} ({interval}) on {parts['test']} patients never seen"
        )
    crossed = next(iter(summary["cross_validation"].items()), None)
    if crossed is not None:
        name, found = crossed
        interval = f"95% CI {found['lower']:.3f} to {found['upper']:.3f}"
        others = parts["training"] + parts["validation"]
        lines.append(f"  {name} {found['value']:.3f} ({interval}), cross-validated on the {others} others")
    lines.append(
        f"  learned from {parts['training']} patients, {parts['validation']} told when to stop: epoch "
        f"{summary['best_epoch']} of {summary['epochs']}"
    )
    lines += [f"  without images: {name}: {why}" for name, why in summary["lost"].items()]
    lines += [f"  note: {note}" for note in summary["notes"]]
    return "\n".join([*lines, f"  {summary['path']}", f"  {summary['training']}"])
