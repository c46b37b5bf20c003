"""What in a DICOM data set names the patient, a person or an institution, as patterns to look for in kept texts.

Looked for are the words of a name, family and given name written together in either order, numbers and addresses, and
the dates of the data set in the notations in which people write them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from itertools import permutations
from typing import TYPE_CHECKING, Any

from hccoutcome.imaging.dicom_headers import pydicom_errors

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataelem import DataElement

_IDENTIFYING = (
    "PatientID", "OtherPatientIDs", "AccessionNumber", "PatientAddress", "PatientTelephoneNumbers",
    "MedicalRecordLocator", "InstitutionName", "InstitutionAddress", "AdmissionID", "StudyID",
)  # fmt: skip
_LEAST = 3
"""Fewer letters of an alphabet stand in too many other words to name anybody."""
_FREE = 6
"""From this length on a word is looked for within others too (``ANN`` is in ``scanner``, ``Annabel`` is not)."""
_CJK = re.compile(
    "[\u1100-\u11ff\u2e80-\u30ff\u3105-\u312f\u3131-\u318e\u31a0-\u31ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_BETWEEN = r"[\W_]{0,3}"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def identifying_pattern(dataset: Dataset) -> re.Pattern[str] | None:
    """Return the pattern of all that identifies in a data set; None where nothing does.

    The texts to search are brought to one form by ``plain_text`` first.
    """
    found = sorted(_patterns(dataset))
    return re.compile("|".join(found), re.IGNORECASE) if found else None


def plain_text(value: Any) -> str:
    """Return a value as text in one form: no full-width letters, accents written in one way."""
    return unicodedata.normalize("NFKC", str(value))


def _patterns(dataset: Dataset) -> set[str]:
    found: set[str] = set()
    for tag in list(dataset.keys()):
        if tag.is_private:
            continue
        try:
            element = dataset[tag]
        except pydicom_errors():
            continue
        if element.VR == "SQ":
            for item in element.value:
                found |= _patterns(item)
        else:
            found |= _element_patterns(element)
    return found


def _element_patterns(element: DataElement) -> set[str]:
    values = [element.value] if isinstance(element.value, str) or not _many(element) else list(element.value)
    texts = [plain_text(value).strip() for value in values if value]
    if element.VR == "PN":
        return {pattern for text in texts for pattern in _name_patterns(text)}
    if element.VR in ("DA", "DT"):
        return {pattern for text in texts for pattern in _date_patterns(text)}
    return _word_patterns(texts) if element.keyword in _IDENTIFYING else set()


def _many(element: DataElement) -> bool:
    from pydicom.multival import MultiValue

    return isinstance(element.value, MultiValue | list)


def _word_patterns(words: Iterable[str]) -> set[str]:
    """Return the patterns of single words; East Asian names are of any length, others of 3 letters or more."""
    kept = {word for word in words if len(word) >= _LEAST or _CJK.search(word)}
    return {_as_pattern(re.escape(word), word) for word in kept if word.upper() != "ANONYMIZED"}


def _name_patterns(name: str) -> set[str]:
    """Return the patterns of a person's name: its words, and family and given name written together.

    DICOM parts the ways of writing (alphabetic, ideographic, phonetic) by ``=`` and the components by ``^``.
    """
    found: set[str] = set()
    for writing in name.split("="):
        components = [re.findall(r"[^\W_]+", component) for component in writing.split("^")]
        found |= _word_patterns(re.split(r"[\^ \\\[\]',]+", writing))
        found |= _word_patterns(word for words in components for word in words)
        for order in permutations([words for words in components[:2] if words], 2):
            words = [word for part in order for word in part]
            found.add(_as_pattern(_BETWEEN.join(map(re.escape, words)), "".join(words)))
    return found


def _as_pattern(pattern: str, word: str) -> str:
    """Match long and East Asian words anywhere and short ones only where they stand alone."""
    anywhere = len(word) >= _FREE or _CJK.search(word)
    return pattern if anywhere else rf"(?<![^\W_]){pattern}(?![^\W_])"


def _date_patterns(value: str) -> set[str]:
    """Return the patterns of a DICOM date or date-time: year first, day first, month first, month as a word."""
    match = re.match(r"(\d{4})\.?(\d{2})\.?(\d{2})", value)
    if match is None:
        return set()
    try:
        day = date(*map(int, match.groups()))
    except ValueError:
        return set()
    y, m, d = f"{day:%Y}", f"{day:%m}", f"{day:%d}"
    loose_m, loose_d = (f"0?{int(part)}" for part in (m, d))
    part, word = r"[-./ ]{1,2}", rf"{_MONTHS[day.month - 1]}[^\W\d_]*"
    ways = [y + m + d, d + m + y, m + d + y]
    ways += [part.join(order) for order in ((y, loose_m, loose_d), (loose_d, loose_m, y), (loose_m, loose_d, y))]
    ways += [rf"{loose_d}[-., ]*{word}[-., ]*{y}", rf"{word}[-., ]*{loose_d}[-., ]*{y}"]
    return {rf"(?<!\d)(?:{way})(?!\d)" for way in ways}
