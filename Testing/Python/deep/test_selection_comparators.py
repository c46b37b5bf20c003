"""What SELECTION is compared with: it finds what is planted, and nothing in permuted outcomes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from hccoutcome.clinical.variables import VARIABLES as SCHEMA
from hccoutcome.deep.inputs import NetworkInput, Plane
from hccoutcome.deep.selection_inputs import VARIABLES
from hccoutcome.errors import InputError
from hccoutcome.naming import parse_feature_name
from hccoutcome.response.selection_comparators import CnnLogistic, clinical_models, variables_of


def table(patients: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return clinical variables, 120 features and an outcome that AFP, the stage and two of the features decide."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(patients, 120))
    features[:, 1] = features[:, 0] + rng.normal(scale=0.05, size=patients)
    stage = rng.integers(0, 3, patients)
    afp = 10 ** rng.normal(2, 1.2, patients)
    score = 1.5 * features[:, 0] - 1.2 * features[:, 7] - 1.0 * np.log10(afp) - 0.8 * stage
    outcome = score + rng.logistic(size=patients) > np.median(score)
    columns = {f"arterial_liver_resnet_pool_Channel{k:04d}": features[:, k] for k in range(120)}
    frame = pd.DataFrame(columns)
    frame["afp"] = np.where(rng.random(patients) < 0.1, np.nan, afp)
    frame["age"] = rng.integers(30, 80, patients).astype(float)
    frame["bclc"] = np.array(["A", "B", "C"], dtype=object)[stage]
    return frame.set_index(pd.Index([f"P{n}" for n in range(patients)], name="case_id")), outcome


def test_the_twenty_variables_are_the_papers_and_in_the_schema():
    assert len(VARIABLES) == len(set(VARIABLES)) == 20
    assert set(VARIABLES) <= set(SCHEMA)


def test_features_and_variables_are_found_together():
    fitted = clone(CnnLogistic()).fit(*table(300, 0))
    fresh, outcome = table(400, 1)
    assert roc_auc_score(outcome, fitted.predict_proba(fresh)[:, 1]) > 0.8
    chosen = set(fitted.selected_features_)
    assert {"afp", "bclc", "arterial_liver_resnet_pool_Channel0007"} <= chosen
    # Of two features that say the same one is left.
    assert len(chosen & {f"arterial_liver_resnet_pool_Channel{k:04d}" for k in (0, 1)}) == 1


def test_nothing_is_found_where_outcomes_are_permuted():
    """The selection runs inside ``fit``, so that 123 columns of noise discriminate nobody new."""
    frame, outcome = table(200, 2)
    fitted = CnnLogistic().fit(frame, np.random.default_rng(0).permutation(outcome))
    fresh, other = table(400, 3)
    other = np.random.default_rng(1).permutation(other)
    assert abs(roc_auc_score(other, fitted.predict_proba(fresh)[:, 1]) - 0.5) < 0.09


def test_the_clinical_models_read_clinical_columns_alone():
    frame, outcome = table(300, 0)
    fresh, other = table(400, 1)
    for name, model in clinical_models().items():
        fitted = model.fit(frame[["afp", "age", "bclc"]], outcome)
        assert set(fitted.columns_read_) <= {"afp", "age", "bclc"}, name
        assert roc_auc_score(other, fitted.predict_proba(fresh)[:, 1]) > 0.55


def test_the_variables_of_a_table_come_in_the_papers_order():
    frame, _ = table(12, 0)
    assert variables_of(frame) == ["age", "afp", "bclc"]
    with pytest.raises(InputError, match="the table has none of them"):
        variables_of(frame[["arterial_liver_resnet_pool_Channel0000"]])


def test_features_of_a_resnet_become_columns_by_phase_and_channel(one_thread):
    import torch

    from hccoutcome.deep.cnn_features import cnn_features
    from hccoutcome.deep.resnet import FeatureExtractor, ResNetSize

    torch.manual_seed(0)
    extractor = FeatureExtractor(ResNetSize((1, 1, 1, 1), 0.125), frozen=True)
    rng = np.random.default_rng(0)
    seen = [
        NetworkInput(rng.random((2, 32, 32)).astype(np.float32), (Plane("arterial"), Plane("portal", present=n == 0)))
        for n in range(2)
    ]
    found = cnn_features(seen, ["A", "B"], extractor)
    width = extractor.size.channels
    assert found.shape == (2, 2 * width)
    assert parse_feature_name(found.columns[width]).phase == "portal"
    assert found.iloc[1, width:].isna().all()
    with torch.inference_mode():
        expected = extractor(torch.from_numpy(seen[0].pixels[1:])).numpy()[0]
    np.testing.assert_allclose(found.iloc[0, width:].to_numpy(), expected, atol=1e-5)
