"""What ``hcc features`` tells of how its table came about."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from hccoutcome.cli import main
from hccoutcome.radiomics.settings import load_settings
from hccoutcome.version import __version__


@pytest.fixture(scope="module")
def record(phantom: Path, tmp_path_factory) -> dict:
    """The record beside a table whose images lie in a folder that is named after somebody."""
    folder = tmp_path_factory.mktemp("features") / "Jane Doe"
    folder.mkdir()
    for name in ("portal.nii.gz", "tumor-mask.nii.gz"):
        shutil.copy(phantom / name, folder / name)
    words = ["--image", f"portal={folder / 'portal.nii.gz'}", "--mask", f"tumor={folder / 'tumor-mask.nii.gz'}"]
    out = folder.parent / "table.csv"
    assert main(["features", *words, "--settings", "haic-mri", "--out", str(out)]) == 0
    text = out.with_name("table.provenance.json").read_text(encoding="utf-8")
    assert "Jane" not in text
    assert str(folder.parent) not in text
    return {**json.loads(text), "folder": folder.parent}


def test_the_table_is_tied_to_its_record(record):
    table = record["folder"] / "table.csv"
    assert record["table"]["sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    assert record["table"]["name"] == "table.csv"
    assert record["table"]["features"] == len(table.read_text(encoding="utf-8").splitlines()[0].split(","))


def test_settings_engine_and_versions_are_told(record):
    settings = load_settings("haic-mri")
    assert record["settings"] == json.loads(json.dumps(settings.to_dict()))
    assert (record["settings_sha256"], record["parameters"]) == (settings.sha256(), "haic-mri")
    assert (record["engine"], record["hccoutcome"]) == ("fast", __version__)
    assert {"numpy", "scipy", "SimpleITK", "numba"} <= set(record["packages"])


def test_inputs_are_told_by_their_hashes(record, phantom, tmp_path):
    assert set(record["inputs"]) == {"image:portal", "mask:tumor"}
    words = ["--image", f"portal={phantom / 'arterial.nii.gz'}", "--mask", f"tumor={phantom / 'tumor-mask.nii.gz'}"]
    assert main(["features", *words, "--settings", "haic-mri", "--out", str(tmp_path / "other.csv")]) == 0
    other = json.loads((tmp_path / "other.provenance.json").read_text(encoding="utf-8"))
    assert other["inputs"]["mask:tumor"] == record["inputs"]["mask:tumor"]
    assert other["inputs"]["image:portal"] != record["inputs"]["image:portal"]
