"""Which images a run goes on with, and why it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ftgui.base.job import Job
from ftgui.data.catalog import edits
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.records import reference
from ftgui.data.project import Project
from ftgui.protocol.recipe import Dataset, Recipe
from ftgui.runs.dataset_diff import SAMPLES_FILE, table_of_samples
from ftgui.runs.resume import OtherImagesError, samples_of
from tests.conftest import Maker


@pytest.fixture
def catalog(make_dataset: Maker, tmp_path: Path) -> Iterator[Catalog]:
    folder = make_dataset(("ant", "bee", "cat"), 5)
    project = Project(tmp_path / "project")
    project.folder.mkdir()
    project.take_in(folder)
    with project.catalog() as opened:
        yield opened


@pytest.fixture
def run(catalog: Catalog, tmp_path: Path) -> Path:
    """The folder of a run that began with all that is in the catalog."""
    folder = tmp_path / "run"
    folder.mkdir()
    rows = [(reference(sample.path, catalog.root), sample.class_name, sample.split) for sample in catalog.samples()]
    (folder / SAMPLES_FILE).write_bytes(table_of_samples(rows))
    return folder


def test_renamed_classes_keep_the_place_of_their_outputs(catalog: Catalog, run: Path) -> None:
    _, before = samples_of(run, catalog)
    edits.rename_class(catalog, "ant", "zebra")
    names, samples = samples_of(run, catalog)
    assert names == ["zebra", "bee", "cat"]
    assert [(s.path, s.target, s.split) for s in samples] == [(s.path, s.target, s.split) for s in before]
    assert {names[sample.target] == sample.class_name for sample in samples} == {True}


def test_two_classes_that_changed_names_keep_theirs(catalog: Catalog, run: Path) -> None:
    for old, new in (("ant", "x"), ("bee", "ant"), ("x", "bee")):
        edits.rename_class(catalog, old, new)
    assert samples_of(run, catalog)[0] == ["bee", "ant", "cat"]


def test_what_changed_an_image_is_said_and_refused(catalog: Catalog, run: Path) -> None:
    def refused() -> str:
        with pytest.raises(OtherImagesError) as caught:
            samples_of(run, catalog)
        return str(caught.value)

    undo = edits.rename_class(catalog, "ant", "bee")
    assert "its classes “ant” and “bee” are now one, “bee”" in refused()
    edits.write(catalog, undo)
    edits.rename_class(catalog, "bee", "wasp")
    undo = edits.relabel(catalog, [catalog.id_of("bee/bee1.jpg") or 0], "ant")
    assert "“bee/bee1.jpg” was in class “wasp” and is now in “ant”" in refused()
    edits.write(catalog, undo)
    one = next(path for path, _, split in catalog.entries() if split == "train")
    undo = edits.move(catalog, [catalog.id_of(one) or 0], "test")
    assert f"“{one}” was in the split “train” and is now in “test”" in refused()
    edits.write(catalog, undo)
    samples_of(run, catalog)
    (catalog.root / "cat" / "cat0.jpg").unlink()
    (catalog.root / "cat" / "new.jpg").write_bytes((catalog.root / "cat" / "cat1.jpg").read_bytes())
    Project(catalog.path.parent).take_in(catalog.root)
    assert "1 of 15 images (“cat/cat0.jpg”) is no longer in the dataset" in refused()


def test_new_images_are_named(catalog: Catalog, run: Path) -> None:
    (catalog.root / "cat" / "new.jpg").write_bytes((catalog.root / "cat" / "cat1.jpg").read_bytes())
    Project(catalog.path.parent).fill(catalog.root, Recipe(dataset=Dataset(folder=str(catalog.root))), Job())
    with pytest.raises(OtherImagesError, match=r"1 of 16 images \(“cat/new.jpg”\) is new since"):
        samples_of(run, catalog)


def test_a_list_that_can_not_be_read_is_named(catalog: Catalog, run: Path) -> None:
    (run / SAMPLES_FILE).write_text("nothing", encoding="utf-8")
    with pytest.raises(OtherImagesError, match=r"samples\.csv, can't be read"):
        samples_of(run, catalog)
