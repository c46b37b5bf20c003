"""Liver function: the albumin-bilirubin score with its grades, and Child-Pugh."""

from __future__ import annotations

import math

from hccoutcome.clinical.derive import child_pugh_class, derive
from hccoutcome.clinical.liver_score import Item, LiverScore, Record, ScoreDefinition, lacking, number, require
from hccoutcome.errors import InputError

# Johnson 2015: ALBI = 0.66 log10(bilirubin [umol/L]) - 0.085 albumin [g/L]; grade 1 up to -2.60, grade 2 up to -1.39.
ALBI_BILIRUBIN = 0.66
ALBI_ALBUMIN = -0.085
ALBI_GRADE_1 = -2.60
ALBI_GRADE_2 = -1.39
# Hiraoka 2017 splits grade 2: 2a up to -2.270.
ALBI_GRADE_2A = -2.270

# Pugh 1973 prints bilirubin 2 and 3 mg/dL, albumin 3.5 and 2.8 g/dL, prothrombin time 4 and 6 s; the middle band holds
# both of its ends. 34 and 51 umol/L are 2 and 3 mg/dL rounded, so bilirubin is compared in whole umol/L.
CHILD_PUGH_BILIRUBIN = (34.0, 51.0)
CHILD_PUGH_ALBUMIN = (28.0, 35.0)
CHILD_PUGH_INR = (1.7, 2.3)
CHILD_PUGH_PROLONGATION = (4.0, 6.0)
CHILD_PUGH_ASCITES = {"none": 1.0, "slight": 2.0, "moderate": 3.0}
CHILD_PUGH_ENCEPHALOPATHY = {"none": 1.0, "grade 1-2": 2.0, "grade 3-4": 3.0}


def albi_score(tbil: float, alb: float) -> float:
    """Return the albumin-bilirubin score (Johnson 2015, linear predictor).

    Args:
        tbil: total bilirubin in umol/L, above zero.
        alb: albumin in g/L.

    Raises:
        InputError: bilirubin is not above zero.
    """
    if tbil <= 0:
        raise InputError(f"ALBI needs a bilirubin above zero, found {tbil:g} umol/L: correct it.")
    return ALBI_BILIRUBIN * math.log10(tbil) + ALBI_ALBUMIN * alb


def albi_grade(score: float) -> int:
    """Return the ALBI grade: 1 up to -2.60, 2 up to -1.39, 3 above (Johnson 2015)."""
    return 1 if score <= ALBI_GRADE_1 else 2 if score <= ALBI_GRADE_2 else 3


def modified_albi_grade(score: float) -> str:
    """Return the modified ALBI grade: 1, 2a up to -2.270, 2b up to -1.39, 3 (Hiraoka 2017)."""
    grade = albi_grade(score)
    if grade != 2:
        return str(grade)
    return "2a" if score <= ALBI_GRADE_2A else "2b"


def albi(record: Record) -> LiverScore:
    """Return the ALBI score with its grade and modified grade.

    Raises:
        InputError: ``tbil`` or ``alb`` is missing.
    """
    require("ALBI", albi_missing(record))
    tbil, alb = number(record, "tbil"), number(record, "alb")
    score = albi_score(tbil, alb)
    label = f"ALBI grade {albi_grade(score)} (modified grade {modified_albi_grade(score)})"
    items: tuple[Item, ...] = (
        ("tbil", tbil, ALBI_BILIRUBIN * math.log10(tbil)),
        ("alb", alb, ALBI_ALBUMIN * alb),
    )
    return LiverScore("albi", score, label, items)


def albi_missing(record: Record) -> tuple[str, ...]:
    """Return what a record lacks for ALBI."""
    return lacking(record, "tbil", "alb")


def _rising(value: float, band: tuple[float, float]) -> float:
    """One point below the band, two inside it, ends included, three above."""
    return 1.0 if value < band[0] else 2.0 if value <= band[1] else 3.0


def _falling(value: float, band: tuple[float, float]) -> float:
    return 4.0 - _rising(value, band)


def _coagulation(record: Record) -> Item:
    if "inr" in record:
        inr = number(record, "inr")
        return "inr", inr, _rising(inr, CHILD_PUGH_INR)
    seconds = number(record, "pt_prolongation")
    return "pt_prolongation", seconds, _rising(seconds, CHILD_PUGH_PROLONGATION)


