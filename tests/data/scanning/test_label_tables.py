"""Classes from tables: guessed where that is certain, asked for where not, and never a crash for what a table says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftgui.data.project import Project
from ftgui.data.scanning.folder_scan import scan
from ftgui.data.scanning.found import Columns, DatasetError, FoundImage
from ftgui.data.scanning.label_sources import Wanted
from ftgui.data.scanning.table_columns import TableQuestion
from ftgui.protocol import recipe_file
from tests.conftest import Maker, picture


def images_in(folder: Path, count: int = 6, where: str = "") -> list[str]:
    (folder / where).mkdir(parents=True, exist_ok=True)
    names = [f"{n}.jpg" for n in range(count)]
    for number, name in enumerate(names):
        picture((9, 9, 9), number).save(folder / where / name)
    return names


def taken(folder: Path, columns: Columns | None = None) -> dict[str, tuple[str, str]]:
    images: list[FoundImage] = []
    scan(folder, take=images.extend, columns=columns)
    return {image.path: (image.class_name, image.split) for image in images}


def write(path: Path, *lines: str) -> None:
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["metadata.csv", "labels.csv", "what I saw.csv"])
def test_a_csv_beside_the_images(tmp_path: Path, name: str, separator: str) -> None:
    names = images_in(tmp_path)
    lines = [separator.join((n, f"class {int(n[0]) % 2}", "x")) for n in names]
    write(tmp_path / name, separator.join(("file_name", "label", "comment")), *lines)
    assert taken(tmp_path) == {n: (f"class {int(n[0]) % 2}", "") for n in names}


def test_jsonl_with_splits(tmp_path: Path) -> None:
    names = images_in(tmp_path, where="images")
    rows = [
        {"file_name": f"images/{n}", "label": int(n[0]) % 2, "split": "train" if n < "4" else "validation"}
        for n in names
    ]
    write(tmp_path / "metadata.jsonl", *map(json.dumps, rows))
    assert taken(tmp_path) == {f"images/{n}": (str(int(n[0]) % 2), "train" if n < "4" else "val") for n in names}


def test_a_table_in_each_split_folder(tmp_path: Path) -> None:
    for split in ("train", "test"):
        names = images_in(tmp_path, where=split)
        write(tmp_path / split / "metadata.csv", "file_name,label", *(f"{n},{'ab'[int(n[0]) % 2]}" for n in names))
    found = taken(tmp_path)
    assert len(found) == 12 and found["train/1.jpg"] == ("b", "train") and found["test/0.jpg"] == ("a", "test")


def test_names_without_ending_or_folder(tmp_path: Path) -> None:
    images_in(tmp_path, where="images/deep")
    write(tmp_path / "labels.csv", "id,breed", "0,pug", "1,poodle", "2.jpg,pug", "elsewhere\\3.jpg,poodle")
    assert {path: name for path, (name, _) in taken(tmp_path).items()} == {
        "images/deep/0.jpg": "pug",
        "images/deep/1.jpg": "poodle",
        "images/deep/2.jpg": "pug",
        "images/deep/3.jpg": "poodle",
    }


def test_list_files(tmp_path: Path) -> None:
    images_in(tmp_path, where="all of them")
    write(tmp_path / "train.txt", *(f"all of them/{n}.jpg {n % 2}" for n in range(4)))
    write(tmp_path / "val.txt", *(f"all of them/{n}.jpg\t{n % 2}" for n in range(4, 6)))
    found = taken(tmp_path)
    assert (
        found["all of them/1.jpg"] == ("1", "train") and found["all of them/4.jpg"] == ("0", "val") and len(found) == 6
    )


def test_unclear_columns_are_asked_for_once(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    names = images_in(folder)
    write(folder / "x.csv", "foto,colour,shape", *(f"{n},{'rb'[int(n[0]) % 2]},{'oq'[int(n[0]) // 3]}" for n in names))
    with pytest.raises(TableQuestion, match=r"“x\.csv”") as asked:
        scan(folder)
    assert asked.value.columns == ["foto", "colour", "shape"] and asked.value.guess.path == "foto"
    assert asked.value.rows[0] == ["0.jpg", "r", "o"]
    answer = Columns("x.csv", "foto", "shape")
    project = Project.for_dataset(folder)
    project.take_in(folder, wanted=Wanted(columns=answer))
    project.take_in(folder)
    with project.catalog() as catalog:
        assert {name: splits.total() for name, splits in catalog.counts().items()} == {"o": 3, "q": 3}
    assert recipe_file.load(project.recipe_path).dataset.label_column == "shape"
    write(folder / "x.csv", "foto,colour", *(f"{n},r" for n in names))
    project.take_in(folder)
    with project.catalog() as catalog:
        assert list(catalog.counts()) == ["r"], "it is guessed anew"
    (folder / "x.csv").unlink()
    with pytest.raises(DatasetError, match="are not in a class folder"):
        project.take_in(folder)


def test_class_folders_count_more_than_a_table(make_dataset: Maker) -> None:
    root = make_dataset(count=2)
    write(root / "metadata.csv", "file_name,label", "red/red0.jpg,something else")
    assert {name for name, _ in taken(root).values()} == {"red", "blue"}


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    images_in(tmp_path, 4)
    write(
        tmp_path / "metadata.csv",
        "file_name,label",
        "0.jpg,a",
        "1.jpg,b",
        "2.jpg,a",
        "2.jpg,b",
        "gone.jpg,a",
        "1.jpg,b",
    )
    found = scan(tmp_path)
    assert {(p.path, p.kind) for p in found.problems} == {
        ("", "reading"),
        ("2.jpg", "listed-twice"),
        ("gone.jpg", "listed-missing"),
        ("3.jpg", "no-label"),
    }
    assert found.images == 3


def test_other_tables_are_no_tables(tmp_path: Path) -> None:
    images_in(tmp_path)
    write(tmp_path / "prices.csv", "what,price", "apples,3", "pears,4")
    (tmp_path / "broken.jsonl").write_bytes(b"\xff\xfe{not json")
    write(tmp_path / "notes.txt", "I took 0.jpg in the garden.")
    with pytest.raises(DatasetError, match=r"6 images .* are not in a class folder"):
        scan(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["metadata.csv", "metadata.jsonl", "train.txt", "x.tsv"]))
def test_no_content_of_a_table_crashes(tmp_path: Path, content: bytes, name: str) -> None:
    if not (tmp_path / "set").exists():
        images_in(tmp_path / "set", 3)
    for table in (tmp_path / "set").glob("*[!g]"):
        table.unlink()
    (tmp_path / "set" / name).write_bytes(b"0.jpg,1.jpg\n" + content)
    try:
        scan(tmp_path / "set")
    except DatasetError as error:
        assert str(error).endswith(".")


def test_columns_that_name_nothing_and_links_to_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    names = images_in(folder)
    write(folder / "t.csv", "foto,colour", *(f"no {n},r" for n in names))
    with pytest.raises(DatasetError, match=r"names none of the images"):
        Project.for_dataset(folder).take_in(folder, wanted=Wanted(columns=Columns("t.csv", "foto", "colour")))
    if sys.platform != "win32":
        (folder / "z.csv").symlink_to(tmp_path / "nowhere.csv")
        (folder / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
        write(folder / "t.csv", "foto,label", *(f"{n},{n[0]}" for n in [*names, "gone.jpg"]))
        found = scan(folder)
        assert found.images == 6 and [p.path for p in found.problems if p.kind == "no-access"] == ["gone.jpg"]


def test_a_table_that_was_asked_about_and_is_gone_leaves_the_folders(make_dataset: Maker) -> None:
    root = make_dataset(count=3)
    project = Project.for_dataset(root)
    write(root / "t.csv", "foto,colour", *(f"red/red{n}.jpg,r" for n in range(3)))
    project.take_in(root, wanted=Wanted(columns=Columns("t.csv", "foto", "colour")))
    with project.catalog() as catalog:
        assert list(catalog.counts()) == ["r"]
    (root / "t.csv").unlink()
    project.take_in(root)
    with project.catalog() as catalog:
        assert list(catalog.counts()) == ["blue", "red"]
