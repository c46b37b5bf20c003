"""``hcc package``: list, show, verify, cards, references, stability."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hccoutcome.cli.common import DONE, Parser, command, say


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("package", help="List, show, verify or read the card of model packages.")
    actions = parser.add_subparsers(dest="action", required=True, parser_class=Parser, metavar="ACTION")
    command(actions, "list", _package, "List the packages.")
    for action, summary in (
        ("show", "Show what packages are and need."),
        ("verify", "Check that packages are intact."),
        ("card", "Print the cards of packages."),
    ):
        command(actions, action, _package, summary).add_argument("names", nargs="+", metavar="NAME|PATH")
    reference = command(actions, "reference", _reference, "Make the reference of a package from your own cohort.")
    reference.add_argument("name", metavar="NAME|PATH", help="package that needs a reference")
    reference.add_argument("table", type=Path, metavar="TABLE.csv", help="merged features of 'hcc cohort'")
    reference.add_argument("--cohort", metavar="TEXT", help="which cohort, in words")
    reference.add_argument("--out", type=Path, required=True, metavar="FILE.json", help="reference to write")
    stability = command(actions, "stability", _stability, "Give a package the stability of its features.")
    stability.add_argument("name", metavar="NAME|PATH", help="package with features")
    stability.add_argument("table", type=Path, metavar="TABLE.json", help="table of 'hcc stability --table'")
    stability.add_argument("--cohort", default="", metavar="TEXT", help="whom it was measured on, in words")
    stability.add_argument(
        "--name", dest="new", default="", metavar="NAME", help="of the new package; default as it was"
    )
    stability.add_argument("--out", type=Path, required=True, metavar="FOLDER|FILE.zip", help="package to write")


def _package(options: argparse.Namespace) -> int:
    from hccoutcome.package import commands

    if options.action == "list":
        answers = commands.list_all()
    else:
        answer = {"show": commands.show, "verify": commands.verify, "card": commands.card}[options.action]
        answers = [answer(name) for name in options.names]
    say(json.dumps(answers, indent=2) if options.json else commands.as_text(options.action, answers))
    return DONE


def _reference(options: argparse.Namespace) -> int:
    from hccoutcome.package.commands import make_reference
    from hccoutcome.package.reading import read_package
    from hccoutcome.package.reference import write_reference

    reference = make_reference(read_package(options.name), options.table, options.cohort or options.table.name)
    write_reference(reference, options.out)
    summary = {"package": options.name, "cases": reference.cases, "path": str(options.out)}
    say(json.dumps(summary) if options.json else f"Reference of {reference.cases} cases written to {options.out}")
    return DONE


def _stability(options: argparse.Namespace) -> int:
    from hccoutcome.package.commands import attach_stability, attached_text

    answer = attach_stability(options.name, options.table, options.out, options.cohort, options.new)
    say(json.dumps(answer) if options.json else attached_text(answer))
    return DONE
