"""``hcc package``: list, show, verify, cards, references."""

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
