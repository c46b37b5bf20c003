"""The Barcelona Clinic Liver Cancer stage, by its 2022 update.

Every variable demands a least stage, and the patient has the highest of them:

- D: ECOG 3-4, or end-stage liver function (Child-Pugh C);
- C: invasion of a portal or hepatic vein, extrahepatic spread, or ECOG 1-2;
- B: more than three tumours, or two or three of which one exceeds 3 cm;
- A: a single tumour above 2 cm, or two or three up to 3 cm;
- 0: a single tumour up to 2 cm.

The paper stages a transplant candidate with end-stage liver function by the tumour alone; a record does not say who is
one, so this stays with the physician.
"""

from __future__ import annotations

from hccoutcome.clinical.derive import derive
from hccoutcome.clinical.liver_function import stated_or_computed_class
from hccoutcome.clinical.liver_score import Item, LiverScore, Record, ScoreDefinition, lacking, require

STAGES = ("0", "A", "B", "C", "D")
VERY_EARLY_DIAMETER = 2.0  # cm, largest single tumour of stage 0
EARLY_DIAMETER = 3.0  # cm, largest of two or three tumours of stage A
EARLY_NUMBER = 3
_A, _B, _C, _D = 1.0, 2.0, 3.0, 4.0


def bclc(record: Record) -> LiverScore:
    """Return the BCLC stage (Reig 2022).

    The Child-Pugh class is the one that the record states, otherwise it is computed. Only what decides is needed: a
    patient with portal vein invasion is not asked for the diameter.

    Raises:
        InputError: a variable is missing that could change the stage.
    """
    require("BCLC", bclc_missing(record))
    items = _demands(_complete(record))
    stage = max(item[2] for item in items)
    return LiverScore("bclc", stage, f"BCLC stage {STAGES[int(stage)]}", items)


def bclc_missing(record: Record) -> tuple[str, ...]:
    """Return the variables that a record lacks and that could change its stage."""
    full = _complete(record)
    reached = max((item[2] for item in _demands(full)), default=0.0)
    if reached >= _D:
        return ()
    missing = lacking(full, "ecog", "child_pugh")
    if reached >= _C:
        return missing
    return (*missing, *lacking(full, "vascular_invasion", "metastasis"), *_burden_missing(full))


def _complete(record: Record) -> Record:
    full = derive(record).record
    child_pugh = stated_or_computed_class(full)
    return full if child_pugh is None else {**full, "child_pugh": child_pugh}


def _demands(record: Record) -> tuple[Item, ...]:
    """Return every known variable with the least stage that it demands."""
    demands = {
        "ecog": lambda value: 0.0 if value == 0 else _C if value <= 2 else _D,
        "child_pugh": lambda value: _D if value == "C" else 0.0,
        "vascular_invasion": lambda value: _C if value > 0 else 0.0,
        "portal_vein_thrombus": lambda value: _C if value > 0 else 0.0,
        "metastasis": lambda value: _C if value > 0 else 0.0,
        "lymph_node": lambda value: _C if value > 0 else 0.0,
    }
    items = [(name, record[name], demand(record[name])) for name, demand in demands.items() if name in record]
    return (*items, *_burden(record))


def _burden(record: Record) -> tuple[Item, ...]:
    """Return the tumours' number and diameter with the stage that both together demand, where that is known."""
    count, diameter = record.get("tumor_number"), record.get("tumor_diameter")
    stage = _burden_stage(
        None if count is None else float(count),
        None if diameter is None else float(diameter),
        record.get("tumor_morphology") == "multinodular",
    )
    if stage is None:
        return ()
    return tuple(
        (name, record[name], stage) for name in ("tumor_number", "tumor_morphology", "tumor_diameter") if name in record
    )


def _burden_stage(count: float | None, diameter: float | None, multinodular: bool) -> float | None:
    if count is not None and count > EARLY_NUMBER:
        return _B
    if diameter is None or (count is None and not multinodular):
        return None
    if count == 1:
        return 0.0 if diameter <= VERY_EARLY_DIAMETER else _A
    if diameter > EARLY_DIAMETER:
        return _B
    return None if count is None else _A


def _burden_missing(record: Record) -> tuple[str, ...]:
    if _burden(record):
        return ()
    return lacking(record, "tumor_number", "tumor_diameter")


BCLC = ScoreDefinition(
    name="bclc",
    title="BCLC stage",
    endpoint="stage; higher is worse",
    scale="stage",
    needs=("ecog", "child_pugh", "vascular_invasion", "metastasis", "lymph_node", "tumor_number", "tumor_diameter"),
    rule="D: ECOG 3-4 or Child-Pugh C; C: vein invasion, extrahepatic spread or ECOG 1-2; B: more than 3 tumours, "
    "or 2-3 with one > 3 cm; A: single > 2 cm, or 2-3 up to 3 cm; 0: single <= 2 cm",
    citation="Reig M, et al. J Hepatol 2022;76:681-693, doi 10.1016/j.jhep.2021.11.018",
    compute=bclc,
    missing=bclc_missing,
)
