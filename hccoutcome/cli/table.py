"""``hcc table``: check a table that is to be learnt from, and translate another group's."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, WRONG_INPUT, Parser, command, complain, say

if TYPE_CHECKING:
    from hccoutcome.cohort.training import Finding, TrainingCohort

_HEADINGS = {"refused": "Faults: the table cannot be used before they are mended", "warning": "Doubts", "ok": "Facts"}


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("table", help="Check or translate a table of patients, outcomes and features.")
    actions = parser.add_subparsers(dest="action", required=True, parser_class=Parser, metavar="ACTION")
    check = command(actions, "check", _check, "Say in plain words what is wrong with a table.")
    add_table(check)
    check.add_argument("--out", type=Path, metavar="DIR", help="write findings, gaps and the table as read")
    convert = command(actions, "convert", _convert, "Translate another group's tables by a mapping.")
    convert.add_argument("table", type=Path, metavar="TABLE.xlsx|csv", help="clinical table with outcomes")
    convert.add_argument("--map", required=True, metavar="NAME|FILE.json", help="shipped mapping or your own")
    convert.add_argument("--features", type=Path, metavar="FILE.csv", help="their table of features")
    convert.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the translated tables")


def add_table(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a training table; ``table_options`` reads them."""
    parser.add_argument("table", type=Path, metavar="TABLE.csv", help="one row a patient: variables and outcomes")
    parser.add_argument("--features", type=Path, metavar="FILE.csv", help="features, joined by case_id")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="COLUMN", help="leave out; * stands for any text"
    )
    parser.add_argument(
        "--time-unit",
        choices=("days", "weeks", "months", "years"),
        help="unit of the times whose column states none",
    )


def table_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of ``read_training_table`` from the options that ``add_table`` added."""
    return {
        "path": options.table,
        "features": options.features,
        "ignore": options.ignore,
        "time_unit": options.time_unit,
    }


def _check(options: argparse.Namespace) -> int:
    from hccoutcome.cohort.training import inspect_training_table

    cohort, findings = inspect_training_table(**table_options(options))
    if options.out:
        _write_check(options.out, cohort, findings)
    faults = sum(finding.status == "refused" for finding in findings)
    say(json.dumps(_as_json(cohort, findings), indent=2) if options.json else _as_text(options, cohort, findings))
    if faults:
        complain(f"{options.table.name} cannot be used: {faults} {'fault' if faults == 1 else 'faults'}, listed above.")
    return WRONG_INPUT if faults else DONE


def _as_json(cohort: TrainingCohort, findings: Sequence[Finding]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "patients": len(cohort.patients),
        "findings": [asdict(finding) for finding in findings],
        "columns": [asdict(item) for item in cohort.fillings],
        "sources": dict(cohort.sources),
    }


def _as_text(options: argparse.Namespace, cohort: TrainingCohort, findings: Sequence[Finding]) -> str:
    from collections import Counter

    kinds = Counter(item.kind for item in cohort.fillings)
    lines = [
        f"{options.table.name}: {len(cohort.patients)} patients, {kinds['clinical']} clinical variables, "
        f"{kinds['index']} computed indices, {kinds['imaging']} features"
    ]
    for status, heading in _HEADINGS.items():
        found = [finding for finding in findings if finding.status == status]
        if found:
            lines += ["", f"{heading}:", *(f"  {finding.subject}: {finding.note}" for finding in found)]
    gaps = [item for item in cohort.fillings if item.missing and item.kind != "imaging"]
    if gaps:
        width = max(len(item.name) for item in gaps)
        lines += ["", "Missing, to be imputed within the folds:"]
        lines += [f"  {item.name:<{width}}  {item.missing:>4} of {item.known + item.missing}" for item in gaps]
    imaging = [item for item in cohort.fillings if item.missing and item.kind == "imaging"]
    if imaging:
        lines.append(f"  and {len(imaging)} of {kinds['imaging']} features in some patients")
    return "\n".join(lines)


def _write_check(out: Path, cohort: TrainingCohort, findings: Sequence[Finding]) -> None:
    from dataclasses import asdict

    from hccoutcome.files import write_csv, write_text

    write_csv(out / "findings.csv", ("subject", "status", "note"), map(asdict, findings))
    write_csv(out / "columns.csv", ("name", "kind", "known", "missing"), map(asdict, cohort.fillings))
    write_text(out / "table.csv", cohort.X.to_csv(lineterminator="\n"))


def _convert(options: argparse.Namespace) -> int:
    from hccoutcome.cohort.mapping import RATER_COLUMN, read_mapping, translate_features, translate_table
    from hccoutcome.cohort.table import ID_COLUMN
    from hccoutcome.errors import InputError
    from hccoutcome.files import write_csv

    mapping = read_mapping(options.map)
    if options.features and mapping.features is None:
        raise InputError(f"The mapping '{options.map}' says nothing of features, found --features: leave it out.")
    columns, rows = translate_table(options.table, mapping.table)
    names, chosen, repeats = (
        translate_features(options.features, mapping.features)
        if options.features and mapping.features
        else ([], [], [])
    )
    written = [write_csv(options.out / "table.csv", columns, rows)]
    if chosen:
        written.append(write_csv(options.out / "features.csv", [ID_COLUMN, *names], chosen))
    if repeats:
        written.append(write_csv(options.out / "repeats.csv", [ID_COLUMN, RATER_COLUMN, *names], repeats))
    if options.json:
        say(json.dumps({"title": mapping.title, "notes": mapping.notes, "files": [str(path) for path in written]}))
    else:
        notes = [f"  {note}" for note in mapping.notes]
        say("\n".join([mapping.title, *notes, *(f"{path} written" for path in written)]))
    return DONE
