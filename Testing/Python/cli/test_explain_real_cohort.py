"""PRIME-R's late fusion and the models of HAIC taken apart on real patients: what is added up is what was predicted."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from hccoutcome.cli import main
from hccoutcome.cohort.mapping import read_mapping, translate_features, translate_table
from hccoutcome.cohort.training import read_training_table
from hccoutcome.evaluation.crossvalidation import derive_seed, out_of_fold
from hccoutcome.files import write_csv
from hccoutcome.trainable import make_estimator

CLINICAL = ("case_id", "age", "afp (ng/mL)", "bclc", "vascular_invasion", "tumor_over_half", "mrecist_reader1")
FEATURES = ("shape_SurfaceArea", "shape_Sphericity", "firstorder_Skewness", "firstorder_Mean", "ngtdm_Busyness")
PATIENTS, FOLDS, SEED = 60, 2, 1
SYSTEMS = {
    "prime-r": ("late", ("gradient-boosting",)),
    "cr": ("", ()),
    "crh": ("", ()),
}


@pytest.fixture(scope="module")
def tables(data: Path, tmp_path_factory) -> tuple[Path, Path]:
    """Real patients. No cohort with habitats is open: the same tumours' values stand for those of a habitat as well."""
    folder, mapping = tmp_path_factory.mktemp("real"), read_mapping("hcc-tace-seg")
    source = data / "hcc_tace_tables"
    columns, rows = translate_table(source / "HCC-TACE-Seg_clinical_data-V2.xlsx", mapping.table)
    known = [row for row in rows if row["mrecist_reader1"]][:PATIENTS]
    _, measured, _ = translate_features(source / "radiomics_original_sheared_translated.csv", mapping.features)
    values = {row["case_id"]: [row[f"arterial_tumor_original_{name}"] for name in FEATURES] for row in measured}
    names = [f"arterial_{region}_original_{name}" for region in ("tumor", "habitat1") for name in FEATURES]
    cells = [
        {"case_id": row["case_id"], **dict(zip(names, 2 * values[row["case_id"]], strict=True))}
        for row in known
        if row["case_id"] in values
    ]
    assert set(CLINICAL) <= set(columns)
    return (
        write_csv(folder / "table.csv", CLINICAL, [{name: row[name] for name in CLINICAL} for row in known]),
        write_csv(folder / "features.csv", ("case_id", *names), cells),
    )


@pytest.mark.parametrize("system", SYSTEMS)
def test_base_and_values_sum_to_what_models_said_of_patients_they_never_saw(system, tables, tmp_path) -> None:
    modality, candidates = SYSTEMS[system]
    words = ["explain", system, str(tables[0]), "--features", str(tables[1]), "--reader", "1", "--folds", str(FOLDS)]
    words += [
        *(["--modality", modality] if modality else []),
        *(w for name in candidates for w in ("--candidate", name)),
    ]
    words += ["--permutations", "2", "--background", "10", "--seed", str(SEED), "--out", str(tmp_path)]
    assert main(words) == 0
    summary = json.loads((tmp_path / "explanation.json").read_text(encoding="utf-8"))
    rows = list(csv.DictReader((tmp_path / "explanation.csv").read_text(encoding="utf-8").splitlines()))
    sums = {row["case_id"]: float(row["base"]) for row in rows}
    for row in rows:
        sums[row["case_id"]] += float(row["shap"])
    cohort = read_training_table(*tables)
    inputs, response = cohort.response_data("mrecist", "1")
    estimator = make_estimator(system, task="response", modality=modality, seed=SEED, candidates=candidates)
    said = out_of_fold(estimator, inputs, response, folds=FOLDS, seed=derive_seed(SEED, 0)).predictions[0]
    found = np.array([sums[case] for case in inputs.index])
    if summary["scale"] == "log-odds":
        found = 1 / (1 + np.exp(-found))
    assert summary["method"] in (("permutation", "subsets") if system == "prime-r" else ("exact",))
    np.testing.assert_allclose(found, said, atol=1e-9)
    assert any(abs(float(row["shap"])) > 0.01 for row in rows)
