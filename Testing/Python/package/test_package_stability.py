"""A package may carry the stability of its features, and whoever applies it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from toy_package import FEATURE, make_package

from hccoutcome.cli import main
from hccoutcome.errors import InputError
from hccoutcome.findings import Findings
from hccoutcome.package import commands
from hccoutcome.package.applicability import ImageFacts, PackageInputs
from hccoutcome.package.format import Package
from hccoutcome.package.prediction import Contribution, InputStability, Prediction
from hccoutcome.package.reading import read_package
from hccoutcome.package.schema import seal
from hccoutcome.package.stability import in_words, input_stability, summary
from hccoutcome.package.writing import package_files, write_package
from hccoutcome.radiomics.settings import parse_settings
from hccoutcome.report.content import score
from hccoutcome.report.html import render_report
from hccoutcome.scene.tables import contribution_columns, result_columns
from hccoutcome.stability.gate import stability_table
from hccoutcome.stability.ratings import ratings_of
from hccoutcome.stability.table import Gate, StabilityTable, write_table
from hccoutcome.strict_json import canonical_json
from hccoutcome.systems import predict

RADSCORE = "radscore-tace-ct"
STEADY, SHAKY, UNKNOWN = (
    "arterial_tumor_square_firstorder_Variance",
    "arterial_tumor_wavelet-HLL_ngtdm_Complexity",
    "arterial_tumor_log-sigma-2-0-mm-3D_ngtdm_Contrast",
)


def measured(*names: str, gate: Gate | None = None) -> StabilityTable:
    """Return a table of three subjects by two readers: the first feature is steady, the others are not."""
    values = {"Doe": ((1.0, 5.0), (1.1, 9.0)), "Roe": ((2.0, 7.0), (2.1, 4.0)), "Poe": ((3.2, 6.0), (3.1, 7.5))}
    rows = [
        (subject, reader, {name: pair[min(place, 1)] for place, name in enumerate(names)})
        for subject, readings in values.items()
        for reader, pair in zip("AB", readings, strict=True)
    ]
    return stability_table(ratings_of(rows), gate, provenance={"sources": {"Doe.csv": "ab" * 32}})


@pytest.fixture
def a_stable_package() -> Package:
    return make_package().with_stability(measured(FEATURE, "portal_tumor_original_firstorder_Median"), "three toys")


def radscore_inputs(phase: str = "arterial") -> PackageInputs:
    package = read_package(RADSCORE)
    return PackageInputs(
        modality="CT",
        phases={phase: ImageFacts((0.8, 0.8, 5.0), (512, 512, 40))},
        regions={"tumor": {phase: 30.0}},
        features={name.replace("arterial", phase): 10.0 for name in package.requirements.features},
    )


@pytest.fixture
def applied() -> Prediction:
    return predict(read_package(RADSCORE).with_stability(measured(STEADY, SHAKY)), radscore_inputs())


@pytest.mark.parametrize("name", ["toy", "toy.zip"])
def test_the_table_is_kept_hashed_and_read_back(tmp_path: Path, a_stable_package: Package, name: str) -> None:
    found = read_package(write_package(a_stable_package, tmp_path / name))
    assert found.stability == a_stable_package.stability
    assert "stability.json" in found.files
    assert package_files(found)["stability.json"] == package_files(a_stable_package)["stability.json"]


def test_only_the_packages_own_features_are_kept_and_nobody_is_named(a_stable_package: Package) -> None:
    text = package_files(a_stable_package)["stability.json"].decode()
    assert [item.feature for item in a_stable_package.stability.features] == [FEATURE]
    assert "Doe" not in text
    assert "Median" not in text
    assert "three toys" in text


def test_a_table_of_other_features_is_refused() -> None:
    with pytest.raises(InputError, match="should measure features of 'toy' such as 'portal_tumor_original_first"):
        make_package().with_stability(measured("original_firstorder_Mean"))
    with pytest.raises(InputError, match="'albi' reads no features, so it needs no stability table"):
        read_package("albi").with_stability(measured(FEATURE))


def with_table(folder: Path, package: Package, raw: object) -> Path:
    """Write a package whose ``stability.json`` holds ``raw``, hashed and sealed."""
    import hashlib

    files = {**package_files(package), "stability.json": canonical_json(raw)}
    manifest = json.loads(files["package.json"])
    manifest["files"]["stability.json"] = hashlib.sha256(files["stability.json"]).hexdigest()
    manifest["sha256"] = seal(manifest)
    folder.mkdir()
    for name, content in {**files, "package.json": canonical_json(manifest)}.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.update(schema=2), r"stability\.json should have schema 1, found 2"),
        (lambda raw: raw["features"][0].update(stable=False), "its own numbers and thresholds contradict"),
        (lambda raw: raw["features"][0].update(code="import os"), "unknown field 'code'"),
        (lambda raw: raw["provenance"].update(subjects=["Doe"]), "no name of a subject, rater or file"),
        (lambda raw: raw["features"].append({**raw["features"][0], "feature": "x_y_original_a_B"}), "own features"),
    ],
    ids=["schema", "forged verdict", "unknown field", "names", "foreign feature"],
)
def test_a_sealed_package_with_a_wrong_table_is_refused(
    tmp_path: Path, a_stable_package: Package, change, message: str
) -> None:
    raw = a_stable_package.stability.to_dict()
    change(raw)
    with pytest.raises(InputError, match=message):
        read_package(with_table(tmp_path / "toy", a_stable_package, raw))


def test_applying_a_package_tells_the_stability_of_each_feature(applied: Prediction) -> None:
    found = {item.name: item.stability for item in applied.contributions}
    assert found["intercept"] is None
    assert found[UNKNOWN] == InputStability("not measured")
    assert (found[STEADY].status, found[SHAKY].status) == ("stable", "unstable")
    assert found[STEADY].lower < found[STEADY].icc < found[STEADY].upper
    assert found[STEADY].cv == pytest.approx(0.0456, abs=1e-4)
    others = len(read_package(RADSCORE).requirements.features) - 2
    assert summary(applied.contributions) == f"1 of {others + 2} features stable, 1 unstable, {others} not measured"


def test_an_unstable_feature_is_a_reason_to_doubt(applied: Prediction) -> None:
    assert applied.applicability.status == "warning"
    text = " ".join(applied.applicability.reasons)
    assert f"1 of the 2 features whose stability was measured did not reach ICC >= 0.75: {SHAKY} (ICC -1.22" in text


def test_in_another_phase_nothing_was_measured() -> None:
    package = read_package(RADSCORE).with_stability(measured(STEADY))
    found = predict(package, radscore_inputs("portal"))
    assert {item.stability.status for item in found.contributions if item.stability} == {"not measured"}


def test_without_a_table_nothing_is_said_and_nothing_changes() -> None:
    found = predict(read_package(RADSCORE), radscore_inputs())
    assert all(item.stability is None for item in found.contributions)
    assert summary(found.contributions) == ""
    assert "Stability" not in contribution_columns(found)
    assert not score(found).has_stability
    assert "stability" not in " ".join(found.applicability.reasons)


def test_it_survives_json_and_older_results_are_still_read(applied: Prediction) -> None:
    data = json.loads(json.dumps(applied.to_json(), allow_nan=False))
    assert Prediction.from_json(data) == applied
    for item in data["contributions"]:
        del item["stability"]
    assert all(item.stability is None for item in Prediction.from_json(data).contributions)


def test_report_and_scene_show_it(applied: Prediction) -> None:
    columns = contribution_columns(applied)
    place = columns["Input"].index(STEADY)
    assert columns["Stability"][place] == "stable"
    assert columns["ICC"][place] == next(i.stability.icc for i in applied.contributions if i.name == STEADY)
    assert {len(values) for values in columns.values()} == {len(applied.contributions)}
    assert result_columns([applied])["Stability"] == [summary(applied.contributions)]
    page = render_report(Findings("P1", predictions=(applied,)), {})
    assert "Stability when measured again" in page
    assert in_words(next(i.stability for i in applied.contributions if i.name == STEADY)) in page
    assert "<td>not measured</td>" in page


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, ""),
        (InputStability("not measured"), "not measured"),
        (InputStability("stable", 0.912, 0.8, 0.96, 0.0421), "stable: ICC 0.91 (0.80 to 0.96), CV 4.21%"),
        (InputStability("unstable", cv=0.4), "unstable: CV 40%"),
    ],
)
def test_stability_in_words(found: InputStability | None, text: str) -> None:
    assert in_words(found) == text


def test_contributions_without_features_have_no_summary() -> None:
    assert summary([Contribution("age", 61.0)]) == ""
    assert input_stability(make_package().with_stability(measured(FEATURE)), "age") is None


def test_the_command_attaches_a_table(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    table, out = write_table(tmp_path / "stability.json", measured(STEADY, SHAKY)), tmp_path / "measured"
    options = ["--cohort", "three patients", "--name", "radscore-measured", "--out", str(out)]
    assert main(["package", "stability", RADSCORE, str(table), *options]) == 0
    said = capsys.readouterr().out
    assert "radscore-measured 1.0.0 with the stability of its features (1 stable, 1 unstable, " in said
    assert "its features must have been extracted with this package's preparation" in said
    assert "has the name of a shipped package" not in said
    written = read_package(out)
    assert written == replace(
        read_package(RADSCORE).with_stability(measured(STEADY, SHAKY), "three patients"),
        name="radscore-measured",
        files=written.files,
        sha256=written.sha256,
        source=out,
    )
    shown = commands.as_text("show", [commands.show(out)])
    assert f"feature     {STEADY}, stable: ICC 1.00 (" in shown
    assert "stability   ICC(2,1), 3 subjects by 2 raters or repeats (three patients); stable with ICC >= 0.75" in shown


def test_a_table_of_other_radiomics_settings_is_refused(tmp_path: Path) -> None:
    own = parse_settings(read_package(RADSCORE).parameters).sha256()
    for stated, out in ((own, "own"), ("cd" * 32, "other")):
        table = measured(STEADY)
        table = replace(table, provenance={**table.provenance, "settings_sha256": stated})
        path = write_table(tmp_path / "stability.json", table)
        if stated == own:
            warnings = commands.attach_stability(RADSCORE, path, tmp_path / out)["warnings"]
            assert not any("with this package's preparation and settings" in warning for warning in warnings)
        else:
            with pytest.raises(InputError, match="measured with other radiomics settings than those of 'radscore-tace"):
                commands.attach_stability(RADSCORE, path, tmp_path / out)


def test_a_package_without_features_is_told_that_and_nothing_of_settings(tmp_path: Path) -> None:
    table = measured(STEADY)
    path = write_table(
        tmp_path / "s.json", replace(table, provenance={**table.provenance, "settings_sha256": "0" * 64})
    )
    with pytest.raises(InputError, match="'albi' reads no features, so it needs no stability table"):
        commands.attach_stability("albi", path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_package_under_its_old_name_is_told_apart(tmp_path: Path) -> None:
    table = write_table(tmp_path / "stability.json", measured(STEADY))
    answer = commands.attach_stability(RADSCORE, table, tmp_path / "measured")
    assert any("has the name of a shipped package" in warning for warning in answer["warnings"])


@pytest.mark.parametrize(
    ("name", "table", "message"),
    [
        ("stability.csv", "feature,icc\n", "from the JSON file of 'hcc stability --table FILE.json'"),
        ("stability.json", "{", "stability.json should be JSON"),
        ("missing.json", None, "'missing.json' cannot be read"),
    ],
)
def test_what_is_no_table_gets_its_sentence(
    tmp_path: Path, name: str, table: str | None, message: str, capsys: pytest.CaptureFixture
) -> None:
    if table is not None:
        (tmp_path / name).write_text(table)
    assert main(["package", "stability", RADSCORE, str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
