"""A score that is an intercept plus coefficients times inputs: the published radiomic and clinical scores alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.special import expit

from hccoutcome.errors import InputError, nearest
from hccoutcome.package.prediction import Contribution
from hccoutcome.package.reference import Reference
from hccoutcome.strict_json import Fields, one_of

Link = Literal["identity", "logistic"]
INTERCEPT = "intercept"
"""Name of the contribution that every case has."""
LINKS: tuple[Link, ...] = ("identity", "logistic")
WHERE = "weights.json"


@dataclass(frozen=True)
class Term:
    """One input of a linear score.

    Attributes:
        name: feature column or clinical variable.
        coefficient: what one unit of the input adds; one standard deviation where ``standardise`` is True.
        standardise: True where the published coefficient belongs to (value - mean) / deviation in the training cohort.
    """

    name: str
    coefficient: float
    standardise: bool = False


@dataclass(frozen=True)
class LinearScore:
    """``link(intercept + sum of coefficient x input)`` with the inputs standardised where their term says so.

    Attributes:
        intercept: value of the linear predictor where all inputs are 0.
        terms: the inputs in the published order.
        link: ``"identity"``: the score is the linear predictor; ``"logistic"``: 1 / (1 + exp(-predictor)).
        reference: distribution that standardises, None where it is not known.
    """

    intercept: float
    terms: tuple[Term, ...]
    link: Link = "identity"
    reference: Reference | None = None

    @property
    def standardised(self) -> tuple[str, ...]:
        """Names of the inputs that are standardised, in the order of the terms."""
        return tuple(term.name for term in self.terms if term.standardise)

    def with_reference(self, reference: Reference | None) -> LinearScore:
        """Return the same score standardised by ``reference``."""
        return replace(self, reference=reference)

    def decision_function(self, rows: Sequence[Mapping[str, float]]) -> np.ndarray:
        """Return the linear predictor of each row, shape (rows,).

        Raises:
            InputError: an input is missing, or a reference is needed and there is none.
        """
        return np.array([self.intercept + sum(self._amounts(row)) for row in rows], dtype=float)

    def predict(self, rows: Sequence[Mapping[str, float]]) -> np.ndarray:
        """Return the score of each row, shape (rows,): a probability for the logistic link.

        Raises:
            InputError: an input is missing, or a reference is needed and there is none.
        """
        predictor = self.decision_function(rows)
        return expit(predictor) if self.link == "logistic" else predictor

    def contributions(self, row: Mapping[str, float], units: Mapping[str, str]) -> tuple[Contribution, ...]:
        """Return what the intercept and each input add to the linear predictor of a row; they sum to it.

        Args:
            row: value by input.
            units: unit by input, for those that have one.
        """
        amounts = self._amounts(row)
        return (
            Contribution(INTERCEPT, 1.0, coefficient=self.intercept, amount=self.intercept),
            *(
                Contribution(term.name, row[term.name], units.get(term.name, ""), term.coefficient, amount)
                for term, amount in zip(self.terms, amounts, strict=True)
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``weights.json``; the reference lies in a file of its own."""
        terms = [{"name": t.name, "coefficient": t.coefficient, "standardise": t.standardise} for t in self.terms]
        return {"model": "linear", "intercept": self.intercept, "link": self.link, "terms": terms}

    @classmethod
    def from_json(cls, weights: Mapping[str, Any], reference: Reference | None = None) -> LinearScore:
        """Return the score that ``to_json`` wrote.

        Raises:
            InputError: names the fault.
        """
        fields = Fields(weights, WHERE)
        one_of(fields.text("model"), ("linear",), f"{WHERE}, 'model'")
        terms = tuple(_term(item, place) for place, item in enumerate(fields.objects("terms"), 1))
        link = one_of(fields.text("link"), LINKS, f"{WHERE}, 'link'")
        score = cls(fields.number("intercept"), terms, link, reference)
        fields.done()
        names = [term.name for term in terms]
        if len(set(names)) != len(names) or not names:
            raise InputError(f"{WHERE} should name at least one input, each once: get the package again.")
        return score

    def _amounts(self, row: Mapping[str, float]) -> list[float]:
        return [term.coefficient * self._input(term, row) for term in self.terms]

    def _input(self, term: Term, row: Mapping[str, float]) -> float:
        if term.name not in row:
            raise InputError(f"The score needs the input '{term.name}'; {nearest(term.name, row)}: add it.")
        value = float(row[term.name])
        if not term.standardise:
            return value
        if self.reference is None or term.name not in self.reference.features:
            raise InputError(f"The input '{term.name}' has to be standardised and no reference tells its distribution.")
        return self.reference.features[term.name].standardise(value)


def _term(data: Any, place: int) -> Term:
    fields = Fields(data, f"{WHERE}, term {place}")
    term = Term(
        name=fields.text("name"),
        coefficient=fields.number("coefficient"),
        standardise=fields.value("standardise", bool, "true or false"),
    )
    fields.done()
    return term
