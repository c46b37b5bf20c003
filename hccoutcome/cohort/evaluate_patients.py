"""The patients of a study: how they are read, who is evaluated, what they are like, and which subgroups they form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hccoutcome.clinical.columns import is_clinical
from hccoutcome.clinical.endpoints import outcome_of
from hccoutcome.clinical.entry import is_missing, variable_of
from hccoutcome.clinical.indices import INDICES
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.cohort.finding import counted
from hccoutcome.cohort.packaging import LearningData
from hccoutcome.cohort.table import ID_COLUMN, read_lines
from hccoutcome.cohort.training import read_training_table
from hccoutcome.cohort.training_cohort import TrainingCohort
from hccoutcome.errors import InputError, nearest
from hccoutcome.evaluation.outcomes import is_survival
from hccoutcome.evaluation.study import Left, Step, classes_of
from hccoutcome.files import sha256_of

_FEW_LEVELS = 10
_MOST_KINDS = 20
"""A covariate of more different texts names patients, not kinds of them."""


@dataclass(frozen=True, eq=False)
class StudyCohort:
    """A training table with what a study asks besides.

    Attributes:
        cohort: the table as it is trained on.
        listed: patients in the table file.
        table: SHA256 of the table file.
        extras: columns that are no variable of the schema, as numbers or text, by case.
        doubts: warnings about the table that name no patient, and how many others there are.
    """

    cohort: TrainingCohort
    listed: int
    table: str
    extras: pd.DataFrame
    doubts: tuple[str, ...]


def read_study_cohort(
    path: Path,
    features: Path | None = None,
    *,
    ignore: Sequence[str] = (),
    time_unit: str | None = None,
    extras: Sequence[str] = (),
) -> StudyCohort:
    """Read a table, with columns that a study asks for and that are no clinical variables.

    Args:
        path, features, ignore, time_unit: see ``read_training_table``.
        extras: columns to read; those that are clinical variables stand in the cohort already.

    Raises:
        InputError: as ``read_training_table``, or a column that the table has not.
    """
    header, lines = read_lines(path, "training table")
    own = [name for name in dict.fromkeys(extras) if name in header and not _is_known(name)]
    cohort = read_training_table(path, features, ignore=[*ignore, *own], time_unit=time_unit)
    place = header.index(ID_COLUMN)
    rows = {cells[place]: cells for _, cells in lines}
    columns = {name: _values([rows[case][header.index(name)] for case in cohort.patients]) for name in own}
    return StudyCohort(
        cohort,
        listed=len(lines),
        table=sha256_of(path),
        extras=pd.DataFrame(columns, index=cohort.X.index),
        doubts=_doubts(cohort, {*rows, *_cases(features)}),
    )


def _is_known(name: str) -> bool:
    """Return whether a column holds an outcome or a variable of the schema."""
    if outcome_of(name) is not None:
        return True
    try:
        variable_of(name)
    except InputError:
        return False
    return True


def _values(cells: Sequence[str]) -> list[Any]:
    """Return cells as numbers where all that are filled are numbers, as text otherwise."""
    known = [None if is_missing(cell) else cell for cell in cells]
    try:
        return [np.nan if cell is None else float(cell) for cell in known]
    except ValueError:
        return list(known)


def _cases(features: Path | None) -> set[str]:
    """Return the names in a file of features; those of patients outside the table are told in findings too."""
    if features is None:
        return set()
    header, lines = read_lines(features, "feature table")
    return {cells[header.index(ID_COLUMN)] for _, cells in lines}


def _doubts(cohort: TrainingCohort, cases: set[str]) -> tuple[str, ...]:
    """Return the doubts about a table that name no patient; of the others only how many there are."""
    notes = [f"{item.subject}: {item.note}" for item in cohort.findings if item.status == "warning"]
    told = [note for note in notes if not any(case in note for case in cases)]
    rest = len(notes) - len(told)
    about = "doubt" if not told else "more doubt"
    more = [f"{counted(rest, about)} about single patients: 'hcc table check' tells them."] if rest else []
    return (*told, *more)


def flow_of(study: StudyCohort, data: LearningData, endpoint: str) -> tuple[Step, ...]:
    """Return the patients' way from the table into the evaluation; ``endpoint`` is its name."""
    joined, evaluated = len(study.cohort.X), len(data.X)
    without = Left(study.listed - joined, "no features, or no value of any")
    unknown = Left(joined - evaluated, f"{data.endpoint} not known")
    steps = [Step("in the table", study.listed, (without,) if without.patients else ())]
    if without.patients:
        steps.append(Step("with features", joined))
    if unknown.patients:
        steps[-1] = Step(steps[-1].what, steps[-1].patients, (*steps[-1].left, unknown))
    outcome = _with_outcome(data.y)
    word = "events" if is_survival(data.y) else f"{classes_of(endpoint)[0]}s"
    return (*steps, Step(f"evaluated, {int(outcome.sum())} {word} among them", evaluated))


