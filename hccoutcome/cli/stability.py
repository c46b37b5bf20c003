"""``hcc stability``, ``hcc perturb`` and ``hcc agree``: which features and outlines can be trusted."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, Bar, command, positive, say
from hccoutcome.errors import InputError

if TYPE_CHECKING:
    import SimpleITK as sitk

    from hccoutcome.stability.inspection import Inspected, PerturbedCase
    from hccoutcome.stability.perturbation import Perturbation
    from hccoutcome.stability.ratings import Ratings
    from hccoutcome.stability.study import PerturbationStudy
    from hccoutcome.stability.table import Gate, StabilityTable

SCENE_FILE = "scene.mrb"
SHOWN = 30
"""Perturbed masks in the scene, where not asked for otherwise: as many as a study usually has."""


def add(commands: Any) -> None:
    """Add the commands."""
    _add_stability(commands)
    _add_perturb(commands)
    _add_agree(commands)


def _add_stability(commands: Any) -> None:
    parser = command(commands, "stability", _stability, "Measure the stability of features over raters or repeats.")
    parser.add_argument(
        "features",
        type=Path,
        nargs="+",
        metavar="FEATURES.csv|FOLDER",
        help="tables with a row each subject and rater, or a folder of 'hcc perturb' for each subject",
    )
    parser.add_argument("--subject", metavar="COLUMN", help="column that names the subject; not with folders")
    parser.add_argument("--rater", metavar="COLUMN", help="column that names the rater or repeat; not with folders")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="COLUMN", help="no feature; * stands for any text"
    )
    parser.add_argument(
        "--icc",
        metavar="FORM",
        help="1,1  2,1  3,1  1,k  2,k or 3,k; default 2,1, for folders what their seeds ask for",
    )
    add_gate(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv", help="table to write, a row a feature")
    parser.add_argument("--table", type=Path, metavar="FILE.json", help="also write the table that gates a model")
    parser.add_argument(
        "--retest",
        type=Path,
        metavar="FILE.csv",
        help="also write Bland-Altman, concordance and repeatability of pairs",
    )
    parser.add_argument("--scene", type=Path, metavar="FILE.mrb", help="also write the table as a scene for 3D Slicer")


def _add_perturb(commands: Any) -> None:
    parser = command(commands, "perturb", _perturb, "Extract the features of perturbed outlines of one case.")
    parser.add_argument("--image", required=True, metavar="[PHASE=]PATH", help="image file or DICOM folder")
    parser.add_argument(
        "--mask", required=True, metavar="[REGION=]PATH[#SEGMENT]", help="mask file on the image's grid"
    )
    parser.add_argument("--settings", required=True, metavar="NAME|FILE.yaml", help="radiomics parameter file")
    parser.add_argument("--chain", default="RVC", help="N noise, R rotation, T translation, V volume, C contour")
    parser.add_argument("--n", type=positive, default=30, help="number of perturbations; default 30")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--subject", metavar="NAME", help="name of the case in the tables; default: that of FOLDER")
    parser.add_argument("--cv", type=float, default=0.15, metavar="FRACTION", help="stable below it; default 0.15")
    parser.add_argument("--engine", default="auto", choices=("auto", "fast", "pyradiomics"), help="radiomics engine")
    parser.add_argument("--workers", type=positive, help="perturbations at once; default: the processors")
    parser.add_argument(
        "--show",
        type=int,
        default=SHOWN,
        metavar="N",
        help=f"perturbed masks in the scene; default {SHOWN}, at most 100",
    )
    parser.add_argument("--no-scene", action="store_true", help="do not write the scene")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help=f"tables, masks/ and {SCENE_FILE}")


def _add_agree(commands: Any) -> None:
    parser = command(commands, "agree", _agree, "Measure how far the outlines of several readers agree.")
    parser.add_argument(
        "--mask",
        action="append",
        required=True,
        metavar="READER=PATH[#SEGMENT]",
        help="a mask for each reader, one grid",
    )
    parser.add_argument("--tolerance", type=float, default=1.0, metavar="MM", help="of the surface Dice; default 1")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv", help="table to write, a row a pair")


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
    from hccoutcome.files import check_not_replaced, explained_write_errors, sha256_of, write_csv
    from hccoutcome.stability.ratings import read_ratings
    from hccoutcome.stability.retest import COLUMNS as RETEST
    from hccoutcome.stability.retest import retest_rows
    from hccoutcome.stability.studies import read_studies
    from hccoutcome.stability.table import COLUMNS, write_table
    from hccoutcome.stability.writing import PERTURBATION, SUBJECT

    gate = _gate(options)
    _check_new(options.scene)
    studies = read_studies(options.features) if _are_folders(options) else None
    paths = studies.tables if studies else tuple(options.features)
    subject, rater = (SUBJECT, PERTURBATION) if studies else (options.subject, options.rater)
    targets = [path for path in (options.out, options.table, options.retest, options.scene) if path]
    check_not_replaced(targets, paths)
    ratings = read_ratings(paths, subject, rater, options.ignore)
    provenance = {
        **(studies.provenance if studies else {}),
        "sources": {_source(path, bool(studies)): sha256_of(path) for path in paths},
    }
    table = _table(ratings, gate, options, studies.model if studies else "2,1", provenance)
    retest = list(retest_rows(ratings)) if options.retest else []
    for path in filter(None, (options.out, options.table, options.retest)):
        with explained_write_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(options.out, COLUMNS, table.rows())
    if options.table:
        write_table(options.table, table)
    if options.retest:
        write_csv(options.retest, RETEST, retest)
    if options.scene:
        _write_table_scene(table, options.scene)
    if options.json:
        say(json.dumps(_summary(ratings, table, options.out)))
        return DONE
    say(_report(ratings, table, options.out))
    if studies and table.model == studies.model:
        say(f"ICC({studies.model}) fits these studies: {studies.why}.")
    return DONE


def _are_folders(options: argparse.Namespace) -> bool:
    """Say whether folders of ``hcc perturb`` were given, which name their columns themselves, or tables."""
    folders = [path for path in options.features if path.is_dir()]
    if folders and len(folders) < len(options.features):
        raise InputError(
            f"Either tables or folders of hcc perturb are joined, found {len(folders)} folders among "
            f"{len(options.features)} paths: give one kind."
        )
    given = [name for name in ("subject", "rater") if getattr(options, name)]
    if folders and given:
        raise InputError(f"Folders of hcc perturb name their columns themselves, found --{given[0]}: leave it out.")
    if not folders and len(given) < 2:
        missing = next(name for name in ("subject", "rater") if name not in given)
        raise InputError(
            f"A table of features needs --subject COLUMN and --rater COLUMN, found no --{missing}: add it."
        )
    return bool(folders)


def _source(path: Path, in_folder: bool) -> str:
    return f"{path.parent.name}/{path.name}" if in_folder else path.name


def _table(
    ratings: Ratings, gate: Gate, options: argparse.Namespace, model: str, provenance: dict[str, Any]
) -> StabilityTable:
    """Return the stability table; that of a single subject has no ICC and is gated by its variation where asked for."""
    from hccoutcome.stability.gate import stability_table, variation_table

    if len(ratings.subjects) > 1 or options.icc:
        return stability_table(ratings, gate, options.icc or model, provenance)
    if gate.cv is None:
        raise InputError(
            f"An ICC needs at least 2 subjects, found '{ratings.subjects[0]}' alone: add the others, or gate by the "
            "coefficient of variation alone with --cv 0.15."
        )
    return variation_table(ratings, gate, provenance)


def _check_new(scene: Path | None) -> None:
    """Refuse to write the scene of a table over another one, which may hold a patient's images."""
    if scene is not None and scene.exists():
        raise InputError(
            f"The scene of a table is a new file, found '{scene.name}' there already: name another, or remove it first."
        )


