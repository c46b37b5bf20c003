"""How each region and phase is shown: name, colour, standard code, window. Plain rules without MRML.

The codes are SNOMED CT (scheme ``SCT``) as Slicer's bundled lists and DICOM's context groups have them: CID 7159 for
lesions, CID 7154 for organs, CID 7170 for Couinaud's segments. What has no code there is in our private scheme
``99HCCOUTCOME``. ``Resources/Terminology`` holds the same entries for Slicer's segment editor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from hccoutcome.habitat.palette import habitat_colour

TERMINOLOGY_CONTEXT = "HCC Outcome"
"""Name of the shipped terminology: of its list of segment types and of its list of regions."""

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Code:
    """A coded concept: coding scheme, value and meaning."""

    scheme: str
    value: str
    meaning: str

    def __str__(self) -> str:
        return f"{self.scheme}^{self.value}^{self.meaning}"


@dataclass(frozen=True)
class Appearance:
    """How one region is shown.

    Attributes:
        title: name of the segment.
        colour: red, green and blue, each 0 to 1.
        category: what kind of thing the region is.
        type: what it is.
        site: the organ that it lies in, None where the type says so itself.
        opacity: opacity of its surface, 0 to 1.
    """

    title: str
    colour: Rgb
    category: Code
    type: Code
    site: Code | None = None
    opacity: float = 1.0

    @property
    def terminology(self) -> str:
        """The codes in the form that Slicer keeps with a segment."""
        none = "^^"
        site = f"{TERMINOLOGY_CONTEXT}~{self.site}" if self.site else f"~{none}"
        return f"{TERMINOLOGY_CONTEXT}~{self.category}~{self.type}~{none}~{site}~{none}"


def _rgb(red: int, green: int, blue: int) -> Rgb:
    return (red / 255, green / 255, blue / 255)


ANATOMY = Code("SCT", "123037004", "Anatomical Structure")
LESION = Code("SCT", "49755003", "Morphologically Altered Structure")
SPATIAL = Code("SCT", "309825002", "Spatial and Relational Concept")
LIVER = Code("SCT", "10200004", "Liver")
NEOPLASM = Code("SCT", "108369006", "Neoplasm")
HABITAT = Code("99HCCOUTCOME", "HABITAT", "Tumour habitat")

TUMOUR_COLOUR = _rgb(255, 205, 40)
APPEARANCES = {
    "liver": Appearance("Liver", _rgb(221, 130, 101), ANATOMY, LIVER, opacity=0.25),
    "tumor": Appearance("Tumour", TUMOUR_COLOUR, LESION, NEOPLASM, LIVER),
    "portalvein": Appearance("Portal vein", _rgb(38, 190, 230), ANATOMY, Code("SCT", "32764006", "Portal vein")),
    "vein": Appearance("Hepatic veins", _rgb(92, 107, 240), ANATOMY, Code("SCT", "8993003", "Hepatic vein")),
    "artery": Appearance("Arteries", _rgb(224, 49, 62), ANATOMY, Code("SCT", "51114001", "Artery")),
    "vessel": Appearance("Liver vessels", _rgb(126, 87, 194), ANATOMY, Code("SCT", "59820001", "Blood vessel"), LIVER),
}
"""Appearance by region; ``appearance`` adds the numbered ones."""

_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII")
_COUINAUD = (
    "71133005", "277956007", "277957003", "277958008", "277959000", "277960005", "277961009", "277962002",
)  # fmt: skip


def appearance(region: str) -> Appearance:
    """Return how a region is shown: one of ``hccoutcome.case.REGIONS`` or a numbered one such as ``habitat2``."""
    if region in APPEARANCES:
        return APPEARANCES[region]
    kind, number = re.fullmatch(r"([a-z]+)([0-9]+)", region).groups()
    index = int(number) - 1
    colour = _rgb(*habitat_colour(int(number)))
    if kind == "tumor":
        return Appearance(f"Tumour {number}", colour, LESION, NEOPLASM, LIVER)
    if kind == "segment" and index < len(_ROMAN):
        title = f"Couinaud hepatic segment {_ROMAN[index]}"
        return Appearance(f"Segment {_ROMAN[index]}", colour, ANATOMY, Code("SCT", _COUINAUD[index], title))
    return Appearance(f"{kind.capitalize()} {number}", colour, SPATIAL, HABITAT, LIVER)


CT_LIVER_WINDOW = (350.0, 50.0)
"""Width and level (HU) of the usual soft tissue window of the liver."""
_AIR = -300.0


def window_level(array: np.ndarray, modality: str | None) -> tuple[float, float]:
    """Return the window's width and level in which to show an image.

    CT has the liver window; without a stated modality an image that reaches down to air in HU counts as CT. Anything
    else runs from its 1st to its 99.5th percentile, where the background of equal voxels is left out.
    """
    if modality == "CT" or (modality is None and array.min() < _AIR):
        return CT_LIVER_WINDOW
    inside = array[array > array.min()]
    if inside.size == 0:
        return 1.0, float(array.flat[0])
    low, high = np.percentile(inside[:: max(1, inside.size // 200_000)], (1.0, 99.5))
    return float(max(high - low, 1e-6)), float((high + low) / 2)
