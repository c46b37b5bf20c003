"""``hcc habitat``: divide a tumour into habitats, alone or as a cohort has them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, Bar, add_images, command, say
from hccoutcome.errors import InputError

if TYPE_CHECKING:
    import SimpleITK as sitk

    from hccoutcome.case import Case, CaseFiles, ImageFile
    from hccoutcome.habitat.onecase import CaseHabitats
    from hccoutcome.habitat.settings import HabitatSettings
    from hccoutcome.imaging.dicom import DicomImage
    from hccoutcome.imaging.preparation import Preparation
    from hccoutcome.progress import Progress

SCENE_FILE = "scene.mrb"


def add(commands: Any) -> None:
    """Add the command."""
    from hccoutcome.habitat.settings import ALGORITHMS, CRITERIA, KINETICS, METHODS, SCALINGS, SCOPES

    parser = command(commands, "habitat", _habitat, "Divide a tumour into habitats.")
    parser.add_argument("--case", type=Path, metavar="FOLDER", help="folder with case.json")
    add_images(parser)
    parser.add_argument("--map", action="append", default=[], metavar="NAME=PATH", help="further voxel map to cluster")
    parser.add_argument("--case-id", metavar="NAME", help="name of the case")
    parser.add_argument("--region", metavar="REGION", help="region to divide, where several are given")
    parser.add_argument("--cohort", type=Path, metavar="TABLE.csv", help="learn the habitats of these cases")
    parser.add_argument("--package", type=Path, metavar="DIR", help="habitat package to apply; with --cohort, to write")
    parser.add_argument("--prepare", choices=("none", "mri", "ct"), default="none", help="prepare the images first")
    parser.add_argument("--registration", choices=("rigid", "deformable"), default="rigid", help="with --prepare")
    parser.add_argument("--resample", action="store_true", help="allow images on other grids than the mask")
    parser.add_argument("--method", choices=METHODS, default="one-step", help="what is clustered together")
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="kmeans", help="how it is clustered")
    parser.add_argument("--k", default="auto", metavar="auto|N", help="number of habitats")
    parser.add_argument("--criterion", choices=CRITERIA, default="elbow", help="how 'auto' chooses")
    parser.add_argument("--no-intensities", action="store_true", help="do not cluster the grey levels themselves")
    parser.add_argument("--entropy", type=int, default=0, metavar="RADIUS", help="add local entropy in such a cube")
    parser.add_argument("--kinetics", choices=KINETICS, default="none", help="add enhancement and wash-out")
    parser.add_argument("--time", action="append", default=[], metavar="PHASE=SECONDS", help="seconds after injection")
    parser.add_argument("--winsorise", type=float, default=0.05, metavar="PART", help="part cut at each end")
    parser.add_argument("--scaling", choices=SCALINGS, default="minmax", help="how voxel features are scaled")
    parser.add_argument("--scope", choices=SCOPES, default="patient", help="on whose voxels the scale is learnt")
    parser.add_argument("--island", type=float, default=100.0, metavar="MM3", help="smallest connected part that stays")
    parser.add_argument("--repeats", type=int, default=10, metavar="N", help="other seeds and bootstraps to compare")
    parser.add_argument("--settings", default="haic-mri", metavar="NAME|FILE|none", help="features of each habitat")
    parser.add_argument("--seed", type=int, default=42, help="seed of all that is random")
    parser.add_argument("--dicom-seg", action="store_true", help="also write the habitats as a DICOM SEG object")
    parser.add_argument(
        "--series",
        metavar="FOLDER[#UID]",
        help="the DICOM series to which it belongs, if no --image is one",
    )
    parser.add_argument("--no-scene", action="store_true", help="do not write the scene")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")


def _habitat(options: argparse.Namespace) -> int:
    settings = _settings(options)
    with Bar(options) as bar:
        if options.cohort is not None:
            return _cohort(options, settings, bar.progress)
        return _one(options, settings, bar.progress)


def _settings(options: argparse.Namespace) -> HabitatSettings:
    from hccoutcome.habitat.settings import HabitatSettings

    times = dict(_time(text) for text in options.time)
    if times and options.kinetics == "none":
        raise InputError(
            "--time goes with --kinetics, found it alone: add --kinetics ratio or difference, or leave it out."
        )
    if options.k != "auto" and not options.k.isdigit():
        raise InputError(f"--k is 'auto' or a whole number of habitats, found '{options.k}': correct it.")
    return HabitatSettings(
        method=options.method,
        algorithm=options.algorithm,
        k=None if options.k == "auto" else int(options.k),
        criterion=options.criterion,
        intensities=not options.no_intensities,
        entropy_radius=options.entropy,
        kinetics=options.kinetics,
        times=times,
        winsorise=options.winsorise,
        scaling=options.scaling,
        scaling_scope=options.scope,
        smallest_island_mm3=options.island,
        repeats=options.repeats,
        radiomics=None if options.settings == "none" else options.settings,
        resample=options.resample,
        seed=options.seed,
    )


def _time(text: str) -> tuple[str, float]:
    phase, separator, seconds = text.partition("=")
    try:
        return phase, float(seconds if separator else "")
    except ValueError as error:
        raise InputError(f"A time is given as PHASE=SECONDS, found '{text}': correct it.") from error


def _preparation(options: argparse.Namespace, phases: tuple[str, ...]) -> Preparation | None:
    from hccoutcome.habitat.preparation import preparation_for

    if options.prepare == "none":
        return None
    return preparation_for(options.prepare, phases, options.registration)


def _one(options: argparse.Namespace, settings: HabitatSettings, progress: Progress) -> int:
    """Divide the tumour of one case."""
    from hccoutcome.habitat.model import model_to_apply
    from hccoutcome.habitat.onecase import chosen_region, habitats_of_case
    from hccoutcome.loading import case_files, load_case
    from hccoutcome.progress import part

    model = None if options.package is None else model_to_apply(options.package, options.method, settings.k)
    files = case_files(options.case, options.image, options.mask, None, case_id=options.case_id)
    series = _series(options, files)
    case = load_case(files)
    found = habitats_of_case(
        case,
        chosen_region(case, options.region),
        settings,
        _preparation(options, tuple(case.images)),
        model,
        part(progress, 0.0, 0.9),
        _maps(options),
    )
    _write(found, options.out, series, scene=not options.no_scene)
    _answer(found, options)
    return DONE


def _series_file(options: argparse.Namespace, files: CaseFiles) -> ImageFile | None:
    """Return where the series lies to which a DICOM SEG object is to belong: that named, or the reference image's."""
    from hccoutcome.case import ImageFile
    from hccoutcome.habitat.region import order_phase

    if not options.dicom_seg:
        if options.series:
            raise InputError("--series goes with --dicom-seg, found it alone: add --dicom-seg, or leave it out.")
        return None
    if options.series:
        folder, _, uid = options.series.partition("#")
        if not Path(folder).exists():
            raise InputError(f"The DICOM series '{folder}' does not exist: check the path.")
        return ImageFile(Path(folder), uid or None)
    if not files.images:
        return None  # what is missing is said where the images are read
    phase = order_phase(tuple(files.images))
    if not files.images[phase].path.is_dir():
        raise InputError(
            "A DICOM SEG object belongs to a DICOM series, found the "
            f"{phase} image '{files.images[phase].path.name}': name the folder of its series with --series."
        )
    return files.images[phase]


