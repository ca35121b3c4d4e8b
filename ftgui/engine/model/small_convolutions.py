"""Strided 1x1 convolutions of few channels, computed without their stride: the CPU's compute library fails at them.

The weight gradient of a 1x1 convolution with stride 2 or more and fewer than 16 input channels in channels_last, as in
the stems of RepVGG, MobileOne, FastViT and GENet, reads and writes outside its memory: the process dies
(uxlfoundation/oneDNN#6035). Such a convolution only ever looks at every second pixel, so leaving the others out
beforehand and going on with stride 1 gives the same sums, and that gradient is right.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

_CHANNELS = 16
"""A vector register's worth of floats: from here on the library takes another way."""


def subsample_first(model: nn.Module) -> None:
    """Give these convolutions stride 1 and only the pixels they look at; weights and outputs stay as they are.

    A hook rather than another module, so that names in the state dict and the kinds in the layer tree stay, and copies and
    traced graphs behave in the same way.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and _is_affected(module):
            rows, columns = module.stride
            module.stride = (1, 1)
            module.register_forward_pre_hook(partial(_every, rows, columns))


def _is_affected(convolution: nn.Conv2d) -> bool:
    channels = convolution.in_channels // convolution.groups
    unpadded = convolution.padding in ((0, 0), "valid")
    return convolution.kernel_size == (1, 1) and max(convolution.stride) > 1 and channels < _CHANNELS and unpadded


def _every(rows: int, columns: int, _module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (inputs[0][:, :, ::rows, ::columns], *inputs[1:])
