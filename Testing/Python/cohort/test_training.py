"""A training table becomes a cohort, or is refused with every fault named."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.clinical.endpoints import DAYS_PER_MONTH
from hccoutcome.clinical.indices import CHANGES, COMPOSITE
from hccoutcome.cohort.table import case_files, read_cohort_table
from hccoutcome.cohort.training import inspect_training_table, read_training_table
from hccoutcome.errors import InputError
from hccoutcome.files import sha256_of

FEATURE = "arterial_tumor_original_firstorder_Mean"


def write(folder: Path, *lines: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def notes(findings, status: str = "refused") -> str:
    return "\n".join(f"{item.subject}: {item.note}" for item in findings if item.status == status)


def faults(folder: Path, *lines: str, **options) -> str:
    return notes(inspect_training_table(write(folder, *lines), **options)[1])


# --- what is read -------------------------------------------------------------------------------------------------


def test_variables_come_under_their_schema_names_in_the_schema_s_units(tmp_path: Path) -> None:
    cohort = read_training_table(
        write(tmp_path, "case_id,Alpha-fetoprotein,ALB (g/dL),Gender,BCLC stage", "p1,400,4.1,m,B", "p2,,3.5,f,")
    )
    assert cohort.X.index.tolist() == ["p1", "p2"]
    assert cohort.X.index.name == "case_id"
    assert cohort.X.columns.tolist() == ["sex", "alb", "afp", "bclc"]
    assert cohort.X["alb"].tolist() == [41.0, 35.0]
    assert np.isnan(cohort.X.loc["p2", "afp"])
    assert cohort.X["sex"].tolist() == ["male", "female"]
    assert cohort.X["bclc"].tolist() == ["B", None]


def test_all_composite_and_change_indices_are_computed_from_before_and_after(tmp_path: Path) -> None:
    names = ("afp", "alb", "ldh", "pt", "lym", "neu", "mon", "plt")
    before = {"afp": 400, "alb": 40, "ldh": 200, "pt": 12, "lym": 1.5, "neu": 3, "mon": 0.5, "plt": 150}
    after = {"afp": 100, "alb": 38, "ldh": 220, "pt": 13, "lym": 1.0, "neu": 4, "mon": 0.4, "plt": 120}
    header = ",".join(["case_id", "tbil", *(f"{n}_before" for n in names), *(f"{n}_after" for n in names)])
    row = ",".join(map(str, ["p1", 17.1, *(before[n] for n in names), *(after[n] for n in names)]))
    table = read_training_table(write(tmp_path, header, row)).X
    assert set(COMPOSITE) | set(CHANGES) <= set(table.columns)
    assert len(CHANGES) == 14
    # By hand, from the formulas of the paper.
    assert table.loc["p1", "nlr"] == pytest.approx(3 / 1.5)
    assert table.loc["p1", "pni"] == pytest.approx(40 + 5 * 1.5)
    assert table.loc["p1", "piv"] == pytest.approx(3 * 150 * 0.5 / 1.5)
    assert table.loc["p1", "albi"] == pytest.approx(0.66 * np.log10(17.1) - 0.085 * 40)
    assert table.loc["p1", "afp_change"] == pytest.approx(-0.75)
    assert table.loc["p1", "sii_change"] == pytest.approx((120 * 4 / 1.0 - 150 * 3 / 1.5) / (150 * 3 / 1.5))
    assert table.loc["p1", "pni_change"] == pytest.approx((38 + 5 - 47.5) / 47.5)


def test_a_variable_follows_from_others_only_where_the_table_decides_it(tmp_path: Path) -> None:
    """A thrombus in the portal vein alone would call every known patient invaded."""
    alone = read_training_table(write(tmp_path, "case_id,pvtt", "p1,0", "p2,3")).X
    assert "vascular_invasion" not in alone
    assert alone["portal_vein_thrombus"].tolist() == [0, 1]
    both = read_training_table(write(tmp_path, "case_id,pvtt,hvtt", "p1,0,0", "p2,3,0")).X
    assert both["vascular_invasion"].tolist() == [0, 1]


def test_responses_come_by_criterion_and_reader(tmp_path: Path) -> None:
    cohort = read_training_table(
        write(tmp_path, "case_id,mrecist_reader1,mRECIST (reader 2),recist", "p1,CR,PD,3", "p2,NE,2,4", "p3,4,1,2")
    )
    responders, known = cohort.response("mrecist", "1")
    assert (responders.tolist(), known.tolist()) == ([True, False, False], [True, False, True])
    table, y = cohort.response_data("mrecist", "1")
    assert (table.index.tolist(), y.tolist(), y.dtype) == (["p1", "p3"], [True, False], bool)
    assert cohort.response("recist")[0].tolist() == [False, False, True]
    with pytest.raises(InputError, match="One response was expected for mRECIST, found mrecist_reader1, mrecist_reade"):
        cohort.response("mrecist")
    with pytest.raises(InputError, match=r"hold RECIST 1.1 by reader 1, found"):
        cohort.response("recist1.1", "1")
    with pytest.raises(InputError, match="'mresist' is not a response criterion; did you mean 'mrecist'"):
        cohort.response("mresist")


def test_survival_comes_in_months_as_scikit_survival_takes_it(tmp_path: Path) -> None:
    surv = pytest.importorskip("sksurv.util").Surv
    cohort = read_training_table(
        write(tmp_path, "case_id,os_weeks,os_event,PFS (days),pfs_event", "p1,52,1,100,1", "p2,10,0,,", "p3,8,1,20,0")
    )
    months = np.array([52, 10, 8]) * 7 / DAYS_PER_MONTH
    expected = surv.from_arrays([True, False, True], months)
    assert cohort.survival("os").dtype == expected.dtype
    assert np.array_equal(cohort.survival("os"), expected)
    assert np.isnan(cohort.survival("pfs")["time"]).tolist() == [False, True, False]
    table, y = cohort.survival_data("pfs")
    assert table.index.tolist() == ["p1", "p3"]
    assert y["event"].tolist() == [True, False]
    with pytest.raises(InputError, match="'ttp_months' and 'ttp_event', found os, pfs: add them"):
        cohort.survival("ttp")


def test_features_are_joined_by_case_and_every_mismatch_is_told(tmp_path: Path) -> None:
    features = write(tmp_path, f"case_id,{FEATURE}", "p3,3.5", "p1,1.5", "p4,", "x9,7", name="features.csv")
    table = write(tmp_path, "case_id,age", "p1,60", "p2,61", "p3,62", "p4,63")
    cohort = read_training_table(table, features)
    assert cohort.patients == ("p1", "p3")
    assert cohort.X[FEATURE].tolist() == [1.5, 3.5]
    assert (cohort.clinical, cohort.imaging) == (["age"], [FEATURE])
    told = notes(cohort.findings, "warning")
    assert "1 patient of the table without features, left out: p2." in told
    assert "1 patient with a row of features that holds no value, left out: p4." in told
    assert "1 patient with features but not in the table, left out: x9." in told
    assert cohort.sources == {"table.csv": sha256_of(table), "features.csv": sha256_of(features)}


def test_missing_values_stay_missing_and_are_counted(tmp_path: Path) -> None:
    cohort = read_training_table(write(tmp_path, "case_id,age,afp", "p1,60,", "p2,61,NA", "p3,,7"))
    assert {item.name: (item.kind, item.known, item.missing) for item in cohort.fillings} == {
        "age": ("clinical", 2, 1),
        "afp": ("clinical", 1, 2),
    }
    assert "2 of 3 patients lack 'afp'" in notes(cohort.findings, "warning")


def test_liver_scores_are_computed_where_they_can_be(tmp_path: Path) -> None:
    cohort = read_training_table(write(tmp_path, "case_id,alb,tbil", "p1,40,17.1", "p2,40,"))
    assert cohort.liver_score("albi").iloc[0] == pytest.approx(0.66 * np.log10(17.1) - 3.4)
    assert np.isnan(cohort.liver_score("albi").iloc[1])


def test_one_table_serves_extraction_and_training(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "case_id,modality,image_arterial,mask_tumor,afp,os_weeks,os_event,mrecist",
        "p1,CT,a.nii,m.nii,7,50,1,CR",
    )
    cohort = read_training_table(path)
    assert cohort.X.columns.tolist() == ["afp"]
    (row,) = read_cohort_table(path)
    assert case_files(row, tmp_path).clinical == {"afp": "7"}, "the outcome must not reach the analysis"


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["case_id,albmin", "p,4"], "'albmin' is neither a clinical variable nor an outcome; did you mean 'alb'"),
        (["case_id,os_m,os_event", "p,4,1"], "did you mean 'os_months'?"),
        (["case_id,symptoms", "p,4"], "'symptoms' is neither a clinical variable nor an outcome; rename it, or leave"),
        (["case_id,age,", "p,60,4"], "A column has no name: name or remove it"),
        (["case_id,NLR", "p,4"], "'NLR' is an index that is computed from neu, lym: give these columns"),
        (["case_id,AFP%", "p,4"], "'AFP%' is an index that is computed from afp, afp_post"),
        (["case_id,afp,AFP", "p,4,4"], "The columns afp, AFP all hold afp: keep one"),
        (["case_id,mrecist,modified recist", "p,1,1"], "all hold mrecist: keep one"),
        (["case_id,os_days,os_weeks,os_event", "p,7,1,1"], "all hold the time of os: keep one"),
        (["case_id,age,age", "p,60,61"], "The column 'age' stands 2 times in the header: keep one"),
        (["case_id,os,os_event", "p,4,1"], "'os' states no unit: call it os_days, os_weeks"),
        (["case_id,os_months", "p,4"], "has a time but no column 'os_event': add it"),
        (["case_id,ttp_event", "p,1"], "has events but no column 'ttp_months': add it"),
        (["case_id,os_months,os_event", "p,,1"], "needs time and event, found 'os_event' without 'os_months'"),
        (["case_id,os_months,os_event", "p,5,"], "needs time and event, found 'os_months' without 'os_event'"),
        (["case_id,os_months,os_event", "p,-5,1"], "patient p: Overall survival (os) is a time from 0 months, found"),
        (["case_id,mrecist", "p,7"], "mRECIST is CR, PR, SD or PD"),
        (["case_id,alb", "p,4.1"], "which looks like g/dL"),
        (["case_id,age", "p,600"], "Age (age) lies between 0 and 120 years, found 600"),
        (["case_id,age", "p,60", "P,61"], "'p' stands 2 times: keep one row a case"),
        (["case_id,age", ",60"], "Line 2 has no case_id"),
        (["case_id,ALB (mmol)", "p,4"], "found the unit 'mmol': convert it"),
    ],
)  # fmt: skip
def test_a_fault_is_named(tmp_path: Path, lines: list[str], sentence: str) -> None:
    assert sentence in faults(tmp_path, *lines)
    with pytest.raises(InputError, match=r"table\.csv"):
        read_training_table(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["id,age", "p1,60"], "needs a column 'case_id', found id, age"),
        (["case_id,age", "p1,60,70"], "Line 2 of the training table should have 2 cells"),
        (["case_id,age"], "A training table has a header and at least one case"),
    ],
)
def test_what_is_no_table_is_refused_at_once(tmp_path: Path, lines: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        inspect_training_table(write(tmp_path, *lines))


def test_all_faults_are_counted_and_the_command_that_lists_them_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "case_id,agee,albmin,os", "p,1,2,3")
    with pytest.raises(InputError, match=r"3 more are listed by: hcc table check table\.csv"):
        read_training_table(path)


def test_a_column_in_another_unit_is_suspected_as_a_whole(tmp_path: Path) -> None:
    rows = [f"p{n},{value}" for n, value in enumerate((2.1, 3.5, 2.9, 40, 2.2, 3.9))]
    told = faults(tmp_path, "case_id,TBIL", *rows)
    assert "5 of 6 values of 'TBIL' are unusual in umol/L" in told
    assert "call the column 'TBIL (mg/dL)', or 'TBIL (umol/L)' if that is true" in told
    assert faults(tmp_path, "case_id,TBIL (umol/L)", *rows) == ""
    mixed = faults(tmp_path, "case_id,TBIL", *rows, "p7,0.4", "p8,high")
    assert "0.4" not in mixed, "the unit explains it"
    assert "found 'high': correct it" in mixed


def test_unknown_columns_may_be_left_out_and_units_of_time_given(tmp_path: Path) -> None:
    path = write(tmp_path, "case_id,site,note_1,note_2,os,os_event", "p1,A,x,y,12,1")
    cohort = read_training_table(path, ignore=["site", "note_*", "os_day"], time_unit="weeks")
    assert cohort.survival("os")["time"][0] == pytest.approx(12 * 7 / DAYS_PER_MONTH)
    assert "No column is called 'os_day', which is to be left out" in notes(cohort.findings, "warning")


def test_outcomes_that_cannot_be_true_together_are_doubted(tmp_path: Path) -> None:
    path = write(
        tmp_path, "case_id,os_months,os_event,pfs_months,pfs_event,ttp_months,ttp_event",
        "p1,10,1,12,1,8,1", "p2,10,1,10,0,10,0", "p3,20,0,20,0,20.05,0", "p4,0,0,,,,",
    )  # fmt: skip
    told = notes(read_training_table(path).findings, "warning")
    assert "patient p1: Progression-free survival (pfs, 12 months) is longer than overall survival (10 months)" in told
    assert "patient p2: death is an event of progression-free survival, found the time of death censored" in told
    assert "p3" not in told
    assert "1 patient with a time of 0" in told


def test_times_that_look_like_another_unit_are_doubted(tmp_path: Path) -> None:
    rows = [f"p{n},{400 + n},1" for n in range(12)]
    told = notes(read_training_table(write(tmp_path, "case_id,os_months,os_event", *rows)).findings, "warning")
    assert "The median time is 406 months, which is unusual: check the unit." in told


def test_a_patient_under_two_names_is_suspected(tmp_path: Path) -> None:
    path = write(
        tmp_path, "case_id,age,sex,afp,alb,tbil,os_months,os_event", "p1,60,m,8,41,12,30,1", "p2,60,m,8,41,12,30,1"
    )
    assert "The rows of p1, p2 are the same" in notes(read_training_table(path).findings, "warning")


# --- features -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([f"case_id,{FEATURE}", "p1,high"], "a feature is a finite number, found 'high'"),
        ([f"case_id,{FEATURE}", "p1,inf"], "a feature is a finite number, found 'inf'"),
        ([f"case_id,{FEATURE},diagnostics", "p1,1,2"], "1 columns are no features (diagnostics)"),
        ([f"case_id,{FEATURE}", "p1,", "p2,NA"], "No patient of the table has a value of any feature"),
        ([f"case_id,{FEATURE}", "p1,1", "P 2,2"], "The same patient seems to be named 'p2' and 'P 2'"),
    ],
)
def test_faulty_features_are_named(tmp_path: Path, lines: list[str], sentence: str) -> None:
    features = write(tmp_path, *lines, name="features.csv")
    assert sentence in faults(tmp_path, "case_id,age", "p1,60", "p2,61", features=features)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["id,x", "p1,1"], "The feature table needs a column 'case_id'"),
        ([f"case_id,{FEATURE},{FEATURE}", "p1,1,2"], "2 times: keep one"),
        ([f"case_id,{FEATURE}", "p1,1", "p1,2"], "The case 'p1' stands 2 times in the feature table"),
        ([f"case_id,{FEATURE}", "q1,1"], "found no case in both (the table begins with 'p1', the features with 'q1')"),
        ([f"case_id,{FEATURE}", "p1,1,2"], "Line 2 of the feature table should have 2 cells"),
    ],
)
def test_unusable_features_are_refused(tmp_path: Path, lines: list[str], sentence: str) -> None:
    features = write(tmp_path, *lines, name="features.csv")
    with pytest.raises(InputError) as error:
        read_training_table(write(tmp_path, "case_id,age", "p1,60"), features)
    assert sentence in str(error.value)


def test_features_may_be_left_out_by_pattern(tmp_path: Path) -> None:
    features = write(tmp_path, f"case_id,diagnostics_Mask,{FEATURE}", "p1,x,2", name="features.csv")
    cohort = read_training_table(write(tmp_path, "case_id,age", "p1,60"), features, ignore=["diagnostics_*"])
    assert cohort.imaging == [FEATURE]


# --- properties ---------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(10, 70)),
            st.one_of(st.none(), st.floats(0, 200)),
            st.booleans(),
            st.sampled_from(["CR", "PR", "SD", "PD", "NE", ""]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_is_missing_the_columns_and_outcomes_stay_aligned(tmp_path_factory, rows) -> None:
    path = tmp_path_factory.mktemp("t") / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case_id", "alb (g/L)", "os_months", "os_event", "mrecist"])
        for n, (alb, months, event, category) in enumerate(rows):
            known = months is not None
            writer.writerow([f"p{n}", "" if alb is None else repr(alb), repr(months) if known else "",
                             int(event) if known else "", category])  # fmt: skip
    cohort = read_training_table(path)
    assert len(cohort.X) == len(cohort.survival("os")) == len(rows)
    for n, (alb, months, event, category) in enumerate(rows):
        value = cohort.X["alb"].iloc[n] if "alb" in cohort.X else np.nan
        assert np.isnan(value) if alb is None else value == pytest.approx(alb, rel=1e-11)
        event_read, time = cohort.survival("os")[n]
        assert (np.isnan(time) and not event_read) if months is None else (time, bool(event_read)) == (months, event)
        responders, known = cohort.response("mrecist")
        assert (responders[n], known[n]) == (category in ("CR", "PR"), category in ("CR", "PR", "SD", "PD"))
