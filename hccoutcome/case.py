"""A case: one patient at one time point, as plain data.

``CaseFiles`` says where everything lies (``case.json`` holds it, and it travels between processes); ``Case`` is the
same after reading. Neither knows how to read: see ``hccoutcome.loading``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from hccoutcome.errors import InputError, nearest
from hccoutcome.status import QualityItem

if TYPE_CHECKING:
    import SimpleITK as sitk

Modality = Literal["CT", "MR"]
MODALITIES: tuple[Modality, ...] = ("CT", "MR")

PHASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "precontrast": ("pre", "native", "unenhanced", "plain", "noncontrast", "nc"),
        "arterial": ("late-arterial", "hepatic-arterial", "art", "ap", "hap", "lap"),
        "portal": ("venous", "portal-venous", "pv", "pvp", "vp"),
        "delayed": ("late", "equilibrium", "del", "dp", "delay"),
        "hepatobiliary": ("hbp",),
        "t1": (),
        "t1ce": ("t1c", "t1gd"),
        "t2": (),
        "flair": (),
        "dwi": (),
        "adc": (),
    }
)
"""Contrast phases and MRI sequences by canonical name, with the other names that they are known by."""

REGIONS: Mapping[str, str] = MappingProxyType(
    {
        "liver": "Liver, the tumours included",
        "tumor": "All treated tumours together",
        "portalvein": "Portal vein",
        "vein": "Hepatic veins and inferior vena cava",
        "artery": "Arteries",
        "vessel": "Liver vessels together",
    }
)
"""Regions by canonical name with what they hold; ``habitat1``, ``segment4`` and the like are numbered regions."""

_NUMBERED_REGION = re.compile(r"(habitat|segment|tumor)[1-9][0-9]?")
_SPELLINGS = {"tumour": "tumor", "lesion": "tumor", "lesions": "tumor"}
_CASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def canonical_phase(name: str) -> str:
    """Return the canonical name of a phase or sequence: ``"PVP"`` and ``"venous"`` are ``"portal"``.

    Raises:
        InputError: no such phase is known.
    """
    word = str(name).strip().lower().replace("_", "-").replace(" ", "-").removesuffix("-phase")
    for phase, synonyms in PHASES.items():
        if word == phase or word in synonyms:
            return phase
    raise InputError(f"'{name}' is not a known phase or sequence; {nearest(word, PHASES)}.")


def canonical_region(name: str) -> str:
    """Return the canonical name of a region: ``"Tumour"`` is ``"tumor"``, ``"Habitat2"`` is ``"habitat2"``.

    Raises:
        InputError: no such region is known.
    """
    word = str(name).strip().lower()
    word = _SPELLINGS.get(word, word)
    if word in REGIONS or _NUMBERED_REGION.fullmatch(word):
        return word
    raise InputError(f"'{name}' is not a known region; {nearest(word, REGIONS)}, habitat1.., segment1.. .")


def check_case_id(case_id: str) -> str:
    """Return the case's name if it can be a folder's name too.

    Raises:
        InputError: it is empty, too long or holds other characters than letters, digits, dot, dash and underscore.
    """
    if not _CASE_ID.fullmatch(str(case_id)):
        raise InputError(
            "A case needs a name of 1 to 64 letters, digits, dots, dashes or underscores, "
            f"starting with a letter or digit; found '{case_id}': rename it."
        )
    return str(case_id)


@dataclass(frozen=True)
class ImageFile:
    """Where one image lies: a file, or a folder with a DICOM series (named where the folder holds several)."""

    path: Path
    series_uid: str | None = None


@dataclass(frozen=True)
class MaskFile:
    """Where one mask lies: a file, and for a file with several segments the name or number of the one meant."""

    path: Path
    segment: str | None = None


@dataclass(frozen=True)
class CaseFiles:
    """What a case consists of, before anything is read.

    Attributes:
        case_id: name of the case, fit for a folder's name; never the patient's name.
        images: image by canonical phase.
        masks: masks by canonical region; several masks of one region are united.
        clinical: clinical record as given: name to number, text or ``{"value": ..., "unit": ...}``.
        modality: ``"CT"``, ``"MR"`` or None where not stated.
        synthetic: True for generated data, which packages and reports must label.
    """

    case_id: str
    images: Mapping[str, ImageFile] = field(default_factory=dict)
    masks: Mapping[str, tuple[MaskFile, ...]] = field(default_factory=dict)
    clinical: Mapping[str, Any] = field(default_factory=dict)
    modality: Modality | None = None
    synthetic: bool = False

    def __post_init__(self) -> None:
        check_case_id(self.case_id)
        if self.modality is not None and self.modality not in MODALITIES:
            raise InputError(f"The modality is one of {', '.join(MODALITIES)}, found '{self.modality}': correct it.")


@dataclass(frozen=True)
class Case:
    """One patient at one time point, read and checked.

    Attributes:
        case_id: name of the case.
        images: SimpleITK image (3D, LPS, mm) by canonical phase.
        masks: by canonical region, binary masks (uint8, 0/1), one for each distinct grid on which the region was
            outlined; usually one.
        clinical: value by schema name in the schema's unit (see ``hccoutcome.clinical``).
        modality: ``"CT"``, ``"MR"`` or None where neither the files nor the user say.
        synthetic: True for generated data.
        sources: SHA256 of what was read, by ``image:<phase>`` or ``mask:<region>``, for the provenance.
        notes: what reading noticed and the images and masks no longer show, for the quality table.
    """

    case_id: str
    images: Mapping[str, sitk.Image] = field(default_factory=dict)
    masks: Mapping[str, tuple[sitk.Image, ...]] = field(default_factory=dict)
    clinical: Mapping[str, float | str] = field(default_factory=dict)
    modality: Modality | None = None
    synthetic: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[QualityItem, ...] = ()
