"""From files to a case: ``case.json`` and options name the files, ``load_case`` reads and checks them."""

from hccoutcome.loading.casefile import (
    CASE_FILE,
    case_files,
    case_from_json,
    case_to_json,
    read_case_folder,
    read_json,
    write_case_json,
)
from hccoutcome.loading.reading import load_case, mask_for

__all__ = [
    "CASE_FILE",
    "case_files",
    "case_from_json",
    "case_to_json",
    "load_case",
    "mask_for",
    "read_case_folder",
    "read_json",
    "write_case_json",
]
