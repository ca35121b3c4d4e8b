"""What says the classes: folders, tables or file names; each read alone, scored against each other, said or asked about."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftgui.base.job import Job
from ftgui.cli.prepare_training import prepare
from ftgui.data.project import Project
from ftgui.data.scanning.archive import unpacked
from ftgui.data.scanning.folder_scan import scan
from ftgui.data.scanning.found import Columns, DatasetError, Found, FoundImage
from ftgui.data.scanning.label_sources import Wanted
from ftgui.data.scanning.readings import ASK, LayoutQuestion
from ftgui.data.scanning.table_columns import TableQuestion
from ftgui.data.scanning.walk import count_images
from ftgui.protocol import recipe as recipes
from ftgui.protocol import recipe_file
from tests.conftest import Maker

FLAT = [f"{letter}{n:03d}.jpg" for letter in "ab" for n in range(12)]
CLASSES = ["cat"] * 12 + ["dog"] * 12


def lay(root: Path, paths: Iterable[str]) -> Path:
    """Files that no scan opens."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    root.mkdir(parents=True, exist_ok=True)
    return root


def many(folder: str, count: int = 12, letter: str = "") -> list[str]:
    return [f"{folder}/{letter}{n:03d}.jpg" for n in range(count)]


def lines(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def counted(root: Path, **how) -> dict[str, dict[str, int]]:
    return {name: dict(splits) for name, splits in sorted(scan(root, **how).counts.items())}


def of_kind(found: Found, kind: str) -> list[str]:
    return [problem.message for problem in found.problems if problem.kind == kind]


# --- table or folders? ----------------------------------------------------------------------------------------------


def test_a_table_counts_more_than_folders_that_are_parts(tmp_path: Path) -> None:
    for number, (first, second) in enumerate(
        (("batch1", "batch2"), ("img/00", "img/01"), ("train_images", "test_images"))
    ):
        root = lay(tmp_path / str(number), many(first, letter="a") + many(second, letter="b"))
        rows = [
            f"{folder}/{letter}{n:03d}.jpg,{'xy'[n % 2]}"
            for folder, letter in ((first, "a"), (second, "b"))
            for n in range(12)
        ]
        lines(root / "metadata.csv", "file_name,label", *rows)
        assert set(counted(root)) == {"x", "y"}, first
        found = scan(root)
        assert found.summary().endswith("24 images (classes from metadata.csv)")
        assert any(said.startswith("Classes from metadata.csv, 24 of 24 images.") for said in of_kind(found, "reading"))


def test_kaggles_layout_with_its_list_to_hand_in(tmp_path: Path) -> None:
    root = lay(
        tmp_path, many("train_images", letter="a") + many("train_images", letter="b") + many("test_images", 6, "t")
    )
    rows = [f"a{n:03d},0" for n in range(12)] + [f"b{n:03d},2" for n in range(12)]
    lines(root / "train.csv", "id_code,diagnosis", *rows)
    lines(root / "test.csv", "id_code", *(f"t{n:03d}" for n in range(6)))
    lines(root / "sample_submission.csv", "id_code,diagnosis", *(f"t{n:03d},0" for n in range(6)))
    found = scan(root)
    assert {name: splits.total() for name, splits in found.counts.items()} == {"0": 12, "2": 12}
    assert found.problem_counts["no-label"] == 6
    assert "sample_submission.csv" in of_kind(found, "reading")[0], "what was not used is named"


def test_class_folders_are_not_taken_over(tmp_path: Path) -> None:
    root = lay(tmp_path / "a", [*many("cats", letter="c"), *many("dogs", letter="d"), "cover.jpg"])
    lines(root / "sizes.csv", "filename,bytes", *(f"{c}{n:03d}.jpg,{1000 + n}" for c in "cd" for n in range(12)))
    assert set(counted(root)) == {"cats", "dogs"}
    lines(
        root / "sizes.csv", "filename,camera", *(f"{c}{n:03d}.jpg,{'NC'[n % 2]}ikon" for c in "cd" for n in range(12))
    )
    assert set(counted(root)) == {"cats", "dogs"}
    root = lay(tmp_path / "b", [*many("train/Charlock"), *many("train/Maize"), *many("test", 20, "t")])
    lines(root / "sample_submission.csv", "file,species", *(f"t{n:03d}.jpg,Sugar beet" for n in range(20)))
    assert counted(root) == {"Charlock": {"train": 12}, "Maize": {"train": 12}}


def test_where_nothing_is_clear_the_person_is_asked_once(tmp_path: Path) -> None:
    root = lay(tmp_path / "set", many("cats", letter="c") + many("dogs", letter="d"))
    lines(root / "labels.csv", "file,label", *(f"{c}{n:03d}.jpg,{'xyz'[n % 3]}" for c in "cd" for n in range(12)))
    with pytest.raises(LayoutQuestion) as asked:
        scan(root)
    said = str(asked.value)
    assert "labels.csv (3 classes, 24 images)" in said and "the folders (2 classes, 24 images)" in said
    assert (
        'layout = "table"' in said
        and 'table = "labels.csv"' in said
        and 'layout = "class"' in said
        and "recipe" in said
    )
    for reading in asked.value.readings:
        project = Project.for_dataset(root)
        project.take_in(root, wanted=Wanted(reading.layout, reading.columns))
        project.take_in(root)  # is not asked again
        with project.catalog() as catalog:
            assert set(catalog.counts()) == set(reading.classes)
    recipe = project.recipe_path
    stored = recipe_file.load(recipe).dataset
    assert (stored.layout, stored.table) in (("class", ""), ("table", "labels.csv"))
    with pytest.raises(LayoutQuestion):
        project.take_in(root, wanted=Wanted(ASK))
    assert recipe_file.load(recipe).dataset == stored, "asking changes nothing"


def test_in_a_terminal_the_question_is_a_sentence_and_the_recipe_answers_it(
    tmp_path: Path, make_dataset: Maker
) -> None:
    root = make_dataset(count=12)
    lines(root / "labels.csv", "file,label", *(f"{c}{n}.jpg,{'xy'[n % 2]}" for c in ("red", "blue") for n in range(12)))
    recipe = tmp_path / "recipe.toml"
    recipe_file.save(recipes.Recipe(dataset=recipes.Dataset(folder=str(root))), recipe)
    with pytest.raises(DatasetError, match=r"Set layout"):
        prepare(recipe)
    recipe_file.save(
        recipes.Recipe(dataset=recipes.Dataset(folder=str(root), layout="table", table="labels.csv")), recipe
    )
    assert prepare(recipe).summary == "2 classes, 24 images (classes from labels.csv)"
    recipe_file.save(recipes.Recipe(dataset=recipes.Dataset(folder=str(root), layout="class")), recipe)
    assert prepare(recipe).summary == "2 classes, 24 images"


@pytest.mark.parametrize(
    ("field", "dataset"),
    [
        ("dataset.layout", recipes.Dataset(layout="folder")),
        ("dataset.table", recipes.Dataset(layout="table")),
        ("dataset.layout", recipes.Dataset(layout="class", table="labels.csv")),
        ("dataset.name_pattern", recipes.Dataset(layout="file names", name_pattern="(")),
    ],
)
def test_contradictions_are_said_at_the_field(field: str, dataset: recipes.Dataset) -> None:
    assert [problem.field for problem in recipes.Recipe(dataset=dataset).validate()] == [field]


def test_a_table_that_says_what_the_folders_say_adds_its_splits(tmp_path: Path) -> None:
    root = lay(tmp_path, many("cats", letter="c") + many("dogs", letter="d"))
    rows = [f"{c}{n:03d}.jpg,{c}" for c in "cd" for n in range(12)]
    lines(root / "x.csv", "file,label", *rows)
    assert set(counted(root)) == {"cats", "dogs"}
    lines(
        root / "x.csv", "file,label,split", *(f"{row},{'val' if n % 3 == 0 else 'train'}" for n, row in enumerate(rows))
    )
    assert counted(root) == {"c": {"train": 8, "val": 4}, "d": {"train": 8, "val": 4}}


def test_several_tables_together(tmp_path: Path) -> None:
    root = lay(tmp_path, FLAT)
    rows = [f"{file},{name}" for file, name in zip(FLAT, CLASSES, strict=True)]
    lines(root / "train.csv", "image,label", *rows[:9], *rows[12:21])
    lines(root / "val.csv", "image,label", *rows[9:12], *rows[21:])
    found = scan(root)
    assert counted(root) == {"cat": {"train": 9, "val": 3}, "dog": {"train": 9, "val": 3}}
    assert found.source == "train.csv and val.csv"


def test_a_table_that_is_gone_is_said_and_decided_anew(tmp_path: Path) -> None:
    root = lay(tmp_path, many("cats") + many("dogs"))
    found = scan(root, wanted=Wanted("table", Columns("labels.csv", "", "")))
    assert set(found.counts) == {"cats", "dogs"} and "labels.csv" in of_kind(found, "table-refused")[0]


def test_file_names_are_asked_about(tmp_path: Path) -> None:
    root = lay(tmp_path, [f"{name}.{n}.jpg" for name in ("cat", "dog") for n in range(12)])
    with pytest.raises(LayoutQuestion, match="file names") as asked:
        scan(root)
    assert dict(asked.value.readings[0].classes) == {"cat": 12, "dog": 12}
    assert set(counted(root, wanted=Wanted("file names"))) == {"cat", "dog"}
    assert set(counted(root, wanted=Wanted("file names", pattern=r"(.).*"))) == {"c", "d"}
    with pytest.raises(DatasetError, match="regular expression"):
        scan(root, wanted=Wanted("file names", pattern="("))


# --- splits by other names ------------------------------------------------------------------------------------------

NAMES = [
    ("train", "val", "test"),
    ("training_set", "validation_set", "test_set"),
    ("Train_Data", "Valid_Data", "Test_Data"),
    ("seg_train", "seg_val", "seg_test"),
    ("train ", "val ", "test "),
    ("train_images", "val_images", "test_images"),
    ("train2017", "val2017", "test2017"),
    ("trainset", "validset", "testset"),
    ("Training images", "Dev images", "Testing images"),
    ("flowers-train", "flowers-validation", "flowers-test"),
]


def _above(names: tuple[str, str, str], wrap: str = "", inner: str = "") -> Callable[[str, str, int], str]:
    return lambda split, name, n: f"{wrap}{names[('train', 'val', 'test').index(split)]}/{inner}{name}/{n:03d}.jpg"


LAYOUTS: list[Callable[[str, str, int], str]] = [
    *(_above(names) for names in NAMES),
    *(
        lambda split, name, n, names=names: f"{name}/{names[('train', 'val', 'test').index(split)]}/{n:03d}.jpg"
        for names in NAMES[:3]
    ),
    _above(NAMES[0], "wrapper/"),
    _above(NAMES[1], "a/b/"),
    _above(NAMES[0], inner="images/"),
    lambda split, name, n: f"{split}/{name}/monday/{n:03d}.jpg",
    lambda split, name, n: f"{split}/{unicodedata.normalize('NFD' if split == 'val' else 'NFC', name)}/{n:03d}.jpg",
    lambda split, name, n: f"{split}/{name.upper() if split == 'test' else name}/{n:03d}.jpg",
    lambda split, name, n: f"{split}/{name}{' ' * (split == 'val')}/{n:03d}.jpg",
]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(LAYOUTS)))
@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.sampled_from(["Käfer", "mücke", "9mm", "tabby cat", "鳥", "Ånd", "bus", "🐸"]),
        min_size=2,
        max_size=4,
        unique=True,
    ),
    st.integers(2, 4),
)
def test_one_set_in_twenty_layouts_is_the_same_set(number: int, names: list[str], count: int) -> None:
    with tempfile.TemporaryDirectory() as where:
        root = lay(
            Path(where) / "set",
            (
                LAYOUTS[number](split, name, n)
                for split in ("train", "val", "test")
                for name in names
                for n in range(count)
            ),
        )
        assert counted(root) == {name: dict.fromkeys(("train", "val", "test"), count) for name in sorted(names)}


