"""``hcc atom``: which intra-arterial therapy, and whether to add systemic treatment, with the whole reasoning."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, WRONG_INPUT, Bar, add_images, command, complain, say
from hccoutcome.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hccoutcome.treatment.atom import AtomRule

MODELS = {"tace": "TACE", "haic": "HAIC", "tc": "TC", "hc": "HC"}
CASE_FILE, TABLE_FILE = "atom.json", "atom.csv"
AGREEMENT_FILE = "agreement.csv"


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(commands, "atom", _atom, "Recommend an intra-arterial therapy by four SELECTION packages.")
    for name, model in MODELS.items():
        parser.add_argument(f"--{name}", metavar="NAME", help=f"SELECTION package of the model {model}")
    parser.add_argument("--case", type=Path, metavar="FOLDER", help="folder with case.json")
    add_images(parser)
    parser.add_argument("--clinical", type=Path, metavar="FILE", help="clinical record as JSON")
    parser.add_argument("--case-id", metavar="NAME", help="name of the case")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="default auto")
    parser.add_argument("--scores", type=Path, metavar="TABLE.csv", help="scores of a cohort instead of a case")
    parser.add_argument("--rule", type=Path, metavar="FILE.json", help="medians of the scores; default the paper's")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")


def _atom(options: argparse.Namespace) -> int:
    given = {model: getattr(options, name) for name, model in MODELS.items() if getattr(options, name)}
    if options.scores is None:
        if options.rule is not None:
            raise InputError("--rule holds medians for a table of scores; a package brings its own: leave it out.")
        return _of_case(given, options)
    if given or options.case or options.image:
        raise InputError("--scores gives the scores of a cohort, found a package or a case besides: leave one out.")
    return _of_table(options)


def _of_case(given: Mapping[str, str], options: argparse.Namespace) -> int:
    """Advise on one case; status 2 where the advice is not complete."""
    from hccoutcome.cohort.networks import advise
    from hccoutcome.loading import case_files, load_case
    from hccoutcome.package.reading import read_package
    from hccoutcome.progress import part
    from hccoutcome.report.advice import advice_of, advice_page, advice_to_json, write_advice

    files = case_files(options.case, options.image, options.mask, options.clinical, case_id=options.case_id)
    packages = {model: read_package(name) for model, name in given.items()}
    with Bar(options) as bar:
        case = load_case(files, part(bar.progress, 0.0, 0.2))
        found = advise(case, packages, options.device, part(bar.progress, 0.2, 1.0))
    write_advice(found, options.out)
    say(json.dumps(advice_to_json(found), indent=2) if options.json else advice_page(found))
    for model, prediction in zip(packages, found.predictions, strict=True):
        if prediction.score is None:
            reasons = " ".join(prediction.applicability.reasons)
            complain(f"{model} has no score, {prediction.package} refused: {reasons}")
    return DONE if advice_of(found).recommendation.complete else WRONG_INPUT


def _of_table(options: argparse.Namespace) -> int:
    """Advise on a cohort by its scores, and say how those fared who were treated as recommended."""
    from hccoutcome.cohort.atom_table import AGREEMENT_COLUMNS, advise_table, agreement_rows
    from hccoutcome.files import write_csv, write_json
    from hccoutcome.treatment.atom import printed_rule, read_rule

    rule = printed_rule() if options.rule is None else read_rule(options.rule)
    patients, rows = advise_table(options.scores, rule)
    advised = [patient.row() for patient in patients]
    write_csv(options.out / TABLE_FILE, list(advised[0]), advised)
    data = {
        "rule": rule.to_json(),
        "patients": len(patients),
        "plans": _counted([patient.recommendation.plan or "open" for patient in patients]),
        "agreement": [row.to_json() for row in rows],
        "note": "" if options.rule is not None else _printed_note(rule),
    }
    write_json(options.out / CASE_FILE, data)
    if rows:
        write_csv(options.out / AGREEMENT_FILE, AGREEMENT_COLUMNS, agreement_rows(rows))
    say(json.dumps(data, indent=2) if options.json else _table_as_text(data, options.out))
    return DONE


def _odds(row: Mapping[str, Any], group: str) -> str:
    """Return the odds ratio of a row of agreement in words; no end is no limit."""
    if group not in row["odds_ratio"]:
        return ""
    found = row["odds_ratio"][group]
    if found["lower"] == 0 and found["upper"] is None:
        return ", odds ratio not defined: all fared alike"
    value, lower, upper = ("no limit" if found[end] is None else f"{found[end]:.2f}" for end in found)
    return f", odds ratio of the consistent against these {value} (95% CI {lower} to {upper})"


def _printed_note(rule: AtomRule) -> str:
    medians = ", ".join(f"{name} {value:g}" for name, value in rule.medians.items())
    return (
        f"The medians are those of the paper ({medians}); they hold for scores of the paper's own models alone. Give "
        "the medians of yours with --rule."
    )


def _counted(plans: Sequence[str]) -> dict[str, int]:
    return {plan: plans.count(plan) for plan in sorted(set(plans))}


def _table_as_text(data: Mapping[str, Any], out: Path) -> str:
    lines = [f"{data['patients']} patients: {', '.join(f'{plan} {count}' for plan, count in data['plans'].items())}"]
    for row in data["agreement"]:
        lines.append(f"stage {row['stage']}, received {row['received']}:")
        for group in ("consistent", "inconsistent", "against"):
            rate = row[group]
            share = "" if rate["share"] is None else f" ({rate['share']:.1%})"
            p = f", p = {row['p'][group]:.3f}" if group in row["p"] else ""
            lines.append(f"  {group}: {rate['benefit']}/{rate['patients']}{share}{p}{_odds(row, group)}")
        if row["left_out"]:
            lines.append(f"  left out: {row['left_out']} without a recommendation or an outcome")
    lines += [f"note: {data['note']}"] * bool(data["note"])
    return "\n".join([*lines, f"written to {out}"])