def _with_outcome(y: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray(y["event"] if is_survival(y) else y, bool)


# --- subgroups ------------------------------------------------------------------------------------------------------


def _above(limit: float, below: str, above: str) -> Callable[[pd.Series], list[str | None]]:
    def cut(values: pd.Series) -> list[str | None]:
        return [None if pd.isna(value) else above if float(value) >= limit else below for value in values]

    return cut


def _named(names: Mapping[Any, str]) -> Callable[[pd.Series], list[str | None]]:
    def cut(values: pd.Series) -> list[str | None]:
        return [None if pd.isna(value) else names.get(value) for value in values]

    return cut


_YES_NO = _named(MappingProxyType({0.0: "no", 1.0: "yes"}))
_PVTT = "Portal vein tumour thrombus"
_MORE_THAN_10 = float(np.nextafter(10.0, np.inf))
_SUBGROUPS: tuple[tuple[str, str, Callable[[pd.Series], list[str | None]]], ...] = (
    ("Age", "age", _above(55, "below 55 years", "from 55 years")),
    ("Tumours", "tumor_number", _above(2, "single", "multiple")),
    ("Tumours", "tumor_morphology", _named({"uninodular": "single", "multinodular": "multiple"})),
    ("Largest tumour", "tumor_diameter", _above(_MORE_THAN_10, "up to 10 cm", "above 10 cm")),
    ("Extrahepatic metastasis", "metastasis", _YES_NO),
    ("BCLC stage", "bclc", _named({"0": "0 or A", "A": "0 or A", "B": "B", "C": "C", "D": "D"})),
    (_PVTT, "pvtt", _above(3, "VP below 3", "VP3 or VP4")),
    ("Portal vein thrombus", "portal_vein_thrombus", _YES_NO),
    ("Cirrhosis", "cirrhosis", _YES_NO),
    ("Sex", "sex", _named({"female": "female", "male": "male"})),
)
"""Title, variable and levels: those of PRIME's figures (age 55, single or multiple, 10 cm, extrahepatic metastasis,
VP below 3 or 3 and 4, cirrhosis), and sex. PRIME has BCLC B and C alone: all stages stand here, for levels have to hold
all patients of whom a variable is known."""


def published_subgroups(table: pd.DataFrame) -> pd.DataFrame:
    """Return the levels of each patient, a column for each variable of which the table knows at least two levels."""
    found: dict[str, list[str | None]] = {}
    for title, name, cut in _SUBGROUPS:
        if name not in table.columns or title in found or (title == "Portal vein thrombus" and _PVTT in found):
            continue
        levels = cut(table[name])
        if len(set(levels) - {None}) > 1:
            found[title] = levels
    return pd.DataFrame(found, index=table.index, dtype=object)


# --- what the patients are like -------------------------------------------------------------------------------------


def characteristics(table: pd.DataFrame, y: NDArray[Any], endpoint: str = "") -> pd.DataFrame:
    """Return the clinical variables overall and by outcome: median (quartiles), or number (share) of each level.

    Args:
        table: one row a patient.
        y: outcome.
        endpoint: its name.

    Returns:
        Columns ``variable``, ``level``, ``missing`` and one for all patients and either outcome.
    """
    outcome = _with_outcome(y)
    words = ("no event", "event") if is_survival(y) else classes_of(endpoint)[::-1]
    groups = {"all": np.ones(len(outcome), bool), words[0]: ~outcome, words[1]: outcome}
    heads = [f"{name} (n = {int(chosen.sum())})" for name, chosen in groups.items()]
    rows = [
        (title, level, missing, *cells)
        for name in table.columns
        if is_clinical(str(name))
        for title, level, missing, cells in _rows(str(name), table[name], list(groups.values()))
    ]
    return pd.DataFrame(rows, columns=["variable", "level", "missing", *heads])


def _rows(name: str, values: pd.Series, groups: Sequence[NDArray[np.bool_]]) -> list[tuple[str, str, int, list[str]]]:
    missing = int(values.isna().sum())
    title = INDICES[name].title if name in INDICES else VARIABLES[name].title
    unit = VARIABLES[name].unit if name in VARIABLES else ""
    heading = f"{title}, {unit}" if unit else title
    levels = _levels(name, values)
    if not levels:
        return [(heading, "median (quartiles)", missing, [_quartiles(values[chosen]) for chosen in groups])]
    return [
        (heading, words, missing, [_share(values[chosen], level) for chosen in groups])
        for level, words in levels.items()
    ]


def _levels(name: str, values: pd.Series) -> dict[Any, str]:
    """Return the levels of a coded variable with their words, empty for a number."""
    if name not in VARIABLES or VARIABLES[name].kind == "number":
        return {}
    known = sorted(values.dropna().unique(), key=str)
    if VARIABLES[name].kind == "integer":
        return {level: f"{level:g}" for level in known} if len(known) <= _FEW_LEVELS else {}
    if VARIABLES[name].kind == "binary":
        return {1.0: "yes"}
    return {level: str(level) for level in known}


def _quartiles(values: pd.Series) -> str:
    known = values.dropna().to_numpy(float)
    if not len(known):
        return ""
    low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
    return f"{_number(middle)} ({_number(low)} to {_number(high)})"


def _number(value: float) -> str:
    """Return a number with three significant digits, large ones in full."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _share(values: pd.Series, level: Any) -> str:
    known = values.dropna()
    count = int((known == level).sum())
    return f"{count} ({100 * count / len(known):.0f}%)" if len(known) else ""


# --- columns by name ------------------------------------------------------------------------------------------------


def _covariate(column: pd.Series) -> pd.Series:
    """Return a column, unless it names patients, who then stood in the report.

    Raises:
        InputError: the patients, or texts of too many kinds.
    """
    kinds = 0 if pd.api.types.is_numeric_dtype(column) else column.nunique()
    if column.name == ID_COLUMN or kinds > _MOST_KINDS:
        raise InputError(
            f"'{column.name}' should be a number or one of at most {_MOST_KINDS} kinds of patients, found "
            f"{column.nunique()} different values: name another column."
        )
    return column


def columns_named(table: pd.DataFrame, extras: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return columns of the table or of the extra ones by their names.

    Raises:
        InputError: there is no such column, or it names patients.
    """
    found = {}
    for name in names:
        if name in extras.columns:
            found[name] = _covariate(extras.loc[table.index, name])
        elif name in table.columns:
            found[name] = table[name]
        else:
            known = [*extras.columns, *(column for column in table.columns if is_clinical(str(column)))]
            raise InputError(f"The table has no column '{name}'; {nearest(name, map(str, known))}.")
    return pd.DataFrame(found, index=table.index)
