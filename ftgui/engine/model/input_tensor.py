"""From pixels to the tensors a model takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ftgui.data.images.preprocessing import CROP_MODES, Pixels, Preprocessing
from ftgui.engine.devices import move


def to_batch(views: list[Pixels], preprocessing: Preprocessing, device: torch.device) -> torch.Tensor:
    """Stack views and normalise them on the device.

    Args:
        views: N arrays (S, S, 3) uint8.

    Returns:
        (N, 3, S, S) float32 in channels-last memory order.
    """
    stacked = torch.from_numpy(np.stack(views))
    if device.type == "cuda":
        stacked = stacked.pin_memory()
    # NHWC in memory seen as NCHW is exactly channels_last: no copy is needed to get there.
    images = move(stacked, device).permute(0, 3, 1, 2).to(torch.float32)
    mean = torch.tensor(preprocessing.mean, device=device).view(1, -1, 1, 1) * 255
    std = torch.tensor(preprocessing.std, device=device).view(1, -1, 1, 1) * 255
    return images.sub_(mean).div_(std)


def from_timm(config: dict[str, Any]) -> Preprocessing:
    """Read a timm ``pretrained_cfg``."""
    size = int(config["input_size"][-1])
    crop_mode = str(config.get("crop_mode") or "center")
    crop = float(config.get("crop_pct") or 0.875)
    return Preprocessing(
        size=size,
        resize=math.floor(size / crop),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=str(config.get("interpolation") or "bicubic"),
        crop_mode=crop_mode if crop_mode in CROP_MODES else "center",
    )
