"""The row of each co-occurrence feature in the results of a map."""

from __future__ import annotations

from hccoutcome.radiomics.features import GLCM

(
    AUTOCORRELATION,
    PROMINENCE,
    SHADE,
    TENDENCY,
    CONTRAST,
    CORRELATION,
    DIFFERENCE_AVERAGE,
    DIFFERENCE_ENTROPY,
    DIFFERENCE_VARIANCE,
    ID,
    IDM,
    IDMN,
    IDN,
    IMC1,
    IMC2,
    INVERSE_VARIANCE,
    JOINT_AVERAGE,
    ENERGY,
    ENTROPY,
    MCC,
    MAXIMUM,
    SUM_AVERAGE,
    SUM_ENTROPY,
    SUM_SQUARES,
) = range(len(GLCM))