def child_pugh(record: Record) -> LiverScore:
    """Return the Child-Pugh points and class (Pugh 1973).

    The international normalised ratio counts where the record has it, otherwise the prolongation of the prothrombin
    time. Where the five inputs are incomplete, the points that the record states are given.

    Raises:
        InputError: an input is missing, or ascites is known to be present without its grade.
    """
    if _components_missing(record) and "child_pugh_points" in record:
        points = number(record, "child_pugh_points")
        return _child_pugh(points, (("child_pugh_points", points, points),))
    if record.get("ascites") == "present":
        raise InputError("Child-Pugh needs the grade of the ascites, found 'present': give slight or moderate.")
    require("Child-Pugh", child_pugh_missing(record))
    return _from_components(record)


def child_pugh_from_components(record: Record) -> LiverScore | None:
    """Return the Child-Pugh points and class of the five inputs; None where they are incomplete."""
    return None if _components_missing(record) else _from_components(record)


def _from_components(record: Record) -> LiverScore:
    tbil, alb = number(record, "tbil"), number(record, "alb")
    ascites, encephalopathy = str(record["ascites"]), str(record["encephalopathy"])
    items: tuple[Item, ...] = (
        ("tbil", tbil, _rising(math.floor(tbil + 0.5), CHILD_PUGH_BILIRUBIN)),
        ("alb", alb, _falling(alb, CHILD_PUGH_ALBUMIN)),
        _coagulation(record),
        ("ascites", ascites, CHILD_PUGH_ASCITES[ascites]),
        ("encephalopathy", encephalopathy, CHILD_PUGH_ENCEPHALOPATHY[encephalopathy]),
    )
    return _child_pugh(sum(item[2] for item in items), items)


def _child_pugh(points: float, items: tuple[Item, ...]) -> LiverScore:
    return LiverScore("child-pugh", points, f"Child-Pugh {child_pugh_class(points)} ({points:g} points)", items)


def child_pugh_missing(record: Record) -> tuple[str, ...]:
    """Return what a record lacks for Child-Pugh; ascites of unknown grade counts as lacking."""
    return () if "child_pugh_points" in record else _components_missing(record)


def _components_missing(record: Record) -> tuple[str, ...]:
    missing = list(lacking(record, "tbil", "alb"))
    if "inr" not in record and "pt_prolongation" not in record:
        missing.append("inr")
    if record.get("ascites") not in CHILD_PUGH_ASCITES:
        missing.append("ascites")
    return (*missing, *lacking(record, "encephalopathy"))


def stated_or_computed_class(record: Record) -> str | None:
    """Return the Child-Pugh class that a record states, or that follows from its points or its five inputs."""
    stated = derive(record).record.get("child_pugh")
    if stated is not None:
        return str(stated)
    if child_pugh_missing(record):
        return None
    return child_pugh_class(child_pugh(record).value)


ALBI = ScoreDefinition(
    name="albi",
    title="ALBI score and grade",
    endpoint="liver function; higher is worse",
    scale="score",
    needs=("tbil", "alb"),
    rule="0.66 x log10(bilirubin in umol/L) - 0.085 x albumin in g/L; grade 1 <= -2.60 < grade 2 <= -1.39 < grade 3; "
    "modified grade 2a <= -2.270 < 2b",
    citation="Johnson PJ, et al. J Clin Oncol 2015;33:550-558, doi 10.1200/JCO.2014.57.9151; modified grade: "
    "Hiraoka A, et al. Liver Cancer 2017;6:325-336, doi 10.1159/000479984",
    compute=albi,
    missing=albi_missing,
)

CHILD_PUGH = ScoreDefinition(
    name="child-pugh",
    title="Child-Pugh",
    endpoint="liver function; higher is worse",
    scale="points",
    needs=("tbil", "alb", "inr", "ascites", "encephalopathy"),
    rule="1, 2 or 3 points each: bilirubin < 34, 34-51, > 51 umol/L (2 and 3 mg/dL; compared in whole umol/L); albumin "
    "> 35, 28-35, < 28 g/L; INR < 1.7, 1.7-2.3, > 2.3, or without it prothrombin time prolonged by < 4, 4-6, > 6 s; "
    "ascites none, slight, moderate; encephalopathy none, grade 1-2, grade 3-4. Class A 5-6, B 7-9, C 10-15",
    citation="Pugh RNH, et al. Br J Surg 1973;60:646-649, doi 10.1002/bjs.1800600817",
    compute=child_pugh,
    missing=child_pugh_missing,
)
