"""Radscore: survival after TACE from five radiomic features of the tumour on arterial CT.

Sun Z et al., J Hepatocell Carcinoma 2024;11:385-397, supplement: appendix E6 and table S2. The printed coefficients
belong to raw PyRadiomics features. This file is the one place that holds them; the shipped package is written from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hccoutcome.package.card import Card, Figure
from hccoutcome.package.format import Package, PhaseNeed, Range, RegionNeed, Requirements
from hccoutcome.package.linear import LinearScore, Link, Term
from hccoutcome.resources import resource

CITATION = (
    "Sun Z, Li X, Liang H, Shi Z, Ren H. A deep learning model combining multimodal factors to predict the overall "
    "survival of transarterial chemoembolization. J Hepatocell Carcinoma 2024;11:385-397. doi:10.2147/JHC.S443660 "
    "(supplement, appendix E6 and table S2)"
)
TITLE = "Radscore (TACE, arterial CT)"

INTERCEPT = 1.628708e-01
COEFFICIENTS = (
    ("gradient_glszm_ZoneEntropy", 0.062126883),
    ("log-sigma-2-0-mm-3D_ngtdm_Contrast", -3.097256224),
    ("log-sigma-4-0-mm-3D_glszm_SmallAreaEmphasis", -0.004368544),
    ("square_firstorder_Variance", 0.000134998),
    ("wavelet-HLL_ngtdm_Complexity", 0.000507638),
)
TERMS = tuple(Term(f"arterial_tumor_{name}", coefficient) for name, coefficient in COEFFICIENTS)

NEEDS = Requirements(
    modality="CT",
    phases=(
        PhaseNeed(
            "arterial",
            substitutes=("portal",),
            # Appendix E1: field of view 300 to 500 mm in 512 pixels, slices of 5 mm every 5 mm.
            in_plane_mm=Range(0.58, 0.98),
            slice_mm=Range(4.5, 5.5),
            coarsest_mm=10.0,
        ),
    ),
    # At 1 mm, 0.1 mL are 100 voxels: below, zones and neighbourhoods are too few to describe a texture.
    regions=(RegionNeed("tumor", least_ml=0.1, certain_ml=1.0),),
    features=tuple(term.name for term in TERMS),
)


@dataclass(frozen=True)
class Radscore(LinearScore):
    """The LASSO-Cox score; the constructor's defaults are the published coefficients."""

    intercept: float = INTERCEPT
    terms: tuple[Term, ...] = TERMS
    link: Link = "identity"

    system: ClassVar[str] = "radscore"
    needs: ClassVar[Requirements] = NEEDS


def printed_package() -> Package:
    """Return the package with the coefficients as printed."""
    return Package(
        name="radscore-tace-ct",
        version="1.0.0",
        system=Radscore.system,
        title=TITLE,
        endpoint="overall survival after TACE; a higher score means a higher hazard",
        scale="score",
        citation=CITATION,
        requirements=NEEDS,
        parameters=resource("Parameters", "radscore.yaml").read_text(encoding="utf-8"),
        weights=Radscore().to_json(),
        card=_card().markdown(),
    )


def _card() -> Card:
    return Card(
        title=TITLE,
        intended_use=(
            "To compute the published radiomic score of survival for patients with hepatocellular carcinoma before "
            "transarterial chemoembolisation (TACE), for research."
        ),
        cohort="301 patients treated with TACE from 2012 to 2015, arterial CT, slices of 5 mm.",
        inputs=(
            "Arterial CT in Hounsfield units and the tumour's outline. Resampling to 1x1x1 mm and the features are set "
            "by `parameters.yaml`: gradient, square, LoG (2 and 4 mm) and wavelet images, bin width 25, no "
            "normalisation. Where the arterial phase is missing the portal venous one is taken, with a warning."
        ),
        figures=(Figure("time-dependent AUC of the radiomic model", "0.63", measured_on="validation cohort"),),
        figures_source=(
            "These are the paper's figures, from its abstract. This package has no figures of its own: nothing was "
            "trained and no cohort with the paper's outcome was at hand."
        ),
        limits=(
            "The paper extracted the features on a commercial platform whose bin width, resampling and padding it does "
            "not print; the settings here are this project's reading, so the scale of the score may differ.",
            "No cut-off is printed: a risk group needs a reference cohort of your own.",
            "The printed intercept has no meaning in a Cox model beyond shifting the score; only differences between "
            "patients count.",
            "The paper does not state the sign of the effect; as the score is the linear predictor of a Cox fit, a "
            "higher score is read as a higher hazard.",
            "Texture depends on the slice spacing: thinner slices than 5 mm are outside what the score was made on.",
            "A tumour volume below 1 mL is warned about and below 0.1 mL refused: this project's own limits.",
        ),
        citation=CITATION,
    )
