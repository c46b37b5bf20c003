"""Learned packages: what they compute, what they check before they compute, and what they do with missing values."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_patients import patients, response
from sklearn.ensemble import RandomForestClassifier

from hccoutcome.errors import InputError
from hccoutcome.package.applicability import PackageInputs, judge
from hccoutcome.package.format import Package, Requirements
from hccoutcome.package.inputs import Column, columns_of_modality, learn_columns, matrix, table_matrix
from hccoutcome.package.learned import LearnedModel, Part
from hccoutcome.package.learned_system import LearnedSystem, inputs_of, installed_versions, other_versions
from hccoutcome.package.linear import INTERCEPT
from hccoutcome.package.liver_scores import variable_need
from hccoutcome.package.reading import read_package
from hccoutcome.package.skops_file import dump_model
from hccoutcome.package.vectors import check_vectors, made_up_rows, make_vectors
from hccoutcome.package.writing import package_files, write_package
from hccoutcome.systems import predict

TABLE, HAZARD = patients(80)
CLINICAL = TABLE[["age", "afp", "bclc", "sex", "cirrhosis"]]


def needs(columns: tuple[str, ...]) -> Requirements:
    variables = tuple(replace(variable_need(name), stand_in="a median") for name in inputs_of(columns))
    return Requirements(variables=variables, most_missing=1)


def package_of(model: LearnedModel, table: pd.DataFrame = CLINICAL, **changes) -> Package:
    made = Package(
        name="toy-learned",
        version="1.0.0",
        system="prime-r" if model.task == "response" else "prime-s",
        title="Toy",
        endpoint="nothing",
        scale="probability" if model.task == "response" else "score",
        citation="Nobody, 2026",
        requirements=needs(model.names),
        weights=model.to_json(),
        models={f"{p.name}.skops": dump_model(p.model) for p in model.parts if p.model is not None},
        vectors=make_vectors(model, made_up_rows(model.columns, {n: table[n].tolist() for n in model.names})),
        card="# Toy\n",
        software=installed_versions(),
    )
    return replace(made, **changes)


def linear(link="identity", task="survival") -> LearnedModel:
    columns = learn_columns(CLINICAL)
    coefficients = tuple(np.linspace(-1, 1, len(columns)))
    return LearnedModel(task, (Part("clinical", columns, coefficients, 0.25, link),))


def forest() -> LearnedModel:
    columns = learn_columns(CLINICAL)
    model = RandomForestClassifier(5, max_depth=3, random_state=0)
    return LearnedModel(
        "response", (Part("clinical", columns, model=model.fit(table_matrix(columns, CLINICAL), response(HAZARD))),)
    )


# --- columns ----------------------------------------------------------------------------------------------------------


def test_columns_are_learned_as_scikit_learn_would():
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    numbers = TABLE.drop(columns=["bclc", "sex", "afp"])
    columns = learn_columns(numbers)
    expected = StandardScaler().fit_transform(SimpleImputer(strategy="median").fit_transform(numbers))
    np.testing.assert_allclose(table_matrix(columns, numbers), expected, atol=1e-12)
    plain = learn_columns(numbers, standardise=False)
    np.testing.assert_allclose(table_matrix(plain, numbers), SimpleImputer(strategy="median").fit_transform(numbers))


def test_categories_become_the_numbers_of_the_schema():
    (column,) = learn_columns(pd.DataFrame({"bclc": ["0", "C", None, "B", "C"]}), standardise=False)
    np.testing.assert_array_equal(column.numbers(["0", "A", "B", "C", "D", None]), [0, 1, 2, 3, 4, 2.5])
    with pytest.raises(InputError, match="'bclc' is 'E', which the model does not know; Known: 0, A, B, C, D"):
        column.number("E")


def test_what_spans_magnitudes_enters_by_its_logarithm():
    (column,) = learn_columns(pd.DataFrame({"afp": [1.0, 10, 1000, np.nan]}))
    assert column.logarithm
    assert (column.fill, column.centre) == (1.0, 1.25)
    np.testing.assert_allclose(column.numbers([1.0, 10, 1000, None]) * column.scale + 1.25, [0, 1, 3, 1])
    assert column.value(3.0) == pytest.approx(1000)
    assert not any(learned.logarithm for learned in learn_columns(TABLE) if learned.name != "afp")
    with pytest.raises(InputError, match="'afp' should be above 0, found 0: correct it"):
        column.number(0.0)


def test_what_does_not_vary_is_left_out_and_what_is_infinite_refused():
    table = pd.DataFrame({"age": [60.0, 60, 60], "afp": [np.nan] * 3, "alb": [1e9, 1e9, np.nextafter(1e9, 2e9)]})
    assert learn_columns(table) == ()
    with pytest.raises(InputError, match="The column 'age' holds an infinite number"):
        learn_columns(pd.DataFrame({"age": [1.0, np.inf]}))
    with pytest.raises(InputError, match="'age' is 'old', which the model does not know; a number is expected"):
        learn_columns(pd.DataFrame({"age": [1.0, "old"]}))


def test_columns_come_back_from_json():
    for column in learn_columns(TABLE):
        assert Column.from_json(json.loads(json.dumps(column.to_json())), "here") == column


def test_modalities_divide_the_columns():
    assert columns_of_modality(TABLE.columns, "clinical") == list(CLINICAL)
    assert columns_of_modality(TABLE.columns, "early") == list(TABLE)
    with pytest.raises(InputError, match="The model reads clinical columns and the table has none: add clinical"):
        columns_of_modality(["arterial_tumor_original_glcm_Contrast"], "clinical")


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=8))
def test_a_row_and_a_table_are_read_alike(values):
    column = Column("age", fill=3.0, centre=1.0, scale=2.0)
    table = pd.DataFrame({"age": [np.nan if v is None else v for v in values]})
    np.testing.assert_array_equal(matrix([column], [{"age": v} for v in values]), table_matrix([column], table))


# --- models -----------------------------------------------------------------------------------------------------------


def test_a_linear_model_worked_out_by_hand():
    columns = (Column("age", 60.0, 50.0, 10.0), Column("bclc", 2.0, 1.0, 2.0, {"B": 2.0, "C": 3.0}))
    model = LearnedModel("survival", (Part("clinical", columns, (0.5, -1.0), 0.1, centre=0.2, scale=4.0, weight=0.3),))
    # age 70: (70 - 50) / 10 = 2; C: (3 - 1) / 2 = 1
    by_hand = 0.3 * (0.1 + 0.5 * 2 - 1.0 * 1 - 0.2) / 4
    assert model.predict([{"age": 70.0, "bclc": "C"}])[0] == pytest.approx(by_hand)
    # Both missing: 60 and 2 stand in.
    assert model.predict([{}])[0] == pytest.approx(0.3 * (0.1 + 0.5 * 1 - 1.0 * 0.5 - 0.2) / 4)


@pytest.mark.parametrize("link", ["identity", "logistic"])
def test_contributions_sum_to_the_linear_predictor(link):
    model = linear(link, "response" if link == "logistic" else "survival")
    row = {"age": 71.0, "afp": 30.0, "bclc": "C", "sex": "male"}
    score = model.predict([row])[0]
    found = model.contributions(row, {"age": "years"})
    assert sum(item.amount for item in found) == pytest.approx(math.log(score / (1 - score)) if link == "logistic"
                                                               else score)  # fmt: skip
    assert [item.name for item in found] == [INTERCEPT, *model.names]
    values = {item.name: (item.value, item.unit) for item in found}
    assert (values["age"], values["bclc"], values["cirrhosis"]) == ((71.0, "years"), ("C", ""), ("missing", ""))


def test_an_input_adds_its_coefficient_times_its_distance_from_the_mean():
    model = linear()
    one, two = ({"age": age, "bclc": "B"} for age in (60.0, 61.0))
    (age,) = (item for item in model.contributions(one, {}) if item.name == "age")
    assert model.predict([two])[0] - model.predict([one])[0] == pytest.approx(age.coefficient)


def test_what_is_not_linear_has_no_amounts():
    found = forest().contributions({"age": 60.0}, {})
    assert {item.amount for item in found} == {None}
    assert not forest().is_linear


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["parts"][0].update(coefficients=[1.0]), "should have a coefficient for each of its columns"),
        (lambda d: d["parts"][0].update(coefficients=[True] * 5), "'coefficients' should hold numbers only"),
        (lambda d: d["parts"][0].update(scale=0), "should read each column once, on a scale above 0"),
        (lambda d: d["parts"][0].update(columns=[]), "should read each column once"),
        (lambda d: d["parts"][0].update(name="deep"), "'deep' is not known; Known: both, clinical, imaging"),
        (lambda d: d["parts"].append(d["parts"][0]), "should have parts that read different columns"),
        (lambda d: d.update(parts=[]), "should have parts that read different columns"),
        (lambda d: d.update(task="grade"), "'grade' is not known"),
        (lambda d: d.update(model="deep"), "'deep' is not known"),
        (lambda d: d["parts"][0]["columns"][0].update(scale=-1), "'scale' should be above 0, found -1"),
        (lambda d: d["parts"][0]["columns"][0].update(codes={"A": "x"}), "'A' should be a number"),
        (lambda d: d["parts"][0].update(file="x.py"), "has an unknown field 'file'"),
    ],
)
def test_weights_of_a_wrong_form_are_refused(change, message):
    data = json.loads(json.dumps(linear().to_json()))
    change(data)
    with pytest.raises(InputError, match=message):
        LearnedModel.from_json(data)


# --- packages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [linear(), linear("logistic", "response"), forest()])
def test_a_package_gives_what_its_model_gives(tmp_path, model):
    written = read_package(write_package(package_of(model), tmp_path / "toy-learned"))
    for case in TABLE.index[:10]:
        row = {name: value for name, value in CLINICAL.loc[case].items() if value is not None and value == value}
        found = predict(written, PackageInputs(clinical=row))
        assert found.score == pytest.approx(float(model.predict([row])[0]), rel=1e-12)


@pytest.mark.parametrize("model", [linear(), forest()])
def test_the_same_package_has_the_same_bytes_as_zip_and_folder(tmp_path, model):
    folder = write_package(package_of(model), tmp_path / "toy-learned")
    again = write_package(package_of(model), tmp_path / "again")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {p.name: p.read_bytes() for p in again.iterdir()}
    assert read_package(write_package(package_of(model), tmp_path / "toy.zip")).sha256 == read_package(folder).sha256


def test_indices_are_computed_from_the_record():
    table = pd.DataFrame({"nlr": [2.0, 3, 5, 4], "albi": [-2.5, -3, -1, -2]})
    columns = learn_columns(table)
    model = LearnedModel("survival", (Part("clinical", columns, (1.0, 2.0)),))
    package = package_of(model, table)
    assert [need.name for need in package.requirements.variables] == ["neu", "lym", "tbil", "alb"]
    record = {"neu": 6.0, "lym": 2.0, "tbil": 20.0, "alb": 35.0}
    albi = 0.66 * math.log10(20) - 0.085 * 35
    found = predict(package, PackageInputs(clinical=record))
    assert found.score == pytest.approx(float(model.predict([{"nlr": 3.0, "albi": albi}])[0]))
    assert [item.name for item in found.contributions] == [INTERCEPT, "nlr", "albi"]
    lacking = predict(package, PackageInputs(clinical={k: v for k, v in record.items() if k != "neu"}))
    assert lacking.score == pytest.approx(float(model.predict([{"albi": albi}])[0]))
    assert lacking.applicability.status == "warning"


def test_one_missing_variable_is_warned_about_and_two_are_refused():
    package = package_of(linear())
    record = {"age": 60.0, "afp": 20.0, "bclc": "B", "sex": "male", "cirrhosis": 1.0}
    assert judge(package, PackageInputs(clinical=record)).status == "ok"
    less = {name: value for name, value in record.items() if name != "afp"}
    found = predict(package, PackageInputs(clinical=less))
    assert found.applicability.reasons == (
        "The clinical variable 'afp' (Alpha-fetoprotein) is missing; in its place the package takes a median.",
    )
    assert found.score == pytest.approx(float(linear().predict([less])[0]))
    refused = predict(package, PackageInputs(clinical={k: v for k, v in less.items() if k != "age"}))
    assert refused.score is None
    assert refused.applicability.reasons[0] == (
        "2 of the 5 clinical variables are missing (age, afp) and the package does with at most 1 missing: add them to "
        "the clinical record."
    )


def test_cautions_go_with_every_number(tmp_path):
    package = package_of(linear())
    package = replace(package, requirements=replace(package.requirements, cautions=("The phase is not known.",)))
    record = {"age": 60.0, "afp": 20.0, "bclc": "B", "sex": "male", "cirrhosis": 1.0}
    read = read_package(write_package(package, tmp_path / "toy"))
    found = predict(read, PackageInputs(clinical=record))
    assert (found.applicability.status, found.applicability.reasons) == ("warning", ("The phase is not known.",))


# --- checks before use ------------------------------------------------------------------------------------------------


def test_made_up_rows_are_no_patients_and_hold_what_is_missing():
    columns = learn_columns(CLINICAL)
    rows = made_up_rows(columns, {name: CLINICAL[name].tolist() for name in CLINICAL})
    assert len(rows) == 12
    assert rows[2] == {**rows[2], "age": float(CLINICAL["age"].median())}
    assert set(rows[-1].values()) == {None}
    own = {tuple(row) for row in CLINICAL.itertuples(index=False)}
    assert not own & {tuple(row[name] for name in CLINICAL) for row in rows}
    assert rows == made_up_rows(columns, {name: CLINICAL[name].tolist() for name in CLINICAL})


def test_weights_that_give_other_results_are_refused_with_the_versions_they_were_made_with():
    package = package_of(forest())
    expected = [value + 0.01 for value in package.vectors["expected"]]
    other = replace(package, vectors={**package.vectors, "expected": expected}, software={"scikit-learn": "0.1"})
    record = {"age": 60.0, "afp": 20.0, "bclc": "B", "sex": "male", "cirrhosis": 1.0}
    with pytest.raises(InputError, match=r"give other results here than when they were made \(they differ by 0.01\)"):
        predict(other, PackageInputs(clinical=record))
    with pytest.raises(InputError, match=r"made with scikit-learn 0\.1 \(here "):
        LearnedSystem().load(other)
    assert other_versions(package) == ""


def test_another_version_that_gives_the_stored_results_is_used():
    package = replace(package_of(forest()), software={"scikit-learn": "0.1"})
    assert LearnedSystem().load(package).names == tuple(CLINICAL)


def test_rounding_is_no_difference_and_not_a_number_is_one():
    model = linear()
    vectors = make_vectors(model, made_up_rows(model.columns, {n: CLINICAL[n].tolist() for n in CLINICAL}))
    nudged = {**vectors, "expected": [value * (1 + 1e-10) for value in vectors["expected"]]}
    check_vectors(model, nudged, "toy", "")
    (part,) = model.parts
    broken = LearnedModel("survival", (replace(part, coefficients=(math.nan,) * 5),))
    with pytest.raises(InputError, match="give other results here"):
        check_vectors(broken, vectors, "toy", "")


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ({"rows": [], "expected": []}, "should hold a result for each of its rows"),
        ({"rows": [{}], "expected": []}, "should hold a result for each of its rows"),
        ({"rows": [{}], "expected": ["1"]}, "should hold a result for each of its rows"),
        ({"rows": [[1]], "expected": [1.0]}, "cannot be computed with here"),
        ({"rows": [{"age": {}}], "expected": [1.0]}, "cannot be computed with here"),
        ({"rows": [{"bclc": "Z"}], "expected": [1.0]}, "cannot be computed with here"),
        ({"expected": [1.0]}, "should hold a result"),
        ({"rows": [{}], "expected": [1.0], "more": 1}, "has an unknown field 'more'"),
    ],
)
def test_vectors_of_a_wrong_form_are_refused(vectors, message):
    with pytest.raises(InputError, match=message):
        check_vectors(linear(), vectors, "toy", "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: replace(p, models={}), r"should hold the model files clinical\.skops, found none"),
        (lambda p: replace(p, models={**p.models, "both.skops": b""}), r"found both\.skops|found clinical\.skops"),
        (lambda p: replace(p, vectors={}), "lacks the results to check it with: get it again"),
        (lambda p: replace(p, requirements=replace(p.requirements, variables=p.requirements.variables[:2])),
         r"read other inputs than package\.json lists \(bclc, cirrhosis, sex\)"),
    ],
)  # fmt: skip
def test_a_package_whose_parts_do_not_belong_together_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        predict(change(package_of(forest())), PackageInputs())


def test_a_changed_model_file_is_refused_before_it_is_read(tmp_path):
    folder = write_package(package_of(forest()), tmp_path / "toy")
    content = bytearray((folder / "clinical.skops").read_bytes())
    content[100] ^= 1
    (folder / "clinical.skops").write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"'clinical\.skops' of the package 'toy' was changed after it was written"):
        read_package(folder)


def test_a_model_file_that_is_none_is_refused(tmp_path):
    folder = write_package(package_of(forest()), tmp_path / "toy")
    (folder / "clinical.skops").write_bytes(b"\x80\x04pickle")
    with pytest.raises(InputError, match=r"'clinical\.skops' in the package should be a model file and is not"):
        read_package(folder)
    (folder / "clinical.skops").unlink()
    with pytest.raises(InputError, match=r"lacks its file 'clinical\.skops'"):
        read_package(folder)


def test_a_model_of_another_class_than_a_classifier_is_refused():
    from sklearn.preprocessing import StandardScaler

    package = package_of(forest())
    scaler = dump_model(StandardScaler().fit(np.zeros((3, 5))))
    with pytest.raises(InputError, match=r"cannot be computed with here \('StandardScaler' object has no attribute"):
        LearnedSystem().load(replace(package, models={"clinical.skops": scaler}))


def test_not_a_number_among_the_weights_is_refused_at_the_door(tmp_path):
    folder = write_package(package_of(linear()), tmp_path / "toy")
    text = (folder / "weights.json").read_text(encoding="utf-8").replace('"intercept": 0.25', '"intercept": NaN')
    (folder / "weights.json").write_text(text, encoding="utf-8")
    files = package_files(package_of(linear()))
    assert b"NaN" not in b"".join(files.values())
    with pytest.raises(InputError, match=r"'weights\.json' of the package 'toy' was changed"):
        read_package(folder)
