"""``hcc segment``: outline the liver or a tumour as a draft that a person reviews."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.cli.common import DONE, Bar, command, say
from hccoutcome.errors import InputError

if TYPE_CHECKING:
    import SimpleITK as sitk

    from hccoutcome.imaging.dicom import DicomImage
    from hccoutcome.segmentation import Card, Draft, Prompt, Task
    from hccoutcome.status import QualityItem


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(commands, "segment", _segment, "Outline the liver or a tumour as a draft to review.")
    parser.add_argument(
        "--list", action="store_true", help="list the engines, what they need and whether they are ready"
    )
    parser.add_argument("--engine", default="auto", metavar="NAME|auto", help="engine")
    parser.add_argument("--image", action="append", default=[], metavar="PHASE=PATH", help="image file or DICOM folder")
    add_prompts(parser)
    parser.add_argument("--region", metavar="tumor|liver", help="region; tumor where a prompt is given, else liver")
    parser.add_argument("--mask", action="append", default=[], metavar="REGION=PATH", help="mask that is there already")
    parser.add_argument(
        "--modality", choices=("CT", "MR"), help="modality, where the images do not say; MR for its sequences, else CT"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.seg.nrrd", help="file for the draft")
    parser.add_argument("--dicom-seg", type=Path, metavar="FILE.dcm", help="also write the draft as DICOM SEG")


def add_prompts(parser: argparse.ArgumentParser) -> None:
    """Add the options by which a person points at a region."""
    prompts = parser.add_mutually_exclusive_group()
    prompts.add_argument("--box", metavar="i0,i1,j0,j1,k0,k1", help="box in voxels of the first image, ends included")
    prompts.add_argument("--roi", type=Path, metavar="FILE.mrk.json", help="box as a markups ROI")
    prompts.add_argument("--seeds", type=Path, metavar="FILE.mrk.json", help="clicks or strokes as markups")


def _segment(options: argparse.Namespace) -> int:
    if options.list:
        return _list(options)
    _check(options)
    from hccoutcome.files import check_not_replaced, check_target
    from hccoutcome.progress import part
    from hccoutcome.segmentation import segment
    from hccoutcome.segmentation.dicom_exchange import maker_of, write_segments
    from hccoutcome.segmentation.draft import check_name, write_draft
    from hccoutcome.segmentation.hints import draft_hints

    check_target(check_name(options.out))
    check_not_replaced(filter(None, (options.out, options.dicom_seg)), _sources(options))
    series = _series(options)
    with Bar(options) as bar:
        task = _task(options, part(bar.progress, 0.0, 0.2))
        draft = segment(task, options.engine, part(bar.progress, 0.2, 0.95))
        write_draft(draft, options.out)
        if series is not None:
            write_segments(options.dicom_seg, draft.masks, series, maker_of(draft.provenance))
        hints = draft_hints(draft.masks, task.known, draft.provenance["engine"])
    _answer(draft, hints, options)
    return DONE


def _check(options: argparse.Namespace) -> None:
    """Refuse a call that lacks what every draft needs."""
    if not options.image:
        raise InputError(
            "A segmentation needs an image, found none: give one as --image PHASE=PATH, or ask for --list."
        )
    if options.out is None:
        raise InputError("A segmentation needs a file to go to, found none: give --out FILE.seg.nrrd.")


def _sources(options: argparse.Namespace) -> list[Path]:
    """Return the files and folders that are read."""
    from hccoutcome.loading import case_files

    files = case_files(None, options.image, options.mask)
    masks = [mask.path for listed in files.masks.values() for mask in listed]
    return [*(image.path for image in files.images.values()), *masks, *filter(None, (options.roi, options.seeds))]


def _series(options: argparse.Namespace) -> DicomImage | None:
    """Return the series to which a DICOM SEG object is to belong, the first image's, if it can."""
    from hccoutcome.files import check_target
    from hccoutcome.imaging.dicom import read_series
    from hccoutcome.imaging.dicom_seg_write import check_series
    from hccoutcome.loading import case_files

    if options.dicom_seg is None:
        return None
    check_target(options.dicom_seg)
    phase, file = next(iter(case_files(None, options.image).images.items()))
    if not file.path.is_dir():
        raise InputError(
            f"A DICOM SEG object belongs to a DICOM series, found the image '{file.path.name}': give the folder of its "
            "series as --image."
        )
    series = read_series(file.path, file.series_uid, phase)
    check_series(series)
    return series


