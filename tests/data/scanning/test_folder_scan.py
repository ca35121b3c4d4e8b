"""Any folder in; classes, splits and problems out; nothing is fatal that need not be."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from ftgui.base.job import Cancelled, Job
from ftgui.data.scanning.folder_scan import scan
from ftgui.data.scanning.found import DatasetError, FoundImage
from ftgui.data.scanning.walk import count_images
from tests.conftest import Maker, picture


def images_of(folder: Path) -> list[FoundImage]:
    images: list[FoundImage] = []
    scan(folder, take=images.extend)
    return images


def kinds(found) -> dict[str, str]:
    return {problem.path: problem.kind for problem in found.problems}


def test_class_folders(make_dataset: Maker) -> None:
    root = make_dataset(count=4)
    found = scan(root)
    assert found.class_names == ["blue", "red"]
    assert {image.split for image in images_of(root)} == {""}
    assert found.summary() == "2 classes, 8 images"


@pytest.mark.parametrize("names", [("train", "val"), ("Train", "valid"), ("training", "Validation"), ("train", "test")])
def test_split_folders(make_dataset: Maker, names: tuple[str, str]) -> None:
    root = make_dataset(count=2, splits=names)
    assert scan(root).class_names == ["blue", "red"]
    second = "test" if names[1] == "test" else "val"
    assert sorted({image.split for image in images_of(root)}) == sorted({"train", second})


def test_wrapping_folder_is_looked_through(make_dataset: Maker, tmp_path: Path) -> None:
    inner = make_dataset(count=2)
    outer = tmp_path / "outer" / "again"
    outer.parent.mkdir()
    outer.mkdir()
    shutil.move(inner, outer / "pictures")
    assert scan(tmp_path / "outer").class_names == ["blue", "red"]


def test_nested_folders_belong_to_their_class(make_dataset: Maker) -> None:
    root = make_dataset(count=1)
    deep = root / "red" / "monday" / "morning"
    deep.mkdir(parents=True)
    picture((200, 0, 0), 9).save(deep / "x.png")
    image = next(image for image in images_of(root) if "morning" in image.path)
    assert (image.class_name, image.path) == ("red", "red/monday/morning/x.png")


def test_strange_files_become_problems(make_dataset: Maker) -> None:
    root = make_dataset(count=2)
    (root / "red" / "notes.txt").write_text("hm", encoding="utf-8")
    (root / "readme.md").write_text("hm", encoding="utf-8")
    picture((1, 2, 3), 1).save(root / "lost.jpg")
    picture((1, 2, 3), 1).save(root / "blue" / "banner.gif")
    (root / ".DS_Store").write_bytes(b"junk")
    (root / "red" / "Thumbs.db").write_bytes(b"junk")
    found = scan(root)
    assert found.images == 5, "a GIF is an image"
    assert kinds(found) == {
        "red/notes.txt": "other-file",
        "readme.md": "other-file",
        "lost.jpg": "outside-class",
    }


def test_folder_beside_the_splits_is_a_problem(make_dataset: Maker) -> None:
    root = make_dataset(count=1, splits=("train", "val"))
    (root / "more").mkdir()
    picture((1, 2, 3), 1).save(root / "more" / "a.jpg")
    picture((1, 2, 3), 1).save(root / "train" / "b.jpg")
    found = scan(root)
    assert kinds(found) == {"more/a.jpg": "outside-class", "train/b.jpg": "outside-class"}


def test_names_in_any_script_and_with_spaces(make_dataset: Maker) -> None:
    found = scan(make_dataset(classes=("日本語 の クラス", "white space"), count=2, name="写真 フォルダ"))
    assert found.class_names == ["white space", "日本語 の クラス"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder.mkdir(), "is empty"),
        (lambda folder: folder.write_text("x", encoding="utf-8"), "is not a folder"),
        (lambda _folder: None, "no longer there"),
    ],
)
def test_hopeless_folders_are_a_sentence(tmp_path: Path, make, sentence: str) -> None:
    make(tmp_path / "it")
    with pytest.raises(DatasetError, match=sentence):
        scan(tmp_path / "it")


def test_flat_folder_of_images_says_what_to_do(tmp_path: Path) -> None:
    for number in range(3):
        picture((9, 9, 9), number).save(tmp_path / f"{number}.jpg")
    with pytest.raises(DatasetError, match=r"3 images .* are not in a class folder. Make one folder per class"):
        scan(tmp_path)


def test_only_other_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(DatasetError, match="no images"):
        scan(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_folders_without_permission() -> None:
    """Run as somebody who is not root, also where the tests are."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    was = os.geteuid()
    try:
        for name in ("closed", "open", "wide"):
            (root / "set" / name).mkdir(parents=True)
            picture((9, 9, 9), 1).save(root / "set" / name / "a.jpg")
        (root / "set" / "closed").chmod(0)
        if was == 0:
            os.seteuid(65534)
        found = scan(root / "set")
        assert found.class_names == ["open", "wide"]
        assert kinds(found) == {"closed": "folder-unreadable"}
        if was == 0:
            os.seteuid(0)
        (root / "set").chmod(0)
        if was == 0:
            os.seteuid(65534)
        with pytest.raises(DatasetError, match="no permission"):
            scan(root / "set")
    finally:
        if was == 0:
            os.seteuid(0)
        (root / "set").chmod(0o755)
        (root / "set" / "closed").chmod(0o755)
        shutil.rmtree(root)


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege there")
def test_a_link_to_a_folder_above_does_not_loop(make_dataset: Maker) -> None:
    root = make_dataset(count=2)
    (root / "red" / "loop").symlink_to(root / "red", target_is_directory=True)
    assert scan(root).images == 4


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege there")
def test_a_link_to_itself_takes_nothing_along(make_dataset: Maker) -> None:
    root = make_dataset(count=2)
    (root / "red" / "round").symlink_to(root / "red" / "round")
    (root / "round.jpg").symlink_to(root / "round.jpg")
    (root / "red" / "round.jpg").symlink_to(root / "red" / "round.jpg")
    found = scan(root)
    assert found.images == 4 and count_images(root, Job()) >= 4
    assert kinds(found) == {"round.jpg": "outside-class", "red/round": "other-file", "red/round.jpg": "no-access"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
def test_what_is_no_file_is_no_image_whatever_it_is_called(make_dataset: Maker) -> None:
    """Whoever opens a pipe waits for somebody to write into it."""
    root = make_dataset(count=2)
    os.mkfifo(root / "red" / "pipe.jpg")
    os.mkfifo(root / "labels.csv")
    found = scan(root)
    assert found.images == 4 and kinds(found) == {"red/pipe.jpg": "no-file", "labels.csv": "other-file"}
    for folder in (root / "red").iterdir():  # flat, so that the table beside is looked at
        folder.rename(root / folder.name)
    with pytest.raises(DatasetError):
        scan(root / "red")


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not text exist on Linux only")
def test_names_that_are_not_text_are_problems(make_dataset: Maker) -> None:
    root = make_dataset(count=2)
    shutil.copy(root / "red" / "red0.jpg", os.fsencode(root / "red") + b"/caf\xe9.jpg")
    found = scan(root)
    assert found.images == 4 and kinds(found) == {"red/caf?.jpg": "bad-name"}
    root.rename(os.fsdecode(os.fsencode(root.parent) + b"/caf\xe9"))
    with pytest.raises(DatasetError, match="not valid text"):
        scan(Path(os.fsdecode(os.fsencode(root.parent) + b"/caf\xe9")))


def test_a_relative_folder_is_remembered_whole(make_dataset: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_dataset(count=1)
    monkeypatch.chdir(root.parent)
    assert scan(Path(root.name)).root == root


def test_cancelling(make_dataset: Maker) -> None:
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        scan(make_dataset(), job)


def test_hymenoptera(shared: Path) -> None:
    found = scan(shared / "hymenoptera")
    assert found.summary() == "2 classes, 398 images"
    assert found.problems == []


def test_images_come_in_batches_while_the_search_goes_on(make_dataset: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftgui.data.scanning.found._BATCH", 5)
    monkeypatch.setattr("ftgui.data.scanning.found._LOOK_EVERY", 1)
    seen: list[int] = []
    job = Job(lambda done, _total: seen.append(done), interval=0)
    sizes: list[int] = []
    found = scan(make_dataset(count=6), job, lambda images: sizes.append(len(images)))
    assert sizes == [5, 5, 2] and found.images == 12
    assert seen == sorted(seen) and seen[-1] >= 10


def test_of_many_problems_only_some_are_kept_but_all_counted(
    make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftgui.data.scanning.found.MOST_KEPT", 3)
    root = make_dataset(count=2)
    for number in range(10):
        (root / "red" / f"{number}.txt").write_text("hm", encoding="utf-8")
    found = scan(root)
    assert len(found.problems) == 3 and found.problem_counts == {"other-file": 10}


def test_folders_that_were_looked_into_are_told(make_dataset: Maker) -> None:
    root = make_dataset(count=1, splits=("train", "val"))
    names = {folder.relative_to(root).as_posix() for folder in scan(root).folders}
    assert names == {".", "train", "val", "train/red", "train/blue", "val/red", "val/blue"}


def test_counting_is_scanning_without_the_rest(make_dataset: Maker) -> None:
    root = make_dataset(count=3, splits=("train", "val"))
    (root / "train" / "red" / "notes.txt").write_text("x", encoding="utf-8")
    (root / "train" / "red" / "._hidden.jpg").write_text("x", encoding="utf-8")
    (root / "train" / "red" / "deep").mkdir()
    picture((1, 2, 3), 1).save(root / "train" / "red" / "deep" / "a.gif")
    assert count_images(root, Job()) == scan(root).images == 13
    if sys.platform != "win32":
        (root / "train" / "red" / "loop").symlink_to(root / "train", target_is_directory=True)
        assert count_images(root, Job()) == 13
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        count_images(root, job)
