"""Clinical, CR and CRH: early objective response to arterial infusion chemotherapy (HAIC) from MRI.

Front Oncol 2026, doi 10.3389/fonc.2026.1764150, section 3.3: binary logistic regressions on vascular invasion, tumour
diameter, six radiomic and six habitat features. This file is the one place that holds the printed coefficients; the
shipped packages are written from it.

The minus signs are lost in the paper's text: every surviving sign is '+' and every gap is read as '-'. Read so, with
vascular invasion as 0/1 and the diameter in centimetres, the three scores give probabilities of 0.56, 0.56 and 0.55 at
the cohort's means (65% with vascular invasion, a diameter of about 10 cm), against 54.3% responders. Radiomic features
are standardised by the training cohort's mean and deviation, which are not printed: CR and CRH need a reference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar

from hccoutcome.naming import parse_feature_name
from hccoutcome.package.card import Card, Figure
from hccoutcome.package.format import Package, PhaseNeed, Range, RegionNeed, Requirements, VariableNeed
from hccoutcome.package.linear import LinearScore, Link, Term
from hccoutcome.resources import resource

CITATION = (
    "MRI-based Clinical-Radiomics-Habitat model for the early response of hepatocellular carcinoma to hepatic arterial "
    "infusion chemotherapy. Front Oncol 2026. doi:10.3389/fonc.2026.1764150 (section 3.3)"
)
ENDPOINT = "early objective response (CR or PR by mRECIST) to HAIC"

VASCULAR_INVASION = VariableNeed(
    "vascular_invasion", "binary", meaning="macrovascular invasion of the portal or hepatic vein"
)
TUMOR_DIAMETER = VariableNeed(
    "tumor_diameter", "number", "cm", "diameter of the largest tumour", possible=Range(0.1, 40.0)
)

# The paper's PRE, LAP, PVP and DP.
PRE, LAP, PVP, DP = "precontrast", "arterial", "portal", "delayed"


def _clinical(invasion: float, diameter: float) -> tuple[Term, ...]:
    return Term(VASCULAR_INVASION.name, invasion), Term(TUMOR_DIAMETER.name, diameter)


def _radiomic(coefficient: float, phase: str, region: str, feature: str) -> Term:
    return Term(f"{phase}_{region}_original_{feature}", coefficient, standardise=True)


CLINICAL_INTERCEPT = 0.6212
CLINICAL_TERMS = _clinical(0.4103, -0.0652)

CR_INTERCEPT = 0.7242
CR_TERMS = (
    *_clinical(0.3415, -0.0694),
    _radiomic(0.1967, DP, "tumor", "firstorder_10Percentile"),
    _radiomic(-0.2450, DP, "tumor", "glrlm_ShortRunEmphasis"),
    _radiomic(0.1234, DP, "tumor", "firstorder_90Percentile"),
    _radiomic(0.2326, DP, "tumor", "firstorder_Maximum"),
    _radiomic(0.1769, LAP, "tumor", "firstorder_10Percentile"),
    _radiomic(-0.2804, PRE, "tumor", "firstorder_Maximum"),
)

CRH_INTERCEPT = 0.3814
CRH_TERMS = (
    *_clinical(0.1261, -0.0255),
    _radiomic(0.0953, DP, "tumor", "firstorder_10Percentile"),
    _radiomic(-0.1305, DP, "tumor", "glrlm_ShortRunEmphasis"),
    _radiomic(0.0726, DP, "tumor", "firstorder_90Percentile"),
    _radiomic(0.1217, DP, "tumor", "firstorder_Maximum"),
    _radiomic(0.0904, LAP, "tumor", "firstorder_10Percentile"),
    _radiomic(-0.0658, PRE, "tumor", "firstorder_Maximum"),
    _radiomic(-0.1812, DP, "habitat3", "firstorder_Kurtosis"),
    _radiomic(0.1756, PVP, "habitat3", "firstorder_RootMeanSquared"),
    _radiomic(0.1000, PVP, "habitat1", "firstorder_Minimum"),
    _radiomic(-0.0866, PRE, "habitat1", "firstorder_Range"),
    _radiomic(-0.0824, PRE, "habitat2", "firstorder_Skewness"),
    _radiomic(0.0523, DP, "habitat2", "firstorder_Minimum"),
)

PREPARATION = MappingProxyType(
    {
        "bias_correction": True,
        "spacing": [1.0, 1.0, 1.0],
        "interpolation": "bspline",
        "reference_phase": PVP,
        "registration": "rigid",
        "normalisation": "minmax",
        "output_range": [0.0, 255.0],
    }
)
"""Section 2.5. The paper names ANTs but no kind of transform, and no range of the normalised grey levels."""


def _needs(terms: tuple[Term, ...]) -> Requirements:
    """Return what the scores with these terms need: the sequences, regions, features and both clinical variables."""
    features = tuple(term.name for term in terms if term.standardise)
    if not features:
        return Requirements(variables=(VASCULAR_INVASION, TUMOR_DIAMETER))
    regions = sorted({parse_feature_name(name).region for name in features}, key=lambda name: (name != "tumor", name))
    return Requirements(
        modality="MR",
        phases=tuple(PhaseNeed(phase, coarsest_mm=10.0) for phase in (PRE, LAP, PVP, DP)),
        # At 1 mm, 0.1 mL are 100 voxels: below, percentiles and runs describe noise.
        regions=tuple(RegionNeed(region, least_ml=0.1, certain_ml=1.0) for region in regions),
        features=features,
        variables=(VASCULAR_INVASION, TUMOR_DIAMETER),
        reference=True,
    )


@dataclass(frozen=True)
class HaicClinical(LinearScore):
    """The Clinical score; the constructor's defaults are the published coefficients."""

    intercept: float = CLINICAL_INTERCEPT
    terms: tuple[Term, ...] = CLINICAL_TERMS
    link: Link = "logistic"

    system: ClassVar[str] = "haic-mri-clinical"
    needs: ClassVar[Requirements] = _needs(CLINICAL_TERMS)


