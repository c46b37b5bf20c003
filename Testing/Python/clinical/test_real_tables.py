"""Real clinical tables: stages that others assigned, and unit mistakes that others made."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from hccoutcome.clinical.indices import composite_indices
from hccoutcome.clinical.record import check_record, parse_record
from hccoutcome.clinical.scores import bclc, clip, missing_for, okuda, possible_scores

ECOG_OF_GROUP = {0: 0, 1: 1, 3: 3}
SEX = {1: "male", 2: "female"}


@pytest.fixture(scope="module")
def tace(data: Path) -> list[dict[str, Any]]:
    """Rows of the HCC-TACE-Seg clinical table (Moawad 2021)."""
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl reads the HCC-TACE-Seg table")
    path = data / "hcc_tace_tables" / "HCC-TACE-Seg_clinical_data-V2.xlsx"
    if not path.is_file():
        pytest.skip(f"{path.name} is not at hand")
    rows = list(openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True))
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:] if row[0]]


def record_of(row: dict[str, Any]) -> dict[str, float | str]:
    """Read a row under the table's own column names, but for those whose coding its glossary explains."""
    columns = ("age", "hepatitis", "Evidence_of_cirh", "CPS", "tumor_nodul", "Vascular invasion", "Metastasis",
               "Lymphnodes", "Portal Vein Thrombosis", "T_involvment", "AFP", "BCLC")  # fmt: skip
    raw = {name: row[name] for name in columns}
    raw["Tr_Size (cm)"] = row["Tr_Size"]
    raw["sex"] = SEX[row["Sex"]]
    raw["ecog"] = ECOG_OF_GROUP[row["PS_bclc_0_0_1-2_1_3-4_3"]]
    if row["tumor_nodul"] == "uninodular":
        raw["tumor_number"] = 1
    return parse_record(raw)


def test_clip_is_what_the_table_states_for_all_105_patients(tace) -> None:
    assert len(tace) == 105
    differing = [row["TCIA_ID"] for row in tace if clip(record_of(row)).value != int(row["CLIP_Score"][-1])]
    assert differing == []


def test_bclc_differs_from_the_table_only_where_the_2022_rule_differs_from_that_of_1999(tace) -> None:
    undecided, differing = [], {}
    for row in tace:
        record = record_of(row)
        if missing_for("bclc", record):
            undecided.append(missing_for("bclc", record))
        elif bclc(record).label[-1] != record["bclc"]:
            differing[row["TCIA_ID"]] = (record["bclc"], bclc(record).label[-1], record["tumor_diameter"])
    # The table gives no number and no size for several nodules.
    assert undecided == [("tumor_number",)] * 9
    assert len(differing) == 8
    single_large = [found for found in differing.values() if found[:2] == ("B", "A")]
    assert len(single_large) == 7
    assert all(diameter > 5 for *_, diameter in single_large), "a single tumour above 5 cm was B in 1999 and is A"
    assert [found for found in differing.values() if found not in single_large] == [("A", "0", 1.6)]


def test_okuda_of_the_table_never_contradicts_the_one_sign_that_the_table_holds(tace) -> None:
    rest = {"ascites": "none", "alb": 40.0, "tbil": 10.0}
    for row in tace:
        least = okuda({"tumor_over_half": record_of(row)["tumor_over_half"], **rest}).value
        assert {"Stage I": 1, "Stage II": 2, "Stage III": 3}[row["Okuda"]] >= least


UCI_COLUMNS = {
    "Gender": "sex", "HBsAg": "hbv", "HCVAb": "hcv", "Cirrhosis": "cirrhosis", "PVT": "portal_vein_thrombus",
    "Metastasis": "metastasis", "Age": "age", "Encephalopathy": "encephalopathy", "Ascites": "ascites", "INR": "inr",
    "AFP": "afp", "Platelets": "plt", " Albumin": "ALB (g/dL)", "Total_Bil": "TBIL (mg/dL)", "ALT": "alt", "AST": "ast",
    "Creatinine": "creatinine (mg/dL)", "Nodules": "tumor_number", "Major_Dim": "tumor_diameter",
}  # fmt: skip


@pytest.fixture(scope="module")
def uci(data: Path) -> list[dict[str, str]]:
    """Rows of the UCI HCC survival table (165 patients, Coimbra), under names of the schema, units stated."""
    path = data / "hcc_clinical" / "uci_hcc_survival_165.csv"
    if not path.is_file():
        pytest.skip(f"{path.name} is not at hand")
    with path.open(encoding="utf-8") as file:
        return [{UCI_COLUMNS[name]: row[name] for name in UCI_COLUMNS} for row in csv.DictReader(file)]


def test_the_platelets_of_the_uci_table_that_are_in_another_unit_are_refused(uci) -> None:
    refused = [item for row in uci for item in check_record(row) if item.status == "refused"]
    wrong = [item for item in refused if item.subject == "clinical plt"]
    in_thousands = [row for row in uci if row["plt"] != "?" and float(row["plt"]) >= 10000]
    assert len(in_thousands) > 50
    assert sum("which looks like /uL" in item.note for item in wrong) == len(in_thousands)
    assert {item.subject for item in refused} == {"clinical plt", "clinical tumor_number"}
    assert [item.found for item in refused if item.subject == "clinical tumor_number"] == ["0"]


def test_every_row_of_the_uci_table_gives_its_scores_once_the_units_are_right(uci) -> None:
    computed = {"albi": 0, "child-pugh": 0}
    for row in uci:
        plt = float(row["plt"]) if row["plt"] != "?" else None
        unit = "/uL" if plt is not None and plt >= 10000 else "10^5/uL" if plt is not None and plt < 5 else "10^9/L"
        record = parse_record(
            {**row, "plt": {"value": plt, "unit": unit}, "tumor_number": row["tumor_number"].replace("0", "?")}
        )
        for score in possible_scores(record):
            computed[score.name] = computed.get(score.name, 0) + 1
        assert ("albi" in composite_indices(record)) == ("tbil" in record and "alb" in record)
    assert computed["albi"] >= 155
    assert computed["child-pugh"] >= 150
    assert computed["six-and-twelve"] >= 140
