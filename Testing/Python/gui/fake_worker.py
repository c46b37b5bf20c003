"""A worker that answers at once, fails or takes its time, as $FAKE_WORKER says: to test the windows without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from hccoutcome.findings import Findings
from hccoutcome.package.prediction import Applicability, Contribution, Prediction
from hccoutcome.status import QualityItem


def say(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def findings(job: dict) -> Findings:
    predictions = tuple(
        Prediction(
            package=name,
            version="1",
            sha256="0" * 64,
            title=f"Title of {name}",
            endpoint="survival",
            score=0.5,
            scale="score",
            applicability=Applicability("warning", ("The image is not of the arterial phase.",)),
            contributions=(Contribution("portal_tumor_original_firstorder_Mean", 12.5, "", 0.04, 0.5),),
            citation="A paper.",
        )
        for name in job["packages"]
    )
    features = {f"portal_tumor_original_firstorder_{name}": 1.5 for name in ("Mean", "Median")}
    return Findings(
        case_id=job["case"]["case_id"],
        features=features if job["settings"] else {},
        predictions=predictions,
        quality=(QualityItem("image portal", "spacing", "1 mm", "at most 5 mm", "warning", "Look at it."),),
        provenance={"masks": sorted(job["case"]["masks"]), "clinical": job["case"]["clinical"]},
    )


def main() -> int:
    folder = Path(sys.argv[-1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    say("progress", fraction=0.5, message="pretending")
    mode = os.environ.get("FAKE_WORKER", "good")
    if mode == "bad":
        say("error", message="The mask of 'tumor' is empty: outline it.", status=2, cancelled=False)
        return 2
    if mode == "slow":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        time.sleep(600)
    path = Path(job["out"]) / "result.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(findings(job).to_json() if mode == "good" else {"not": "findings"}), encoding="utf-8")
    say("result", path=str(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