def test_what_was_taken_for_a_split_is_said_and_can_be_undone(tmp_path: Path) -> None:
    root = lay(
        tmp_path, many("seg_train/sea") + many("seg_train/wood") + many("seg_test/sea", 3) + many("seg_test/wood", 3)
    )
    found = scan(root)
    assert "“seg_train” is treated as the training images." in of_kind(found, "reading")[0]
    assert set(counted(root, wanted=Wanted("class"))) == {"seg_train", "seg_test"} or counted(root)
    plain = scan(lay(tmp_path / "plain", many("train/sea") + many("train/wood") + many("val/sea") + many("val/wood")))
    assert plain.problems == []


def test_only_what_fits_is_a_split(tmp_path: Path) -> None:
    root = lay(tmp_path / "railway", many("bus") + many("car") + many("train"))
    assert counted(root) == {name: {"": 12} for name in ("bus", "car", "train")}
    root = lay(
        tmp_path / "pairs",
        many("train station/day") + many("train station/night") + many("test tube/a") + many("test tube/b"),
    )
    assert set(counted(root)) == {"train station", "test tube"}
    root = lay(tmp_path / "nested", many("cat/lynx") + many("cat/puma") + many("dog/wolf") + many("dog/fox"))
    assert counted(root) == {"cat": {"": 24}, "dog": {"": 24}}
    root = lay(tmp_path / "unsure", many("train/day") + many("train/night") + many("bus", 3) + many("car", 3))
    with pytest.raises(LayoutQuestion):
        scan(root)
    assert set(counted(root, wanted=Wanted("class"))) == {"bus", "car", "train"}
    assert set(counted(root, wanted=Wanted("split/class"))) == {"day", "night"}


