"""A case of a clinical record alone: the same numbers on the command line, in the result, the scene and the report."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from trained_packages import train

from hccoutcome.cli import main
from hccoutcome.findings import Findings
from hccoutcome.report.outlook_words import chances, in_short, percent, sentences

RECORD = {"alb": 38.2, "tbil": 19.0, "age": 61, "afp": 400, "sex": "male", "cirrhosis": "yes", "bclc": "B"}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return train(tmp_path_factory.mktemp("trained"), "cox-ridge", "os", "clinical")


@pytest.fixture(scope="module")
def out(package, tmp_path_factory):
    """What ``hcc analyse`` wrote and said of a record."""
    folder = tmp_path_factory.mktemp("record-alone")
    (folder / "rec.json").write_text(json.dumps(RECORD), encoding="utf-8")
    return folder


def analysed(package: Path, out: Path, capsys) -> tuple[str, Findings]:
    words = ["--package", "albi", str(package), "--out", str(out / "results")]
    assert main(["analyse", "--clinical", str(out / "rec.json"), "--case-id", "P9", *words]) == 0
    result = json.loads((out / "results" / "result.json").read_text(encoding="utf-8"))
    return capsys.readouterr().out, Findings.from_json(result)


def test_every_way_out_gives_the_same_numbers(package, out, capsys):
    from hccoutcome.scene.exchange import table_from_node
    from hccoutcome.scene.nodes import nodes_of
    from hccoutcome.scene.outlook import INPUTS, ROLE
    from hccoutcome.scene.store import load_scene

    said, findings = analysed(package, out, capsys)
    albi, cox = findings.predictions
    assert albi.outlook is None
    survival = cox.outlook.survival
    told = sentences(cox)
    assert len(told) == 4
    # The command line
    assert all(f"\n  {sentence}\n" in said for sentence in told)
    # The report
    html = (out / "results" / "report.html").read_text(encoding="utf-8")
    text = " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
    assert all(sentence in text for sentence in told)
    assert "There are no pictures in this report." in text
    assert in_short(cox).partition(" at ")[0] in text[text.index("Side by side") :]
    # The scene
    nodes = nodes_of(load_scene(out / "results" / "scene.mrb"), "P9")
    table = table_from_node(nodes.findings[f"{ROLE}:{cox.package}"])
    np.testing.assert_array_equal(table["This case"], survival.survival)
    results = table_from_node(nodes.findings["results"])
    month = chances(survival)[0].month
    assert percent(results[f"Survival at {month} months"][1]) == percent(chances(survival)[0].survival)
    assert list(results["Score"])[1] == cox.score
    places = table_from_node(nodes.findings[f"{INPUTS}:{cox.package}"])
    assert dict(zip(places["Name"], places["Value"], strict=True)) == {"age": 61.0, "afp": 400.0}
    assert dict(zip(places["Name"], places["Place"], strict=True)) == {
        item.name: item.percentile for item in cox.outlook.inputs
    }
    # What each input adds
    assert sum(item.amount for item in cox.contributions) == pytest.approx(cox.score)
    assert f"waterfall-chart:{cox.package}" in nodes.findings


def test_a_record_for_a_model_of_images_is_refused_with_a_sentence(out, capsys, tmp_path):
    words = ["--package", "radscore-tace-ct", "--out", str(tmp_path / "refused")]
    assert main(["analyse", "--clinical", str(out / "rec.json"), "--case-id", "P9", *words]) == 2
    assert "radscore-tace-ct gave no score: The package needs the arterial phase" in capsys.readouterr().err
    assert (tmp_path / "refused" / "report.html").is_file()
    assert (tmp_path / "refused" / "scene.mrb").is_file()
