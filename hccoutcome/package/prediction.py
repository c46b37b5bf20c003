"""What applying a package to a case gives: a score, what it was made of, and whether it may be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hccoutcome.package.outlook import Outlook
from hccoutcome.status import Status

BASE = "base"
"""Name of the contribution that is the mean score over the background, where SHAP explains a score."""

StabilityStatus = Literal["stable", "unstable", "not measured"]


@dataclass(frozen=True)
class Applicability:
    """Whether a package fits a case.

    Attributes:
        status: ``"ok"``; ``"warning"``: a score is given and the reasons say why to doubt it; ``"refused"``: no score.
        reasons: one sentence each, the gravest first; empty for ``"ok"``.
        refusals: how many of them refuse, from the first on; not kept in files.
    """

    status: Status
    reasons: tuple[str, ...] = ()
    refusals: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class InputStability:
    """How alike a feature came out when it was measured again, by the stability table of the package that uses it.

    Attributes:
        status: whether it passed the table's gate.
        icc, lower, upper: intraclass correlation with its 95% limits, None where not defined or not measured.
        cv: within-subject coefficient of variation as a fraction, None likewise.
    """

    status: StabilityStatus
    icc: float | None = None
    lower: float | None = None
    upper: float | None = None
    cv: float | None = None


@dataclass(frozen=True)
class Contribution:
    """One input of a score: its value, its coefficient and what it adds.

    Attributes:
        name: feature column or clinical variable.
        value: the value used, in ``unit``; text for coded variables.
        unit: unit of the value, empty where it has none.
        coefficient: the model's coefficient (points for a staging score), None where the model has no such thing.
        amount: what this input adds to the score on ``Prediction.linear_scale``, None where that is not defined.
            The first contribution of a linear score is its intercept, that of one explained by SHAP is the mean over
            the background (``BASE``), so that the amounts sum to the score.
        stability: how stable the feature is; None for what is no feature, or where the package carries no table.
    """

    name: str
    value: float | str
    unit: str = ""
    coefficient: float | None = None
    amount: float | None = None
    stability: InputStability | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Contribution:
        """Return the contribution in plain data; what was written before there was any stability has none."""
        found = data.get("stability")
        return cls(**{**data, "stability": None if found is None else InputStability(**found)})


@dataclass(frozen=True)
class Prediction:
    """The result of one package on one case.

    Attributes:
        package: the package's name.
        version: the package's version.
        sha256: hash over the whole package.
        title: what a reader calls it: ``"Radscore (TACE, arterial CT)"``.
        endpoint: what is predicted, in words: ``"overall survival after TACE; higher is worse"``.
        score: the number, None where refused.
        scale: what the number is: ``"probability"``, ``"log hazard"``, ``"points"``, ``"score"``, ``"stage"``.
        label: the number in words (``"ALBI grade 2"``), empty where there is nothing to add.
        applicability: whether the number may be believed.
        contributions: the inputs used, in the model's order.
        citation: the paper.
        adds_to: the scale on which the contributions' amounts add up; empty where it is the log-odds of a probability
            and for any other score its own.
    """

    package: str
    version: str
    sha256: str
    title: str
    endpoint: str
    score: float | None
    scale: str
    applicability: Applicability
    label: str = ""
    contributions: tuple[Contribution, ...] = ()
    citation: str = ""
    adds_to: str = ""
    outlook: Outlook | None = None

    @property
    def linear_scale(self) -> str:
        """The scale on which the contributions' amounts add up."""
        return self.adds_to or ("log-odds" if self.scale == "probability" else self.scale)

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as plain JSON data, as it stands in ``result.json``."""
        data = asdict(self)
        data["applicability"] = {"status": self.applicability.status, "reasons": list(self.applicability.reasons)}
        data["contributions"] = list(data["contributions"])
        data["outlook"] = None if self.outlook is None else self.outlook.to_json()
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Prediction:
        """Return the prediction that ``to_json`` wrote; what was written before there was any outlook has none."""
        applicability, outlook = data["applicability"], data.get("outlook")
        return cls(
            **{
                **data,
                "applicability": Applicability(applicability["status"], tuple(applicability["reasons"])),
                "contributions": tuple(map(Contribution.from_json, data["contributions"])),
                "outlook": None if outlook is None else Outlook.from_json(outlook),
            }
        )
