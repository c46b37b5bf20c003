"""The table of features: PyRadiomics' class and name, the IBSI tag where IBSI defines the feature, and its default.

A tag is the stem used by IBSI 1's published reference values (``cm_joint_max`` stands for ``cm_joint_max_3D_avg`` and
its fellows). None means that IBSI defines no such feature, and a tag in ``DEVIATES`` that PyRadiomics, which this
engine follows, defines it otherwise.
"""

from __future__ import annotations

from typing import NamedTuple


class Feature(NamedTuple):
    """One feature: its IBSI tag stem or None, and whether PyRadiomics gives it when nothing is asked for by name."""

    ibsi: str | None
    on_by_default: bool = True


FIRST_ORDER = {
    "10Percentile": Feature("stat_p10"),
    "90Percentile": Feature("stat_p90"),
    "Energy": Feature("stat_energy"),
    "Entropy": Feature("ih_entropy"),
    "InterquartileRange": Feature("stat_iqr"),
    "Kurtosis": Feature("stat_kurt"),
    "Maximum": Feature("stat_max"),
    "Mean": Feature("stat_mean"),
    "MeanAbsoluteDeviation": Feature("stat_mad"),
    "Median": Feature("stat_median"),
    "Minimum": Feature("stat_min"),
    "Range": Feature("stat_range"),
    "RobustMeanAbsoluteDeviation": Feature("stat_rmad"),
    "RootMeanSquared": Feature("stat_rms"),
    "Skewness": Feature("stat_skew"),
    "StandardDeviation": Feature(None, on_by_default=False),
    "TotalEnergy": Feature(None),
    "Uniformity": Feature("ih_uniformity"),
    "Variance": Feature("stat_var"),
}

SHAPE = {
    "Compactness1": Feature("morph_comp_1", on_by_default=False),
    "Compactness2": Feature("morph_comp_2", on_by_default=False),
    "Elongation": Feature("morph_pca_elongation"),
    "Flatness": Feature("morph_pca_flatness"),
    "LeastAxisLength": Feature("morph_pca_least_axis"),
    "MajorAxisLength": Feature("morph_pca_maj_axis"),
    "Maximum2DDiameterColumn": Feature(None),
    "Maximum2DDiameterRow": Feature(None),
    "Maximum2DDiameterSlice": Feature(None),
    "Maximum3DDiameter": Feature("morph_diam"),
    "MeshVolume": Feature("morph_volume"),
    "MinorAxisLength": Feature("morph_pca_min_axis"),
    "SphericalDisproportion": Feature("morph_sph_dispr", on_by_default=False),
    "Sphericity": Feature("morph_sphericity"),
    "SurfaceArea": Feature("morph_area_mesh"),
    "SurfaceVolumeRatio": Feature("morph_av"),
    "VoxelVolume": Feature("morph_vol_approx"),
}

SHAPE_2D = {
    "Elongation": Feature(None),
    "MajorAxisLength": Feature(None),
    "MaximumDiameter": Feature(None),
    "MeshSurface": Feature(None),
    "MinorAxisLength": Feature(None),
    "Perimeter": Feature(None),
    "PerimeterSurfaceRatio": Feature(None),
    "PixelSurface": Feature(None),
    "SphericalDisproportion": Feature(None, on_by_default=False),
    "Sphericity": Feature(None),
}

GLCM = {
    "Autocorrelation": Feature("cm_auto_corr"),
    "ClusterProminence": Feature("cm_clust_prom"),
    "ClusterShade": Feature("cm_clust_shade"),
    "ClusterTendency": Feature("cm_clust_tend"),
    "Contrast": Feature("cm_contrast"),
    "Correlation": Feature("cm_corr"),
    "DifferenceAverage": Feature("cm_diff_avg"),
    "DifferenceEntropy": Feature("cm_diff_entr"),
    "DifferenceVariance": Feature("cm_diff_var"),
    "Id": Feature("cm_inv_diff"),
    "Idm": Feature("cm_inv_diff_mom"),
    "Idmn": Feature("cm_inv_diff_mom_norm"),
    "Idn": Feature("cm_inv_diff_norm"),
    "Imc1": Feature("cm_info_corr1"),
    "Imc2": Feature("cm_info_corr2"),
    "InverseVariance": Feature("cm_inv_var"),
    "JointAverage": Feature("cm_joint_avg"),
    "JointEnergy": Feature("cm_energy"),
    "JointEntropy": Feature("cm_joint_entr"),
    "MCC": Feature(None),
    "MaximumProbability": Feature("cm_joint_max"),
    "SumAverage": Feature("cm_sum_avg"),
    "SumEntropy": Feature("cm_sum_entr"),
    "SumSquares": Feature("cm_joint_var"),
}

