"""How each region is shown: name, colour, standard code. Plain rules for files and scenes alike.

The codes are SNOMED CT (scheme ``SCT``) as Slicer's bundled lists and DICOM's context groups have them: CID 7159 for
lesions, CID 7154 for organs, CID 7170 for Couinaud's segments. What has no code there is in our private scheme
``99HCCOUTCOME``. ``Resources/Terminology`` holds the same entries for Slicer's segment editor.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    kind, number = region.rstrip("0123456789"), region.lstrip("abcdefghijklmnopqrstuvwxyz")
    index = int(number) - 1
    colour = _rgb(*habitat_colour(int(number)))
    if kind == "tumor":
        return Appearance(f"Tumour {number}", colour, LESION, NEOPLASM, LIVER)
    if kind == "segment" and index < len(_ROMAN):
        title = f"Couinaud hepatic segment {_ROMAN[index]}"
        return Appearance(f"Segment {_ROMAN[index]}", colour, ANATOMY, Code("SCT", _COUINAUD[index], title))
    return Appearance(f"{kind.capitalize()} {number}", colour, SPATIAL, HABITAT, LIVER)
