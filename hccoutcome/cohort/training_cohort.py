"""Patients to learn from: what is known of them before treatment, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hccoutcome.clinical.columns import clinical_columns, imaging_columns, is_clinical
from hccoutcome.clinical.endpoints import CRITERIA, ENDPOINTS, ResponseColumn, responds
from hccoutcome.clinical.indices import INDICES
from hccoutcome.clinical.scores import definition, missing_for
from hccoutcome.cohort.finding import Finding
from hccoutcome.cohort.training_records import Record
from hccoutcome.errors import InputError, nearest


@dataclass(frozen=True)
class Filling:
    """How many patients have a value in one column of X.

    Attributes:
        name: the column.
        kind: ``"clinical"`` (given or following from what is given), ``"index"`` or ``"imaging"``.
        known, missing: numbers of patients.
    """

    name: str
    kind: str
    known: int
    missing: int


@dataclass(frozen=True, eq=False)
class TrainingCohort:
    """Patients with what is known of them before treatment and what became of them.

    Attributes:
        X: one row a patient, index ``case_id``. Clinical variables by schema name in the schema's unit (categories as
            text), composite and change indices, then features. What is not known is NaN, or None in text columns.
        categories: CR, PR, SD, PD or None of every patient, by criterion and reader.
        endpoints: shape (patients,), ``(event, time in months)``, NaN where not known, by name.
        records: completed clinical record by patient.
        sources: SHA256 of every file read, by its name.
        findings: what was noticed; nothing in it has the status ``"refused"``.
    """

    X: pd.DataFrame
    categories: Mapping[ResponseColumn, tuple[str | None, ...]]
    endpoints: Mapping[str, NDArray[np.void]]
    records: Mapping[str, Record]
    sources: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def patients(self) -> tuple[str, ...]:
        """Names of the patients, in the table's order."""
        return tuple(self.X.index)

    @property
    def clinical(self) -> list[str]:
        """Names of the clinical columns of X, indices included."""
        return clinical_columns(self.X.columns)

    @property
    def imaging(self) -> list[str]:
        """Names of the columns of X that are measured on images."""
        return imaging_columns(self.X.columns)

    @property
    def fillings(self) -> tuple[Filling, ...]:
        """How many patients have a value, column by column."""
        known = self.X.notna().sum()
        kinds = {n: "index" if n in INDICES else "clinical" if is_clinical(n) else "imaging" for n in known.index}
        return tuple(Filling(name, kinds[name], int(n), len(self.X) - int(n)) for name, n in known.items())

    def response(
        self, criterion: str | None = None, reader: str | None = None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return who responded (CR or PR), and of whom this is known.

        Args:
            criterion: a key of ``CRITERIA``; may be left out where the table has one criterion.
            reader: name of the reader; may be left out where the table has one reader of the criterion.

        Returns:
            Two arrays of shape (patients,); a patient whose response is not known is False in both.

        Raises:
            InputError: the table has no such response, or several and none was chosen.
        """
        categories = self.categories[self._response_column(criterion, reader)]
        known = np.array([item is not None for item in categories], bool)
        return np.array([item is not None and responds(item) for item in categories], bool), known

    def response_data(
        self, criterion: str | None = None, reader: str | None = None
    ) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
        """Return X and response of the patients of whom it is known; see ``response``."""
        responders, known = self.response(criterion, reader)
        return self.X[known], responders[known]

    def survival(self, endpoint: str = "os") -> NDArray[np.void]:
        """Return ``(event, time in months)`` of every patient, shape (patients,); the time is NaN where not known.

        Raises:
            InputError: the table has no such endpoint.
        """
        if endpoint not in self.endpoints:
            has = f"found {', '.join(self.endpoints)}" if self.endpoints else "found none"
            raise InputError(
                f"The table should hold the endpoint '{endpoint}' in columns '{endpoint}_months' and "
                f"'{endpoint}_event', {has}: {'add them' if endpoint in ENDPOINTS else nearest(endpoint, ENDPOINTS)}."
            )
        return self.endpoints[endpoint]

    def survival_data(self, endpoint: str = "os") -> tuple[pd.DataFrame, NDArray[np.void]]:
        """Return X and survival of the patients of whom it is known; see ``survival``."""
        outcome = self.survival(endpoint)
        known = ~np.isnan(outcome["time"])
        return self.X[known], outcome[known]

    def liver_score(self, name: str) -> pd.Series:
        """Return a liver function or staging score (``"albi"``, ``"bclc"``) by patient; NaN where an input lacks.

        Raises:
            InputError: there is no score of that name.
        """
        score = definition(name)
        values = [
            np.nan if missing_for(name, record) else score.compute(record).value for record in self.records.values()
        ]
        return pd.Series(values, index=self.X.index, name=name, dtype=float)

    def _response_column(self, criterion: str | None, reader: str | None) -> ResponseColumn:
        if criterion is not None and criterion not in CRITERIA:
            raise InputError(f"'{criterion}' is not a response criterion; {nearest(criterion, CRITERIA)}.")
        fits = [
            column
            for column in self.categories
            if criterion in (None, column.criterion) and reader in (None, column.reader)
        ]
        if len(fits) == 1:
            return fits[0]
        wanted = " by reader ".join(filter(None, (CRITERIA.get(criterion or "", "a response"), reader)))
        has = ", ".join(map(str, self.categories)) or "none"
        if not fits:
            raise InputError(f"The table should hold {wanted}, found {has}: add a column or choose another.")
        raise InputError(f"One response was expected for {wanted}, found {has}: say which criterion and reader.")
