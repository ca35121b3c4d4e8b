"""A run's report: one file, everything in it escaped, whatever the run lacks is said."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from ftgui.runs.notes import write_words
from ftgui.runs.report.report import write_report
from tests.conftest import picture
from tests.made_runs import make_run

VOID = {"meta", "br", "img"}


class Reader(HTMLParser):
    """Fails where tags do not match; collects what could reach out, and the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(path: Path) -> Reader:
    reader = Reader()
    raw = path.read_text(encoding="utf-8")
    reader.feed(raw)
    assert reader.open == [], "every tag is closed"
    assert "script" not in reader.tags and "link" not in reader.tags
    assert all(source.startswith("data:image/jpeg;base64,") for source in reader.sources), "nothing is fetched"
    assert not re.search(r"url\(|@import|https?://", raw)
    return reader


def test_everything_is_in_it(tmp_path: Path) -> None:
    data = tmp_path / "pictures"
    for name in ("blue", "red"):
        (data / name).mkdir(parents=True)
    picture((200, 40, 40), 1, (900, 600)).save(data / "red" / "red2.jpg")
    folder = make_run(tmp_path / "runs", 7, predictions=True, accuracies=(0.25, 0.5), dataset=str(data))
    write_words(folder, name="My run", note="First line\nsecond", starred=True)
    write_report(folder, tmp_path / "report.html")
    reader = read(tmp_path / "report.html")
    text = reader.text
    assert "Run 7 · My run" in text and "First line second" in text
    assert "50.0 % of the validation images are classified correctly" in text and "2 of 4 images" in text
    assert "between 15.0 % and 85.0 %" in text, "Wilson's interval of 2 of 4"
    assert "2 validation images answered wrongly" in text and "red , answered blue 60% sure, loss 2.50" in text
    assert "expected calibration error" in text and "temperature of 1.50" in text
    # Two answers 90 % sure are right, two 60 % sure are wrong.
    assert "35.0 % away" in text
    assert "Step 16: rate 3e-4" in text and "head; up to 2 epochs at 1e-3" in text
    assert "0030c3dae884a5ece411c6f7b71a33d6" in text and "unchanged" in text
    assert "torch 2.15.0" in text and "c" * 40 in text
    (thumbnail,) = reader.sources
    image = Image.open(io.BytesIO(base64.b64decode(thumbnail.split(",")[1])))
    assert image.format == "JPEG" and max(image.size) <= 352 and image.getpixel((5, 5))[0] > 120
    assert text.count("the image is gone") == 1, "red3.jpg"
    assert str(tmp_path) not in text, "nobody's folders are sent along"


def test_class_figures_and_confusion_come_from_the_result_without_predictions(tmp_path: Path) -> None:
    folder = make_run(tmp_path, confusion=[[8, 2], [0, 10]], accuracies=(0.9,))
    write_report(folder, tmp_path / "report.html")
    text = read(tmp_path / "report.html").text
    assert "90.0 % of the validation images are classified correctly" in text
    # blue: 8 of 8 called so are, 8 of 10 were found.
    assert re.search(r"blue 2 2 100.0 % 80.0 % 88.9 % 10", text)
    assert "blue → red: 2 (20%)" in text
    assert "worst errors are not known" in text and "sure as it is right" not in text


def test_an_image_that_the_run_learned_from_does_not_count_as_validation(tmp_path: Path) -> None:
    folder = make_run(tmp_path, predictions=True)
    path = folder / "predictions.csv"
    path.write_text(path.read_text().replace("red/red0.jpg,red,train", "red/red0.jpg,red,val"))
    write_report(folder, tmp_path / "report.html")
    assert "2 of 4 images" in read(tmp_path / "report.html").text


def test_what_a_person_or_a_folder_is_called_is_never_markup(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>&amp;'
    classes = ("a<b", "c&d\"'")
    folder = make_run(tmp_path, predictions=False, classes=classes, confusion=[[1, 1], [0, 2]])
    write_words(folder, name=evil, note=evil)
    write_report(folder, tmp_path / "report.html")
    reader = read(tmp_path / "report.html")
    assert reader.text.count(evil) >= 3 and "a<b → c&d\"': 1 (50%)" in reader.text
    assert "b" not in reader.tags or reader.tags.count("b") == 1


@pytest.mark.parametrize(
    "gone", ["result.json", "metrics.jsonl", "recipe.toml", "samples.csv", "environment.json", "all"]
)
def test_half_a_run_has_a_report_that_says_what_is_missing(tmp_path: Path, gone: str) -> None:
    folder = make_run(tmp_path, 4)
    for path in [p for p in folder.iterdir() if p.is_file() and gone in (p.name, "all")]:
        path.unlink()
    write_report(folder, tmp_path / "report.html")
    text = read(tmp_path / "report.html").text
    expected = {
        "result.json": "It was never finished: its process was killed",
        "metrics.jsonl": "metrics.jsonl is missing, so there are no curves.",
        "recipe.toml": "recipe.toml is missing.",
        "samples.csv": "samples.csv is missing, so its images are not known.",
        "environment.json": "The software and device used are not known.",
        "all": "There is no table of its answers on validation images.",
    }
    assert "Run 4 · head" in text and expected[gone] in text


def test_damaged_metrics_leave_the_rest(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    path = folder / "metrics.jsonl"
    path.write_text(path.read_text() + "rubbish\n")
    (folder / "predictions.csv").write_text("no,table")
    write_report(folder, tmp_path / "report.html")
    text = read(tmp_path / "report.html").text
    assert (
        "The curves are incomplete" in text
        and "predictions.csv is damaged" in text
        and "are classified correctly" in text
    )


def test_a_hundred_classes_and_thousands(tmp_path: Path) -> None:
    for count in (100, 200):
        classes = tuple(f"class {number:03d} with quite a long name" for number in range(count))
        table = [[9 if r == c else int((r + 1) % count == c) for c in range(count)] for r in range(count)]
        write_report(make_run(tmp_path, count, classes=classes, confusion=table), tmp_path / f"{count}.html")
        reader = read(tmp_path / f"{count}.html")
        assert "90.0 % of the validation images are classified correctly" in reader.text
        cells = [tag for tag in reader.tags if tag == "rect"]
        assert len(cells) == (201 if count == 100 else 0), (
            "only cells that are not empty, and not of what none can read"
        )
    assert "could not be read" in reader.text and (tmp_path / "100.html").stat().st_size < 400_000


def test_a_changed_label_is_said(tmp_path: Path) -> None:
    write_report(make_run(tmp_path, predictions=True, accuracies=(0.875,)), tmp_path / "report.html")
    assert "When the run ended it was 87.5 %" in read(tmp_path / "report.html").text


def test_no_run_no_report(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no run at"):
        write_report(tmp_path / "0001-x", tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
