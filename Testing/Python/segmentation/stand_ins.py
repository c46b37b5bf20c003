"""Small programs that stand in for TotalSegmentator and nnU-Net in their real file formats and command lines.

Each is a file of its own that a Python runs; it checks what it is told as the real program would, reads the NIfTI that
it is given, and writes the files that the real one writes. What it finds are thresholds of the image.
"""

from __future__ import annotations

import sys
from pathlib import Path

COMMON = r"""
import argparse, json, os, subprocess, sys, time
from pathlib import Path
import SimpleITK as sitk

def pause():
    # Starts a process of its own, as nnU-Net's preprocessing does, and then works for a minute.
    if os.environ.get("STAND_IN_HANGS"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(os.environ["STAND_IN_HANGS"]).write_text(f"{os.getpid()} {child.pid}")
        print("  10%|# | 1/10", flush=True)
        time.sleep(60)

def bar(stop):
    for done in range(0, stop + 1):
        sys.stderr.write(f"\r{100 * done // stop:3d}%|####| {done}/{stop} [00:01<00:00, 1.0it/s]")
        sys.stderr.flush()
"""

TOTALSEGMENTATOR = r"""
CLASSES = {
    "total": ["spleen", "liver", "stomach"], "total_mr": ["spleen", "liver", "stomach"],
    "liver_lesions": ["liver_lesions"], "liver_lesions_mr": ["liver_lesions"],
    "liver_vessels": ["liver_vessels", "liver_tumor"],
    "liver_segments": [f"liver_segment_{n}" for n in range(1, 9)],
}
BORDERS = {"liver": 35, "liver_lesions": 190, "liver_vessels": 190, "liver_tumor": 300}
parser = argparse.ArgumentParser()
parser.add_argument("-i", type=Path, required=True)
parser.add_argument("-o", type=Path, required=True)
parser.add_argument("-ta", choices=CLASSES, default="total")
parser.add_argument("-d", choices=["gpu", "cpu", "mps"], default="gpu")
parser.add_argument("-nr", type=int)
parser.add_argument("-ns", type=int)
parser.add_argument("--fast", action="store_true")
parser.add_argument("--roi_subset", nargs="+")
options = parser.parse_args()
home = json.loads((Path(os.environ["TOTALSEG_HOME_DIR"]) / "config.json").read_text())
assert home["send_usage_stats"] is False, "it would send statistics"
assert os.environ["HTTPS_PROXY"] == os.environ["https_proxy"] == "http://127.0.0.1:9", "it could reach the network"
assert Path(os.environ["TOTALSEG_WEIGHTS_PATH"]).is_dir()
assert "PYTHONPATH" not in os.environ
if options.d == "gpu":
    print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB")
    sys.exit(1)
print("\nIf you use this tool please cite: https://pubs.rsna.org/doi/10.1148/ryai.230024\n")
print("Generating rough segmentation for cropping...", flush=True)
pause()
print("Resampling...\n  Resampled in 0.10s\nPredicting...", flush=True)
bar(8)
print("  Predicted in 0.20s\nResampling...\nSaving segmentations...", flush=True)
image = sitk.ReadImage(str(options.i))
names = [name for name in CLASSES[options.ta] if not options.roi_subset or name in options.roi_subset]
options.o.mkdir(parents=True)
for number, name in enumerate(names):
    mask = sitk.Cast(image > BORDERS.get(name, 100 * number), sitk.sitkUInt8)
    sitk.WriteImage(mask, str(options.o / f"{name}.nii.gz"))
print("  Saved in 0.05s")
"""

GET_PHASE = r"""
parser = argparse.ArgumentParser()
parser.add_argument("-i", type=Path, required=True)
parser.add_argument("-o", type=Path, required=True)
parser.add_argument("-d", default="gpu")
options = parser.parse_args()
assert options.i.is_file()
for line in ("Loading data", "Running TotalSegmentator model", "Predicting phase", "Done"):
    print(line, flush=True)
found = {"pi_time": 41.7, "phase": "arterial_late", "probability": 1.0, "pi_time_min": 38.2, "pi_time_max": 45.0,
         "stddev": 2.1}
options.o.write_text(json.dumps(found, indent=4))
"""

NNUNET = r"""
parser = argparse.ArgumentParser()
for name in ("-i", "-o", "-m", "-chk", "-device"):
    parser.add_argument(name, required=True)
parser.add_argument("-f", nargs="+", required=True)
parser.add_argument("-npp", type=int)
parser.add_argument("-nps", type=int)
options = parser.parse_args()
model, source, target = Path(options.m), Path(options.i), Path(options.o)
dataset = json.loads((model / "dataset.json").read_text())
json.loads((model / "plans.json").read_text())
for fold in options.f:
    assert (model / f"fold_{fold}" / options.chk).is_file()
ending = dataset["file_ending"]
channels = [sitk.ReadImage(str(source / f"case_{n:04d}{ending}")) for n in range(len(dataset["channel_names"]))]
print("There are 1 cases in the source folder\nPredicting case:", flush=True)
pause()
for fold in options.f:
    bar(4)
print("\nsending off prediction to background worker for resampling and export\ndone with case", flush=True)
last = channels[-1]
labels = sitk.Cast(last > 35, sitk.sitkUInt8) + sitk.Cast(last > 190, sitk.sitkUInt8)
target.mkdir(exist_ok=True)
sitk.WriteImage(labels, str(target / f"case{ending}"))
"""

PROGRAMS = {
    "TotalSegmentator": TOTALSEGMENTATOR,
    "totalseg_get_phase": GET_PHASE,
    "nnUNetv2_predict_from_modelfolder": NNUNET,
}


def environment_with(folder: Path, *names: str) -> Path:
    """Make an environment like a virtual one, with programs and a Python beside them, and return that Python."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    for name in names:
        (programs / name).write_text(f"#!{sys.executable}\n{COMMON}{PROGRAMS[name]}", encoding="utf-8")
        (programs / name).chmod(0o755)
    python = programs / "python"
    python.symlink_to(sys.executable)
    return python
