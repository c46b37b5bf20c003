from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import explained_models as models
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.explanation.beeswarm import MISSING, beeswarm_figure, rank_colours, spread
from hccoutcome.explanation.figures import LOWERS, RAISES, figure_bytes, waterfall_figure, write_figure
from hccoutcome.explanation.names import LONGEST, short_name, short_names
from hccoutcome.explanation.shap_values import explain
from hccoutcome.explanation.waterfall import Step, Waterfall, waterfall_of

FOUND = Waterfall(
    title="A score of 5 $ & <more>",
    scale="log-odds",
    base=-0.4,
    base_in_words="every input 0",
    steps=(Step("afp", "12 ng/mL", 0.9), Step("arterial_tumor_original_glcm_Contrast", "3.1", -0.3)),
    output=0.2,
    output_in_words="probability 0.55",
)


@pytest.fixture(scope="module")
def explanation():
    table, responded = models.cohort()
    return explain(models.logistic().fit(table, responded), table, table)


def texts(figure) -> str:
    parts = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        parts += [text.get_text() for text in (*axes.texts, *axes.get_yticklabels(), axes.xaxis.label)]
    return "\n".join(parts)


def test_the_bars_of_a_waterfall_lead_from_the_base_to_the_output() -> None:
    axes = waterfall_figure(FOUND).axes[0]
    small, large = axes.patches
    assert (small.get_x(), small.get_width()) == pytest.approx((-0.4, -0.3))
    assert (large.get_x(), large.get_width()) == pytest.approx((-0.7, 0.9))
    assert [to_hex(bar.get_facecolor()) for bar in (small, large)] == [LOWERS, RAISES]


def test_a_waterfall_says_what_it_is_made_of() -> None:
    told = texts(waterfall_figure(FOUND))
    for words in (
        FOUND.title,
        "probability 0.55",
        "AP tumor GLCM Contrast\n3.1",
        "+0.9",
        "−0.3",
        "base, −0.4: every input 0",
    ):
        assert words in told


def test_a_beeswarm_shows_every_case_of_every_input_and_says_how(explanation) -> None:
    figure = beeswarm_figure(explanation, "Forest", most=4)
    points = [collection.get_offsets() for collection in figure.axes[0].collections]
    assert [len(found) for found in points] == [models.CASES] * 4
    first = explanation.names.index(explanation.ranking[0])
    np.testing.assert_allclose(points[0][:, 0], explanation.values[:, first])
    rest = [explanation.names.index(name) for name in explanation.ranking[3:]]
    np.testing.assert_allclose(points[3][:, 0], explanation.values[:, rest].sum(axis=1))
    told = texts(figure)
    for words in ("2 other inputs", "log-odds", "exact", "training cohort, 60 rows", "60 cases"):
        assert words in told.replace("\n", " ")


def test_the_same_values_give_the_same_bytes_whatever_the_users_settings(explanation, tmp_path: Path) -> None:
    first = [figure_bytes(beeswarm_figure(explanation, "x"), kind) for kind in ("png", "svg")]
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "svg.fonttype": "none"}):
        again = [figure_bytes(beeswarm_figure(explanation, "x"), kind) for kind in ("png", "svg")]
    assert first == again
    png, svg = write_figure(waterfall_figure(FOUND), tmp_path / "waterfall")
    assert png.read_bytes() == figure_bytes(waterfall_figure(FOUND), "png")
    assert ElementTree.fromstring(svg.read_text(encoding="utf-8")).tag.endswith("svg")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["waterfall.png", "waterfall.svg"]


def test_titles_in_other_scripts_and_with_markup_are_drawn() -> None:
    for title in ("肝 score", "<b>&\"'</b>", "$\\frac{", "x" * 300):
        ElementTree.fromstring(figure_bytes(waterfall_figure(replace(FOUND, title=title)), "svg"))


def test_a_case_of_one_input_that_adds_nothing_has_a_figure() -> None:
    flat = Waterfall("t", "risk", 0.0, "b", (Step("afp", "1", 0.0),), 0.0)
    assert figure_bytes(waterfall_figure(flat), "png").startswith(b"\x89PNG")


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(EnvironmentNeeded, match="A file stands where the folder"):
        write_figure(waterfall_figure(FOUND), tmp_path / "out" / "waterfall")


def test_values_are_coloured_by_rank_and_what_is_missing_is_grey() -> None:
    colours = [to_hex(colour) for colour in rank_colours(pd.Series([3.0, 1.0, np.nan, 2.0, 1e9], name="afp"))]
    assert colours[2] == MISSING
    brightness = [int(colours[place][1:3], 16) + int(colours[place][3:5], 16) for place in (1, 3, 0, 4)]
    assert brightness == sorted(brightness)
    stages = [to_hex(colour) for colour in rank_colours(pd.Series(["A", "C", None, "zzz"], name="bclc"))]
    assert stages[2:] == [MISSING, MISSING]
    assert len(set(stages)) == 3


def test_points_of_one_value_stand_apart_within_their_row() -> None:
    offsets = spread(np.array([0.0] * 9 + [1.0]))
    assert len(set(offsets[:9])) == 9
    assert np.abs(offsets).max() <= 0.38
    assert offsets[9] == 0
    assert np.abs(spread(np.zeros(500))).max() <= 0.38 + 1e-12


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("afp", "Alpha-fetoprotein"),
        ("albi", "Albumin-bilirubin score"),
        ("arterial_tumor_wavelet-HLL_ngtdm_Complexity", "AP tumor HLL NGTDM Complexity"),
        ("portal_habitat1_original_firstorder_Minimum", "PVP habitat1 Minimum"),
        ("t1ce_tumor_log-sigma-2-5-mm-3D_glcm_Idm", "t1ce tumor LoG 2.5 mm GLCM Idm"),
        ("delayed_tumor_original_shape_MeshVolume", "DP tumor shape MeshVolume"),
        ("whatever", "whatever"),
    ],
)
def test_names_are_shortened_by_the_stated_rule(name: str, short: str) -> None:
    assert short_name(name) == short


def test_a_long_name_loses_its_middle_and_names_stay_apart() -> None:
    long = "arterial_tumor_log-sigma-4-0-mm-3D_glszm_SmallAreaLowGreyLevelEmphasisVariance"
    assert re.fullmatch("AP tumor LoG 4 mm.*….*EmphasisVariance", short_name(long))
    assert len(short_name(long)) <= LONGEST
    twins = [long, long.replace("GreyLevel", "GrayLevel")]
    assert short_names(twins) == twins


def test_a_waterfall_of_a_cohorts_case_has_its_values(explanation) -> None:
    found = waterfall_of(explanation, "P07", "Logistic")
    assert [step.amount for step in found.steps] == explanation.values[7].tolist()
    assert {step.name: step.value for step in found.steps}["alb"] == "missing"
    assert "mean over the background" in found.base_in_words
