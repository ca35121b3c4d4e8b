"""Numbers that no window sends, but a file or another program may: refused or cut, never tried."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Augmentation
from ftgui.runs.model_folder import DESCRIPTION_FILE, ModelError, read_about
from tests.conftest import Maker
from tests.engine.conftest import TINY, Engine

pytestmark = pytest.mark.slow


def test_views_without_end_are_refused(engine: Engine, make_dataset: Maker) -> None:
    image = next(make_dataset(count=1).rglob("*.jpg"))
    engine.do(m.LoadModel(1, TINY, ["blue", "red"], ["head"], device="cpu"))
    engine.do(m.PreviewAugmentation(2, str(image), Augmentation(), count=20_000))
    assert "At most 64 views" in engine.of(m.CommandFailed)[0].message and not engine.of(m.AugmentedViews)


@pytest.mark.parametrize(
    ("field", "value"), [("temperature", 0.0), ("temperature", -1.0), ("threshold", 5.0), ("threshold", -0.1)]
)
def test_a_models_numbers_are_looked_at(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train], field: str, value: float
) -> None:
    command = train_command(make_dataset(count=6), augmentation="none")
    engine.do(command)
    best = Path(command.run_folder) / "best"
    about = json.loads((best / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    (best / DESCRIPTION_FILE).write_text(json.dumps(about | {field: value}), encoding="utf-8")
    with pytest.raises(ModelError, match=field):
        read_about(best)
