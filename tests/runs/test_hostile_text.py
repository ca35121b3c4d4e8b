"""Every single text of a received run folder in turn is an attack: the report, the card and the terminal show it as text."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ftgui.base.job import Job
from ftgui.cli.main import main
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import RecipeError
from ftgui.runs.facts import run_facts
from ftgui.runs.model_card import Made, card
from ftgui.runs.model_folder import ModelError, read_about
from ftgui.runs.notes import write_words
from ftgui.runs.report.facts import gather
from ftgui.runs.report.report import page
from tests.made_runs import make_run

ATTACK = (
    "=x'\"></td></style><script>alert(1)</script><img src=x onerror=alert(1)> [a](javascript:alert(1)) |\n# title\n"
    "```\n\x1b[2J\x1b]0;t\x07\u202e\r@@BUILD@@"
)

Replace = Callable[[], None]


def make(folder: Path) -> Path:
    run = make_run(folder / "project" / "runs", predictions=True)
    write_words(run, name="mine", note="a note", starred=True)
    about = json.loads((run / "best" / "ftgui.json").read_text(encoding="utf-8"))
    look = {
        "size": 224,
        "resize": 256,
        "interpolation": "bicubic",
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "crop_mode": "center",
    }
    (run / "best" / "ftgui.json").write_text(json.dumps({**about, "preprocessing": look}))
    return run


def json_leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield path
    for key, below in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else []):
        yield from json_leaves(below, (*path, key))


def attacked(value: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return ATTACK
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = attacked(value[path[0]], path[1:])
    return copy


def variants(run: Path) -> Iterator[tuple[str, Replace]]:
    """Name, and what makes one text of the folder the attack."""
    for file in sorted(run.rglob("*")):
        name = file.relative_to(run).as_posix()
        if file.suffix == ".json":
            value = json.loads(file.read_text(encoding="utf-8"))
            for path in json_leaves(value):
                yield (
                    f"{name} {path}",
                    lambda file=file, value=value, path=path: file.write_text(json.dumps(attacked(value, path))),
                )
        elif file.suffix == ".jsonl":
            lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            seen = set()
            for number, line in enumerate(lines):
                for path in json_leaves(line):
                    if (line["kind"], path) not in seen:
                        seen.add((line["kind"], path))
                        changed = [*lines[:number], attacked(line, path), *lines[number + 1 :]]
                        text = "".join(json.dumps(each) + "\n" for each in changed)
                        yield f"{name} {line['kind']} {path}", lambda file=file, text=text: file.write_text(text)
        elif file.suffix == ".csv":
            rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"))))
            for column in range(len(rows[0])):
                for row in (0, 1):
                    changed = [list(each) for each in rows]
                    changed[row][column] = ATTACK
                    out = io.StringIO()
                    csv.writer(out).writerows(changed)
                    yield f"{name} {row} {column}", lambda file=file, out=out: file.write_text(out.getvalue())
        elif file.suffix == ".toml":
            value = msgspec.to_builtins(recipe_file.load(file))
            for path in json_leaves(value):
                content = msgspec.toml.encode(attacked(value, path))
                yield f"{name} {path}", lambda file=file, content=content: file.write_bytes(content)


class Markup(HTMLParser):
    """Tags with the names of their attributes, and where links and sources lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.kinds: set[tuple[str, ...]] = set()
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.kinds.add((tag, *sorted(name for name, _ in attrs)))
        self.targets += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_comment(self, data: str) -> None:
        self.kinds.add(("comment",))


def outputs(run: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str, str]:
    """The report, the card (empty where the folder says too little for one), and what the terminal lists."""
    try:
        text = card(
            read_about(run / "best"),
            recipe_file.load(run / "recipe.toml"),
            Made("t", ["head"], timm=False),
            run_facts(run),
        )
    except (ModelError, RecipeError):
        text = ""
    assert main(["runs", str(run.parent.parent)]) == 0
    return page(gather(run, Job()), Job()), text, "".join(capsys.readouterr())


def steers(text: str) -> list[str]:
    """Signs that a terminal would obey, or that turn the order of reading."""
    return [sign for sign in text if unicodedata.category(sign) in ("Cc", "Cf") and sign != "\n"]


@pytest.mark.slow
def test_every_text_of_a_run_folder_is_only_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, words, listed = outputs(make(tmp_path / "plain"), capsys)
    allowed, headings, safe = Markup(report).kinds, elements(words).count("heading_open"), set(links(words))
    damaged = make(tmp_path / "damaged")
    (damaged / "predictions.csv").write_text("x", encoding="utf-8")
    allowed |= Markup(outputs(damaged, capsys)[0]).kinds  # with its list of what can't be read
    assert len(allowed) > 20 and words and listed
    tried = []
    for number, (name, _) in enumerate(list(variants(make(tmp_path / "count")))):
        run = make(tmp_path / str(number))
        dict(variants(run))[name]()
        report, words, listed = outputs(run, capsys)
        markup = Markup(report)
        assert markup.kinds <= allowed, name
        assert not [target for target in markup.targets if not target.startswith("data:image/")], name
        assert not steers(listed), name
        structure = elements(words)
        assert "html_inline" not in structure and "html_block" not in structure, name
        assert structure.count("heading_open") == headings or not words, name
        assert set(links(words)) <= safe, name
        tried.append(name)
    assert len(tried) > 60, tried


def elements(text: str) -> list[str]:
    reader = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return [
        kind for token in reader.parse(text) for kind in (token.type, *(child.type for child in token.children or []))
    ]


def links(text: str) -> list[str]:
    reader = pytest.importorskip("markdown_it").MarkdownIt("commonmark")
    return [
        str(child.attrs.get("href", ""))
        for token in reader.parse(text)
        for child in token.children or []
        if child.type == "link_open"
    ]
