"""Discrete-time survival: the likelihood by hand, Kaplan-Meier and logistic regression as its theory has them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytestmark = pytest.mark.usefixtures("one_thread")

from hccoutcome.deep.hazards import (  # noqa: E402
    breaks_at_events,
    breaks_by_events,
    followed,
    likelihood_loss,
    risk_of,
    survival_at,
    survival_curve,
)
from hccoutcome.errors import InputError  # noqa: E402

BREAKS = np.array([0.0, 6.0, 12.0, 24.0])


def logit(h):
    return np.log(h) - np.log1p(-np.asarray(h))


def fitted_hazards(survived, failed, x=None):
    """Return the coefficients that minimise the mean loss: one logit an interval, and one slope for ``x``."""
    columns = survived.shape[1] + (x is not None)
    beta = torch.zeros(columns, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [beta], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )
    s, f = torch.from_numpy(survived.astype(float)), torch.from_numpy(failed.astype(float))

    def closure():
        optimiser.zero_grad()
        logits = beta[: survived.shape[1]].expand(len(s), -1)
        if x is not None:
            logits = logits + torch.from_numpy(x)[:, None] * beta[-1]
        loss = likelihood_loss(logits, s, f).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    return beta.detach().numpy()


def test_what_follow_up_says_of_each_interval():
    """Gensheimer and Narasimhan: a death counts in its interval, a censored one where half of it was lived through."""
    time = np.array([3.0, 8.0, 8.9, 9.0, 12.0, 30.0, 30.0])
    event = np.array([True, True, False, False, True, True, False])
    survived, failed = followed(time, event, BREAKS)
    assert survived.tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]
    assert failed.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_the_likelihood_by_hand():
    hazards = np.array([0.1, 0.2, 0.5])
    logits = torch.from_numpy(np.tile(logit(hazards), (4, 1)))
    time, event = np.array([3.0, 8.0, 20.0, 20.0]), np.array([True, True, False, True])
    survived, failed = (torch.from_numpy(part) for part in followed(time, event, BREAKS))
    found = likelihood_loss(logits, survived, failed).numpy()
    # -log .1; -log(.9 x .2); -log(.9 x .8 x .5), since 20 lies past the middle (18) of 12 to 24; -log(.9 x .8 x .5).
    np.testing.assert_allclose(found, [2.302585093, 1.714798428, 1.021651248, 1.021651248], rtol=1e-6)


def test_the_likelihood_survives_extreme_logits():
    logits = torch.tensor([[-200.0, 200.0, 0.0]])
    survived, failed = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    assert likelihood_loss(logits, survived, failed).item() == pytest.approx(0.0, abs=1e-6)
    assert likelihood_loss(-logits, survived, failed).item() == pytest.approx(400.0)


def test_with_one_interval_per_event_time_the_hazards_are_kaplan_meiers():
    """Without covariates the likelihood is largest at deaths over patients at risk, Kaplan and Meier's factors.

    Censored patients lie at event times or in the first half of an interval, where both count them alike.
    """
    from lifelines import KaplanMeierFitter

    rng = np.random.default_rng(3)
    deaths = np.sort(rng.choice(np.arange(2.0, 60.0, 2.0), 9, replace=False))
    time = np.concatenate([np.repeat(deaths, rng.integers(1, 4, 9)), deaths[[1, 4, 6]], deaths[[2, 5]] + 0.4])
    event = np.concatenate([np.ones(len(time) - 5, bool), np.zeros(5, bool)])
    breaks = breaks_at_events(time, event)
    np.testing.assert_allclose(breaks[1:], deaths, rtol=1e-12)
    logits = fitted_hazards(*followed(time, event, breaks))
    found = survival_curve(1 / (1 + np.exp(-logits))[None])[0, 1:]
    expected = KaplanMeierFitter().fit(time, event).survival_function_at_times(deaths).to_numpy()
    np.testing.assert_allclose(found[:-1], expected[:-1], atol=1e-6)
    assert found[-1] == pytest.approx(expected[-1], abs=1e-4)


def test_with_a_covariate_it_is_the_logistic_regression_of_patients_by_interval():
    """Independent: statsmodels on the table of one row for each patient and interval at risk (Cox 1972, section 6)."""
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    x = rng.normal(size=150)
    time = rng.exponential(12 * np.exp(-0.6 * x))
    event = rng.random(150) < 0.8
    survived, failed = followed(time, event, BREAKS)
    patient, interval = np.nonzero(survived + failed)
    design = np.column_stack([np.eye(3)[interval], x[patient]])
    reference = sm.Logit(failed[patient, interval], design).fit(disp=0, method="newton", tol=1e-12)
    np.testing.assert_allclose(fitted_hazards(survived, failed, x), reference.params, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 40), st.booleans()), min_size=1, max_size=20),
    st.lists(st.floats(0.5, 10), min_size=1, max_size=6),
)
def test_every_patient_is_followed_in_order_and_fails_at_most_once(patients, widths):
    breaks = np.concatenate([[0.0], np.cumsum(widths)])
    time, event = np.array([p[0] for p in patients]), np.array([p[1] for p in patients])
    survived, failed = followed(time, event, breaks)
    assert (np.diff(survived, axis=1) <= 0).all()
    assert (failed.sum(axis=1) == (event & (time < breaks[-1]))).all()
    assert (survived + failed).max() <= 1
    dead = failed.any(axis=1)
    assert (survived.sum(axis=1)[dead] == failed.argmax(axis=1)[dead]).all()


def test_intervals_by_events_hold_equally_many():
    rng = np.random.default_rng(0)
    time, event = rng.exponential(20, 200), rng.random(200) < 0.6
    breaks = breaks_by_events(time, event, 6)
    _, failed = followed(time, event, breaks)
    assert breaks[0] == 0
    assert len(breaks) == 7
    assert failed.sum() == event.sum()
    assert np.ptp(failed.sum(axis=0)) <= 1


def test_equal_times_make_fewer_intervals_and_lose_no_event():
    time, event = np.repeat([1.0, 2.0, 3.0], [10, 1, 1]), np.ones(12, bool)
    breaks = breaks_by_events(time, event, 4)
    assert followed(time, event, breaks)[1].sum() == 12
    assert len(breaks) < 5


def test_survival_between_limits_falls_at_a_constant_hazard():
    hazards = np.array([[0.2, 0.5, 0.75]])
    np.testing.assert_allclose(survival_curve(hazards), [[1.0, 0.8, 0.4, 0.1]])
    found = survival_at(hazards, BREAKS, np.array([0.0, 3.0, 6.0, 18.0, 24.0]))[0]
    np.testing.assert_allclose(found, [1.0, 0.8**0.5, 0.8, 0.4 * 0.25**0.5, 0.1])


def test_survival_never_rises_and_no_time_cut_is_special():
    rng = np.random.default_rng(2)
    hazards = rng.random((5, 3))
    times = np.sort(rng.uniform(0, 24, 100))
    curves = survival_at(hazards, BREAKS, times)
    assert (np.diff(curves, axis=1) <= 1e-12).all()
    assert ((curves >= 0) & (curves <= 1)).all()


def test_the_risk_orders_patients_by_their_survival_at_the_end():
    hazards = np.array([[0.1, 0.1, 0.1], [0.3, 0.1, 0.1], [0.1, 0.1, 1.0]])
    risk = risk_of(hazards)
    assert np.isfinite(risk).all()
    assert np.argsort(risk).tolist() == [0, 1, 2]
    assert risk[0] == pytest.approx(-3 * np.log(0.9))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: followed(np.array([1.0]), np.array([True]), np.array([1.0, 2.0])), "start at 0"),
        (lambda: followed(np.array([1.0]), np.array([True]), np.array([0.0, 2.0, 2.0])), "ascending times"),
        (lambda: followed(np.array([1.0]), np.array([True]), np.array([0.0])), "ascending times"),
        (lambda: followed(np.array([-1.0]), np.array([True]), BREAKS), "negative or missing"),
        (lambda: followed(np.array([np.nan]), np.array([True]), BREAKS), "negative or missing"),
        (lambda: survival_at(np.ones((1, 3)) / 2, BREAKS, np.array([25.0])), "from 0 to 24 months, asked at 25"),
        (lambda: breaks_by_events(np.arange(9.0), np.arange(9) < 2, 2), "At least 3 events were expected"),
        (lambda: breaks_by_events(np.arange(9.0), np.arange(9) < 4, 6), "At least 6 events were expected"),
    ],
)
def test_what_makes_no_sense_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
