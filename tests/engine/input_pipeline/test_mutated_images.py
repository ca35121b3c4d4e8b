"""A thousand randomly mutated image files are scanned, checked, browsed and trained on; none brings anything down, and every
one that can't be decoded is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ftgui.base.job import Job
from ftgui.data.catalog.query import Query
from ftgui.data.checks.duplicates import find_lookalikes
from ftgui.data.checks.image_check import check_images
from ftgui.data.project import Project
from ftgui.protocol import messages as m
from tests.engine.conftest import Engine
from tests.mutants import bad_files, make_mutants

pytestmark = pytest.mark.slow

COUNT = 1000


@pytest.fixture(scope="module")
def mutants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_mutants(tmp_path_factory.mktemp("mutants") / "pictures", COUNT)


@pytest.mark.timeout(300)
def test_every_bad_file_is_named_and_the_rest_is_used(
    mutants: Path, engine: Engine, train_command: Callable[..., m.Train]
) -> None:
    project = Project.for_dataset(mutants)
    project.take_in(mutants)
    bad = bad_files(mutants)
    assert 200 < len(bad) < 800, "a mix"
    with project.catalog() as catalog:
        assert len(catalog.find(Query())) == COUNT
        assert check_images(catalog, Job()) == len(bad)
        find_lookalikes(catalog, Job())
        named = {row.path for row in catalog.rows(catalog.find(Query())) if row.problem}
        assert named == bad
        for group in catalog.contents().groups:
            if group.images:
                assert len(catalog.find(Query(kind=group.kind))) == group.count
    end = engine.do(train_command(mutants, batch_size=32))
    assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
    used = (Path(end.run_folder) / "samples.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(used) == COUNT - len(bad)


@pytest.mark.timeout(300)
def test_what_nobody_checked_before_is_left_out_by_the_training(
    mutants: Path, engine: Engine, train_command: Callable[..., m.Train]
) -> None:
    end = engine.do(train_command(mutants, batch_size=32))
    assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
    left_out = {event.message.split(" is left out: ")[0] for event in engine.of(m.Log)}
    assert left_out == bad_files(mutants), "each is named"
