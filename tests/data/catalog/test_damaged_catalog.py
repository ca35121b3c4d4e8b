"""A catalog in which a disk, or somebody, wrote anything at all: a command does its work, or says a sentence."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftgui.cli import main
from ftgui.data.catalog.errors import is_damage
from ftgui.data.project import Project
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from tests.conftest import picture
from tests.engine.conftest import TINY, Engine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a catalog of some images, and a recipe that nothing is to be learned of."""
    root = tmp_path_factory.mktemp("damaged")
    for name, color in {"red": (200, 0, 0), "blue": (0, 0, 200)}.items():
        (root / "pictures" / name).mkdir(parents=True)
        for number in range(4):
            picture(color, number).save(root / "pictures" / name / f"{number}.png")
    made = Project(root / "project")
    made.folder.mkdir()
    recipe, _ = made.take_in(root / "pictures")
    text = recipe_file.dumps(recipe)
    made.recipe_path.write_text(text, encoding="utf-8")
    return made.folder


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine()
    made.do(m.LoadModel(1, TINY, ["blue", "red"], ["head"], device="cpu"))
    return made


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 80_000), st.binary(min_size=1, max_size=40)), min_size=1, max_size=6),
    st.booleans(),
)
def test_any_damage_is_a_sentence(project: Path, engine: Engine, damage: list[tuple[int, bytes]], cut: bool) -> None:
    content = bytearray((project / "catalog.sqlite").read_bytes())
    for place, what in damage:
        place %= len(content)
        content[place : place + len(what)] = what
    damaged = project / "damaged.sqlite"
    damaged.write_bytes(content[: len(content) // 2] if cut else content)
    engine.events.clear()
    engine.do(m.EvaluateImages(2, str(damaged)))
    said = [event.message for event in engine.of(m.CommandFailed)]
    assert said or engine.of(m.EvaluatedImages)
    assert not any("Unexpected" in message for message in said), said


def test_pages_of_nothing_are_a_sentence_of_the_engine(project: Path, engine: Engine) -> None:
    content = (project / "catalog.sqlite").read_bytes()
    damaged = project / "damaged.sqlite"
    damaged.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    engine.events.clear()
    engine.do(m.EvaluateImages(3, str(damaged)))
    assert "The project's catalog is damaged" in engine.of(m.CommandFailed)[0].message


@pytest.mark.parametrize("what", ["middle", "end", "text"])
def test_a_terminal_says_a_sentence(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    content = (copy / "catalog.sqlite").read_bytes()
    damaged = {
        "middle": content[:4096] + b"\xff" * (len(content) - 4096),
        "end": content[:5000],
        "text": b"hello" * 999,
    }
    (copy / "catalog.sqlite").write_bytes(damaged[what])
    assert main.main(["train", str(copy / "recipe.toml")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("ftgui: The ") and "catalog" in said and "Traceback" not in said


def test_a_catalog_that_was_closed_too_early_is_not_called_damaged() -> None:
    connection = sqlite3.connect(":memory:")
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError) as closed:
        connection.execute("SELECT 1")
    assert not is_damage(closed.value)
