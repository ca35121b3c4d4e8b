"""A session whose trainings run on the GPU; every test that asks for `cuda` is skipped where there is none."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import torch

from ftgui.protocol import messages as m
from tests.engine.conftest import engine as engine
from tests.engine.conftest import train_command as train_command


@pytest.fixture
def cuda() -> torch.device:
    """Comes last in a test's arguments: a fixture that the others lack is then noticed without a GPU too."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    return torch.device("cuda")


@pytest.fixture
def train_on_gpu(train_command: Callable[..., m.Train]) -> Callable[..., m.Train]:
    """As `train_command`, on the first CUDA device."""

    def make(*arguments: object, **training: object) -> m.Train:
        command = train_command(*arguments, **training)
        return msgspec.structs.replace(command, recipe=msgspec.structs.replace(command.recipe, device="cuda"))

    return make