def test_held_out_folders_beside_the_classes(tmp_path: Path) -> None:
    root = lay(tmp_path, many("cats") + many("dogs") + many("test/cats", 5) + many("test/dogs", 5))
    assert counted(root) == {"cats": {"": 12, "test": 5}, "dogs": {"": 12, "test": 5}}


def test_parts_of_one_set(tmp_path: Path) -> None:
    root = lay(tmp_path, [path for part in (1, 2) for name in ("cat", "dog") for path in many(f"part_{part}/{name}")])
    assert counted(root) == {"cat": {"": 24}, "dog": {"": 24}}


@pytest.mark.parametrize("splits", [("test",), ("val", "test")])
def test_a_folder_of_test_images_alone(tmp_path: Path, splits: tuple[str, ...]) -> None:
    root = lay(tmp_path, [path for split in splits for name in ("cats", "dogs") for path in many(f"{split}/{name}", 5)])
    assert counted(root) == {name: dict.fromkeys(splits, 5) for name in ("cats", "dogs")}


# --- names that are the same ----------------------------------------------------------------------------------------


def test_spellings_are_joined_and_said(tmp_path: Path) -> None:
    root = lay(
        tmp_path,
        many("train/Cat")
        + many("train/Käfer")
        + many("val/cat")
        + many("val/" + unicodedata.normalize("NFD", "Käfer")),
    )
    found = scan(root)
    assert counted(root) == {"Cat": {"train": 12, "val": 12}, "Käfer": {"train": 12, "val": 12}}
    assert "“cat” is treated as the class “Cat”." in of_kind(found, "names-joined")
    letters = lay(tmp_path / "letters", many("a") + many("A") + many("b"))
    assert set(counted(letters)) >= {"a", "b"} and len(counted(letters)) == len(list(letters.iterdir()))
    assert set(counted(root, known=["cat", "käfer"])) == {"cat", "käfer"}, "as the model spells them"


