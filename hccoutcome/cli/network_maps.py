"""The part of ``hcc maps`` that shows what the network of a package looks at."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, Bar, say
from hccoutcome.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hccoutcome.case import Case
    from hccoutcome.cohort.networks import CaseMaps

SCENE_FILE = "scene.mrb"
_OF_FEATURES = ("phase", "region", "feature", "settings", "radius", "masked")
SHOWN_VARIABLES = 5


def add_network_maps(parser: argparse.ArgumentParser) -> None:
    """Add the options of the maps of networks."""
    group = parser.add_argument_group("what a network looks at")
    group.add_argument("--package", metavar="NAME", help="package of a network; then no feature is mapped")
    group.add_argument("--method", metavar="rollout|gradcam|shap", help="how it is found out; default gradcam")
    group.add_argument("--clinical", type=Path, metavar="FILE", help="clinical record as JSON")


def network_maps(options: argparse.Namespace) -> int:
    """Write the maps of a package's network for one case."""
    from hccoutcome.cohort.networks import maps_of_case, write_case_maps
    from hccoutcome.deep.relevance import check_method
    from hccoutcome.loading import case_files, load_case
    from hccoutcome.package.reading import read_package
    from hccoutcome.progress import part

    method = check_method(options.method or "gradcam")
    if options.package is None:
        raise InputError("--method tells how a network's view is found out, found no --package: name the network's.")
    for name in _OF_FEATURES:
        if getattr(options, name) not in (None, []):
            raise InputError(f"--{name} belongs to maps of radiomic features, found --package too: leave one out.")
    files = case_files(options.case, options.image, options.mask, options.clinical, case_id=options.case_id)
    package = read_package(options.package)
    with Bar(options) as bar:
        case = load_case(files, part(bar.progress, 0.0, 0.1))
        found = maps_of_case(case, package, method, options.device, part(bar.progress, 0.1, 0.9))
        data = write_case_maps(found, case, package, options.out)
        if options.scene:
            bar.progress(0.95, "Writes the scene")
            _write_scene(case, found, options.out)
    say(json.dumps(data, indent=2) if options.json else _as_text(data, options.out))
    return DONE


def _write_scene(case: Case, found: CaseMaps, folder: Path) -> None:
    from hccoutcome.scene.build import add_case, add_findings
    from hccoutcome.scene.deepmaps import add_relevance, add_seen
    from hccoutcome.scene.host import clear_scene
    from hccoutcome.scene.store import save_scene

    clear_scene()
    nodes = add_findings(found.findings, add_case(case))
    package = found.findings.predictions[0].package
    add_seen(found.seen, nodes, package)
    add_relevance(found.maps, nodes, package)
    save_scene(folder / SCENE_FILE)


def _as_text(data: Mapping[str, Any], out: Path) -> str:
    lines = [f"{data['package']['name']}: score {data['score']:.4f} on {data['device']}, {data['method']}"]
    lines += [f"  {row['file']}: {row['min']:.3g} to {row['max']:.3g} {row['unit']}" for row in data["maps"]]
    shares = {**data["phases"], **data["variables"]}
    first = sorted(shares, key=lambda name: -abs(shares[name]))[: SHOWN_VARIABLES + len(data["phases"])]
    lines += [f"  {name}: {shares[name]:+.3g}" for name in first]
    lines += [f"  note: {note}" for note in data["notes"]]
    return "\n".join([*lines, f"{len(data['maps'])} maps written to {out}"])
