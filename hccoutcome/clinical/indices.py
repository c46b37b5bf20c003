"""Composite indices of inflammation, nutrition and liver function, and their change under treatment.

Formulas as PRIME prints them (Supplementary Method, "Composite Clinical Indices"). Cell counts are in 10^9/L, albumin
in g/L, bilirubin in umol/L. A change index is (after - before) / before, with "after" one month after treatment and
"before" one week before it; 0.5 means half as much again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hccoutcome.clinical.liver_function import albi_score
from hccoutcome.clinical.variables import CHANGING
from hccoutcome.errors import InputError, nearest

Record = Mapping[str, float | str]


@dataclass(frozen=True)
class Index:
    """One index: its inputs in the order of the function's arguments, the formula in words, and its source."""

    name: str
    title: str
    needs: tuple[str, ...]
    formula: str
    citation: str
    function: Callable[..., float]


def ratio(numerator: float, denominator: float) -> float:
    """Return a quotient; PLR, NLR and LMR are such.

    Raises:
        InputError: the denominator is zero.
    """
    if denominator == 0:
        raise InputError("A ratio needs a denominator above zero, found 0: check the cell counts.")
    return numerator / denominator


def sii(plt: float, neu: float, lym: float) -> float:
    """Return the systemic immune-inflammation index (Hu 2014), all counts in 10^9/L."""
    return ratio(plt * neu, lym)


def pni(alb: float, lym: float) -> float:
    """Return the prognostic nutritional index (Onodera 1984) from albumin in g/L and lymphocytes in 10^9/L."""
    return alb + 5.0 * lym


def piv(neu: float, plt: float, mon: float, lym: float) -> float:
    """Return the pan-immune-inflammation value (Fuca 2020), all counts in 10^9/L."""
    return ratio(neu * plt * mon, lym)


def change(before: float, after: float) -> float:
    """Return the relative change from before to after.

    Raises:
        InputError: the value before is zero.
    """
    if before == 0:
        raise InputError("A relative change needs a value above zero before treatment, found 0: check it.")
    return (after - before) / before


COMPOSITE: Mapping[str, Index] = MappingProxyType(
    {
        index.name: index
        for index in (
            Index(
                "plr", "Platelet-to-lymphocyte ratio", ("plt", "lym"), "plt / lym",
                "Smith RA, et al. Am J Surg 2009;197:466-472", ratio,
            ),
            Index(
                "nlr", "Neutrophil-to-lymphocyte ratio", ("neu", "lym"), "neu / lym",
                "Zahorec R. Bratisl Lek Listy 2001;102:5-14", ratio,
            ),
            Index(
                "lmr", "Lymphocyte-to-monocyte ratio", ("lym", "mon"), "lym / mon",
                "Li ZM, et al. PLoS One 2012;7:e41658", ratio,
            ),
            Index(
                "sii", "Systemic immune-inflammation index", ("plt", "neu", "lym"), "plt x neu / lym",
                "Hu B, et al. Clin Cancer Res 2014;20:6212-6222", sii,
            ),
            Index(
                "pni", "Prognostic nutritional index", ("alb", "lym"), "alb [g/L] + 5 x lym [10^9/L]",
                "Onodera T, et al. Nihon Geka Gakkai Zasshi 1984;85:1001-1005", pni,
            ),
            Index(
                "piv", "Pan-immune-inflammation value", ("neu", "plt", "mon", "lym"), "neu x plt x mon / lym",
                "Fuca G, et al. Br J Cancer 2020;123:403-409", piv,
            ),
            Index(
                "albi", "Albumin-bilirubin score", ("tbil", "alb"), "0.66 x log10(tbil [umol/L]) - 0.085 x alb [g/L]",
                "Johnson PJ, et al. J Clin Oncol 2015;33:550-558", albi_score,
            ),
        )
    }
)  # fmt: skip
"""The composite indices by name."""

CHANGING_INDICES = ("plr", "nlr", "lmr", "sii", "pni", "piv")
"""Composite indices of which PRIME uses the change under treatment."""

_PRIME = "PRIME, Supplementary Method"


def _change_of_variable(name: str) -> Index:
    return Index(
        f"{name}_change", f"{name.upper()}%", (name, f"{name}_post"), f"({name}_post - {name}) / {name}", _PRIME, change
    )


def _change_of_index(index: Index) -> Index:
    after = tuple(f"{name}_post" for name in index.needs)
    size = len(index.needs)

    def function(*values: float) -> float:
        return change(index.function(*values[:size]), index.function(*values[size:]))

    formula = f"({index.name} after - {index.name} before) / {index.name} before"
    return Index(f"{index.name}_change", f"{index.name.upper()}%", (*index.needs, *after), formula, _PRIME, function)


CHANGES: Mapping[str, Index] = MappingProxyType(
    {
        index.name: index
        for index in (
            *map(_change_of_variable, CHANGING),
            *(_change_of_index(COMPOSITE[name]) for name in CHANGING_INDICES),
        )
    }
)
"""The change indices by name: ``afp_change`` to ``piv_change``."""

INDICES: Mapping[str, Index] = MappingProxyType({**COMPOSITE, **CHANGES})
"""Every index by name."""


def _find(name: str) -> Index:
    if name not in INDICES:
        raise InputError(f"'{name}' is not a known index; {nearest(name, INDICES)}.")
    return INDICES[name]


def missing_for_index(name: str, record: Record) -> tuple[str, ...]:
    """Return the variables that a record lacks for an index.

    Raises:
        InputError: there is no index of that name.
    """
    return tuple(need for need in _find(name).needs if need not in record)


def composite_index(name: str, record: Record) -> float:
    """Return one index of a record.

    Raises:
        InputError: there is no index of that name, an input is missing, or a denominator is zero.
    """
    index = _find(name)
    missing = missing_for_index(name, record)
    if missing:
        raise InputError(
            f"{index.title} ({name}) needs {', '.join(missing)}: add what is missing to the clinical record."
        )
    try:
        return index.function(*(float(record[need]) for need in index.needs))
    except InputError as error:
        raise InputError(f"{index.title} ({name}): {error}") from error


def composite_indices(record: Record) -> dict[str, float]:
    """Return every index whose inputs a record holds; ``missing_for_index`` says what the others lack.

    Args:
        record: as ``parse_record`` returns it.

    Raises:
        InputError: a denominator is zero.
    """
    return {name: composite_index(name, record) for name in INDICES if not missing_for_index(name, record)}