def test_files_are_found_whatever_their_spelling(tmp_path: Path) -> None:
    names = ["Käfer 1.JPG", unicodedata.normalize("NFD", "Mücke2.jpeg"), "sub/Deep.PNG", "plain.jpg"]
    root = lay(tmp_path, names)
    lines(root / "labels.csv", "file,label", "käfer 1.jpg ,a", "Mücke2.jpeg,b", "SUB\\deep.png,a", "./plain,b")
    found = scan(root)
    assert {name: splits.total() for name, splits in found.counts.items()} == {"a": 2, "b": 2}


def test_validation_of_other_classes_is_said_and_drawn_instead(make_dataset: Maker) -> None:
    root = make_dataset(classes=("cat", "dog"), count=10, splits=("train",))
    lay(root, many("val/horse", 5) + many("val/cow", 5))
    project = Project.for_dataset(root)
    _, found = project.take_in(root)
    assert "drawn from the training images instead" in of_kind(found, "no-shared-class")[0]
    assert {p.severity for p in found.problems if p.kind == "no-shared-class"} == {"error"}
    with project.catalog() as catalog:
        counts = catalog.counts()
        assert {name: counts[name]["val"] for name in ("cat", "dog")} == {"cat": 2, "dog": 2}


# --- tables ---------------------------------------------------------------------------------------------------------

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.permutations(list(range(12))),
    st.sampled_from(ENCODINGS),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from(["", "\n", "# made by a tool\n", "sep={}\n", "\n\nMy beetles\n", "# one\n# two\n\n"]),
    st.booleans(),
)
def test_a_table_is_read_however_it_is_written(
    order: list[int], encoding: str, delimiter: str, quoting: int, newline: str, head: bool, above: str, swapped: bool
) -> None:
    images = [f"{n:02d} über.jpg" for n in range(12)]
    labels = ["Käfer, groß", "Mücke", 'so "genannt"', "weiß; nicht"]
    rows = [(images[n], labels[n % 4]) for n in order]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=newline)
    columns = ("file", "label")
    for row in [columns, *rows] if head else rows:
        writer.writerow(row[::-1] if swapped else row)
    with tempfile.TemporaryDirectory() as where:
        root = lay(Path(where), images)
        (root / "labels.csv").write_bytes((above.format(delimiter) + text.getvalue()).encode(encoding))
        taken: list[FoundImage] = []
        scan(root, take=taken.extend)
        assert {image.path: image.class_name for image in taken} == {images[n]: labels[n % 4] for n in range(12)}


