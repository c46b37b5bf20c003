"""What a network sees of every patient of a training table: the cases found, read once and kept on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hccoutcome.case import Case, CaseFiles
from hccoutcome.cohort.table import IMAGE_PREFIX, case_files, read_lines
from hccoutcome.deep.cache import Cache, cached_input
from hccoutcome.deep.dlopctr_inputs import dlopctr_key
from hccoutcome.deep.fingerprints import fingerprints
from hccoutcome.deep.inputs import NetworkInput, refuse_other_than_ct
from hccoutcome.deep.package import DeepConfig, network_input
from hccoutcome.deep.package_making import MODALITIES
from hccoutcome.deep.samples import stack_inputs
from hccoutcome.deep.selection_inputs import SelectionView, selection_key
from hccoutcome.deep.tci_inputs import TciView, tci_key
from hccoutcome.errors import InputError
from hccoutcome.imaging.prepare import prepare
from hccoutcome.imaging.quality import check_quality
from hccoutcome.loading import CASE_FILE, load_case, read_case_folder
from hccoutcome.package.doubts import on_phases
from hccoutcome.progress import Progress, silent

PIXELS_FILE = "planes.npy"
MOST_LOST = 0.2
"""Share of the patients whose images may be unusable before the training is refused."""


@dataclass(frozen=True, eq=False)
class SeenCases:
    """Patients as a network sees them.

    Attributes:
        names: of the patients, in order.
        pixels: grey levels (n, planes, rows, columns), on disk.
        present: which planes exist, (n, planes).
        phantoms: whether they are generated.
        lost: why a patient's images cannot be used, by patient.
        fingerprints: of each patient's images.
    """

    names: tuple[str, ...]
    pixels: NDArray[np.float32]
    present: NDArray[np.bool_]
    phantoms: bool
    lost: Mapping[str, str]
    fingerprints: tuple[tuple[str, ...], ...] = ()


def find_cases(table: Path, root: Path, names: Sequence[str]) -> dict[str, CaseFiles]:
    """Return where the files of the patients of a table lie.

    Either each patient has a case folder (with ``case.json``) of that name in ``root``, or the table has the columns
    of a cohort table (``image_arterial``, ``mask_tumor``), whose paths start from ``root``.

    Raises:
        InputError: neither, or a patient has no folder.
    """
    if not root.is_dir():
        raise InputError(f"The images were expected in the folder '{root}', found no such folder: check --images.")
    header, lines = read_lines(table, "training table")
    if any(column.startswith(IMAGE_PREFIX) for column in header):
        rows = (dict(zip(header, line, strict=True)) for _, line in lines)
        by_name = {row["case_id"]: {name: cell for name, cell in row.items() if cell} for row in rows}
        own = ("case_id", "modality", IMAGE_PREFIX, "mask_")
        return {
            name: case_files({key: cell for key, cell in by_name[name].items() if key.startswith(own)}, root)
            for name in names
        }
    missing = [name for name in names if not (root / name / CASE_FILE).is_file()]
    if missing:
        more = f" (and none of {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(
            f"A case folder '{missing[0]}' with {CASE_FILE} was expected in '{root.name}', found none{more}: add it, "
            f"or give columns {IMAGE_PREFIX}<phase> and mask_<region> in the table."
        )
    return {name: read_case_folder(root / name) for name in names}


def see_cases(
    files: Mapping[str, CaseFiles], config: DeepConfig, folder: Path, cache: Cache | None, progress: Progress = silent
) -> SeenCases:
    """Return what a network sees of cases; those of which it sees nothing are left out and named.

    Args:
        files: by patient.
        config: which network, and how it looks.
        folder: for the file with the planes.
        cache: where what was seen before is kept.
        progress: told after every case; may stop it.

    Raises:
        InputError: most images cannot be used, phantoms and patients are mixed, or two patients have one image.
    """
    found: dict[str, NetworkInput] = {}
    marks: dict[str, tuple[str, ...]] = {}
    lost: dict[str, str] = {}
    kinds: dict[bool, str] = {}
    for number, (name, own) in enumerate(files.items()):
        progress(number / len(files), f"Looks at case {number + 1} of {len(files)}")
        try:
            case = load_case(own)
            found[name] = seen_of(case, config, cache)
            marks[name] = fingerprints(case.images, config.phases)
            kinds.setdefault(case.synthetic, name)
        except InputError as error:
            lost[name] = str(error)
    if len(lost) > MOST_LOST * len(files) or not found:
        first = next(iter(lost))
        raise InputError(
            f"The images of {len(lost)} of {len(files)} patients cannot be used, '{first}' for one: {lost[first]}"
        )
    if len(kinds) > 1:
        raise InputError(
            f"Patients and generated cases cannot be learned from together, found '{kinds[False]}' and "
            f"'{kinds[True]}': leave the generated ones out."
        )
    _refuse_twins(marks)
    folder.mkdir(parents=True, exist_ok=True)
    pixels, present = stack_inputs(found.values(), len(found), folder / PIXELS_FILE)
    return SeenCases(tuple(found), pixels, present, True in kinds, lost, tuple(marks[name] for name in found))


def _refuse_twins(marks: Mapping[str, Sequence[str]]) -> None:
    """Refuse one image under two names: on both sides of a split the network would know the answer.

    Raises:
        InputError: there is one.
    """
    owners: dict[str, str] = {}
    for name, own in marks.items():
        for mark in own:
            if owners.setdefault(mark, name) != name:
                raise InputError(
                    f"Each patient was expected to have images of their own, found the same image for "
                    f"'{owners[mark]}' and '{name}': keep one row a patient."
                )


def seen_of(case: Case, config: DeepConfig, cache: Cache | None) -> NetworkInput:
    """Return what a network sees of one case.

    Raises:
        InputError: the case lacks what the network reads, its images are of another modality, or no package would be
            applied to them.
    """
    modality = MODALITIES[config.system]
    if case.modality not in (None, modality):
        raise InputError(f"The images are {case.modality} and {config.system} reads {modality}.")
    if modality == "CT":
        refuse_other_than_ct(case.images, config.phases)
    _refuse_by_quality(replace(case, modality=modality), config)
    masks = prepare(case.images, case.masks).masks
    view = config.view

    def key() -> tuple:
        if isinstance(view, SelectionView):
            return selection_key(case.images, masks, view)
        if isinstance(view, TciView):
            return tci_key(case.images, masks, view)
        return dlopctr_key(case.images, masks, view)

    return cached_input(cache, key, lambda: network_input(config, case.images, masks))


def _refuse_by_quality(case: Case, config: DeepConfig) -> None:
    """Refuse to learn from what the quality table refuses: a package would not be applied to it either.

    Raises:
        InputError: names the first such line.
    """
    regions = ("tumor", "liver") if isinstance(config.view, SelectionView) else ("tumor",)
    read = {f"image {phase}" for phase in config.phases} | {f"mask {region}" for region in regions}
    for item in check_quality(case):
        if item.status == "refused" and item.subject in read and on_phases(item, config.phases):
            raise InputError(f"{item.subject}, {item.check}: expected {item.expected}, found {item.found}. {item.note}")
