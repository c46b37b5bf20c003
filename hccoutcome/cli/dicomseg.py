"""``hcc dicomseg``: segmentations out of DICOM SEG objects and into them."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, Bar, Parser, command, say
from hccoutcome.errors import InputError

if TYPE_CHECKING:
    from hccoutcome.imaging.dicom_seg_write import Maker

_KINDS = ("automatic", "semiautomatic", "manual")


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("dicomseg", help="List, import or export DICOM SEG objects.")
    actions = parser.add_subparsers(dest="action", required=True, parser_class=Parser, metavar="ACTION")
    listed = command(actions, "list", _list, "List the segments of a DICOM SEG object and the regions that they are.")
    taken = command(actions, "import", _import, "Write the regions of a DICOM SEG object as a segmentation of Slicer.")
    for action in (listed, taken):
        action.add_argument("file", type=Path, metavar="FILE.dcm", help="DICOM SEG file, or a folder with one")
    taken.add_argument("--image", type=Path, required=True, metavar="PATH", help="image that was outlined")
    taken.add_argument("--out", type=Path, required=True, metavar="FILE.seg.nrrd", help="file to write")
    given = command(actions, "export", _export, "Write masks as a DICOM SEG object of a series.")
    given.add_argument("--series", required=True, metavar="FOLDER[#UID]", help="DICOM series that was outlined")
    given.add_argument("--mask", action="append", default=[], metavar="REGION=PATH", help="mask file; may be repeated")
    given.add_argument("--made", choices=_KINDS, help="how the masks were made, where their files do not say")
    given.add_argument("--out", type=Path, required=True, metavar="FILE.dcm", help="file to write")


def _list(options: argparse.Namespace) -> int:
    from hccoutcome.imaging.dicom_seg import list_segments
    from hccoutcome.segmentation.dicom_exchange import region_of

    found = [(segment, region_of(segment)) for segment in list_segments(_existing(options.file))]
    if options.json:
        say(json.dumps([{**asdict(segment), "region": region} for segment, region in found]))
    for segment, region in () if options.json else found:
        by = f" by {segment.maker}" if segment.maker else ""
        ours = region or "no region of ours"
        say(f"{segment.number:3} {segment.label}: {segment.type[2]}, {ours}, {segment.kind}{by}")
    return DONE


def _import(options: argparse.Namespace) -> int:
    from hccoutcome.case import ImageFile
    from hccoutcome.files import check_not_replaced, check_target, sha256_of
    from hccoutcome.imaging.dicom_seg import list_segments
    from hccoutcome.imaging.reading import load_image
    from hccoutcome.progress import part
    from hccoutcome.segmentation import Draft
    from hccoutcome.segmentation.dicom_exchange import IMPORTED, check_frame, read_segments, regions_in
    from hccoutcome.segmentation.draft import check_name, write_draft
    from hccoutcome.version import __version__

    check_target(check_name(options.out))
    check_not_replaced([options.out], [options.file, options.image])
    regions = regions_in(_existing(options.file))
    segments = {region: [asdict(found) for found in listed] for region, listed in regions.items()}
    taken = {found.number for listed in regions.values() for found in listed}
    left = [found.label for found in list_segments(options.file) if found.number not in taken]
    with Bar(options) as bar:
        loaded = load_image(ImageFile(options.image), None, part(bar.progress, 0.0, 0.8))
        if options.file.is_file() and loaded.modality is not None:
            check_frame(options.file, loaded.files)
        masks = read_segments(options.file, loaded.image)
    provenance = {
        "engine": IMPORTED,
        "version": __version__,
        "segments": segments,
        "source": {options.file.name: sha256_of(options.file)} if options.file.is_file() else {},
        "review": "imported, not reviewed here",
    }
    write_draft(Draft(masks, provenance), options.out)
    if options.json:
        say(json.dumps({"out": str(options.out), "segments": segments, "left_out": left}))
        return DONE
    say(f"{', '.join(masks)} written to {options.out}")
    if left:
        say(f"left out, being no region of ours: {', '.join(left)}")
    return DONE


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"The DICOM SEG file '{path.name}' was expected, found nothing there: check the path.")
    return path


def _export(options: argparse.Namespace) -> int:
    from hccoutcome.files import check_not_replaced, check_target
    from hccoutcome.imaging.dicom import read_series
    from hccoutcome.imaging.geometry import on_grid, same_lattice
    from hccoutcome.imaging.reading import read_mask, unite
    from hccoutcome.loading import case_files
    from hccoutcome.progress import part
    from hccoutcome.segmentation.dicom_exchange import write_segments

    files = case_files(None, (), options.mask)
    if not files.masks:
        raise InputError("A DICOM SEG object needs a mask, found none: give one as --mask REGION=PATH.")
    check_target(options.out)
    folder, _, uid = options.series.partition("#")
    paths = [file.path for listed in files.masks.values() for file in listed]
    check_not_replaced([options.out], [Path(folder), *paths])
    maker = _maker(paths, options.made)
    with Bar(options) as bar:
        series = read_series(Path(folder), uid or None, None, part(bar.progress, 0.0, 0.8))
        masks = {}
        for region, listed in files.masks.items():
            found = [read_mask(file) for file in listed]
            if not all(same_lattice(mask, series.image) for mask in found):
                raise InputError(
                    f"The mask of {region} was expected on the grid of the series: resample it onto it first."
                )
            masks[region] = unite([on_grid(mask, series.image) for mask in found])
        write_segments(options.out, masks, series, maker)
    say(json.dumps({"out": str(options.out), "regions": list(masks)}) if options.json else f"written to {options.out}")
    return DONE


def _maker(paths: list[Path], made: str | None) -> Maker:
    """Return what made the masks: as the person says, else as their files do."""
    from hccoutcome.imaging.dicom_seg_write import Maker
    from hccoutcome.segmentation.dicom_exchange import least_automatic, maker_in
    from hccoutcome.version import __version__

    stated = [found for path in paths if (found := maker_in(path)) is not None]
    if made is None and len(stated) != len(paths):
        raise InputError(
            "A DICOM SEG object states how it was made, and the files of these masks do not: say so by --made "
            "automatic, semiautomatic or manual."
        )
    if made is None:
        return least_automatic(stated)
    name, version = (stated[0].name, stated[0].version) if stated else ("HCC Outcome export", __version__)
    kinds = {"automatic": "AUTOMATIC", "semiautomatic": "SEMIAUTOMATIC", "manual": "MANUAL"}
    return Maker(name, version, kinds[made])  # type: ignore[arg-type]
