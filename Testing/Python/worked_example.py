"""A small case and findings about it, by hand: for the tests of the scene and of the report."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.findings import Findings
from hccoutcome.package.prediction import Applicability, Contribution, Prediction
from hccoutcome.status import QualityItem


def image(array: np.ndarray, oblique: bool = False) -> sitk.Image:
    """Return an array (z, y, x) as an image with uneven spacing, off the origin, turned on request."""
    result = sitk.GetImageFromArray(array)
    result.SetSpacing((0.7421875, 0.8, 2.5))
    result.SetOrigin((-101.3, 57.7, -612.25))
    if oblique:
        result.SetDirection(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix())
    return result


def ball(shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """Return a ball of ones (uint8) in an array (z, y, x); centre and radius in voxels."""
    distances = [axis - middle for axis, middle in zip(np.ogrid[tuple(map(slice, shape))], centre, strict=True)]
    return (sum(distance**2 for distance in distances) <= radius**2).astype(np.uint8)


def case(synthetic: bool = True, oblique: bool = False, seed: int = 0) -> Case:
    """Return a case of two phases on one grid: a bright liver with a darker tumour, and a third on another grid."""
    shape = (16, 40, 48)
    liver, tumour = ball(shape, (8, 20, 20), 14), ball(shape, (8, 18, 18), 5)
    noise = np.random.default_rng(seed).normal(0, 10, shape)
    soft, lesion = liver.astype(float), tumour.astype(float)
    arterial = (-1000 + 1060 * soft + 50 * lesion + noise * soft).astype(np.int16)
    portal = (-1000 + 1110 * soft - 40 * lesion + noise * soft).astype(np.int16)
    other = sitk.GetImageFromArray(portal[::2].astype(np.float32))
    other.SetSpacing((0.8, 0.8, 5.0))
    return Case(
        case_id="example-1",
        images={"arterial": image(arterial, oblique), "portal": image(portal, oblique), "delayed": other},
        masks={"liver": (image(liver, oblique),), "tumor": (image(tumour, oblique), like(tumour[::2], other))},
        clinical={"age": 61.0, "alb": 38.2, "afp": 412.5},
        modality="CT",
        synthetic=synthetic,
    )


def like(array: np.ndarray, reference: sitk.Image) -> sitk.Image:
    """Return an array as an image on the grid of another."""
    result = sitk.GetImageFromArray(array)
    result.CopyInformation(reference)
    return result


RADSCORE = Prediction(
    package="radscore-tace-ct",
    version="1.0.0",
    sha256="ab" * 32,
    title="Radscore (TACE, arterial CT)",
    endpoint="overall survival after TACE; higher is worse",
    score=-0.12345678901234567,
    scale="score",
    applicability=Applicability("warning", ("The package wants the phase 'arterial'; 'portal' was used <instead>.",)),
    contributions=(
        Contribution("intercept", 1.0, "", 0.1628708, 0.1628708),
        Contribution("portal_tumor_gradient_glszm_ZoneEntropy", 5.1 / 3, "", 0.062126883, 0.1056),
        Contribution("portal_tumor_wavelet-HLL_ngtdm_Complexity", 812.25, "", -0.000507638, -0.4123),
    ),
    citation="A. Author et al. \"A 'title' & more\". J Imaging 2021; 1:2.",
)
REFUSED = Prediction(
    package="haic-mri-cr",
    version="1.0.0",
    sha256="cd" * 32,
    title="CR (HAIC, MRI)",
    endpoint="early objective response to HAIC; higher is better",
    score=None,
    scale="probability",
    applicability=Applicability("refused", ("It needs MRI, the case is CT.", "No reference table was given.")),
    citation="B. Author 2023.",
)
ALBI = Prediction(
    package="albi",
    version="1.0.0",
    sha256="ef" * 32,
    title="ALBI",
    endpoint="liver function; lower is better",
    score=-2.41,
    scale="score",
    applicability=Applicability("ok"),
    label="ALBI grade 2",
    contributions=(
        Contribution("tbil", 17.1, "umol/L", 0.66, 0.8137),
        Contribution("alb", 38.2, "g/L", -0.085, -3.247),
    ),
    citation="Johnson et al. J Clin Oncol 2015; 33:550.",
)


def findings(synthetic: bool = True) -> Findings:
    """Return findings with every kind of result: with a warning, refused and fine."""
    return Findings(
        case_id="example-1",
        modality="CT",
        synthetic=synthetic,
        clinical={"age": 61.0, "alb": 38.2, "afp": 412.5, "child_pugh": "A", "cirrhosis": 1.0, "neu": 4.1, "lym": 1.6},
        quality=(
            QualityItem("image portal", "spacing", "0.74 x 0.80 x 2.5 mm", "at most 5 mm"),
            QualityItem("image portal", "phase", "portal", "arterial", "warning", "Add the arterial phase."),
        ),
        features={
            "portal_tumor_gradient_glszm_ZoneEntropy": 5.1 / 3,
            "portal_tumor_wavelet-HLL_ngtdm_Complexity": 812.25,
            "portal_tumor_original_firstorder_Mean": -1.0 / 3.0e7,
            "portal_tumor_original_glcm_Correlation": float("nan"),
        },
        predictions=(RADSCORE, REFUSED),
        liver_scores=(ALBI,),
        provenance={
            "versions": {"hccoutcome": "0.1.0"},
            "settings": {"radscore": {"binWidth": 25.0}},
            "inputs": {"image:portal": "01" * 32},
            "time": "2026-01-02T03:04:05Z",
            "note": "Größe, 肝",
        },
    )