def _series(options: argparse.Namespace, files: CaseFiles) -> DicomImage | None:
    """Return the series to which a DICOM SEG object is to belong, None where none is wanted."""
    from hccoutcome.imaging.dicom import read_series

    file = _series_file(options, files)
    return None if file is None else read_series(file.path, file.series_uid)


def _maps(options: argparse.Namespace) -> dict[str, sitk.Image]:
    from hccoutcome.imaging.reading import read_map

    maps: dict[str, sitk.Image] = {}
    for text in options.map:
        name, separator, path = text.partition("=")
        if not (name and separator and path) or name in maps:
            raise InputError(f"A map is given once as NAME=PATH, found '{text}': correct it.")
        maps[name] = read_map(Path(path))
    return maps


def _write(found: CaseHabitats, folder: Path, series: DicomImage | None, scene: bool) -> None:
    from hccoutcome.habitat.writing import DICOM_FILE, SUMMARY_FILE, write_dicom_seg, write_habitats

    if (folder / SUMMARY_FILE).exists():  # else the scene is of something else than earlier habitats
        (folder / SCENE_FILE).unlink(missing_ok=True)
    write_habitats(found.habitats, folder, found.region, found.checks)
    if series is not None:
        write_dicom_seg(found.habitats, folder / DICOM_FILE, series)
    if scene:
        from hccoutcome.habitat.result import provenance_of
        from hccoutcome.scene.build import add_case
        from hccoutcome.scene.habitats import add_habitats
        from hccoutcome.scene.host import clear_scene
        from hccoutcome.scene.store import save_scene

        clear_scene()
        add_habitats(found.habitats, add_case(found.case), found.region, found.checks, provenance_of(found))
        save_scene(folder / SCENE_FILE)