def _write_table_scene(table: StabilityTable, path: Path) -> None:
    from hccoutcome.scene.host import clear_scene
    from hccoutcome.scene.stability import add_cohort_stability
    from hccoutcome.scene.store import save_scene

    clear_scene()
    add_cohort_stability(table, f"Feature stability: {path.stem}")
    save_scene(path)


def _perturb(options: argparse.Namespace) -> int:
    from hccoutcome.case import check_case_id
    from hccoutcome.progress import part
    from hccoutcome.radiomics.settings import load_settings
    from hccoutcome.stability.gate import variation_table
    from hccoutcome.stability.inspection import PerturbedCase
    from hccoutcome.stability.perturbation import PerturbationSettings
    from hccoutcome.stability.ratings import renamed
    from hccoutcome.stability.study import perturb_case
    from hccoutcome.stability.table import Gate
    from hccoutcome.stability.writing import check_study_folder, write_study

    if not 0 <= options.show <= 100:
        raise InputError(f"A scene shows 0 to 100 perturbed masks, found {options.show}: correct --show.")
    subject, gate = check_case_id(options.subject or options.out.resolve().name), Gate(None, cv=options.cv)
    settings, radiomics = PerturbationSettings(options.chain), load_settings(options.settings)
    image, mask, prefix = _image_and_mask(options.image, options.mask)
    check_study_folder(options.out)
    kept = _Masks(options.out, image, 0 if options.no_scene else options.show)
    with Bar(options) as bar:
        study = perturb_case(
            image,
            mask,
            radiomics,
            settings,
            options.n,
            options.seed,
            options.engine,
            options.workers,
            kept.take,
            part(bar.progress, 0.0, 1.0 if options.no_scene else 0.95),
        )
        provenance = {**study.provenance, "settings_sha256": radiomics.sha256()}
        table = variation_table(renamed(study.ratings(subject), prefix), gate, provenance)
        write_study(options.out, subject, study, table, prefix)
        if not options.no_scene:
            bar.progress(0.95, "Writes the scene")
            phase, region = (*prefix.split("_"), "", "")[:2]
            _write_scene(
                PerturbedCase(subject, image, mask, kept.shown, study.rows(), table, phase, region), options.out
            )
    say(
        json.dumps({**_perturb_summary(study, table, options.out), "shown": len(kept.shown)})
        if options.json
        else _perturb_report(study, table, options, len(kept.shown))
    )
    return DONE