def test_quotes_and_long_fields_far_down(tmp_path: Path) -> None:
    root = lay(tmp_path, [f"{n}.jpg" for n in range(400)])
    rows = [f"{n}.jpg,{'x' * 30 if n < 390 else chr(34) + 'a, b' + chr(34)},{'pq'[n % 2]}" for n in range(400)]
    rows[5] = f'5.jpg,"{"0.1 " * 40_000}",q'
    lines(root / "t.csv", "file,note,label", *rows)
    assert counted(root) == {"p": {"": 200}, "q": {"": 200}}
    root = lay(tmp_path / "inch", [f"{n}.jpg" for n in range(120)])
    lines(root / "t.csv", "file,label", *(f"{n}.jpg,{n % 2} screw" if n != 3 else '3.jpg,"1 screw' for n in range(120)))
    assert scan(root).images == 120


@pytest.mark.parametrize(
    ("name", "content", "classes"),
    [
        (
            "m.jsonl",
            [json.dumps({"file_name": "a000.jpg"})]
            + [json.dumps({"file_name": f, "label": c}) for f, c in zip(FLAT[1:], CLASSES[1:], strict=True)],
            {"cat": 11, "dog": 12},
        ),
        (
            "m.jsonl",
            [json.dumps({"file_name": f, "labels": [c]}) for f, c in zip(FLAT, CLASSES, strict=True)],
            {"cat": 12, "dog": 12},
        ),
        (
            "m.json",
            [json.dumps([{"file": f, "class": {"name": c}} for f, c in zip(FLAT, CLASSES, strict=True)])],
            {"cat": 12, "dog": 12},
        ),
        ("m.json", [json.dumps(dict(zip(FLAT, CLASSES, strict=True)))], {"cat": 12, "dog": 12}),
        (
            "m.csv",
            [
                "image,MEL,NV,BCC",
                *(f"{f[:-4]},{float(c == 'cat')},{float(c == 'dog')},0.0" for f, c in zip(FLAT, CLASSES, strict=True)),
            ],
            {"MEL": 12, "NV": 12},
        ),
        (
            "m.csv",
            ["file,label", *(f"{f},\"['{c}']\"" for f, c in zip(FLAT, CLASSES, strict=True))],
            {"cat": 12, "dog": 12},
        ),
        (
            "m.csv",
            ["file,label", *(f"{f},{'.308' if c == 'cat' else 'a/b'}" for f, c in zip(FLAT, CLASSES, strict=True))],
            {".308": 12, "a/b": 12},
        ),
        (
            "m.csv",
            ["file,class_id,class_name", *(f"{f},{int(c == 'cat')},{c}" for f, c in zip(FLAT, CLASSES, strict=True))],
            {"cat": 12, "dog": 12},
        ),
        (
            "m.csv",
            [",file,label", *(f"{n},{f},{c}" for n, (f, c) in enumerate(zip(FLAT, CLASSES, strict=True)))],
            {"cat": 12, "dog": 12},
        ),
        (
            "HAM_metadata.csv",
            [
                "lesion,image_id,dx,dx_type,age",
                *(f"HAM_{n},{f[:-4]},{c},histo,4{n % 9}.5" for n, (f, c) in enumerate(zip(FLAT, CLASSES, strict=True))),
            ],
            {"cat": 12, "dog": 12},
        ),
    ],
)
def test_tables_of_many_kinds(tmp_path: Path, name: str, content: list[str], classes: dict[str, int]) -> None:
    root = lay(tmp_path, FLAT)
    lines(root / name, *content)
    assert {key: value[""] for key, value in counted(root).items()} == classes


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        (
            "labels.csv",
            [
                "image,labels",
                *(f"{f},{c}{';outdoor' * (n % 3 == 0)}" for n, (f, c) in enumerate(zip(FLAT, CLASSES, strict=True))),
            ],
            "several labels",
        ),
        (
            "labels.csv",
            [
                "image,labels",
                *(
                    f'{f},"{c},{"indoor" if n % 2 else "outdoor"}"'
                    for n, (f, c) in enumerate(zip(FLAT, CLASSES, strict=True))
                    if n < 20
                ),
                *(f"{f},{w}" for f, w in zip(FLAT[20:], ("cat", "dog", "indoor", "outdoor"), strict=True)),
            ],
            "several labels",
        ),
        (
            "labels.jsonl",
            [json.dumps({"file_name": f, "label": [c, "outdoor"]}) for f, c in zip(FLAT, CLASSES, strict=True)],
            "several labels",
        ),
        ("labels.csv", ["image,A,B,C", *(f"{f},1,{n % 2},0" for n, f in enumerate(FLAT))], "several classes at once"),
        (
            "labels.csv",
            [
                "image,xmin,ymin,label",
                *(f"{f},{n},{n},{c}" for f, c in zip(FLAT, CLASSES, strict=True) for n in range(2)),
            ],
            "object detection",
        ),
        ("labels.csv", ["image,label", *(f"{f},{c}" for f in FLAT for c in ("cat", "dog"))], "under several classes"),
        ("labels.jsonl", [json.dumps({"file_name": FLAT[0], "label": "cat"}), "{oh"], "line 2 is not JSON"),
    ],
)
def test_a_table_that_is_refused_is_named_with_the_reason(
    tmp_path: Path, name: str, content: list[str], why: str
) -> None:
    root = lay(tmp_path / "flat", FLAT)
    lines(root / name, *content)
    with pytest.raises(DatasetError) as refused:
        scan(root)
    assert name in str(refused.value) and why in str(refused.value)
    beside = lay(tmp_path / "beside", [f"{c}/{f}" for f, c in zip(FLAT, CLASSES, strict=True)])
    lines(beside / name, *content)
    found = scan(beside)
    assert set(found.counts) == {"cat", "dog"} and why in of_kind(found, "table-refused")[0]


