"""A small package of no published system, for the tests of the format."""

from __future__ import annotations

from hccoutcome.package.format import Package, PhaseNeed, Range, RegionNeed, Requirements, VariableNeed
from hccoutcome.package.linear import LinearScore, Term
from hccoutcome.package.reference import Distribution, Reference

FEATURE = "portal_tumor_original_firstorder_Mean"
SCORE = LinearScore(1.0, (Term(FEATURE, 0.5, standardise=True), Term("age", -0.1)), "logistic")


def make_package() -> Package:
    """Return the package as its maker would hand it to the writer."""
    package = Package(
        name="toy",
        version="1.2.3",
        system="toy-score",
        title="Toy score",
        endpoint="nothing at all",
        scale="probability",
        citation="Nobody, 2026",
        requirements=Requirements(
            modality="CT",
            phases=(PhaseNeed("portal", ("arterial",), Range(0.5, 1.0), Range(1.0, 5.0), 8.0),),
            regions=(RegionNeed("tumor", 0.1, 1.0),),
            features=(FEATURE,),
            variables=(
                VariableNeed("age", "number", "years", "age", Range(0, 120), Range(18, 90)),
                VariableNeed("sex", "category", meaning="sex", codes=("female", "male")),
            ),
            reference=True,
        ),
        preparation={"normalisation": "none"},
        parameters="setting:\n  binWidth: 25\n",
        settings={"folds": 5},
        weights=SCORE.to_json(),
        card="# Toy score\n\nÜber nichts.\n",
        software={"hccoutcome": "0.1.0"},
    )
    reference = Reference("twelve toys", 12, package.settings_sha256, {FEATURE: Distribution(50.0, 10.0, 20.0, 80.0)})
    return package.with_reference(reference)
