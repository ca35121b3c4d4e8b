"""A project in a few facts, without opening it."""

from __future__ import annotations

import math
import shutil

import pytest

from ftgui.data.project import Project
from ftgui.data.recent_projects import RecentProject
from ftgui.runs.project_facts import read_facts
from tests.conftest import Maker
from tests.made_runs import make_run


@pytest.fixture
def recent(make_dataset: Maker) -> RecentProject:
    folder = make_dataset(classes=("red", "green", "blue"), count=4)
    project = Project.for_dataset(folder)
    project.take_in(folder)
    return RecentProject(project.folder, folder)


def test_a_project_that_was_not_trained(recent: RecentProject) -> None:
    facts = read_facts(recent)
    assert (facts.there, facts.name, facts.classes, facts.images, facts.runs) == (True, "pictures", 3, 12, 0)
    assert math.isnan(facts.accuracy) and not facts.trouble
    assert len(facts.pictures) == 4 and all(path.is_file() for path in facts.pictures)
    assert len({path.parent.name for path in facts.pictures}) >= 2, "of several classes"


def test_the_accuracy_is_that_of_the_model_in_use(recent: RecentProject) -> None:
    runs = Project(recent.folder).runs_folder
    make_run(runs, 1, accuracies=(0.5, 0.75))
    make_run(runs, 2, accuracies=(0.5, 0.95), reason="stopped")
    assert read_facts(recent).accuracy == 0.75 and read_facts(recent).runs == 2


def test_images_that_are_gone(recent: RecentProject) -> None:
    shutil.rmtree(recent.dataset)
    facts = read_facts(recent)
    assert not facts.there and facts.images == 12 and not facts.trouble


def test_a_damaged_catalog_and_none_at_all(recent: RecentProject) -> None:
    catalog = Project(recent.folder).catalog_path
    catalog.write_bytes(b"no database at all" * 99)
    assert "damaged" in read_facts(recent).trouble
    shutil.rmtree(recent.folder)
    facts = read_facts(recent)
    assert facts.trouble and facts.there and facts.images == 0 and not recent.folder.exists()