GLDM = {
    "DependenceEntropy": Feature("ngl_dc_entr"),
    "DependenceNonUniformity": Feature("ngl_dcnu"),
    "DependenceNonUniformityNormalized": Feature("ngl_dcnu_norm"),
    "DependenceVariance": Feature("ngl_dc_var"),
    "GrayLevelNonUniformity": Feature("ngl_glnu"),
    "GrayLevelVariance": Feature("ngl_gl_var"),
    "HighGrayLevelEmphasis": Feature("ngl_hgce"),
    "LargeDependenceEmphasis": Feature("ngl_hde"),
    "LargeDependenceHighGrayLevelEmphasis": Feature("ngl_hdhge"),
    "LargeDependenceLowGrayLevelEmphasis": Feature("ngl_hdlge"),
    "LowGrayLevelEmphasis": Feature("ngl_lgce"),
    "SmallDependenceEmphasis": Feature("ngl_lde"),
    "SmallDependenceHighGrayLevelEmphasis": Feature("ngl_ldhge"),
    "SmallDependenceLowGrayLevelEmphasis": Feature("ngl_ldlge"),
}

GLRLM = {
    "GrayLevelNonUniformity": Feature("rlm_glnu"),
    "GrayLevelNonUniformityNormalized": Feature("rlm_glnu_norm"),
    "GrayLevelVariance": Feature("rlm_gl_var"),
    "HighGrayLevelRunEmphasis": Feature("rlm_hgre"),
    "LongRunEmphasis": Feature("rlm_lre"),
    "LongRunHighGrayLevelEmphasis": Feature("rlm_lrhge"),
    "LongRunLowGrayLevelEmphasis": Feature("rlm_lrlge"),
    "LowGrayLevelRunEmphasis": Feature("rlm_lgre"),
    "RunEntropy": Feature("rlm_rl_entr"),
    "RunLengthNonUniformity": Feature("rlm_rlnu"),
    "RunLengthNonUniformityNormalized": Feature("rlm_rlnu_norm"),
    "RunPercentage": Feature("rlm_r_perc"),
    "RunVariance": Feature("rlm_rl_var"),
    "ShortRunEmphasis": Feature("rlm_sre"),
    "ShortRunHighGrayLevelEmphasis": Feature("rlm_srhge"),
    "ShortRunLowGrayLevelEmphasis": Feature("rlm_srlge"),
}

GLSZM = {
    "GrayLevelNonUniformity": Feature("szm_glnu"),
    "GrayLevelNonUniformityNormalized": Feature("szm_glnu_norm"),
    "GrayLevelVariance": Feature("szm_gl_var"),
    "HighGrayLevelZoneEmphasis": Feature("szm_hgze"),
    "LargeAreaEmphasis": Feature("szm_lze"),
    "LargeAreaHighGrayLevelEmphasis": Feature("szm_lzhge"),
    "LargeAreaLowGrayLevelEmphasis": Feature("szm_lzlge"),
    "LowGrayLevelZoneEmphasis": Feature("szm_lgze"),
    "SizeZoneNonUniformity": Feature("szm_zsnu"),
    "SizeZoneNonUniformityNormalized": Feature("szm_zsnu_norm"),
    "SmallAreaEmphasis": Feature("szm_sze"),
    "SmallAreaHighGrayLevelEmphasis": Feature("szm_szhge"),
    "SmallAreaLowGrayLevelEmphasis": Feature("szm_szlge"),
    "ZoneEntropy": Feature("szm_zs_entr"),
    "ZonePercentage": Feature("szm_z_perc"),
    "ZoneVariance": Feature("szm_zs_var"),
}

NGTDM = {
    "Busyness": Feature("ngt_busyness"),
    "Coarseness": Feature("ngt_coarseness"),
    "Complexity": Feature("ngt_complexity"),
    "Contrast": Feature("ngt_contrast"),
    "Strength": Feature("ngt_strength"),
}

FEATURES: dict[str, dict[str, Feature]] = {
    "firstorder": FIRST_ORDER,
    "shape": SHAPE,
    "shape2D": SHAPE_2D,
    "glcm": GLCM,
    "gldm": GLDM,
    "glrlm": GLRLM,
    "glszm": GLSZM,
    "ngtdm": NGTDM,
}

TEXTURE_CLASSES = ("glcm", "gldm", "glrlm", "glszm", "ngtdm")

# Names that PyRadiomics still knows but gives no value for, each with the feature that it says they equal.
RETIRED: dict[str, dict[str, str]] = {
    "glcm": {
        "Dissimilarity": "glcm DifferenceAverage",
        "Homogeneity1": "glcm Id",
        "Homogeneity2": "glcm Idm",
        "SumVariance": "glcm ClusterTendency",
    },
    "gldm": {
        "DependencePercentage": "1, always",
        "GrayLevelNonUniformityNormalized": "firstorder Uniformity",
    },
}

# Where IBSI's value is another one because PyRadiomics defines the feature otherwise.
_AXIS = "PyRadiomics divides the covariance of the voxels by their number n, the reference values by n - 1"
DEVIATES: dict[str, dict[str, str]] = {
    "firstorder": {"Kurtosis": "PyRadiomics does not subtract 3"},
    "shape": dict.fromkeys(("LeastAxisLength", "MajorAxisLength", "MinorAxisLength"), _AXIS),
}