def test_a_spreadsheet_is_named(tmp_path: Path) -> None:
    root = lay(tmp_path, ["x.jpg", "y.jpg", "labels.xlsx"])
    with pytest.raises(DatasetError, match=r"labels\.xlsx.*CSV"):
        scan(root)


def test_unclear_columns_name_the_recipes_fields(tmp_path: Path) -> None:
    root = lay(tmp_path, [f"{n}.jpg" for n in range(24)])
    lines(root / "x.csv", "foto,colour,shape", *(f"{n}.jpg,{'rb'[n // 12]},{'oq'[n % 2]}" for n in range(24)))
    with pytest.raises(TableQuestion, match="path_column and label_column"):
        scan(root)


# --- rubbish, other layouts -----------------------------------------------------------------------------------------


def test_what_other_programs_leave_is_no_class(tmp_path: Path) -> None:
    rubbish = [
        "cats/@eaDir/001.jpg/SYNOPHOTO_THUMB_XL.jpg",
        "@eaDir/f/x.jpg",
        "#recycle/cats/old.jpg",
        "$RECYCLE.BIN/S-1/$R1.jpg",
    ]
    rubbish += [
        "__pycache__/x.jpg",
        "System Volume Information/x.jpg",
        "cats/.thumbnails/x.jpg",
        "My.photoslibrary/originals/x.jpg",
    ]
    root = lay(tmp_path, many("cats") + many("dogs") + many("trash") + rubbish)
    found = scan(root)
    assert counted(root) == {name: {"": 12} for name in ("cats", "dogs", "trash")}
    assert count_images(root, Job()) == 36
    assert found.problem_counts == {"photo-library": 1}


