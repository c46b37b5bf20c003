"""``hcc stability`` and ``hcc perturb``: which features can be trusted."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, command, say

if TYPE_CHECKING:
    from hccoutcome.stability.ratings import Ratings
    from hccoutcome.stability.table import Gate, StabilityTable


def add(commands: Any) -> None:
    """Add the commands."""
    _add_stability(commands)


def _add_stability(commands: Any) -> None:
    parser = command(commands, "stability", _stability, "Measure the stability of features over raters or repeats.")
    parser.add_argument("features", type=Path, nargs="+", metavar="FEATURES.csv", help="a row each subject and rater")
    parser.add_argument("--subject", required=True, metavar="COLUMN", help="column that names the subject")
    parser.add_argument("--rater", required=True, metavar="COLUMN", help="column that names the rater or repeat")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="COLUMN", help="no feature; * stands for any text"
    )
    parser.add_argument("--icc", default="2,1", metavar="FORM", help="1,1  2,1  3,1  1,k  2,k or 3,k; default 2,1")
    add_gate(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv", help="table to write, a row a feature")
    parser.add_argument("--table", type=Path, metavar="FILE.json", help="also write the table that gates a model")


def add_gate(parser: argparse.ArgumentParser) -> None:
    """Add the options that set the gate."""
    parser.add_argument("--threshold", type=float, default=0.75, metavar="ICC", help="stable from here; default 0.75")
    parser.add_argument("--counts", default="estimate", choices=("estimate", "lower"), help="what is compared with it")
    parser.add_argument(
        "--cv", type=float, metavar="FRACTION", help="stable only below it, e.g. 0.15; default not used"
    )


def _gate(options: argparse.Namespace) -> Gate:
    from hccoutcome.stability.table import Gate

    return Gate(options.threshold, options.counts, options.cv)


def _stability(options: argparse.Namespace) -> int:
    from hccoutcome.files import explained_write_errors, sha256_of, write_csv
    from hccoutcome.stability.gate import stability_table
    from hccoutcome.stability.ratings import read_ratings
    from hccoutcome.stability.table import COLUMNS, write_table

    gate = _gate(options)
    ratings = read_ratings(options.features, options.subject, options.rater, options.ignore)
    sources = {path.name: sha256_of(path) for path in options.features}
    table = stability_table(ratings, gate, options.icc, {"sources": sources})
    for path in filter(None, (options.out, options.table)):
        with explained_write_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(options.out, COLUMNS, table.rows())
    if options.table:
        write_table(options.table, table)
    say(json.dumps(_summary(ratings, table, options.out)) if options.json else _report(ratings, table, options.out))
    return DONE


def _summary(ratings: Ratings, table: StabilityTable, path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "features": len(table.features),
        "stable": len(table.stable),
        "subjects": table.subjects,
        "raters": table.raters,
        "missing_pairs": [list(pair) for pair in ratings.missing_pairs],
        "undefined": {item.feature: item.reason for item in table.features if item.reason},
    }


def _report(ratings: Ratings, table: StabilityTable, path: Path) -> str:
    """Return the outcome in words, with all that is missing or not defined."""
    from hccoutcome.stability.gate import describe_gate

    lines = [
        f"{len(table.stable)} of {len(table.features)} features are stable with {describe_gate(table.gate)}: "
        f"ICC({table.model}), {table.subjects} subjects, {table.raters} raters; written to {path}"
    ]
    if ratings.missing_pairs:
        named = ", ".join(f"{subject} by {rater}" for subject, rater in ratings.missing_pairs[:3])
        lines.append(
            f"No ratings for {_counted(len(ratings.missing_pairs), 'pair')}: {named}{_more(ratings.missing_pairs)}"
        )
    partial = [item for item in table.features if item.subjects < table.subjects and not item.reason]
    if partial:
        fewest = min(item.subjects for item in partial)
        lines.append(
            f"{_counted(len(partial), 'feature')} computed on the subjects with all ratings, {fewest} or more of "
            f"{table.subjects}"
        )
    undefined = [item for item in table.features if item.reason]
    if undefined:
        named = "; ".join(f"{item.feature} ({item.reason})" for item in undefined[:3])
        lines.append(f"Not defined for {_counted(len(undefined), 'feature')}: {named}{_more(undefined)}")
    return "\n".join(lines)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _more(items: Any) -> str:
    return ", ..." if len(items) > 3 else ""
