"""``hcc maps``: radiomic features as maps, a value for each voxel of a region; or what a network looks at."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, Bar, add_images, command, positive, say
from hccoutcome.cli.network_maps import add_network_maps, network_maps
from hccoutcome.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import SimpleITK as sitk

    from hccoutcome.case import Case, CaseFiles
    from hccoutcome.progress import Progress
    from hccoutcome.radiomics.maps import FeatureMap
    from hccoutcome.radiomics.settings import RadiomicsSettings

SCENE_FILE = "scene.mrb"


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(commands, "maps", _maps, "Map radiomic features over regions, or what a package's network sees.")
    parser.add_argument("--case", type=Path, metavar="FOLDER", help="folder with case.json")
    add_images(parser)
    parser.add_argument("--case-id", metavar="NAME", help="name of the case")
    parser.add_argument("--phase", action="extend", nargs="+", default=[], metavar="PHASE", help="only these images")
    parser.add_argument("--region", action="extend", nargs="+", default=[], metavar="REGION", help="only these regions")
    parser.add_argument(
        "--feature", action="extend", nargs="+", default=[], metavar="CLASS_Feature", help="or CLASS for all of it"
    )
    parser.add_argument("--settings", metavar="NAME|FILE.yaml", help="parameter file; without one, bins of 25")
    parser.add_argument("--radius", type=int, metavar="R", help="half the side of the box around a voxel, 1 to 5")
    parser.add_argument(
        "--masked", action=argparse.BooleanOptionalAction, help="whether the box stops at the region (default: yes)"
    )
    parser.add_argument("--threads", type=positive, default=os.cpu_count() or 1, metavar="N", help="default: all cores")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="auto: a GPU for large regions"
    )
    parser.add_argument("--scene", action="store_true", help="also write the scene with the case and its maps")
    add_network_maps(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")


def _maps(options: argparse.Namespace) -> int:
    from hccoutcome.loading import case_files, load_case
    from hccoutcome.progress import part

    if options.package is not None or options.method is not None:
        return network_maps(options)
    if options.device == "mps":
        raise InputError("Maps of radiomic features are computed on 'cpu' or 'cuda', found 'mps': choose one of those.")
    settings = _settings(options)
    with Bar(options) as bar:
        files = case_files(options.case, options.image, options.mask, None, case_id=options.case_id)
        case = load_case(_chosen(files, options.phase, options.region), part(bar.progress, 0.0, 0.05))
        rows, found = _write(case, settings, options, part(bar.progress, 0.05, 0.95))
        if options.scene:
            bar.progress(0.95, "Writes the scene")
            _write_scene(case, found, options.out)
        bar.progress(1.0, "Done")
    _answer(rows, options)
    return DONE


def _settings(options: argparse.Namespace) -> RadiomicsSettings:
    """Return the settings in force: the parameter file's, or PyRadiomics' defaults, changed by the options."""
    from dataclasses import replace

    from hccoutcome.radiomics.maps import check_settings, wanted_features
    from hccoutcome.radiomics.settings import RadiomicsSettings, load_settings
    from hccoutcome.radiomics.voxelmaps import MapSettings

    if not options.feature and options.settings is None:
        raise InputError("Maps need features, found none: name them with --feature, or a parameter file that does.")
    settings = RadiomicsSettings() if options.settings is None else load_settings(options.settings)
    if options.feature:
        settings = replace(settings, classes=wanted_features(options.feature))
    parameters = settings.parameters
    if options.radius is not None:
        parameters = replace(parameters, kernel_radius=MapSettings(options.radius).radius)
    if options.masked is not None:
        parameters = replace(parameters, masked_kernel=options.masked)
    settings = replace(settings, parameters=parameters)
    check_settings(settings)
    return settings


def _chosen(files: CaseFiles, phases: Sequence[str], regions: Sequence[str]) -> CaseFiles:
    """Return the case with the images and regions to map alone."""
    from dataclasses import replace

    from hccoutcome.case import canonical_phase, canonical_region

    return replace(
        files,
        images=_only(files.images, map(canonical_phase, phases), "image", "--image PHASE=PATH"),
        masks=_only(files.masks, map(canonical_region, regions), "region", "--mask REGION=PATH"),
    )


def _only(given: Mapping[str, Any], names: Iterable[str], what: str, option: str) -> dict[str, Any]:
    names = tuple(names) or tuple(given)
    if not names:
        raise InputError(f"Maps need at least one {what}, found none: add {option}.")
    for name in names:
        if name not in given:
            raise InputError(
                f"The {what} '{name}' is to be mapped, found {', '.join(given) or 'none'}: add {option} or choose one "
                "of those."
            )
    return {name: given[name] for name in names}


def _write(
    case: Case, settings: RadiomicsSettings, options: argparse.Namespace, progress: Progress
) -> tuple[list[dict[str, Any]], list[FeatureMap]]:
    """Map and write; return the rows of the summary and, where the scene needs them, the maps."""
    from hccoutcome.files import explained_write_errors
    from hccoutcome.imaging.prepare import prepare
    from hccoutcome.radiomics.mapfiles import summary, write_map, write_summary
    from hccoutcome.radiomics.maps import feature_maps

    masks: Mapping[str, Mapping[str, sitk.Image]] = prepare(case.images, case.masks).masks
    with explained_write_errors(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
    rows, kept = [], []
    for found in feature_maps(case.images, masks, settings, options.threads, progress, options.device):
        rows.append(write_map(found, options.out))
        if options.scene:
            kept.append(found)
    write_summary(options.out, summary(rows, settings, case.sources))
    return rows, kept


def _write_scene(case: Case, maps: Sequence[FeatureMap], folder: Path) -> None:
    from hccoutcome.scene.build import add_case
    from hccoutcome.scene.host import clear_scene
    from hccoutcome.scene.maps import add_maps
    from hccoutcome.scene.store import save_scene

    clear_scene()
    add_maps(maps, add_case(case))
    save_scene(folder / SCENE_FILE)


def _answer(rows: Sequence[Mapping[str, Any]], options: argparse.Namespace) -> None:
    if options.json:
        say(json.dumps({"maps": [row["name"] for row in rows], "out": str(options.out)}))
        return
    for row in rows:
        values = (
            "not defined" if row["min"] is None else f"{row['min']:.4g} to {row['max']:.4g}, mean {row['mean']:.4g}"
        )
        gaps = f"; {row['undefined']} of {row['voxels']} voxels without a value" if row["undefined"] else ""
        say(f"{row['name']}: {values}{gaps}")
    say(f"{len(rows)} maps written to {options.out}")