@dataclass(frozen=True)
class HaicCR(LinearScore):
    """The Clinical-Radiomics score; the constructor's defaults are the published coefficients."""

    intercept: float = CR_INTERCEPT
    terms: tuple[Term, ...] = CR_TERMS
    link: Link = "logistic"

    system: ClassVar[str] = "haic-mri-cr"
    needs: ClassVar[Requirements] = _needs(CR_TERMS)


@dataclass(frozen=True)
class HaicCRH(LinearScore):
    """The Clinical-Radiomics-Habitat score; the constructor's defaults are the published coefficients."""

    intercept: float = CRH_INTERCEPT
    terms: tuple[Term, ...] = CRH_TERMS
    link: Link = "logistic"

    system: ClassVar[str] = "haic-mri-crh"
    needs: ClassVar[Requirements] = _needs(CRH_TERMS)


def printed_packages() -> tuple[Package, ...]:
    """Return the three packages with the coefficients as printed."""
    return (
        _package(HaicClinical(), HaicClinical.system, HaicClinical.needs, CLINICAL_CARD),
        _package(HaicCR(), HaicCR.system, HaicCR.needs, CR_CARD),
        _package(HaicCRH(), HaicCRH.system, HaicCRH.needs, CRH_CARD),
    )


def _package(score: LinearScore, system: str, needs: Requirements, card: Card) -> Package:
    package = Package(
        name=system,
        version="1.0.0",
        system=system,
        title=card.title,
        endpoint=ENDPOINT,
        scale="probability",
        citation=CITATION,
        requirements=needs,
        weights=score.to_json(),
        card=card.markdown(),
    )
    if not needs.features:
        return package
    parameters = resource("Parameters", "haic-mri.yaml").read_text(encoding="utf-8")
    return replace(package, preparation=dict(PREPARATION), parameters=parameters)


def _card(title: str, model: str, auc: str, interval: str, inputs: str, limits: tuple[str, ...]) -> Card:
    return Card(
        title=title,
        intended_use=(
            "To compute the published probability of an early objective response to hepatic arterial infusion "
            "chemotherapy (FOLFOX) in unresectable hepatocellular carcinoma, for research."
        ),
        cohort=(
            "105 patients at two hospitals, January 2021 to December 2024: 97 men, mean age 57.3 years, BCLC A 4, B 14 "
            "and C 87, Child-Pugh A or B, 68 with macrovascular invasion, 54 with tumours above 10 cm; 57 responders."
        ),
        inputs=inputs,
        figures=(Figure(f"AUC of the {model} model", auc, interval, "the 105 patients that it was fitted on"),),
        figures_source=(
            "These are the paper's figures. This package has none of its own: nothing was trained and no cohort with "
            "the paper's outcome was at hand."
        ),
        limits=(
            "The minus signs are lost in the paper's text and were restored where a sign is missing; the mean "
            "probability at the cohort's means then matches the share of responders.",
            "Fitted and tested on the same 105 patients; no external validation is printed.",
            "No cut-off is printed, so no class is given with the probability.",
            *limits,
        ),
        citation=CITATION,
    )


_CLINICAL_INPUT = "Macrovascular invasion of the portal or hepatic vein (0 or 1), diameter of the largest tumour in cm"
_IMAGES = (
    "Four T1-weighted MRI sequences (before contrast, late arterial, portal venous, delayed) with {outlines} on the "
    "portal venous one. N4 bias correction, 1x1x1 mm, registration to the portal venous phase and min-max "
    "normalisation precede the features of `parameters.yaml`. " + _CLINICAL_INPUT + "."
)
_NEEDS_REFERENCE = (
    "The radiomic features are standardised with the training cohort's mean and deviation, which are not printed: "
    "without a reference table of your own cohort no number is given, and with one the score is relative to it.",
    "The paper does not print the kind of registration, the range of the normalised grey levels or the bin width: "
    "rigid, 0 to 255 and 25 are this project's choice.",
    "A region below 1 mL is warned about and below 0.1 mL refused: this project's own limits.",
)
_HABITATS = (
    "Habitats 1, 2 and 3 have to mean the same in every patient; the paper does not say how it ordered them. Here "
    "they are ordered by their mean portal venous intensity, the lowest first, in the case and in the reference cohort "
    "alike.",
)

CLINICAL_CARD = _card(
    "Clinical score (HAIC)", "clinical", "0.633", "0.525 to 0.742", f"{_CLINICAL_INPUT}. No image is read.", ()
)
CR_CARD = _card(
    "Clinical-Radiomics score (HAIC, MRI)",
    "Clinical-Radiomics",
    "0.747",
    "0.653 to 0.841",
    _IMAGES.format(outlines="the tumour outlined"),
    _NEEDS_REFERENCE,
)
CRH_CARD = _card(
    "Clinical-Radiomics-Habitat score (HAIC, MRI)",
    "Clinical-Radiomics-Habitat",
    "0.771",
    "0.682 to 0.860",
    _IMAGES.format(outlines="the tumour and its three habitats outlined"),
    _NEEDS_REFERENCE + _HABITATS,
)
