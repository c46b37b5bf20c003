"""Which labels of a network make up which of our regions: by their names, or as a person says."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hccoutcome.case import REGIONS, canonical_region
from hccoutcome.errors import InputError

LabelMap = dict[str, tuple[int, ...]]
"""Labels by region."""

_WORDS: Mapping[str, str] = {
    "liver": "liver", "whole liver": "liver", "liver parenchyma": "liver", "hepatic parenchyma": "liver",
    "tumor": "tumor", "tumour": "tumor", "tumors": "tumor", "tumours": "tumor", "cancer": "tumor", "hcc": "tumor",
    "lesion": "tumor", "lesions": "tumor", "liver tumor": "tumor", "liver tumour": "tumor", "liver cancer": "tumor",
    "liver lesion": "tumor", "liver lesions": "tumor", "hepatocellular carcinoma": "tumor",
    "vessel": "vessel", "vessels": "vessel", "liver vessel": "vessel", "liver vessels": "vessel",
    "hepatic vessel": "vessel", "hepatic vessels": "vessel",
    "portal vein": "portalvein", "portalvein": "portalvein",
    "hepatic vein": "vein", "hepatic veins": "vein", "vein": "vein", "artery": "artery", "arteries": "artery",
}  # fmt: skip
"""Names that data sets give (LiTS, the Medical Segmentation Decathlon, TotalSegmentator), small and with spaces."""
_SEGMENT = re.compile(r"(?:liver |couinaud )?segment ?([1-8])")
_ENTRY = re.compile(r"\s*([A-Za-z0-9]+)\s*=\s*(\d+(?:\s*\+\s*\d+)*)\s*")


def region_named(name: str) -> str | None:
    """Return the region that a data set's label names, None for another organ."""
    words = re.sub(r"[_\-\s]+", " ", name.strip().lower())
    found = _SEGMENT.fullmatch(words)
    return f"segment{found[1]}" if found else _WORDS.get(words)


def labels_by_name(labels: Mapping[str, tuple[int, ...]]) -> LabelMap:
    """Return the labels of each region by the names of the labels.

    A liver holds its tumours: where both have labels, those of the tumour belong to the liver too.
    """
    found: LabelMap = {}
    for name, values in labels.items():
        region = region_named(name)
        if region is not None:
            found[region] = tuple(sorted({*found.get(region, ()), *values}))
    if "liver" in found and "tumor" in found:
        found["liver"] = tuple(sorted({*found["liver"], *found["tumor"]}))
    return found


def parse_label_map(text: str, known: Mapping[str, tuple[int, ...]]) -> LabelMap:
    """Return the labels that a person has written as ``liver=1+2,tumor=2``.

    Args:
        text: what was written.
        known: the labels that the network has, by name.

    Raises:
        InputError: it is not of that form, a region is not known, or the network has no such label.
    """
    values = {value for labels in known.values() for value in labels} - {0}
    found: LabelMap = {}
    for entry in text.split(","):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise InputError(f"Labels are given as REGION=LABEL+LABEL,..., found '{entry}': write liver=1+2,tumor=2.")
        labels = tuple(sorted({int(word) for word in match[2].split("+")}))
        if missing := set(labels) - values:
            listed = ", ".join(str(value) for value in sorted(values))
            raise InputError(
                f"The network has the labels {listed}, found {min(missing)} asked for: correct the labels."
            )
        found[canonical_region(match[1])] = labels
    return found


def check_some(found: LabelMap, known: Mapping[str, tuple[int, ...]], where: str) -> LabelMap:
    """Return the labels by region, of which there must be some.

    Raises:
        InputError: no label names one of our regions.
    """
    if not found:
        listed = ", ".join(known) or "none"
        raise InputError(
            f"The labels of {where} were expected to name a region ({', '.join(REGIONS)}), found {listed}: say which "
            "label is which, for instance liver=1+2,tumor=2."
        )
    return found