def test_a_hidden_class_is_said(tmp_path: Path) -> None:
    root = lay(tmp_path, many(".22LR") + many(".308") + many("9mm") + many(".git"))
    assert {p.path for p in scan(root).problems if p.kind == "hidden-folder"} == {".22LR", ".308"}


@pytest.mark.parametrize(
    ("paths", "texts", "what"),
    [
        (many("JPEGImages") + many("SegmentationClass"), {"Annotations/000.xml": "<annotation/>"}, "object detection"),
        (many("train/images"), {f"train/labels/{n:03d}.txt": "0 0.5 0.5 0.1 0.2" for n in range(12)}, "YOLO"),
        (
            many("images/train"),
            {f"labels/train/{n:03d}.txt": "3 0.5 0.5 0.1 0.2\n1 .1 .1 .1 .1" for n in range(12)},
            "YOLO",
        ),
        (
            many("train2017") + many("val2017"),
            {"annotations/instances.json": '{"images": [], "annotations": [{"bbox": []}]}'},
            "COCO",
        ),
        (many("imgs") + [p.replace("jpg", "png") for p in many("masks")], {}, "segmentation"),
        (many("."), {f"{n:03d}.xml": "<annotation/>" for n in range(12)}, "object detection"),
    ],
)
def test_sets_for_other_tasks_are_said(tmp_path: Path, paths: list[str], texts: dict[str, str], what: str) -> None:
    root = lay(tmp_path, paths)
    for name, text in texts.items():
        lines(root / name, text)
    with pytest.raises(DatasetError, match=what):
        scan(root)