def _agree(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from hccoutcome.case import MaskFile
    from hccoutcome.files import check_not_replaced, check_target, write_csv
    from hccoutcome.imaging.reading import read_mask
    from hccoutcome.stability.agreement import pairwise_agreement

    masks: dict[str, sitk.Image] = {}
    paths = []
    for text in options.mask:
        reader, path, segment = _named_path(text)
        if not reader or reader in masks:
            raise InputError(f"Each reader's mask is given once as READER=PATH, found '{text}': correct it.")
        masks[reader] = read_mask(MaskFile(path, segment))
        paths.append(path)
    check_not_replaced([options.out], paths)
    check_target(options.out)
    rows = []
    for (first, second), found in pairwise_agreement(masks, options.tolerance).items():
        cells = asdict(found)
        volumes = cells.pop("volumes_ml")
        rows.append({"first": first, "second": second, **cells, "first_ml": volumes[0], "second_ml": volumes[1]})
    write_csv(options.out, list(rows[0]), rows)
    if options.json:
        say(json.dumps({"path": str(options.out), "pairs": rows}))
        return DONE
    for row in rows:
        say(
            f"{row['first']} and {row['second']}: Dice {row['dice']:.3f}, surface Dice {row['surface_dice']:.3f} "
            f"within {row['tolerance_mm']:g} mm, Hausdorff {row['hausdorff_mm']:.1f} mm "
            f"(95%: {row['hausdorff95_mm']:.1f} mm)"
        )
    return DONE


class _Masks:
    """The perturbed masks of a study: each written to a file, the first ones kept for the scene.

    Args:
        folder: folder of the study.
        image: the image on whose grid those of the scene lie.
        most: how many to keep.
    """

    def __init__(self, folder: Path, image: sitk.Image, most: int) -> None:
        from hccoutcome.imaging.geometry import Geometry

        self.shown: list[Inspected] = []
        self._folder, self._grid, self._most = folder, Geometry.from_image(image), most

    def take(self, perturbation: Perturbation, mask: sitk.Image) -> None:
        """Write one mask, and keep it where there is room."""
        from hccoutcome.stability.inspection import inspected
        from hccoutcome.stability.writing import clear_study, mask_path, write_mask

        if perturbation.index == 1:
            clear_study(self._folder)
        write_mask(mask_path(self._folder, perturbation), mask, f"perturbation {perturbation.index}")
        if perturbation.index <= self._most:
            found = inspected(perturbation, mask, self._grid)
            self.shown += [] if found is None else [found]


def _write_scene(study: PerturbedCase, folder: Path) -> None:
    from hccoutcome.scene.host import clear_scene
    from hccoutcome.scene.stability import add_perturbations
    from hccoutcome.scene.store import save_scene

    clear_scene()
    add_perturbations(study)
    save_scene(folder / SCENE_FILE)


def _image_and_mask(image: str, mask: str) -> tuple[sitk.Image, sitk.Image, str]:
    """Read image and mask, each given as a path or NAME=PATH, and return the prefix that the names give features."""
    from hccoutcome.case import ImageFile, MaskFile, canonical_phase, canonical_region
    from hccoutcome.imaging.geometry import on_grid
    from hccoutcome.imaging.reading import read_image, read_mask

    phase, image_path, series = _named_path(image)
    region, mask_path, segment = _named_path(mask)
    if bool(phase) != bool(region):
        raise InputError(
            "Image and mask are both given as NAME=PATH, which names the features, or both as PATH, found "
            f"'{image}' and '{mask}': write PHASE=PATH and REGION=PATH."
        )
    prefix = f"{canonical_phase(phase)}_{canonical_region(region)}_" if phase else ""
    read = read_image(ImageFile(image_path, series))
    found = read_mask(MaskFile(mask_path, segment), reference=read)
    return read, on_grid(found, read), prefix


def _named_path(text: str) -> tuple[str, Path, str | None]:
    """Return name, path and what follows # of ``[NAME=]PATH[#PART]``; a file with such a name is taken as it is."""
    name = ""
    if not Path(text).exists() and "=" in text:
        name, _, text = text.partition("=")
    part = None
    if not Path(text).exists() and "#" in text:
        text, _, part = text.partition("#")
    return name, Path(text).expanduser().absolute(), part or None


def _perturb_summary(study: PerturbationStudy, table: StabilityTable, path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "perturbations": len(study.perturbations),
        "features": len(table.features),
        "stable": len(table.stable),
        "failures": {str(index): reason for index, reason in study.failures.items()},
    }


def _perturb_report(study: PerturbationStudy, table: StabilityTable, options: argparse.Namespace, shown: int) -> str:
    """Return the outcome of a perturbation study in words."""
    from hccoutcome.stability.gate import describe_gate

    lines = [
        f"{len(table.stable)} of {len(table.features)} features vary by {describe_gate(table.gate)} over "
        f"{len(study.perturbations)} perturbations ({options.chain.upper()}, seed {options.seed}); "
        f"written to {options.out}",
        "The ICC compares subjects: run this for each of at least two, then 'hcc stability FOLDER FOLDER ... --out "
        "stability.csv'.",
    ]
    if not options.no_scene:
        lines.append(f"{SCENE_FILE} shows the outline and {shown} of {len(study.perturbations)} perturbed ones")
    if study.failures:
        index, reason = next(iter(study.failures.items()))
        lines.append(
            f"{_counted(len(study.failures), 'perturbation')} could not be extracted; number {index}: {reason}"
        )
    return "\n".join(lines)


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

    form = f"ICC({table.model})" if table.model else "no ICC of one subject"
    lines = [
        f"{len(table.stable)} of {len(table.features)} features are stable with {describe_gate(table.gate)}: "
        f"{form}, {_counted(table.subjects, 'subject')}, {table.raters} raters; written to {path}"
    ]
    if ratings.missing_pairs:
        named = ", ".join(f"{subject} by {rater}" for subject, rater in ratings.missing_pairs[:3])
        lines.append(
            f"No ratings for {_counted(len(ratings.missing_pairs), 'pair')}: {named}{_more(ratings.missing_pairs)}"
        )
    partial = [item for item in table.features if item.subjects < table.subjects and not item.reason]
    if not table.model:
        return "\n".join(lines)
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