def _task(options: argparse.Namespace, progress: Any) -> Task:
    from hccoutcome.case import canonical_region
    from hccoutcome.loading import case_files, load_case
    from hccoutcome.segmentation import Task, modality_of

    case = load_case(case_files(None, options.image, options.mask, None, modality=options.modality), progress)
    image = next(iter(case.images.values()))
    prompt = prompt_of(options, image)
    region = canonical_region(options.region or ("liver" if prompt is None else "tumor"))
    known = {name: masks[0] for name, masks in case.masks.items() if name != region}
    return Task(case.images, (region,), prompt, modality_of(case.modality, case.images), known)


def prompt_of(options: argparse.Namespace, image: sitk.Image) -> Prompt | None:
    """Return what the options point at in an image, None for nothing."""
    from hccoutcome.segmentation.markups import read_roi, read_seeds
    from hccoutcome.segmentation.prompts import Box

    if options.box is not None:
        return Box.from_voxels(image, voxels(options.box))
    if options.roi is not None:
        return read_roi(options.roi)
    return None if options.seeds is None else read_seeds(options.seeds)


def voxels(text: str) -> list[int]:
    """Read six voxel indices."""
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise InputError(
            f"A box is given as six voxel indices i0,i1,j0,j1,k0,k1, found '{text}': correct it."
        ) from None


def _answer(draft: Draft, hints: tuple[QualityItem, ...], options: argparse.Namespace) -> None:
    import numpy as np
    import SimpleITK as sitk

    volumes = {
        region: float(np.count_nonzero(sitk.GetArrayViewFromImage(mask)) * np.prod(mask.GetSpacing()) / 1000)
        for region, mask in draft.masks.items()
    }
    if options.json:
        answer = {"out": str(options.out), "volume_ml": volumes, "provenance": draft.provenance}
        say(json.dumps({**answer, "quality": [asdict(item) for item in hints]}))
        return
    for region, volume in volumes.items():
        shown = f"{volume:.{1 if volume >= 1 else 3}f} mL"
        say(f"{region}: {shown} by '{draft.provenance['engine']}', a draft that nobody has reviewed")
    for item in hints:
        if item.status != "ok" and item.check != "review":
            say(f"look at {item.subject}: {item.check.removeprefix('draft ')} {item.found}. {item.note}")
    say(f"written to {options.out}")
    if options.dicom_seg is not None:
        say(f"written to {options.dicom_seg}")


def _list(options: argparse.Namespace) -> int:
    """Say which engines there are."""
    from hccoutcome.segmentation import engines

    if options.json:
        say(json.dumps({"engines": [{**asdict(engine.card), **asdict(engine.readiness())} for engine in engines()]}))
        return DONE
    for engine in engines():
        card, state = engine.card, engine.readiness()
        say(f"{card.name}: {card.title}, {'ready' if state.ready else f'not ready: {state.step}'}")
        for needs, regions in _regions_by_needs(card).items():
            say(f"  {', '.join(regions)} {needs}")
        say(f"  licence: {card.licence}")
        if card.weights:
            say(f"  weights: {card.weights}")
        say(f"  cite: {card.citation}")
    return DONE


def _regions_by_needs(card: Card) -> dict[str, list[str]]:
    """Return the regions that an engine gives by what it needs for them, in words."""
    from hccoutcome.segmentation.prompts import PROMPTS

    found: dict[str, list[str]] = {}
    for offer in card.offers:
        prompts = " or ".join(PROMPTS[kind] for kind in offer.prompts)
        found.setdefault(f"in {' and '.join(offer.modalities)}, from {prompts}", []).append(offer.region)
    return found
