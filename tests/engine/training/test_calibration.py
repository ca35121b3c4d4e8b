"""Temperature scaling finds the temperature that was planted, and keeps its head where there is little to go by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ftgui.engine.training.calibration import COLDEST, WARMEST, calibrate, fit_temperature
from ftgui.engine.training.checkpoint import load
from ftgui.protocol import messages as m
from ftgui.runs.model_folder import read_about
from tests.conftest import Maker
from tests.engine.conftest import Engine


def drawn(count: int, classes: int, seed: int = 0, spread: float = 2.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits whose softmax is exactly how probable each target is."""
    generator = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(count, classes, generator=generator)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]


@pytest.mark.parametrize("planted", [0.4, 1.0, 3.0])
def test_a_planted_temperature_is_found(planted: float) -> None:
    logits, targets = drawn(20_000, 5)
    found = calibrate(logits * planted, targets)
    assert found.temperature == pytest.approx(planted, rel=0.05)
    assert found.error_after < 0.015
    if planted != 1.0:
        assert found.error_before > 3 * found.error_after


def test_as_a_general_optimizer_finds_it() -> None:
    logits, targets = drawn(3_000, 7, seed=3)
    logits = logits.double() * 2.5
    count, classes = logits.shape
    soft = torch.full_like(logits, 1 / (count + 2) / (classes - 1))
    soft[torch.arange(count), targets] = (count + 1) / (count + 2)
    inverse = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([inverse], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = -(soft * (logits * inverse).log_softmax(1)).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert fit_temperature(logits, targets) == pytest.approx(1 / inverse.item(), rel=2e-3)


def test_a_few_images_all_right_are_no_reason_to_be_certain() -> None:
    logits = torch.tensor([[2.0, 0.0], [1.5, 0.0], [0.0, 2.0], [0.0, 1.0]])
    targets = torch.tensor([0, 0, 1, 1])
    found = calibrate(logits, targets)
    sure = (logits / found.temperature).softmax(1).max(1).values
    assert COLDEST < found.temperature < WARMEST and sure.max() < 0.995


def test_as_many_classes_as_images() -> None:
    logits, targets = drawn(200, 100, seed=5, spread=6.0)
    found = calibrate(logits * 0.3, targets)
    assert found.error_after < 0.1 < found.error_before
    assert found.temperature == pytest.approx(0.3, rel=0.2)


def test_nothing_to_fit_on() -> None:
    assert calibrate(torch.empty(0, 3), torch.empty(0, dtype=torch.int64)).temperature == 1
    broken = torch.tensor([[float("nan"), 1.0]])
    assert calibrate(broken, torch.tensor([0])).temperature == 1


def test_a_run_is_calibrated_and_answers_so(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train]
) -> None:
    root = make_dataset(count=20)
    command = train_command(root)
    end = engine.do(command)
    assert isinstance(end, m.TrainingFinished) and end.evaluation is not None
    temperature = end.evaluation.temperature
    assert temperature != 1 and end.evaluation.calibration_error >= 0
    about = read_about(Path(command.run_folder) / "best")
    assert about.temperature == temperature
    answer = engine.do(m.Predict(4, str(root / "red" / "red0.jpg")))
    loaded = engine.session.models.require()
    assert loaded.temperature == temperature
    loaded.temperature = 1.0
    plain = engine.do(m.Predict(5, str(root / "red" / "red0.jpg")))
    logits = torch.tensor(plain.probabilities, dtype=torch.float64).log()
    torch.testing.assert_close(
        (logits / temperature).softmax(0), torch.tensor(answer.probabilities).double(), atol=1e-4, rtol=0
    )


def test_a_continued_run_keeps_its_calibration(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train]
) -> None:
    root = make_dataset(count=12)
    command = train_command(root)
    found = []

    def stop(event: m.Event) -> None:
        if isinstance(event, m.EpochFinished) and event.epoch == 1:
            engine.queue = [m.CancelRequest(1)]

    engine.on_event = stop
    end = engine.do(command)
    assert isinstance(end, m.TrainingFinished) and end.reason == "stopped" and end.evaluation is not None
    found.append(load(Path(command.run_folder)).best["calibration"]["temperature"])
    assert found == [end.evaluation.temperature]
