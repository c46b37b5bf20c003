"""The systems that can be trained, by name: what each predicts, from which columns, and its estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from hccoutcome.case import Modality
from hccoutcome.errors import InputError, nearest
from hccoutcome.package.learned import Task
from hccoutcome.response import haic_mri
from hccoutcome.survival import radscore

if TYPE_CHECKING:
    from hccoutcome.stability.table import StabilityTable

Columns = Literal["clinical", "imaging", "early", "late"]
_ALL: tuple[Columns, ...] = ("late", "early", "clinical", "imaging")
_SINGLE: tuple[Columns, ...] = ("early", "clinical", "imaging")
PRIME = (
    "Multimodal Modeling Distinguishes Treatment Response from Overall Survival in Hepatocellular Carcinoma Receiving "
    "Combined Interventional and Targeted Immunotherapy (PRIME-R, PRIME-S), Supplementary Method"
)


@dataclass(frozen=True)
class Options:
    """What a user may choose of a system.

    Attributes:
        modality: which columns it reads, one of the system's.
        task: what it is to predict, where it can do both.
        seed: of everything random.
        stability: stability of the imaging columns, None where it was not measured.
        candidates: classifiers that compete in PRIME-R; all where empty.
    """

    modality: str
    task: Task
    seed: int = 0
    stability: StabilityTable | None = None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trainable:
    """A system that can be trained.

    Attributes:
        name: as ``hcc train NAME`` has it.
        system: the system of its packages, a key of ``systems.SYSTEMS``.
        title: what a reader calls it.
        tasks: what it can predict.
        modalities: which columns it can read, the default first.
        make: returns the unfitted estimator.
        method: how it learns, one sentence for the card.
        citation: the source.
        images: modality of the images that its source read.
    """

    name: str
    system: str
    title: str
    tasks: tuple[Task, ...]
    modalities: tuple[Columns, ...]
    make: Callable[[Options], Any]
    method: str
    citation: str
    images: Modality = "CT"


def trainable(name: str) -> Trainable:
    """Return the system of a name.

    Raises:
        InputError: there is none.
    """
    if name not in TRAINABLE:
        raise InputError(f"'{name}' is not a system that can be trained; {nearest(name, TRAINABLE)}.")
    return TRAINABLE[name]


def make_estimator(
    name: str,
    *,
    task: Task | None = None,
    modality: str | None = None,
    seed: int = 0,
    stability: StabilityTable | None = None,
    candidates: Sequence[str] = (),
) -> Any:
    """Return the unfitted estimator of a system.

    Args:
        name: of the system.
        task: what it is to predict; may be left out where the system has one.
        modality: which columns it reads; the system's first where None.
        seed: of everything random.
        stability: stability of the imaging columns, None where it was not measured.
        candidates: classifiers that compete in PRIME-R; all where empty.

    Raises:
        InputError: no such system, or it cannot predict or read that.
    """
    system = trainable(name)
    task = task or system.tasks[0]
    modality = modality or system.modalities[0]
    if task not in system.tasks:
        raise InputError(f"{system.title} learns {system.tasks[0]}, asked for {task}: choose another endpoint.")
    if modality not in system.modalities:
        raise InputError(f"{system.title} does not read '{modality}'; {nearest(modality, system.modalities)}.")
    return system.make(Options(modality, task, seed, stability, tuple(candidates)))


def _prime_r(options: Options) -> Any:
    from hccoutcome.response.candidates import CANDIDATES
    from hccoutcome.response.prime_r import PrimeR

    return PrimeR(
        options.modality,
        candidates=options.candidates or CANDIDATES,
        stability=options.stability,
        random_state=options.seed,
    )


def _prime_s(options: Options) -> Any:
    from hccoutcome.survival.prime_s import PrimeS

    return PrimeS(options.modality, stability=options.stability, random_state=options.seed)


def _haic(kind: str) -> Callable[[Options], Any]:
    def make(options: Options) -> Any:
        from hccoutcome.response.crh import HaicModel

        return HaicModel(kind, stability=options.stability, random_state=options.seed)

    return make


def _radscore(options: Options) -> Any:
    from hccoutcome.survival.lasso_score import RadscoreLasso

    return RadscoreLasso(stability=options.stability, random_state=options.seed)


def _cox_ridge(options: Options) -> Any:
    from hccoutcome.survival.baselines import CoxRidge

    return CoxRidge(options.modality, stability=options.stability, random_state=options.seed)


def _survival_forest(options: Options) -> Any:
    from hccoutcome.survival.baselines import SurvivalForest

    return SurvivalForest(options.modality, random_state=options.seed)


def _survival_boosting(options: Options) -> Any:
    from hccoutcome.survival.baselines import SurvivalBoosting

    return SurvivalBoosting(options.modality, random_state=options.seed)


def _logistic_ridge(options: Options) -> Any:
    from hccoutcome.response.baselines import LogisticRidge

    return LogisticRidge(options.modality, stability=options.stability, random_state=options.seed)


def _alone(score: str) -> Callable[[Options], Any]:
    def make(options: Options) -> Any:
        if options.task == "response":
            from hccoutcome.response.baselines import ResponseByScore

            return ResponseByScore(score)
        from hccoutcome.survival.baselines import SurvivalByScore

        return SurvivalByScore(score)

    return make


def _haic_system(kind: str, title: str, method: str, modality: Columns, system: str) -> Trainable:
    return Trainable(
        name=kind,
        system=system,
        title=title,
        tasks=("response",),
        modalities=(modality,),
        make=_haic(kind),
        method=method,
        citation=haic_mri.CITATION,
        images="MR",
    )


_CHAIN = (
    "Features pass a stability gate (where measured), a filter of |r| above 0.9, recursive elimination and LASSO with "
    "10-fold cross-validation; clinical variables univariate, then multivariate logistic regression; a logistic "
    "regression reads what is left."
)
_SYSTEMS = (
    Trainable(
        name="prime-r",
        system="prime-r",
        title="PRIME-R",
        tasks=("response",),
        modalities=_ALL,
        make=_prime_r,
        method=(
            "Univariate tests and elastic net select columns; bagging, AdaBoost over random forests, stacking, random "
            "forest and gradient boosting compete by cross-validated AUC with the paper's grids; late fusion weighs "
            "both modalities' probabilities by the Brier score of held-out ones."
        ),
        citation=PRIME,
    ),
    Trainable(
        name="prime-s",
        system="prime-s",
        title="PRIME-S",
        tasks=("survival",),
        modalities=_ALL,
        make=_prime_s,
        method=(
            "Univariate Cox models and elastic net select columns; a FastSurvivalSVM ranks survival; late fusion "
            "weighs the standardised risks of both modalities by the exponential of their C-index on the training part."
        ),
        citation=PRIME,
    ),
    _haic_system(
        "clinical",
        "Clinical model (HAIC)",
        "Univariate, then multivariate logistic regression.",
        "clinical",
        haic_mri.HaicClinical.system,
    ),
    _haic_system("cr", "Clinical-Radiomics model (HAIC, MRI)", _CHAIN, "early", haic_mri.HaicCR.system),
    _haic_system("crh", "Clinical-Radiomics-Habitat model (HAIC, MRI)", _CHAIN, "early", haic_mri.HaicCRH.system),
    Trainable(
        name="radscore",
        system=radscore.Radscore.system,
        title="Radscore",
        tasks=("survival",),
        modalities=("imaging",),
        make=_radscore,
        method="LASSO-Cox with 10-fold cross-validation; features with an ICC above 0.8 where it was measured.",
        citation=radscore.CITATION,
    ),
    Trainable(
        name="cox-ridge",
        system="cox-ridge",
        title="Cox regression with ridge penalty",
        tasks=("survival",),
        modalities=_SINGLE,
        make=_cox_ridge,
        method=(
            "Cox regression on all columns (stable ones where stability was measured), its ridge penalty by "
            "cross-validated partial likelihood."
        ),
        citation="Verweij PJM, van Houwelingen HC. Stat Med 1994;13:2427-2436",
    ),
    Trainable(
        name="survival-forest",
        system="survival-forest",
        title="Random survival forest",
        tasks=("survival",),
        modalities=_SINGLE,
        make=_survival_forest,
        method="200 survival trees with at least 10 patients in a leaf, on all columns.",
        citation="Ishwaran H, et al. Ann Appl Stat 2008;2:841-860",
    ),
    Trainable(
        name="survival-boosting",
        system="survival-boosting",
        title="Gradient boosting of survival",
        tasks=("survival",),
        modalities=_SINGLE,
        make=_survival_boosting,
        method="100 boosted trees of depth 2 for Cox's partial likelihood, on all columns.",
        citation="Ridgeway G. Computing Science and Statistics 1999;31:172-181",
    ),
    Trainable(
        name="logistic-ridge",
        system="logistic-ridge",
        title="Logistic regression with ridge penalty",
        tasks=("response",),
        modalities=_SINGLE,
        make=_logistic_ridge,
        method=(
            "Logistic regression on all columns (stable ones where stability was measured), its ridge penalty by "
            "cross-validated likelihood."
        ),
        citation="le Cessie S, van Houwelingen JC. Appl Stat 1992;41:191-201",
    ),
    Trainable(
        name="albi",
        system="single-score",
        title="ALBI alone",
        tasks=("survival", "response"),
        modalities=("clinical",),
        make=_alone("albi"),
        method="One regression coefficient for the albumin-bilirubin score.",
        citation="Johnson PJ, et al. J Clin Oncol 2015;33:550-558",
    ),
    Trainable(
        name="bclc",
        system="single-score",
        title="BCLC stage alone",
        tasks=("survival", "response"),
        modalities=("clinical",),
        make=_alone("bclc"),
        method="One regression coefficient for the stage, counted 0, A, B, C, D.",
        citation="Reig M, et al. J Hepatol 2022;76:681-693",
    ),
)
TRAINABLE: Mapping[str, Trainable] = MappingProxyType({system.name: system for system in _SYSTEMS})
"""Every system that can be trained, by name."""
