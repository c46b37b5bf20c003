"""Choosing what a model may use: encoding, stability, redundancy, univariate tests, penalised and stepwise regression.

Every estimator takes and returns a DataFrame, learns only in ``fit`` (so that it belongs inside the folds of a
cross-validation) and lets missing values pass or imputes them with what it learnt.
"""
