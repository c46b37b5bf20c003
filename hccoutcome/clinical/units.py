"""Units of the clinical variables: how they are spelt and what they are worth in the unit that the schema uses.

A conversion table gives, for one kind of quantity, the factor that turns a value in that unit into the first one of the
table. Mass to substance conversions use the molar mass: bilirubin 584.66 g/mol, creatinine 113.12 g/mol, C-reactive
protein 105 kg/mol; one international unit of alpha-fetoprotein (WHO 72/225) is 1.21 ng; one katal is 1 mol/s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType


def _table(**_: float) -> Mapping[str, float]:
    return MappingProxyType(_)


BILIRUBIN = _table(**{"umol/L": 1.0, "mg/dL": 17.104, "mg/L": 1.7104})
ALBUMIN = _table(**{"g/L": 1.0, "g/dL": 10.0, "mg/dL": 0.01})
CREATININE = _table(**{"umol/L": 1.0, "mg/dL": 88.4})
ENZYME = _table(**{"U/L": 1.0, "ukat/L": 60.0, "nkat/L": 0.06})
AFP = _table(**{"ng/mL": 1.0, "ug/L": 1.0, "ng/dL": 0.01, "IU/mL": 1.21, "kIU/L": 1.21})
PIVKA = _table(**{"mAU/mL": 1.0, "AU/L": 1.0, "AU/mL": 1000.0})
CRP = _table(**{"mg/L": 1.0, "mg/dL": 10.0, "ug/mL": 1.0, "nmol/L": 0.105})
CELLS = _table(
    **{"10^9/L": 1.0, "G/L": 1.0, "10^3/uL": 1.0, "10^6/L": 0.001, "/uL": 0.001, "10^4/uL": 10.0, "10^5/uL": 100.0}
)
SECONDS = _table(s=1.0)
RATIO = _table()
YEARS = _table(years=1.0)
BODY_HEIGHT = _table(cm=1.0, m=100.0, mm=0.1)
BODY_WEIGHT = _table(kg=1.0, g=0.001, lb=0.45359237)
BMI = _table(**{"kg/m2": 1.0})
DIAMETER = _table(cm=1.0, mm=0.1)
PERCENT = _table(**{"%": 1.0, "fraction": 100.0})

_CHARACTERS = str.maketrans("µμ×⁰¹²³⁴⁵⁶⁷⁸⁹", "uux0123456789")
_POWER = re.compile(r"^(?:x|\*)?10(?:\^|\*\*?|e)?(\d{1,2})/")
_WORDS = MappingProxyType(
    {
        "iu/l": "u/l",
        "k/ul": "10^3/ul",
        "thou/ul": "10^3/ul",
        "giga/l": "g/l",
        "sec": "s",
        "second": "s",
        "seconds": "s",
        "year": "years",
        "yr": "years",
        "y": "years",
        "a": "years",
        "centimeter": "cm",
        "centimetre": "cm",
        "millimeter": "mm",
        "millimetre": "mm",
        "kgs": "kg",
        "lbs": "lb",
        "kg/m^2": "kg/m2",
        "percent": "%",
    }
)


def spelling(unit: str) -> str:
    """Return the one spelling by which units are compared: ``"×10⁹ / L"`` becomes ``"10^9/l"``.

    Case carries no meaning here, because every variable has a table of its own in which no two units differ in case
    alone.
    """
    word = "".join(unit.translate(_CHARACTERS).lower().split())
    word = word.removeprefix("cells").replace("/mm3", "/ul").replace("/mm^3", "/ul").replace("mcg", "ug")
    word = _POWER.sub(r"10^\1/", word)
    return _WORDS.get(word, word)


def convert(value: float, scale: float) -> float:
    """Return a value times a conversion factor, free of the rounding noise that would cross a printed threshold.

    33 mm are 3.3 cm, not 3.3000000000000003; twelve significant digits are kept, more than any laboratory prints.
    """
    return value if scale == 1.0 else float(f"{value * scale:.12g}")


def factor(unit: str, table: Mapping[str, float]) -> float | None:
    """Return what one ``unit`` is worth in the table's first unit; None where the table does not know it."""
    wanted = spelling(unit)
    return next((value for known, value in table.items() if spelling(known) == wanted), None)
