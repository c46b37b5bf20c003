"""The cohort table is refused at the door with a sentence, or gives one case a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from hccoutcome.case import CaseFiles, ImageFile, MaskFile
from hccoutcome.cohort.table import case_files, read_cohort_table, try_case_files
from hccoutcome.errors import InputError


def table(folder: Path, *lines: str) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_row_becomes_a_case_with_paths_from_the_table_s_folder(tmp_path: Path) -> None:
    rows = read_cohort_table(
        table(
            tmp_path,
            "case_id,modality,image_PVP,mask_tumor,afp,age",
            "p1,ct,a/ct.nii.gz,a/t1.nii.gz;a/t2.nii.gz,400,61",
            "p2,,b.nii.gz,,,",
        )
    )
    first, second = (case_files(row, tmp_path) for row in rows)
    assert first.case_id == "p1"
    assert first.modality == "CT"
    assert first.images == {"portal": ImageFile(tmp_path / "a/ct.nii.gz")}
    assert first.masks == {"tumor": (MaskFile(tmp_path / "a/t1.nii.gz"), MaskFile(tmp_path / "a/t2.nii.gz"))}
    assert first.clinical == {"afp": "400", "age": "61"}
    assert (second.masks, second.clinical, second.modality) == ({}, {}, None)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    path = table(tmp_path, separator.join(["case_id", "afp", "age"]), separator.join(["p1", "400", "61"]))
    assert read_cohort_table(path) == [{"case_id": "p1", "afp": "400", "age": "61"}]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["id,age", "p1,60"], "needs a column 'case_id', found id, age"),
        (["case_id,age,age", "p1,60,61"], "has the column 'age' 2 times"),
        (["case_id,agee", "p1,60"], "'agee' of the cohort table is neither .* did you mean 'age'"),
        (["case_id,image_arteriel", "p1,x"], "'arteriel' is not a known phase.*did you mean 'arterial'"),
        (["case_id,mask_kidney", "p1,x"], "'kidney' is not a known region"),
        (["case_id,age", "p1,60", "P1,70"], "'p1' stands 2 times"),
        (["case_id,age", ",60"], "Line 2 of the cohort table has no case_id"),
        (["case_id,age", "p1,60,70"], "Line 2 of the cohort table should have 2 cells as the header, found 3"),
        (["case_id,age", "", "p1,60", "", "p2,60,70"], "Line 5 of the cohort table should have 2 cells"),
        (["", "case_id,age", "", ",60"], "Line 4 of the cohort table has no case_id"),
        (["case_id,age", '"p1', 'X",60'], "Line 2 of the cohort table has a line break within its case_id: remove it"),
        (["case_id,age", 'p1,"60', "p2,61"], r"Line 2 of the cohort table cannot be read as CSV \(unexpected end of"),
        (["case_id,age", "p1," + "6" * 131_073], r"Line 2 .* cannot be read as CSV \(field larger than field limit"),
        (
            ["case_id,image_arterial,image_AP", "p1,a,b"],
            "The columns 'image_arterial' and 'image_AP' of the cohort table both mean the arterial image: keep one",
        ),
        (["case_id,age"], "a header and at least one case, found 1"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, lines: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_cohort_table(table(tmp_path, *lines))


def test_a_table_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"PK\x03\x04\xff\xfe\x00")
    with pytest.raises(InputError, match="it is not UTF-8 text"):
        read_cohort_table(path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_cohort_table(tmp_path / "none.csv")


def test_a_case_name_that_is_no_folder_name_fails_that_case_alone(tmp_path: Path) -> None:
    rows = read_cohort_table(table(tmp_path, "case_id,age", "../p1,60", "p2,61"))
    with pytest.raises(InputError, match="rename it"):
        case_files(rows[0], tmp_path)
    assert case_files(rows[1], tmp_path).case_id == "p2"


def test_a_line_break_in_quotes_counts_as_a_line_and_does_not_glue_words(tmp_path: Path) -> None:
    path = table(tmp_path, "case_id,image_portal", 'p1,"a', 'b.nii.gz"', "p2,b.nii.gz")
    assert read_cohort_table(path)[0]["image_portal"] == "a\nb.nii.gz"
    with pytest.raises(InputError, match="Line 4 of the cohort table has no case_id"):
        read_cohort_table(table(tmp_path, "case_id,image_portal", 'p1,"a', 'b.nii.gz"', ",b.nii.gz"))


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_every_line_end_is_read(tmp_path: Path, ending: str) -> None:
    (tmp_path / "table.csv").write_bytes(ending.join(["case_id,age", "p1,60", "p2,61"]).encode())
    assert [row["age"] for row in read_cohort_table(tmp_path / "table.csv")] == ["60", "61"]


def test_two_mask_columns_of_one_region_are_united(tmp_path: Path) -> None:
    (row,) = read_cohort_table(table(tmp_path, "case_id,mask_tumor,mask_tumour", "p1,a.nii,b.nii"))
    assert case_files(row, tmp_path).masks == {"tumor": (MaskFile(tmp_path / "a.nii"), MaskFile(tmp_path / "b.nii"))}


@pytest.mark.parametrize("name", [".", "..", "a/b", "/etc"])
def test_a_name_that_is_a_path_fails_that_case_and_no_other(tmp_path: Path, name: str) -> None:
    rows = read_cohort_table(table(tmp_path, "case_id,age", f"{name},60", "p2,61"))
    failed, kept = (try_case_files(row, tmp_path) for row in rows)
    assert isinstance(failed, InputError)
    assert f"found '{name}': rename it" in str(failed)
    assert isinstance(kept, CaseFiles)
