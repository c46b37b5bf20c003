"""A worker that answers at once, fails or takes its time, as $FAKE_WORKER says: to test the windows without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from hccoutcome.findings import Findings
from hccoutcome.habitat.result import HabitatResult, Table, save_result
from hccoutcome.package.prediction import Applicability, Contribution, Prediction
from hccoutcome.segmentation.engine import Draft
from hccoutcome.segmentation.handover import save_handover
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


def habitats(job: dict) -> HabitatResult:
    """Slices of the tumour as habitats, one above the other."""
    outline = next(mask for mask in job["case"]["masks"][job["region"]])
    mask = sitk.ReadImage(outline["path"] if isinstance(outline, dict) else outline)
    k = job["settings"]["k"] or 3
    inside = sitk.GetArrayFromImage(mask) > 0
    levels = np.flatnonzero(inside.any(axis=(1, 2)))
    labels = np.zeros(inside.shape, np.uint8)
    for number, part in enumerate(np.array_split(levels, k), start=1):
        labels[part] = number
    image = sitk.GetImageFromArray(labels * inside)
    image.CopyInformation(mask)
    phases = list(job["case"]["images"])
    counts = [int(np.count_nonzero(labels * inside == number)) for number in range(1, k + 1)]
    features = [f"{phase}_habitat{i + 1}_original_firstorder_Mean" for phase in phases for i in range(k)]
    parts = [name.split("_") for name in features]
    tables = {
        "table": Table("Habitats", {"region": [*(f"habitat{i + 1}" for i in range(k)), job["region"]]}),
        "measures": Table(
            "Habitats: measures",
            {"Measure": ["Heterogeneity (ITH)"], "Value": [0.25], "Meaning": ["a meaning"], "Name": ["ith"]},
        ),
        "curve": Table("Habitats: number", {"k": [2, 3, 4], "inertia": [3.0, 2.0, 1.5]}),
        "chosen": Table("Habitats: chosen number", {"k": [k], "inertia": [2.0]}),
        "interaction": Table("Habitats: interaction", {"region": ["outside"], "outside": [0]}),
        "features": Table(
            "Habitats: features",
            {
                "Feature": features,
                "Phase": [part[0] for part in parts],
                "Region": [part[1] for part in parts],
                "Value": [float(index) for index in range(len(features))],
            },
        ),
    }
    sizes = [
        {
            "habitat": number,
            "voxels": count,
            "volume_ml": count / 1000,
            "proportion": count / sum(counts),
            "parts": 1,
            "means": dict.fromkeys(phases, 10.0 * number),
        }
        for number, count in enumerate(counts, start=1)
    ]
    summary = {
        "k": k,
        "phases": phases,
        "ordering": "An ordering.",
        "habitats": sizes,
        "measures": {"ith": 0.25},
        "agreement": None,
        "model": "ab" if job["package"] else None,
        "settings": job["settings"],
        "notes": ["A note."],
    }
    return HabitatResult(job["region"], image, tables, summary, provenance={"job": job})


def draft(job: dict, folder: Path) -> Path:
    """Outline a box in the middle of the first image; a prompt file is told in the provenance."""
    first = next(iter(job["case"]["images"].values()))
    image = sitk.ReadImage(first["path"] if isinstance(first, dict) else first)
    array = np.zeros(image.GetSize()[::-1], np.uint8)
    middle = tuple(slice(size // 3, 2 * size // 3) for size in array.shape)
    array[middle] = 1
    mask = sitk.GetImageFromArray(array)
    mask.CopyInformation(image)
    provenance = {
        "engine": "builtin",
        "version": "9",
        "review": "automatic, not reviewed",
        "weights": {"w.pth": "ab"},
        "job": job,
    }
    region = job["region"]
    hints = (
        QualityItem(f"mask {region}", "review", "automatic", "accepted by a person", "warning", "Look at every slice."),
        QualityItem(f"mask {region}", "draft pieces", "2", "1", "warning", "Remove the pieces."),
    )
    return save_handover(Draft({region: mask}, provenance), hints, folder)


def main() -> int:
    folder = Path(sys.argv[-1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    say("progress", fraction=0.5, message="pretending")
    mode = os.environ.get("FAKE_WORKER", "good")
    if mode == "bad":
        say("error", message="The mask of 'tumor' is empty: outline it.", status=2, cancelled=False)
        return 2
    if mode == "chatty":
        print("a line for the log", file=sys.stderr, flush=True)
        time.sleep(600)
    if mode == "slow":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        time.sleep(600)
    if mode == "crash":
        os.abort()
    if job["kind"] == "segment":
        say("result", path=str(draft(job, folder)))
        return 0
    if job["kind"] == "report":
        Path(job["out"]).write_text(json.dumps(job), encoding="utf-8")
        say("result", path=job["out"])
        return 0
    if job["kind"] == "habitat":
        path = save_result(habitats(job), folder / "habitats")
        if mode == "nonsense":
            path.write_text("{}", encoding="utf-8")
        say("result", path=str(path))
        return 0
    path = Path(job["out"]) / "result.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(findings(job).to_json() if mode == "good" else {"not": "findings"}), encoding="utf-8")
    say("result", path=str(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
