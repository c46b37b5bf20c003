"""Short names of inputs for the axes of figures, by one stated rule.

A clinical variable goes by its title. A feature goes by phase, region, image type, class and name, as far as they are
not the usual ones: ``arterial_tumor_wavelet-HLL_ngtdm_Complexity`` is ``AP tumor HLL NGTDM Complexity``. Whatever is
longer than 44 characters loses its middle. Two inputs that would get one name keep their full ones.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from hccoutcome.clinical.indices import INDICES
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError
from hccoutcome.naming import parse_feature_name

LONGEST = 44
PHASES = {"precontrast": "PRE", "arterial": "AP", "portal": "PVP", "delayed": "DP", "hepatobiliary": "HBP"}
"""Abbreviations of the phases as radiologists use them."""


def short_names(names: Sequence[str]) -> list[str]:
    """Return the names for a figure, all different."""
    shortened = [short_name(name) for name in names]
    counts = Counter(shortened)
    return [short if counts[short] == 1 else name for name, short in zip(names, shortened, strict=True)]


def short_name(name: str) -> str:
    """Return one name for a figure."""
    if name in VARIABLES:
        return _cut(VARIABLES[name].title)
    if name in INDICES:
        return _cut(INDICES[name].title)
    try:
        found = parse_feature_name(name)
    except InputError:
        return _cut(name)
    image_type, _, rest = found.radiomic.partition("_")
    kind, _, feature = rest.partition("_")
    words = [PHASES.get(found.phase, found.phase), found.region, _image_type(image_type), _class(kind), feature]
    return _cut(" ".join(filter(None, words)))


def _image_type(name: str) -> str:
    log = re.fullmatch(r"log-sigma-(\d+)-(\d+)-mm-3D", name)
    if log:
        return f"LoG {float('.'.join(log.groups())):g} mm"
    return {"original": ""}.get(name, name.removeprefix("wavelet-"))


def _class(name: str) -> str:
    return {"firstorder": "", "shape": "shape"}.get(name, name.upper())


def _cut(text: str) -> str:
    """Return text without its middle where it is too long."""
    if len(text) <= LONGEST:
        return text
    tail = (LONGEST - 1) // 2
    return f"{text[: LONGEST - 1 - tail].rstrip()}…{text[-tail:].lstrip()}"
