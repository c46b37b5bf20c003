"""What the inputs of a package add to a score, where they do not simply add up: SHAP in a process of its own.

A linear package tells its contributions itself, and needs neither shap nor a process.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hccoutcome.errors import InputError
from hccoutcome.explanation.child import ask
from hccoutcome.explanation.words import METHODS
from hccoutcome.package.applicability import PackageInputs, plan
from hccoutcome.package.format import Package
from hccoutcome.package.learned import LearnedModel
from hccoutcome.package.learned_system import model_row
from hccoutcome.package.prediction import BASE, Contribution, Prediction

MODULE = "hccoutcome.explanation.package_values"


def needs_shap(package: Package) -> bool:
    """Return whether a package's contributions have to be computed by SHAP: it was learned and is not linear."""
    return package.weights.get("model") == "learned" and not LearnedModel.from_json(package.weights).is_linear


def explained(prediction: Prediction, package: Package, inputs: PackageInputs, seed: int = 0) -> Prediction:
    """Return a prediction with what each input adds, computed in a process of its own where that takes SHAP.

    Args:
        prediction: what the package said of the case.
        package: the package as read from its files.
        inputs: what is known of the case.
        seed: of background and permutations.

    Raises:
        InputError: the package was read from no files, or was changed meanwhile.
        EnvironmentNeeded: shap, its private folder or a library of the model is missing.
    """
    if prediction.score is None or not needs_shap(package):
        return prediction
    if package.source is None:
        raise InputError(f"The package '{package.name}' has to be written before its scores can be explained.")
    row = model_row(LearnedModel.from_json(package.weights), package, inputs)
    reference = None if package.reference is None else package.reference.to_json()
    source = str(Path(package.source).resolve())
    request = {"package": source, "sha256": package.sha256, "reference": reference, "row": dict(row), "seed": seed}
    found = ask(MODULE, request)
    # A feature goes by the name of the phase that was really read.
    own = {column: name for name, column in plan(package, inputs.phases).columns.items()}
    contributions = (
        Contribution(BASE, f"{found['background']}; {METHODS[found['method']]}", amount=found["base"]),
        *(replace(item, amount=found["values"][own.get(item.name, item.name)]) for item in prediction.contributions),
    )
    adds_to = "" if found["scale"] == "risk" else found["scale"]
    return replace(prediction, contributions=contributions, adds_to=adds_to)
