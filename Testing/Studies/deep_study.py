"""SELECTION on phantoms: what is planted is learned, what is permuted is not. ``python Testing/Studies/deep_study.py``.

200 phantoms train by ``hcc train selection`` (a fifth of them tells when to stop), 100 others are only judged at the
end. The response follows from the arterial enhancement of the tumour and from AFP; then the same responses are dealt
out among the phantoms by chance. No patient stands in it, and no figure of it holds for patients. A study that was
stopped goes on where it was when it is run again with the same folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Python" / "deep"))

from phantom_cohort import permute, write_cohort

from hccoutcome.cli import main as hcc
from hccoutcome.files import write_json

LEAST = 0.9
"""AUC to reach on phantoms never seen."""


def trained(table: Path, cases: Path, out: Path, loop: list[str]) -> dict[str, Any]:
    """Train on two thirds of the cases and return the AUC on the others, with its interval."""
    words = ["train", "selection", table, "--images", cases, "--size", "tiny", "--test", 1 / 3, *loop, "--out", out]
    if hcc([str(word) for word in words]) != 0:
        raise SystemExit(f"{out.name} could not be trained")
    judged = json.loads((out.with_name(f"{out.name}-training") / "evaluation.json").read_text(encoding="utf-8"))
    auc = {name: judged["figures"]["AUC"][name] for name in ("value", "lower", "upper")}
    return {"study": out.name, **auc, "patients": judged["patients"]}


def comes_out(planted: dict[str, Any], permuted: dict[str, Any]) -> bool:
    """Return whether what was planted was found, and nothing where nothing is."""
    return planted["value"] >= LEAST and permuted["lower"] <= 0.5 <= permuted["upper"]


def main() -> int:
    """Run the study; the exit status is 1 where it does not come out as it must."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for phantoms, packages and figures; about 1 GB")
    parser.add_argument("--cases", type=int, default=200, help="that train; half as many judge; default 200")
    parser.add_argument("--seed", type=int, default=1, help="of the phantoms; default 1")
    parser.add_argument("--epochs", default="80")
    parser.add_argument("--patience", default="30")
    parser.add_argument("--batch", default="8")
    parser.add_argument("--learning-rate", default="8e-3")
    options = parser.parse_args()
    # The same figures on every machine; so small a network is no faster with more.
    torch.set_num_threads(1)
    loop = [
        word
        for name in ("epochs", "patience", "batch", "learning_rate")
        for word in (f"--{name.replace('_', '-')}", getattr(options, name))
    ]

    def told(number: int) -> None:
        if number % 50 == 0:
            print(f"{number} phantoms", flush=True)

    cases = options.folder / "cases"
    table = write_cohort(cases, options.cases * 3 // 2, options.seed, told)
    dealt = permute(table, cases / "permuted.csv", options.seed)
    rows = []
    for name, own in (("planted", table), ("permuted", dealt)):
        rows.append(trained(own, cases, options.folder / name, loop))
        print(json.dumps(rows[-1]), flush=True)
    held = comes_out(*rows)
    write_json(options.folder / "study.json", {"came_out": held, "studies": rows})
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
