"""Guess the contrast phase or MRI sequence from a file name or a series description."""

from __future__ import annotations

import re
import unicodedata

_SEQUENCES: tuple[tuple[str, str], ...] = (
    ("adc", r"adc|apparent diffusion coefficient"),
    ("dwi", r"dwi|diffusion|ep2d diff\w*|trace ?w|b ?(?:50|400|500|600|800|1000)"),
    ("flair", r"flair|tirm dark fluid"),
    ("t1ce", r"t1 ?(?:ce|c|gd|gad\w*|km|post\w*)|t1 .*(?:post ?contrast|with contrast|\+ ?c)"),
)
_PHASES: tuple[tuple[str, str], ...] = (
    ("hepatobiliary", r"hbp|hepato ?biliary|hepatobiliaire|hepatobiliar\w*|20 ?min(?:utes)?"),
    ("delayed", r"delay(?:ed)?|delays|equilibrium|equil|tardif|tardive|late venous|spaet\w*|spat(?:phase)?"),
    (
        "precontrast",
        r"pre|pre ?contrast|precontrast|native?|nativ\w*|unenhanced|non ?contrast|non ?enhanced|noncon|nect|ncct|"
        r"without(?: iv)?(?: contrast)?|w o(?: contrast)?|plain|sans injection|ohne km|nc",
    ),
    (
        "portal",
        r"portal(?: ?venous)?(?: phase)?|portal vein phase|portalvenos|portal ?venoes|portal ?venos|porto ?venous|"
        r"portale?|pv|pvp|venous|vp|ven|venos|venoes|veineux|veineuse|porto",
    ),
    ("arterial", r"arterial|arteriell?\w*|arteriel\w*|art|hap|lap|hepatic arterial|late arterial|early arterial"),
)
_WEIGHTINGS: tuple[tuple[str, str], ...] = (("t1", r"t1w?|t1 ?weighted"), ("t2", r"t2w?|t2 ?weighted|haste|ssfse"))
_NOT_BEFORE_CONTRAST = r"\bpre ?(?:op|operative|treatment|therapy|tace|haic|tx|interventional|procedure|ablation|rt)\b"
_ANATOMY = (
    r"\b(?:portal ?veins?|hepatic veins?|hepatic arter(?:y|ies)|arter(?:y|ies)|venous ?system|lap band)\b(?! phase)"
)
_ABDOMEN_PELVIS = r"\b(?:ct|chest|thorax|cap|abd\w*|pelvis)\b"


def guess_phase(text: str) -> str | None:
    """Guess the phase or sequence that a file name or series description names.

    A contrast phase outranks a weighting (``"T1 vibe arterial"`` is ``"arterial"``). A text that names none, or
    several phases at once, gives None: a wrong guess is worse than a question to the user.

    Args:
        text: file name, folder name or series description, in English, German or French.

    Returns:
        A name of ``hccoutcome.case.PHASES``, or None.
    """
    words = _words(text)
    for name, pattern in _SEQUENCES:
        if _holds(words, pattern):
            return name
    phases = _phases(words)
    if len(phases) > 1:
        return None
    if phases:
        return phases[0]
    weightings = [name for name, pattern in _WEIGHTINGS if _holds(words, pattern)]
    return weightings[0] if len(weightings) == 1 else None


def _words(text: str) -> str:
    """Return the text in lower case without accents, its words split at signs, camel case and trailing numbers."""
    plain = unicodedata.normalize("NFKD", str(text)).encode("ascii", "ignore").decode()
    plain = re.sub(r"\.(nii|nrrd|seg|mha|mhd|dcm|gz)\b", " ", plain, flags=re.IGNORECASE)
    plain = re.sub(r"([a-z])([A-Z])", r"\1 \2", plain).lower()
    plain = re.sub(r"[^a-z0-9+]+", " ", plain)
    plain = re.sub(r"\b([a-z]{2,})(\d+)\b", r"\1 \2", plain)
    return re.sub(r"\bpre contrast\b", "precontrast", plain).strip()


def _phases(words: str) -> list[str]:
    words = re.sub(_ANATOMY, " ", re.sub(_NOT_BEFORE_CONTRAST, " ", words))
    found = []
    for name, pattern in _PHASES:
        if _holds(words, pattern):
            found.append(name)
            words = re.sub(rf"\b(?:{pattern})\b", " ", words)
    if not found and _holds(words, "ap") and not re.search(_ABDOMEN_PELVIS, words):
        found = ["arterial"]
    if not found and _holds(words, "late"):
        found = ["delayed"]
    return found


def _holds(words: str, pattern: str) -> bool:
    return re.search(rf"\b(?:{pattern})\b", words) is not None