def test_food_101_and_cub_have_their_splits_from_lists(tmp_path: Path) -> None:
    food = lay(tmp_path / "food", [path for name in ("apple_pie", "waffles") for path in many(f"images/{name}", 10)])
    for file, numbers in (("train.txt", range(8)), ("test.txt", range(8, 10))):
        lines(food / "meta" / file, *(f"{name}/{n:03d}" for name in ("apple_pie", "waffles") for n in numbers))
    lines(food / "meta" / "classes.txt", "apple_pie", "waffles")
    assert counted(food) == {name: {"train": 8, "test": 2} for name in ("apple_pie", "waffles")}
    cub = lay(
        tmp_path / "cub", [path for name in ("001.Albatross", "002.Auklet") for path in many(f"images/{name}", 4)]
    )
    paths = [f"{name}/{n:03d}.jpg" for name in ("001.Albatross", "002.Auklet") for n in range(4)]
    lines(cub / "images.txt", *(f"{n} {path}" for n, path in enumerate(paths, 1)))
    lines(cub / "train_test_split.txt", *(f"{n} {n % 2}" for n in range(1, 9)))
    assert counted(cub) == {name: {"train": 2, "test": 2} for name in ("001.Albatross", "002.Auklet")}


def test_pets_are_asked_about(tmp_path: Path) -> None:
    names = [f"{name}_{n}" for name in ("Abyssinian", "great_pyrenees") for n in range(1, 13)]
    root = lay(
        tmp_path, [f"images/{name}.jpg" for name in names] + [f"annotations/trimaps/{name}.png" for name in names]
    )
    lines(
        root / "annotations" / "list.txt",
        "#Image CLASS-ID SPECIES BREED ID",
        *(f"{name} {1 + (name[0] == 'g')} 1 1" for name in names),
    )
    with pytest.raises(DatasetError) as asked:
        scan(root)
    assert isinstance(asked.value, LayoutQuestion | TableQuestion), str(asked.value)


def test_notes_beside_and_wrapped_tables(tmp_path: Path) -> None:
    root = lay(tmp_path / "notes", many("images/apple_pie") + many("images/waffles"))
    lines(root / "meta" / "classes.txt", "apple_pie", "waffles")
    lines(root / "README.txt", "about")
    assert set(counted(root)) == {"apple_pie", "waffles"}
    root = lay(tmp_path / "wrapped", [f"mydata/{file}" for file in FLAT])
    lines(
        root / "mydata" / "metadata.csv", "file_name,label", *(f"{f},{c}" for f, c in zip(FLAT, CLASSES, strict=True))
    )
    assert {key: value[""] for key, value in counted(root).items()} == {"cat": 12, "dog": 12}


def test_archives_in_archives_are_said(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        packed.writestr("cats/1.jpg", b"x")
    (tmp_path / "set").mkdir()
    with zipfile.ZipFile(tmp_path / "set" / "competition.zip", "w") as packed:
        packed.writestr("train.zip", inner.getvalue())
    with pytest.raises(DatasetError, match=r"holds archives \(“competition\.zip”\)"):
        scan(tmp_path / "set")
    with pytest.raises(DatasetError, match=r"holds archives \(“train\.zip”\)"):
        unpacked(tmp_path / "set" / "competition.zip", Job())


# --- what worked goes on working ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "classes"),
    [
        (many("bird/finch/spring") + many("bird/owl") + many("fish/carp"), {"bird": 24, "fish": 12}),
        ([path for n in range(10) for path in many(str(n), 3)], {str(n): 3 for n in range(10)}),
        (many("new\nline") + many("tab\tbed"), {"new\nline": 12, "tab\tbed": 12}),
        (many("🐸") + many("👩‍🔬"), {"🐸": 12, "👩‍🔬": 12}),
        (many("قطة") + many("כלב"), {"قطة": 12, "כלב": 12}),
        (many("n01440764") + many("n01443537"), {"n01440764": 12, "n01443537": 12}),
        (many("2023-01-05") + many("2023-01-06"), {"2023-01-05": 12, "2023-01-06": 12}),
    ],
)
@pytest.mark.skipif("sys.platform == 'win32'", reason="Windows forbids some of these names")
def test_folders_that_always_worked(tmp_path: Path, paths: list[str], classes: dict[str, int]) -> None:
    found = scan(lay(tmp_path, paths))
    assert {name: splits.total() for name, splits in found.counts.items()} == Counter(classes) and not found.problems
