"""Read a case: images, masks and clinical record, checked and brought to one form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from hccoutcome.case import Case, CaseFiles, MaskFile, Modality, canonical_phase, canonical_region
from hccoutcome.clinical.record import parse_record
from hccoutcome.errors import InputError
from hccoutcome.files import sha256_of
from hccoutcome.imaging.geometry import describe_difference, on_grid, same_geometry, same_lattice
from hccoutcome.imaging.reading import load_image, read_mask, unite
from hccoutcome.imaging.shift import moved_mask
from hccoutcome.progress import Progress, part, silent
from hccoutcome.status import QualityItem


def load_case(files: CaseFiles, progress: Progress = silent) -> Case:
    """Read a case: its images, its masks (united for each grid) and its clinical record.

    A mask on the lattice of an image (cropped, flipped or stored as DICOM SEG) is brought to that image's grid. Where
    it begins or ends elsewhere than the image, a note for the quality table says so.

    Raises:
        InputError: the first thing that is wrong, in one sentence that names it.
    """
    sources: dict[str, str] = {}
    images: dict[str, sitk.Image] = {}
    modalities: dict[str, str] = {}
    steps = max(len(files.images) + sum(map(len, files.masks.values())), 1)
    clinical = parse_record(files.clinical)
    for number, (phase, file) in enumerate(files.images.items()):
        loaded = load_image(file, phase, part(progress, number / steps, (number + 1) / steps))
        images[phase] = loaded.image
        sources[f"image:{phase}"] = _fingerprint(loaded.files)
        if loaded.modality is not None:
            modalities[phase] = loaded.modality
    modality = _modality(files, modalities)
    masks: dict[str, tuple[sitk.Image, ...]] = {}
    notes: list[QualityItem] = []
    done = len(files.images)
    for region, outlines in files.masks.items():
        progress(done / steps, f"reads the masks of {region}")
        placed = [_placed(file, region, images) for file in outlines]
        masks[region] = _united([mask for mask, _ in placed])
        notes += dict.fromkeys(note for _, found in placed for note in found)
        sources[f"mask:{region}"] = _fingerprint(_all_files(file.path for file in outlines))
        done += len(outlines)
    progress(1.0, "has read the case")
    return Case(files.case_id, images, masks, clinical, modality, files.synthetic, sources, tuple(notes))


def _modality(files: CaseFiles, found: Mapping[str, str]) -> Modality | None:
    """Return the modality stated or found in DICOM; they must agree."""
    for phase, modality in found.items():
        if modality not in ("CT", "MR"):
            raise InputError(
                f"The {phase} image was expected to be CT or MR, found DICOM modality '{modality}': give another."
            )
        if files.modality is not None and modality != files.modality:
            raise InputError(
                f"The {phase} image was expected to be {files.modality} as stated, found {modality} in its DICOM "
                "files: correct the modality or the image."
            )
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{phase} {modality}" for phase, modality in found.items())
        raise InputError(
            f"The images of a case were expected to be of one modality, found {listed}: make two cases of it."
        )
    if files.modality is not None or not found:
        return files.modality
    return "CT" if "CT" in found.values() else "MR"


def _placed(
    file: MaskFile, region: str, images: Mapping[str, sitk.Image]
) -> tuple[sitk.Image, tuple[QualityItem, ...]]:
    """Return a mask on the grid of the image that it belongs to, with what is to be noted of the way there.

    A mask that lies on no image's lattice is returned as stored.
    """
    mask = read_mask(file)
    for image in images.values():
        if same_geometry(mask, image):
            return on_grid(mask, image), ()
    outside = None
    for phase, image in images.items():
        if not same_lattice(mask, image):
            continue
        try:
            return on_grid(mask, image), moved_mask(f"mask {region}", mask, phase, image)
        except InputError as error:
            outside = error
    if outside is not None:
        raise InputError(f"'{file.path.name}': {outside}") from outside
    return mask, ()


def _united(masks: Iterable[sitk.Image]) -> tuple[sitk.Image, ...]:
    """Return one united mask for each distinct grid."""
    grids: list[sitk.Image] = []
    for mask in masks:
        for index, other in enumerate(grids):
            if same_geometry(mask, other):
                grids[index] = unite([other, mask])
                break
        else:
            grids.append(mask)
    return tuple(grids)


def _all_files(paths: Iterable[Path]) -> tuple[Path, ...]:
    found: list[Path] = []
    for path in paths:
        found += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return tuple(found)


def _fingerprint(paths: Sequence[Path]) -> str:
    """Return the SHA256 of a file, or for several the SHA256 of their sorted SHA256 digits, one a line."""
    digests = sorted(sha256_of(path) for path in paths)
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode("ascii")).hexdigest()


def mask_for(case: Case, region: str, phase: str) -> sitk.Image:
    """Return the mask of a region on exactly the grid of a phase's image.

    Raises:
        InputError: no such image or region in the case, or the mask was outlined on another grid.
    """
    phase, region = canonical_phase(phase), canonical_region(region)
    if phase not in case.images:
        raise InputError(_absent("image", phase, case.images, case.case_id))
    if not case.masks.get(region):
        raise InputError(_absent("mask", region, case.masks, case.case_id))
    image = case.images[phase]
    for mask in sorted(case.masks[region], key=lambda mask: not same_geometry(mask, image)):
        if same_lattice(mask, image):
            return on_grid(mask, image)
    raise InputError(
        f"The mask of '{region}' in case '{case.case_id}' was expected on the grid of the {phase} image, but they "
        f"differ: {describe_difference(case.masks[region][0], image)} (mask against image): resample the mask onto "
        "that image or register the phases."
    )


def _absent(what: str, name: str, known: Mapping[str, Any], case_id: str) -> str:
    listed = ", ".join(known) if known else "none"
    return f"Case '{case_id}' was expected to have the {what} '{name}', found {listed}: add it or choose another."
