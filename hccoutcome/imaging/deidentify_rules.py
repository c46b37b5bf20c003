"""What happens to each element of a DICOM data set: the Basic Application Level Confidentiality Profile of PS3.15.

The table of the profile (annex E) and the dummy values come from the library dicom-anonymizer. What the library leaves
open is settled here, always to the stricter side: rules hold in nested sequences too, UIDs are mapped one to one by a
keyed hash, private and unknown elements go, and so does a text that repeats the patient's name, number or dates.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hccoutcome.imaging.deidentify_words import identifying_pattern, plain_text
from hccoutcome.imaging.dicom_headers import pydicom_errors

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataelem import DataElement
    from pydicom.tag import BaseTag

PROFILE_TABLE = "dicomfields_2026c"
"""The library's copy of table E.1-1 of PS3.15 that is applied."""
_TIMES = ("DA", "DT", "TM")
_BIRTH = ("PatientBirthDate", "PatientBirthTime")
_TEXTS = ("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
_PSEUDONYMOUS = ("PatientName", "PatientID")
_STANDARD_UIDS = "1.2.840.10008."


@dataclass(frozen=True)
class Secret:
    """The key of one run, from which new UIDs and date offsets follow; whoever lacks it cannot undo them."""

    key: bytes

    def _digest(self, purpose: str, value: str) -> bytes:
        return hmac.new(self.key, f"{purpose}:{value}".encode(), hashlib.sha256).digest()

    def uid(self, old: str) -> str:
        """Return the new UID of an old one: always the same, and of no use for finding the old one.

        UIDs that the DICOM standard itself defines (object classes, encodings) stay.
        """
        if not old or old.startswith(_STANDARD_UIDS):
            return old
        return f"2.25.{uuid.UUID(bytes=self._digest('uid', old)[:16], version=4).int}"

    def days(self, patient: str) -> int:
        """Return by how many days the dates of a patient are put back: 1 to 3650, the same for all his files."""
        return 1 + int.from_bytes(self._digest("dates", patient)[:8], "big") % 3650


@dataclass
class Cleaner:
    """Cleans the data sets of one patient and notes what was done to which element.

    Attributes:
        secret: key of the run.
        pseudonym: takes the place of the patient's name and ID.
        days_back: number of days that dates are put back, or None to remove dates.
    """

    secret: Secret
    pseudonym: str
    days_back: int | None = None
    _here: set[tuple[str, str, str]] = field(default_factory=set)

    @cached_property
    def rules(self) -> Mapping[tuple[int, int], Callable[[Any, Any], None]]:
        """The profile's rule by tag, as functions of the library."""
        from dicomanonymizer.simpledicomanonymizer import initialize_actions

        return {tag: rule for tag, rule in initialize_actions(PROFILE_TABLE).items() if len(tag) == 2}

    def clean(self, dataset: Dataset) -> frozenset[tuple[str, str, str]]:
        """Clean a data set in place and return what was done: (tag, name, action).

        Its file meta information and preamble are not touched.
        """
        self._here = set()
        known = identifying_pattern(dataset)
        self._clean_level(dataset)
        self._remove_repeated(dataset, known)
        for keyword in _PSEUDONYMOUS:
            setattr(dataset, keyword, self.pseudonym)
            self._note(dataset[keyword].tag, "replaced by the pseudonym", alone=True)
        return frozenset(self._here)

    def _note(self, tag: BaseTag, action: str, alone: bool = False) -> None:
        from pydicom.datadict import dictionary_description, dictionary_has_tag

        if tag.is_private:
            name = "Private element"
        else:
            name = dictionary_description(tag) if dictionary_has_tag(tag) else "Unknown element"
        number = f"({tag.group:04X},{tag.element:04X})"
        if alone:
            self._here = {done for done in self._here if done[0] != number}
        self._here.add((number, name, action))

    def _clean_level(self, dataset: Dataset) -> None:
        from pydicom.datadict import dictionary_has_tag

        for tag in list(dataset.keys()):
            if tag.element == 0:
                del dataset[tag]
            elif tag.is_private:
                self._remove(dataset, tag, "removed (private)")
            elif tag.group & 0xFF00 in (0x5000, 0x6000):
                self._remove(dataset, tag, "removed (curve or overlay)")
            elif not dictionary_has_tag(tag):
                self._remove(dataset, tag, "removed (not in the standard)")
            else:
                self._clean_readable(dataset, tag)

    def _remove(self, dataset: Dataset, tag: BaseTag, action: str = "removed") -> None:
        del dataset[tag]
        self._note(tag, action)

    def _clean_readable(self, dataset: Dataset, tag: BaseTag) -> None:
        try:
            element = dataset[tag]
        except pydicom_errors():
            self._remove(dataset, tag, "removed (value cannot be read)")
            return
        rule = self.rules.get((tag.group, tag.element))
        if rule is not None:
            self._apply(dataset, element, rule)
        elif element.VR == "SQ":
            for item in element.value:
                self._clean_level(item)
        elif element.VR in ("DA", "DT"):
            self._change_date(dataset, element)

    def _apply(self, dataset: Dataset, element: DataElement, rule: Callable[[Any, Any], None]) -> None:
        """Apply one rule of the profile; the library's function names are its codes (X delete, Z empty, D replace)."""
        if self.days_back is not None and element.VR in _TIMES and element.keyword not in _BIRTH:
            self._change_date(dataset, element)
        elif element.VR == "UI" and rule.__name__ != "delete":
            self._replace_uids(element)
        elif rule.__name__ == "delete":
            self._remove(dataset, element.tag)
        elif element.VR == "SQ":
            self._apply_to_sequence(element, rule.__name__)
        else:
            try:
                rule(dataset, element.tag)
            except NotImplementedError:
                self._remove(dataset, element.tag)
                return
            self._note(element.tag, "replaced by a dummy" if dataset[element.tag].value else "emptied")

    def _replace_uids(self, element: DataElement) -> None:
        values = [element.value] if isinstance(element.value, str) else list(element.value or ())
        fresh = [self.secret.uid(str(value)) for value in values]
        if fresh != [str(value) for value in values]:
            element.value = fresh[0] if len(fresh) == 1 else fresh
            self._note(element.tag, "UID replaced")

    def _apply_to_sequence(self, element: DataElement, rule: str) -> None:
        if rule == "delete_or_empty_or_replace_UID":
            for item in element.value:
                self._clean_level(item)
            self._note(element.tag, "items cleaned")
        elif rule in ("replace", "delete_or_replace", "empty_or_replace"):
            for item in element.value:
                self._fill_with_dummies(item)
            self._note(element.tag, "replaced by a dummy")
        else:
            element.value = []
            self._note(element.tag, "emptied")

    def _fill_with_dummies(self, item: Dataset) -> None:
        from dicomanonymizer.simpledicomanonymizer import replace_element

        for tag in list(item.keys()):
            if tag.is_private:
                del item[tag]
            elif item[tag].VR == "SQ":
                for inner in item[tag].value:
                    self._fill_with_dummies(inner)
            elif item[tag].VR == "UI":
                self._replace_uids(item[tag])
            else:
                try:
                    replace_element(item[tag])
                except NotImplementedError:
                    del item[tag]

    def _change_date(self, dataset: Dataset, element: DataElement) -> None:
        """Put a date back by the patient's days; without an offset, or where it is not whole, remove it.

        The time of day stays where dates are shifted (an offset of whole days keeps intervals).
        """
        if self.days_back is None:
            self._remove(dataset, element.tag)
            return
        if element.VR == "TM" or not element.value:
            return
        values = [element.value] if isinstance(element.value, str) else list(element.value)
        shifted = [shifted_date(str(value), self.days_back) for value in values]
        if None in shifted:
            self._remove(dataset, element.tag, "removed (date not whole)")
            return
        element.value = shifted[0] if len(shifted) == 1 else shifted
        self._note(element.tag, "date shifted")

    def _remove_repeated(self, dataset: Dataset, pattern: re.Pattern[str] | None) -> None:
        """Remove texts that the profile keeps but that repeat what identifies in this very file."""
        if pattern is None:
            return
        for tag in list(dataset.keys()):
            element = dataset[tag]
            if element.VR == "SQ":
                for item in element.value:
                    self._remove_repeated(item, pattern)
            elif element.VR in _TEXTS and element.keyword not in _PSEUDONYMOUS and _repeats(element, pattern):
                self._remove(dataset, tag, "removed (repeated an identifying value)")


def _repeats(element: DataElement, pattern: re.Pattern[str]) -> bool:
    return pattern.search(plain_text(element.value)) is not None


def shifted_date(value: str, days_back: int) -> str | None:
    """Return a DICOM date or date-time put back by whole days; None where it holds no whole date."""
    match = re.fullmatch(r"(\d{4})\.?(\d{2})\.?(\d{2})([\d.+-]*)", value.strip())
    if match is None:
        return None
    try:
        day = date(*map(int, match.groups()[:3])) - timedelta(days=days_back)
    except (ValueError, OverflowError):
        return None
    return f"{day:%Y%m%d}{match.group(4)}" if day.year >= 1000 else None