def _answer(found: CaseHabitats, options: argparse.Namespace) -> None:
    habitats = found.habitats
    if options.json:
        summary = {name: value for name, value in habitats.summary().items() if name != "features"}
        say(json.dumps({"case": found.case.case_id, "out": str(options.out), **summary}))
        return
    for number, size in enumerate(habitats.sizes, start=1):
        say(f"habitat {number}: {size.volume_ml:.2f} mL ({100 * size.proportion:.1f} %), {size.parts} part(s)")
    say(f"ITH {habitats.measures['ith']:.3f}. {habitats.ordering}")
    for note in habitats.notes:
        say(note)
    say(f"results in {options.out}")


def _cohort(options: argparse.Namespace, settings: HabitatSettings, progress: Progress) -> int:
    """Learn the habitats of a table of cases, write the package, and divide each case."""
    from hccoutcome.files import write_csv
    from hccoutcome.habitat.learn import learn_model
    from hccoutcome.habitat.model import save_model
    from hccoutcome.habitat.onecase import habitats_of_case, patient_of_case
    from hccoutcome.habitat.tables import columns_of
    from hccoutcome.progress import part

    if options.series:
        raise InputError("With --cohort each case has a series of its own, found --series: leave it out.")
    if options.package is None or options.image or options.mask or options.case or options.map:
        raise InputError(
            "With --cohort the images stand in the table and --package names the folder to write, found "
            f"{'no --package' if options.package is None else 'images, masks or maps besides'}: correct the options."
        )
    cases = _Cases(options)
    for files in cases.files:
        _series_file(options, files)
    preparation = _preparation(options, cases.phases)
    patients = (patient_of_case(case, cases.region(case), preparation, settings.seed) for case in cases)
    model = learn_model(
        patients, settings, part(progress, 0.0, 0.5), None if preparation is None else preparation.to_dict()
    )
    save_model(model, options.package)
    rows = []
    for number, case in enumerate(cases):
        step = part(progress, 0.5 + 0.5 * number / len(cases), 0.5 + 0.5 * (number + 1) / len(cases))
        found = habitats_of_case(case, cases.region(case), settings, model=model, progress=step)
        _write(found, options.out / case.case_id, _series(options, cases.files[number]), scene=not options.no_scene)
        rows.append({"case_id": case.case_id, **found.habitats.features})
    write_csv(options.out / "features.csv", columns_of(rows), rows)
    say(
        json.dumps({"cases": len(cases), "k": model.partition.k, "package": str(options.package)})
        if options.json
        else f"{model.partition.k} habitats learnt from {len(cases)} cases, package in {options.package}"
    )
    return DONE


class _Cases:
    """The cases of a cohort table, read one after the other each time they are gone through."""

    def __init__(self, options: argparse.Namespace) -> None:
        from hccoutcome.cohort.table import case_files, read_cohort_table

        table = options.cohort.absolute()
        self.files = [case_files(row, table.parent) for row in read_cohort_table(table)]
        self._region = options.region

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Case]:
        from hccoutcome.loading import load_case

        for files in self.files:
            try:
                case = load_case(files)
            except InputError as error:
                raise InputError(f"Case '{files.case_id}': {error}") from error
            yield case

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases of the first case."""
        return tuple(self.files[0].images)

    def region(self, case: Case) -> str:
        """Return the region to divide."""
        from hccoutcome.habitat.onecase import chosen_region

        return chosen_region(case, self._region)
