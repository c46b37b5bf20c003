"""Staging and prognostic scores of hepatocellular carcinoma: CRAFITY, Okuda, CLIP, six-and-twelve."""

from __future__ import annotations

from hccoutcome.clinical.derive import derive
from hccoutcome.clinical.liver_function import stated_or_computed_class
from hccoutcome.clinical.liver_score import Item, LiverScore, Record, ScoreDefinition, lacking, number, require, roman
from hccoutcome.clinical.units import BILIRUBIN, convert

# Scheiner 2022: one point each from these values on.
CRAFITY_AFP = 100.0  # ng/mL
CRAFITY_CRP = 10.0  # mg/L, printed as 1 mg/dL
CRAFITY_LABELS = ("CRAFITY-low", "CRAFITY-intermediate", "CRAFITY-high")

# Okuda 1985: the sign is positive beyond these values; the extent is more than half of the liver.
OKUDA_ALBUMIN = 30.0  # g/L, printed as 3 g/dL
OKUDA_BILIRUBIN = convert(3.0, BILIRUBIN["mg/dL"])  # umol/L, printed as 3 mg/dL

# CLIP 1998: one point from this value on.
CLIP_AFP = 400.0  # ng/mL
CLIP_CHILD_PUGH = {"A": 0.0, "B": 1.0, "C": 2.0}

# Wang 2019: low up to the first cut, high above the second.
SIX_AND_TWELVE = (6.0, 12.0)  # cm + number


def crafity(record: Record) -> LiverScore:
    """Return the CRAFITY score, 0 to 2 (Scheiner 2022).

    Raises:
        InputError: ``afp`` or ``crp`` is missing.
    """
    require("CRAFITY", crafity_missing(record))
    afp, crp = number(record, "afp"), number(record, "crp")
    items: tuple[Item, ...] = (
        ("afp", afp, float(afp >= CRAFITY_AFP)),
        ("crp", crp, float(crp >= CRAFITY_CRP)),
    )
    points = sum(item[2] for item in items)
    return LiverScore("crafity", points, f"{CRAFITY_LABELS[int(points)]} ({points:g} points)", items)


def crafity_missing(record: Record) -> tuple[str, ...]:
    """Return what a record lacks for CRAFITY."""
    return lacking(record, "afp", "crp")


def okuda(record: Record) -> LiverScore:
    """Return the Okuda stage: I without a positive sign, II with one or two, III with three or four (Okuda 1985).

    Raises:
        InputError: an input is missing.
    """
    require("Okuda", okuda_missing(record))
    full = derive(record).record
    ascites = str(full["ascites"])
    alb, tbil = number(full, "alb"), number(full, "tbil")
    items: tuple[Item, ...] = (
        ("tumor_over_half", number(full, "tumor_over_half"), number(full, "tumor_over_half")),
        ("ascites", ascites, float(ascites != "none")),
        ("alb", alb, float(alb < OKUDA_ALBUMIN)),
        ("tbil", tbil, float(tbil > OKUDA_BILIRUBIN)),
    )
    signs = sum(item[2] for item in items)
    stage = 1 if signs == 0 else 2 if signs <= 2 else 3
    return LiverScore("okuda", float(stage), f"Okuda stage {roman(stage)} ({signs:g} of 4 signs)", items)


def okuda_missing(record: Record) -> tuple[str, ...]:
    """Return what a record lacks for Okuda."""
    return lacking(derive(record).record, "tumor_over_half", "ascites", "alb", "tbil")


def clip(record: Record) -> LiverScore:
    """Return the CLIP score, 0 to 6 (CLIP investigators 1998).

    The Child-Pugh class is the one that the record states, otherwise it is computed.

    Raises:
        InputError: an input is missing.
    """
    require("CLIP", clip_missing(record))
    full = derive(record).record
    child_pugh = str(stated_or_computed_class(full))
    afp, thrombus = number(full, "afp"), number(full, "portal_vein_thrombus")
    items: tuple[Item, ...] = (
        ("child_pugh", child_pugh, CLIP_CHILD_PUGH[child_pugh]),
        _clip_morphology(full),
        ("afp", afp, float(afp >= CLIP_AFP)),
        ("portal_vein_thrombus", thrombus, float(thrombus > 0)),
    )
    points = sum(item[2] for item in items)
    return LiverScore("clip", points, f"CLIP {points:g}", items)


