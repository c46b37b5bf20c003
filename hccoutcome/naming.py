"""The one rule for feature names: ``<phase>_<region>_<imageType>_<class>_<Feature>``.

The last three parts are PyRadiomics' own name, e.g. ``arterial_tumor_wavelet-HLL_ngtdm_Complexity``. Phases and regions
hold no underscore, so a name can be taken apart again.
"""

from __future__ import annotations

from dataclasses import dataclass

from hccoutcome.errors import InputError


@dataclass(frozen=True)
class FeatureName:
    """A feature column taken apart: whose voxels (phase), where (region) and which PyRadiomics feature."""

    phase: str
    region: str
    radiomic: str

    def __str__(self) -> str:
        return f"{self.phase}_{self.region}_{self.radiomic}"


def parse_feature_name(name: str) -> FeatureName:
    """Take a feature column's name apart.

    Raises:
        InputError: the name does not follow the rule.
    """
    parts = name.split("_", 2)
    if len(parts) != 3 or not all(parts) or parts[2].count("_") < 1:
        raise InputError(
            f"A feature is named <phase>_<region>_<imageType>_<class>_<Feature>, found '{name}': rename the column."
        )
    return FeatureName(*parts)
