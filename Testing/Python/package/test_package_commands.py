"""What the package commands answer."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cohort_manifest import write_manifest

from hccoutcome.errors import InputError
from hccoutcome.package import commands
from hccoutcome.package.format import Package
from hccoutcome.package.reading import list_packages, poses_as_shipped, read_package, verify
from hccoutcome.package.writing import package_files


def test_all_packages_are_listed_in_columns() -> None:
    answers = commands.list_all()
    assert [answer["name"] for answer in answers] == list(list_packages())
    lines = commands.as_text("list", answers).splitlines()
    assert [line.split() for line in lines if line.startswith("radscore")] == [
        ["radscore-tace-ct", "1.0.0", "Radscore", "(TACE,", "arterial", "CT)"]
    ]
    assert len({line.index("1.0.0") for line in lines}) == 1


@pytest.mark.parametrize("name", list_packages())
def test_every_answer_is_json_and_text(name: str) -> None:
    for action, ask in (("show", commands.show), ("verify", commands.verify), ("card", commands.card)):
        answer = ask(name)
        assert json.loads(json.dumps(answer)) == answer
        assert name in commands.as_text(action, [answer]) or action == "card"


def test_a_package_is_shown_with_its_needs() -> None:
    text = commands.as_text("show", [commands.show("radscore-tace-ct")])
    assert "phase       arterial, or with a warning portal, pixels 0.58 to 0.98 mm, slices 4.5 to 5.5 mm apart" in text
    assert "feature     arterial_tumor_wavelet-HLL_ngtdm_Complexity" in text
    clinical = commands.as_text("show", [commands.show("haic-mri-clinical")])
    assert "modality    no image needed" in clinical
    assert "variable    tumor_diameter: diameter of the largest tumour, 0.1 to 40 cm" in clinical
    crh = commands.as_text("show", [commands.show("haic-mri-crh")])
    assert "reference   needed, from your own cohort" in crh


def test_verification_gives_the_hash() -> None:
    answer = commands.verify("albi")
    assert commands.as_text("verify", [answer]) == f"albi 1.0.0 is intact, sha256 {read_package('albi').sha256}"


def test_a_changed_package_is_not_verified(tmp_path: Path) -> None:
    for path in read_package("albi").source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes().replace(b"bilirubin", b"Bilirubin"))
    with pytest.raises(InputError, match="was changed after it was written: get it again"):
        commands.verify(tmp_path)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("setting:\n  binWidth: !!python/object/apply:os.system ['true']\n", "'parameters.yaml' cannot be read"),
        ("setting:\n  binWidht: 25\n", "did you mean 'binWidth'"),
        ("[" * 100_000, r"parameters\.yaml is nested far deeper than any such file needs: do not use it\."),
    ],
    ids=["python tag", "unknown key", "nesting"],
)
def test_a_sealed_package_whose_parameters_cannot_be_applied_is_not_verified(
    tmp_path: Path, a_package: Package, parameters: str, message: str
) -> None:
    package = replace(a_package, parameters=parameters)
    reference = replace(a_package.reference, settings_sha256=package.settings_sha256)
    path = write_sealed(tmp_path / "toy", package.with_reference(reference))
    for verified in (lambda: commands.verify(path), lambda: verify(path)):
        with pytest.raises(InputError, match=message):
            verified()


def write_sealed(folder: Path, package: Package) -> Path:
    folder.mkdir()
    for name, content in package_files(package).items():
        (folder / name).write_bytes(content)
    return folder


def test_a_package_under_a_shipped_name_is_told_by_its_content(tmp_path: Path) -> None:
    shipped = read_package("albi")
    other = write_sealed(tmp_path / "other", replace(shipped, title="ALBI, improved"))
    same = Path(shutil.copytree(shipped.source, tmp_path / "same"))
    text = commands.as_text("verify", [commands.verify(same), commands.verify(other)]).splitlines()
    assert len(text) == 3
    assert text[2] == (
        "warning: albi has the name of a shipped package and another content: use it only if you know who made it."
    )
    assert [poses_as_shipped(read_package(path)) for path in (same, other)] == [False, True]


def test_cards_say_what_a_reader_must_know() -> None:
    for name in list_packages():
        card = commands.card(name)["card"]
        for heading in ("Intended use", "Cohort", "Inputs", "Figures", "Limits", "Source"):
            assert f"\n## {heading}\n" in card, name
        assert "not a medical device" in card
        learned = read_package(name).weights.get("model") == "learned"
        says = "Measured by this software in nested cross-validation" if learned else "This package has no"
        assert says in card, "a card must not pass the paper's figures off as this package's"


def write_table(path: Path, names: tuple[str, ...], cases: int = 40) -> Path:
    values = np.random.default_rng(5).normal(100.0, 20.0, (cases, len(names)))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["case_id", *names])
        writer.writerows([f"c{number}", *row] for number, row in enumerate(values.tolist()))
    return path


def test_a_reference_made_from_a_table_fits_its_package(tmp_path: Path) -> None:
    package = read_package("haic-mri-cr")
    table = write_manifest(write_table(tmp_path / "features.csv", package.requirements.features), package)
    reference = commands.make_reference(package, table, "forty made-up cases")
    assert package.with_reference(reference).reference == reference
    assert (reference.cases, reference.cohort) == (40, "forty made-up cases")


def test_a_reference_for_more_features_serves_a_package_with_the_same_settings(tmp_path: Path) -> None:
    crh, cr = read_package("haic-mri-crh"), read_package("haic-mri-cr")
    table = write_manifest(write_table(tmp_path / "features.csv", crh.requirements.features), crh)
    found = cr.with_reference(commands.make_reference(crh, table, "x")).reference
    assert tuple(found.features) == cr.requirements.features


def test_a_reference_of_another_package_is_refused(tmp_path: Path) -> None:
    radscore, cr = read_package("radscore-tace-ct"), read_package("haic-mri-cr")
    table = write_manifest(write_table(tmp_path / "features.csv", radscore.requirements.features), radscore)
    with pytest.raises(InputError, match="made with other preparation or extraction settings than those of 'haic-mri"):
        cr.with_reference(commands.make_reference(radscore, table, "x"))


def test_a_table_of_unknown_origin_makes_no_reference(tmp_path: Path) -> None:
    """The same names stand for other values where the images were not prepared as the package says."""
    cr, radscore = read_package("haic-mri-cr"), read_package("radscore-tace-ct")
    table = write_table(tmp_path / "features.csv", cr.requirements.features)
    with pytest.raises(InputError, match=r"found no manifest\.json: run 'hcc cohort TABLE\.csv --package haic-mri-cr"):
        commands.make_reference(cr, table, "x")
    with pytest.raises(InputError, match="with other preparation or extraction settings than those of 'haic-mri-cr'"):
        commands.make_reference(cr, write_manifest(table, radscore), "x")
    write_manifest(table, cr)
    table.write_text(table.read_text() + "\n")
    with pytest.raises(InputError, match="is not the one that the cohort run wrote"):
        commands.make_reference(cr, table, "x")


def test_a_package_without_features_needs_no_reference(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="The package 'albi' reads no features, so it needs no reference"):
        commands.make_reference(read_package("albi"), tmp_path / "x.csv", "x")


def test_a_table_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"The feature table 'x\.csv' cannot be read: give a CSV in UTF-8"):
        commands.make_reference(read_package("haic-mri-cr"), tmp_path / "x.csv", "x")