def _clip_morphology(record: Record) -> Item:
    if record.get("tumor_over_half") == 1:
        return "tumor_over_half", 1.0, 2.0
    morphology = str(record["tumor_morphology"])
    return "tumor_morphology", morphology, {"uninodular": 0.0, "multinodular": 1.0, "massive": 2.0}[morphology]


def clip_missing(record: Record) -> tuple[str, ...]:
    """Return what a record lacks for CLIP; massive growth makes the extent needless, and the other way round."""
    full = derive(record).record
    morphology = lacking(full, "tumor_morphology", "tumor_over_half")
    if full.get("tumor_over_half") == 1 or full.get("tumor_morphology") == "massive":
        morphology = ()
    child_pugh = () if stated_or_computed_class(full) else ("child_pugh",)
    return (*child_pugh, *morphology, *lacking(full, "afp", "portal_vein_thrombus"))


def six_and_twelve(record: Record) -> LiverScore:
    """Return largest diameter in cm plus number of tumours, with its stratum (Wang 2019).

    Raises:
        InputError: ``tumor_diameter`` or ``tumor_number`` is missing.
    """
    require("Six-and-twelve", six_and_twelve_missing(record))
    diameter, count = number(record, "tumor_diameter"), number(record, "tumor_number")
    score = diameter + count
    low, high = SIX_AND_TWELVE
    label = (
        "low (up to 6)" if score <= low else "intermediate (above 6, up to 12)" if score <= high else "high (above 12)"
    )
    items: tuple[Item, ...] = (("tumor_diameter", diameter, diameter), ("tumor_number", count, count))
    return LiverScore("six-and-twelve", score, f"Six-and-twelve: {label}", items)


def six_and_twelve_missing(record: Record) -> tuple[str, ...]:
    """Return what a record lacks for six-and-twelve."""
    return lacking(record, "tumor_diameter", "tumor_number")


CRAFITY = ScoreDefinition(
    name="crafity",
    title="CRAFITY",
    endpoint="survival under immunotherapy; higher is worse",
    scale="points",
    needs=("afp", "crp"),
    rule="1 point for AFP >= 100 ng/mL, 1 point for C-reactive protein >= 1 mg/dL (10 mg/L); 0 low, "
    "1 intermediate, 2 high",
    citation="Scheiner B, et al. J Hepatol 2022;76:353-363, doi 10.1016/j.jhep.2021.09.035",
    compute=crafity,
    missing=crafity_missing,
)

OKUDA = ScoreDefinition(
    name="okuda",
    title="Okuda stage",
    endpoint="survival; higher is worse",
    scale="stage",
    needs=("tumor_over_half", "ascites", "alb", "tbil"),
    rule="positive signs: tumour in more than 50 % of the liver, ascites, albumin < 30 g/L (3 g/dL), bilirubin > "
    "3 mg/dL (51.3 umol/L); stage I none, II one or two, III three or four",
    citation="Okuda K, et al. Cancer 1985;56:918-928, "
    "doi 10.1002/1097-0142(19850815)56:4<918::AID-CNCR2820560437>3.0.CO;2-E",
    compute=okuda,
    missing=okuda_missing,
)

CLIP = ScoreDefinition(
    name="clip",
    title="CLIP score",
    endpoint="survival; higher is worse",
    scale="points",
    needs=("child_pugh", "tumor_morphology", "tumor_over_half", "afp", "portal_vein_thrombus"),
    rule="Child-Pugh A, B, C: 0, 1, 2; uninodular and extent <= 50 % 0, multinodular and extent <= 50 % 1, massive or "
    "extent > 50 % 2; AFP >= 400 ng/mL 1; portal vein thrombosis 1",
    citation="The Cancer of the Liver Italian Program (CLIP) investigators. Hepatology 1998;28:751-755, "
    "doi 10.1002/hep.510280322",
    compute=clip,
    missing=clip_missing,
)

SIX_AND_TWELVE_SCORE = ScoreDefinition(
    name="six-and-twelve",
    title="Six-and-twelve score",
    endpoint="survival after TACE (BCLC A and B); higher is worse",
    scale="score",
    needs=("tumor_diameter", "tumor_number"),
    rule="largest diameter in cm plus number of tumours; low <= 6 < intermediate <= 12 < high",
    citation="Wang Q, et al. J Hepatol 2019;70:893-903, doi 10.1016/j.jhep.2019.01.013",
    compute=six_and_twelve,
    missing=six_and_twelve_missing,
)
