"""Another group's tables are translated by data alone, and nothing in them is lost or guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hccoutcome.cohort.mapping import read_mapping, shipped_mappings, translate_features, translate_table
from hccoutcome.cohort.sheet import read_sheet
from hccoutcome.cohort.training import read_training_table
from hccoutcome.errors import InputError
from hccoutcome.files import write_csv

MAPPING: dict[str, Any] = {
    "schema": 1,
    "title": "Made up",
    "notes": ["nothing"],
    "table": {
        "case": "ID",
        "columns": {
            "sex": {"from": "Sex", "codes": {"1": "male", "2": "female"}},
            "afp (ng/mL)": {"from": "AFP"},
            "os_weeks": {"from": "OS"},
            "os_event": {"from": "dead"},
        },
        "left_out": ["site", "note_*"],
    },
    "features": {
        "case": "pat", "prefix": "portal_tumor_", "columns": ["original_*"], "repeat": "reader", "use": "A",
    },
}  # fmt: skip


def mapping_file(folder: Path, **changes: Any) -> str:
    data = json.loads(json.dumps(MAPPING))
    for place, value in changes.items():
        *outer, last = place.split("__")
        inner = data
        for key in outer:
            inner = inner[key]
        inner[last] = value
    path = folder / "map.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return str(path)


def text_file(folder: Path, *lines: str, name: str = "source.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_columns_are_renamed_and_codes_translated(tmp_path: Path) -> None:
    mapping = read_mapping(mapping_file(tmp_path))
    source = text_file(tmp_path, "ID,Sex,AFP,OS,dead,site,note_1", "a,1,12.5,50,1,X,-", "b,2,,40,0,Y,-")
    columns, rows = translate_table(source, mapping.table)
    assert columns == ["case_id", "sex", "afp (ng/mL)", "os_weeks", "os_event"]
    assert rows[0] == {"case_id": "a", "sex": "male", "afp (ng/mL)": "12.5", "os_weeks": "50", "os_event": "1"}
    cohort = read_training_table(write_csv(tmp_path / "table.csv", columns, rows))
    assert cohort.X["sex"].tolist() == ["male", "female"]


def test_features_of_one_repeat_are_learnt_from_and_all_are_kept_for_stability(tmp_path: Path) -> None:
    mapping = read_mapping(mapping_file(tmp_path))
    source = text_file(tmp_path, "pat,reader,original_glcm_Idm", "a,A,1.25", "a,B,1.5", "b,A,2", "b,B,2.125")
    names, chosen, repeats = translate_features(source, mapping.features)
    assert names == ["portal_tumor_original_glcm_Idm"]
    assert chosen == [{"case_id": "a", names[0]: "1.25"}, {"case_id": "b", names[0]: "2"}]
    assert [row["rater"] for row in repeats] == ["A", "B", "A", "B"]


@pytest.mark.parametrize(
    ("header", "row", "sentence"),
    [
        ("ID,Sex,AFP,OS,dead,centre", "a,1,2,3,1,X", "The column 'centre' of 'source.csv' is not accounted for"),
        ("ID,Sex,AFP,OS", "a,1,2,3", "should have the column 'dead'"),
        ("ID,Sex,AFP,OS,dead", "a,3,2,3,1", "'Sex' should be one of '1', '2', found '3': add its code"),
        ("ID,ID,Sex,AFP,OS,dead", "a,a,1,2,3,1", "'source.csv' has the column 'ID' 2 times"),
    ],
)
def test_a_source_that_the_mapping_does_not_cover_is_refused(
    tmp_path: Path, header: str, row: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        translate_table(text_file(tmp_path, header, row), read_mapping(mapping_file(tmp_path)).table)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": 2}, "should have schema 1, found 2"),
        ({"tabel": {}}, "unknown field 'tabel'; did you mean 'table'"),
        ({"table__columns__sexx": {"from": "Sex"}}, "'sexx' is not a known clinical variable"),
        ({"table__columns__alb (mmol)": {"from": "Sex"}}, "found the unit 'mmol'"),
        ({"table__columns__age": {"form": "Age"}}, "lacks the field 'from'"),
        ({"table__columns__age": {"from": "Age", "codes": {"1": 2}}}, "'codes' should hold texts only, found 2"),
        ({"features__use": ""}, "'repeat' and 'use' go together"),
    ],
)
def test_a_faulty_mapping_is_refused(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence.replace("(", r"\(").replace(")", r"\)")):
        read_mapping(mapping_file(tmp_path, **changes))


def test_a_mapping_that_is_not_there_is_answered_with_those_that_ship() -> None:
    with pytest.raises(InputError, match="did you mean 'hcc-tace-seg'"):
        read_mapping("hcc-tace-seq")


def test_all_shipped_mappings_can_be_read() -> None:
    assert "hcc-tace-seg" in shipped_mappings()
    assert all(read_mapping(name).title for name in shipped_mappings())


def test_a_workbook_reads_like_the_csv_file_of_its_values(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "first"
    book.active.append(["ID", "AFP", "n", "empty", "flag", None])
    book.active.append(["a", 12.5, 3.0, None, True, None])
    book.create_sheet("other")
    book.save(tmp_path / "source.xlsx")
    sheet = read_sheet(tmp_path / "source.xlsx", "first")
    assert sheet.header == ("ID", "AFP", "n", "empty", "flag")
    assert sheet.rows == ({"ID": "a", "AFP": "12.5", "n": "3", "empty": "", "flag": "1"},)
    with pytest.raises(InputError, match="should have a sheet 'frist'; did you mean 'first'"):
        read_sheet(tmp_path / "source.xlsx", "frist")
    (tmp_path / "broken.xlsx").write_bytes(b"PK not a workbook")
    with pytest.raises(InputError, match=r"The workbook .* cannot be read"):
        read_sheet(tmp_path / "broken.xlsx")


# --- HCC-TACE-Seg -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tace_folder(data: Path) -> Path:
    pytest.importorskip("openpyxl", reason="openpyxl reads the HCC-TACE-Seg table")
    folder = data / "hcc_tace_tables"
    if not (folder / "HCC-TACE-Seg_clinical_data-V2.xlsx").is_file():
        pytest.skip("the tables of HCC-TACE-Seg are not at hand")
    return folder


@pytest.fixture(scope="module")
def tace(tace_folder: Path, tmp_path_factory):
    """The cohort as the command writes and reads it."""
    out = tmp_path_factory.mktemp("tace")
    mapping = read_mapping("hcc-tace-seg")
    columns, rows = translate_table(tace_folder / "HCC-TACE-Seg_clinical_data-V2.xlsx", mapping.table)
    names, chosen, repeats = translate_features(
        tace_folder / "radiomics_original_sheared_translated.csv", mapping.features
    )
    assert len(repeats) == 3 * len(chosen) == 312
    return read_training_table(
        write_csv(out / "table.csv", columns, rows), write_csv(out / "features.csv", ["case_id", *names], chosen)
    )


def test_the_cohort_of_hcc_tace_seg_has_the_numbers_that_its_publishers_state(tace) -> None:
    assert len(tace.patients) == 103
    assert {"HCC_065", "HCC_089"}.isdisjoint(tace.patients)
    assert len(tace.imaging) == 107
    assert int(tace.survival("os")["event"].sum()) == 92, "93 deaths among 105, one of them without features"
    assert len(tace.endpoints["ttp"]) == 103
    assert [item for item in tace.findings if item.status == "refused"] == []


def test_hcc_tace_seg_is_translated_value_by_value(tace, tace_folder: Path) -> None:
    """Against the workbook read on its own."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(tace_folder / "HCC-TACE-Seg_clinical_data-V2.xlsx", data_only=True)
    lines = list(book["data table"].iter_rows(values_only=True))
    rows = {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[1:] if line[0]}
    responders, known = tace.response("mrecist", "1")
    for number, case in enumerate(tace.patients):
        row, x = rows[case], tace.X.loc[case]
        assert x["age"] == row["age"]
        assert x["afp"] == row["AFP"]
        assert x["sex"] == {1: "male", 2: "female"}[row["Sex"]]
        assert x["child_pugh"] == row["CPS"]
        assert x["bclc"] == row["BCLC"][-1]
        assert (x["hbv"], x["hcv"]) == (float("HBV" in row["hepatitis"]), float("HCV" in row["hepatitis"]))
        assert x["tumor_over_half"] == float(row["T_involvment"] == ">50%")
        assert np.isnan(x["tumor_diameter"]) if row["Tr_Size"] is None else x["tumor_diameter"] == row["Tr_Size"]
        assert tace.survival("os")["time"][number] == pytest.approx(row["OS"] * 7 / 30.4375)
        assert bool(tace.survival("os")["event"][number]) == (row["Death_1_StillAliveorLostToFU_0"] == 1)
        assert known[number] == (row["1_mRECIST"] is not None)
        assert responders[number] == (row["1_mRECIST"] in (1, 2))
    assert (int(responders.sum()), int(known.sum())) == (61, 95)


def test_the_features_of_hcc_tace_seg_are_those_of_the_unaltered_outline(tace, tace_folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    source = pandas.read_csv(tace_folder / "radiomics_original_sheared_translated.csv", float_precision="round_trip")
    source = source[source["transformation"] == "original"].set_index("patient_id").loc[list(tace.patients)]
    # First-order features of some patients are moved to Hounsfield units (test_hounsfield.py).
    for name in (name for name in tace.imaging if "firstorder" not in name):
        assert np.array_equal(tace.X[name], source[name.removeprefix("arterial_tumor_")])
