"""Writes a trained model folder of nnU-Net v2 with a tiny network; run by a Python that has nnU-Net.

``python tiny_nnunet.py REQUEST`` with a list of models as JSON, each with ``folder``, ``trainer``, ``configuration``,
``labels``, ``spacing`` and ``bands``: the labels for values below 100 HU, from there to 200 HU, and above. The
architecture, the three files and the checkpoint's fields are nnU-Net's own. The weights are set by hand so that the
network tells bright voxels from dark ones: where they lie in the result shows whether axes and grids survived.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

ARCHITECTURE = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": {
        "n_stages": 2,
        "features_per_stage": [2, 4],
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3, 3, 3], [3, 3, 3]],
        "strides": [[1, 1, 1], [2, 2, 2]],
        "n_conv_per_stage": [1, 1],
        "n_conv_per_stage_decoder": [1],
        "conv_bias": True,
        "norm_op": None,
        "norm_op_kwargs": None,
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    },
    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
}


def plans(configuration: str, spacing: list[float]) -> dict:
    resample = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
    return {
        "dataset_name": "Dataset003_Liver",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": spacing,
        "original_median_shape_after_transp": [16, 32, 32],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {
                "max": 300.0, "mean": 100.0, "median": 100.0, "min": -100.0, "percentile_00_5": -100.0,
                "percentile_99_5": 300.0, "std": 50.0,
            }
        },
        "configurations": {
            configuration: {
                "data_identifier": f"nnUNetPlans_{configuration}",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 2,
                "patch_size": [16, 16, 16],
                "median_image_size_in_voxels": [16.0, 32.0, 32.0],
                "spacing": spacing,
                "normalization_schemes": ["CTNormalization"],
                "use_mask_for_norm": [False],
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": resample,
                "resampling_fn_seg_kwargs": {**resample, "is_seg": True},
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities_kwargs": resample,
                "architecture": ARCHITECTURE,
                "batch_dice": True,
            }
        },
    }  # fmt: skip


def network(classes: int, bands: list[int]) -> torch.nn.Module:
    """Return a network that gives the labels in ``bands`` for standardised values below 0, from 0 to 2, and above."""
    found = get_network_from_plans(
        ARCHITECTURE["network_class_name"],
        ARCHITECTURE["arch_kwargs"],
        ARCHITECTURE["_kw_requires_import"],
        1,
        classes,
        allow_init=True,
        deep_supervision=False,
    )
    last = found.decoder.seg_layers[-1]
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.zero_()
        found.encoder.stages[0][0].convs[0].conv.weight[0, 0, 1, 1, 1] = 1
        # The decoder sees what came up from below first (two features, left zero), then the skipped ones.
        found.decoder.stages[0].convs[0].conv.weight[0, 2, 1, 1, 1] = 1
        last.bias.fill_(-1000)
        for band, label in enumerate(bands):
            # The largest of k x - k (k - 1) over k is that of x between 2 (k - 1) and 2 k.
            last.weight[label, 0, 0, 0, 0] = band
            last.bias[label] = -band * (band - 1)
    return found


def write_model(folder: Path, trainer: str, configuration: str, labels: dict, spacing: list, bands: list) -> None:
    (folder / "fold_0").mkdir(parents=True)
    dataset = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 1, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(dataset))
    (folder / "plans.json").write_text(json.dumps(plans(configuration, spacing)))
    checkpoint = {
        "network_weights": network(len(labels), bands).state_dict(),
        "optimizer_state": {},
        "grad_scaler_state": None,
        "logging": {},
        "_best_ema": None,
        "current_epoch": 1,
        "init_args": {"configuration": configuration, "fold": 0},
        "trainer_name": trainer,
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")


if __name__ == "__main__":
    for model in json.loads(sys.argv[1]):
        write_model(Path(model.pop("folder")), **model)
