"""Bring another group's tables into the form of a training table, by a mapping that is data and no code.

A mapping is a JSON file that says which source column becomes which column of the training table, how its codes
translate, and which source columns are left out. Every source column has to be named, so that none is lost by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hccoutcome.clinical.endpoints import outcome_of
from hccoutcome.clinical.entry import is_missing, variable_of
from hccoutcome.cohort.finding import listed
from hccoutcome.cohort.hounsfield import with_offset
from hccoutcome.cohort.sheet import Sheet, read_sheet
from hccoutcome.cohort.table import ID_COLUMN
from hccoutcome.errors import InputError, nearest
from hccoutcome.naming import parse_feature_name
from hccoutcome.resources import resource
from hccoutcome.strict_json import Fields, parse_json

SCHEMA = 1
RATER_COLUMN = "rater"

Row = dict[str, str]


@dataclass(frozen=True)
class Source:
    """Where a column comes from: the source column, and the text for each of its codes (none: the cells stay)."""

    column: str
    codes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TableMapping:
    """How a clinical table is translated.

    Attributes:
        case: source column that names the patient.
        columns: source by the column that it becomes.
        left_out: source columns that are not used; ``*`` stands for any text and ``?`` for one character.
        sheet: name of the sheet in a workbook; the first where empty.
    """

    case: str
    columns: Mapping[str, Source]
    left_out: tuple[str, ...] = ()
    sheet: str = ""


@dataclass(frozen=True)
class Offset:
    """Grey levels of some patients that are a constant away from Hounsfield units.

    Attributes:
        feature: source column whose value tells them: ``"original_firstorder_Median"``.
        above: patients with a higher value have the offset.
        add: what their grey levels lack.
    """

    feature: str
    above: float
    add: float


@dataclass(frozen=True)
class FeatureMapping:
    """How a table of features is translated.

    Attributes:
        case: source column that names the patient.
        prefix: put before each feature's name: ``"arterial_tumor_"``.
        columns: source columns that are features; ``*`` stands for any text.
        repeat: source column that names the repeat (reader, perturbation) where patients have several rows.
        use: the repeat whose features are learnt from.
        left_out: source columns that are not used.
        offset: grey levels to put right, None where all are alike.
    """

    case: str
    prefix: str
    columns: tuple[str, ...]
    repeat: str = ""
    use: str = ""
    left_out: tuple[str, ...] = ()
    offset: Offset | None = None


@dataclass(frozen=True)
class CohortMapping:
    """A mapping file: title, source with licence, notes on what the translation does, and its two parts."""

    title: str
    source: str
    notes: tuple[str, ...]
    table: TableMapping
    features: FeatureMapping | None = None


def shipped_mappings() -> dict[str, Path]:
    """Return the mapping files that ship with the extension, by name."""
    return {path.stem: path for path in sorted(resource("Mappings").glob("*.json"))}


def read_mapping(name: str) -> CohortMapping:
    """Read a mapping.

    Args:
        name: of a shipped mapping, or path of a file.

    Raises:
        InputError: there is none, or it is not a mapping.
    """
    shipped = shipped_mappings()
    path = shipped.get(name, Path(name))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"A mapping is a file or one of those shipped; {nearest(name, shipped)}.") from error
    return _mapping(parse_json(content, path.name), path.name)


def _mapping(data: Any, where: str) -> CohortMapping:
    fields = Fields(data, where)
    schema = fields.value("schema", int, "a whole number")
    if schema != SCHEMA:
        raise InputError(f"{where} should have schema {SCHEMA}, found {schema}: write it anew.")
    features = fields.object("features", None)
    mapping = CohortMapping(
        title=fields.text("title"),
        source=fields.text("source", ""),
        notes=fields.texts("notes"),
        table=_table(fields.object("table"), f"{where}, table"),
        features=None if features is None else _features(features, f"{where}, features"),
    )
    fields.done()
    return mapping


def _table(data: Any, where: str) -> TableMapping:
    fields = Fields(data, where)
    columns = {
        name: _source(name, source, f"{where}, column '{name}'") for name, source in fields.object("columns").items()
    }
    mapping = TableMapping(fields.text("case"), columns, fields.texts("left_out"), fields.text("sheet", ""))
    fields.done()
    return mapping


def _source(name: str, data: Any, where: str) -> Source:
    if outcome_of(name) is None:
        variable_of(name)
    fields = Fields(data, where)
    codes = fields.object("codes", {})
    wrong = [text for text in codes.values() if not isinstance(text, str)]
    if wrong:
        raise InputError(f"{where}: 'codes' should hold texts only, found {wrong[0]!r}: put it into quotes.")
    source = Source(fields.text("from"), dict(codes))
    fields.done()
    return source


def _features(data: Any, where: str) -> FeatureMapping:
    fields = Fields(data, where)
    mapping = FeatureMapping(
        case=fields.text("case"),
        prefix=fields.text("prefix"),
        columns=fields.texts("columns"),
        repeat=fields.text("repeat", ""),
        use=fields.text("use", ""),
        left_out=fields.texts("left_out"),
        offset=_offset(fields.object("offset", None), f"{where}, offset"),
    )
    fields.done()
    if bool(mapping.repeat) != bool(mapping.use):
        raise InputError(f"{where}: 'repeat' and 'use' go together, found one: give both or none.")
    return mapping


def _offset(data: Any, where: str) -> Offset | None:
    if data is None:
        return None
    fields = Fields(data, where)
    offset = Offset(fields.text("feature"), fields.number("above"), fields.number("add"))
    fields.done()
    return offset


def translate_table(path: Path, mapping: TableMapping) -> tuple[list[str], list[Row]]:
    """Translate a clinical table.

    Args:
        path: CSV file or Excel workbook.
        mapping: how.

    Returns:
        The columns of the training table, and one row a patient.

    Raises:
        InputError: the source lacks a column, has one that is not accounted for, or a code that is not translated.
    """
    sheet = read_sheet(path, mapping.sheet)
    used = {mapping.case, *(source.column for source in mapping.columns.values())}
    _account_for(sheet, used, mapping.left_out)
    rows = [
        {ID_COLUMN: row[mapping.case], **{name: _cell(row, source) for name, source in mapping.columns.items()}}
        for row in sheet.rows
        if row[mapping.case]
    ]
    return [ID_COLUMN, *mapping.columns], rows


def _cell(row: Mapping[str, str], source: Source) -> str:
    text = row[source.column]
    if is_missing(text) or not source.codes:
        return text
    if text not in source.codes:
        raise InputError(
            f"'{source.column}' should be one of {', '.join(map(repr, source.codes))}, found '{text}': add its code to "
            "the mapping."
        )
    return source.codes[text]


def translate_features(path: Path, mapping: FeatureMapping) -> tuple[list[str], list[Row], list[Row]]:
    """Translate a table of features.

    Args:
        path: CSV file or Excel workbook.
        mapping: how.

    Returns:
        The names of the features; one row a patient to learn from; and all rows with their repeat in the column
        ``rater``, for ``hcc stability`` (empty where there are no repeats).

    Raises:
        InputError: the source lacks a column or has one that is not accounted for, or no row is to be learnt from.
    """
    sheet = read_sheet(path)
    sources = [name for name in sheet.header if _matches(name, mapping.columns)]
    used = {mapping.case, *([mapping.repeat] if mapping.repeat else []), *sources}
    _account_for(sheet, used, mapping.left_out)
    names = [mapping.prefix + name for name in sources]
    for name in names:
        parse_feature_name(name)
    lacking = _with_offset(sheet.rows, mapping)
    rows = [
        {ID_COLUMN: row[mapping.case], **_features_of(row, sources, mapping, row[mapping.case] in lacking)}
        for row in sheet.rows
    ]
    if not mapping.repeat:
        return names, rows, []
    repeats = [{**row, RATER_COLUMN: source[mapping.repeat]} for row, source in zip(rows, sheet.rows, strict=True)]
    chosen = [
        {key: cell for key, cell in row.items() if key != RATER_COLUMN}
        for row in repeats
        if row[RATER_COLUMN] == mapping.use
    ]
    if not chosen:
        found = listed(sorted({row[RATER_COLUMN] for row in repeats}))
        raise InputError(
            f"Rows with '{mapping.use}' in '{mapping.repeat}' were expected, found {found}: mend the mapping."
        )
    return names, chosen, repeats


def _with_offset(rows: Sequence[Mapping[str, str]], mapping: FeatureMapping) -> set[str]:
    """Return the patients whose grey levels have the offset; all repeats of a patient come from one image."""
    offset = mapping.offset
    if offset is None:
        return set()
    told = [row for row in rows if not mapping.repeat or row[mapping.repeat] == mapping.use]
    return {
        row[mapping.case]
        for row in told
        if not is_missing(row[offset.feature]) and float(row[offset.feature]) > offset.above
    }


def _features_of(row: Mapping[str, str], sources: Sequence[str], mapping: FeatureMapping, lacking: bool) -> Row:
    """Return one row's features by their new names, in Hounsfield units where the patient's lack the offset."""
    found = {mapping.prefix + name: row[name] for name in sources}
    offset = mapping.offset
    if offset is None or not lacking:
        return found
    prefix = f"{mapping.prefix}{offset.feature.rpartition('_')[0]}_"
    levels = {name: float(cell) for name, cell in found.items() if name.startswith(prefix) and not is_missing(cell)}
    return {**found, **{name: repr(value) for name, value in with_offset(levels, offset.add, prefix).items()}}


def _account_for(sheet: Sheet, used: set[str], left_out: Sequence[str]) -> None:
    for column in used:
        if column not in sheet.header:
            raise InputError(f"'{sheet.name}' should have the column '{column}'; {nearest(column, sheet.header)}.")
    for column in sheet.header:
        if column not in used and not _matches(column, left_out):
            raise InputError(
                f"The column '{column}' of '{sheet.name}' is not accounted for: name it in 'columns' or 'left_out' of "
                "the mapping."
            )


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
