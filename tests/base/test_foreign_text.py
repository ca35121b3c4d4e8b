"""Text from elsewhere, where it is shown or written: it stays text."""

from __future__ import annotations

import csv
import io
import json
import logging
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftgui.base.foreign_text import (
    LogFormatter,
    TableWriter,
    guarded,
    json_text,
    markdown,
    markdown_code,
    plain_cell,
    visible,
)
from ftgui.base.job import Job
from ftgui.protocol import messages as m
from ftgui.protocol.event_text import ProgressLine
from ftgui.protocol.recipe import Backbone, Dataset, Phase, Recipe
from ftgui.runs.dataset_diff import read_samples, table_of_samples
from ftgui.runs.model_card import Made, PhaseDone, RunFacts, card
from ftgui.runs.model_folder import About
from ftgui.runs.predictions import Predicted, read_predictions, table_of
from ftgui.runs.report.facts import gather
from ftgui.runs.report.report import page
from tests.made_runs import make_run

NASTY = "\x1b[2J<script>alert(1)</script>[x](javascript:alert(1))|`\u202egpj.exe\n=cmd|' /C calc'!A0 https://evil.example & \"'"

UNSEEN = [*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), *"\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u2028"]


# --- terminals and logs ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.text())
def test_nothing_steers_a_terminal(text: str) -> None:
    assert not any(sign in visible(text) for sign in UNSEEN)
    assert not any(sign in json_text({text: text}) for sign in UNSEEN)
    assert json.loads(json_text({text: [text]})) == {text: [text]}


def test_other_writing_is_left_alone() -> None:
    for name in ("Käfer", "كلب", "חתול", "👩‍🔬", "می‌خواهم", "猫 2", "a\\b"):
        assert visible(name) == name


def test_progress_shows_what_a_run_says_as_text() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)
    line.show(m.CommandFailed(1, NASTY))
    line.say(NASTY)
    assert len(stream.getvalue().splitlines()) == 2 and "\x1b" not in stream.getvalue()
    assert "\\x1b[2J" in stream.getvalue() and "\\u202egpj.exe" in stream.getvalue()


def test_a_name_forges_no_log_entry() -> None:
    record = logging.LogRecord(
        "ftgui", logging.INFO, "", 0, "looked at %s", ("a\n2026-01-01 ERROR ftgui: b\x1b[0m",), None
    )
    text = LogFormatter().format(record)
    assert len(text.splitlines()) == 1 and "a\\n2026" in text and "\x1b" not in text


# --- tables ---------------------------------------------------------------------------------------------------------


@given(st.text(alphabet=st.one_of(st.sampled_from("'=+-@\t\r\n\uff1d0.5e,;\""), st.characters(codec="utf-8"))))
def test_cells_come_back(text: str) -> None:
    assert plain_cell(guarded(text)) == text
    if guarded(text)[:1] in ("=", "+", "-", "@", "\t", "\r"):
        float(text)  # raises for what is not a number
    file = io.StringIO(newline="")
    TableWriter(file).row([text, "x"])
    assert plain_cell(next(csv.reader(io.StringIO(file.getvalue(), newline="")))[0]) == text


@pytest.mark.parametrize("number", ["-1", "+3", "-0.5", "1e-3", "-2.5E+7", "0"])
def test_numbers_stay_numbers(number: str) -> None:
    assert guarded(number) == number


@pytest.mark.parametrize(
    "formula", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-1+1", "--1", "＝1"]
)
def test_formulas_are_text(formula: str) -> None:
    assert guarded(formula) == f"'{formula}"


def test_a_runs_tables_are_read_back(tmp_path: Path) -> None:
    rows = [
        ("=a.jpg", "@cat", "train"),
        ("'=b.jpg", "-1", "val"),
        ("'c.jpg", "'", "test"),
        ("d\udc80.jpg", "\t", "train"),
    ]
    content = table_of_samples(rows)
    assert b"\n'=a.jpg,'@cat,train\n''=b.jpg,-1,val\n" in content
    (tmp_path / "samples.csv").write_bytes(content)
    assert [(path, *rest) for path, rest in read_samples(tmp_path).items()] == rows
    said = [Predicted("=a.jpg", "+x", "val", "=1", 0.5, -0.25)]
    assert b"'=a.jpg,'+x,val,'=1,0.50000,-0.25\n" in table_of(said)
    (tmp_path / "predictions.csv").write_bytes(table_of(said))
    assert read_predictions(tmp_path) == said


# --- the card -------------------------------------------------------------------------------------------------------

NAMES = [
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "a|b",
    "# title",
    "- item",
    "1. item",
    "```",
    "a\n\n# b",
    "    c",
    "www.evil.example",
]


def structure(text: str) -> list[str]:
    """What a reader of Markdown makes of a card: every element, in order, without the words."""
    reader = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable(["table", "strikethrough"])
    found = []
    for token in reader.parse(text):
        found += [token.type, *(child.type for child in token.children or [] if child.type not in _WORDS)]
    return found


_WORDS = ("text", "text_special")


def card_of(name: str) -> str:
    about = About(
        backbone=name,
        weights=f"/x/{name.replace('/', '')}",
        class_names=[name, "b"],
        preprocessing={"size": 8, "resize": 8, "interpolation": name, "mean": [name], "std": [0.1]},
        ftgui=name,
        figures={"right": [1, 1], "support": [2, 2], "called": [2, 2]},
    )
    recipe = Recipe(
        dataset=Dataset(folder=f"/x/{name.replace('/', '')}"),
        backbone=Backbone(name=name),
        phases=[Phase(name=name, train=[name], epochs=1, lr=1e-3)],
    )
    facts = RunFacts(
        phases=[PhaseDone(name, [name], name, unchanged=True)],
        run_adjusted=[(1, name)],
        environment={"versions": {name: name}, "device": name},
    )
    return card(about, recipe, Made(name, [name], timm=False), facts)


@pytest.mark.parametrize("name", [*NAMES, NASTY, "@@BUILD@@", "~~x~~", "&lt;b&gt;", "<!--", "$x$"])
def test_a_name_is_no_markup_in_the_card(name: str) -> None:
    assert structure(card_of(name)) == structure(card_of("plain"))
    assert "code_inline" in structure(card_of(name)) and "html_inline" not in structure(card_of(name))


def test_markdown_of_names() -> None:
    assert markdown("a_b-c.1") == "a\\_b-c.1"
    assert markdown("[x](javascript:y)") == "\\[x\\]\\(javascript\\:y\\)"
    assert markdown("# a") == "\\# a" and markdown("- a") == "\\- a" and markdown("12. a") == "12\\. a"
    assert markdown("    a") == "&#32;" * 4 + "a" and markdown("a\nb") == "a\\\\nb"
    assert markdown_code("a`b``c") == "```a`b``c```" and markdown_code("`") == "`` ` ``"


# --- the report -----------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """All that is markup, in order; text is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(
            (tag, [name for name, _ in attrs], [v for k, v in attrs if k in ("src", "href", "style", "class")])
        )

    def handle_endtag(self, tag: str) -> None:
        self.found.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.found.append("comment")


def report_tags(folder: Path, name: str) -> list[object]:
    recipe = Recipe(phases=[Phase(name=name, train=[name], epochs=2, lr=1e-3)], backbone=Backbone(name=name))
    run = make_run(folder, recipe=recipe, classes=(name, f"{name} too"), dataset=f"/nowhere/{name}")
    rows = [
        (f"{c}/{i}.jpg", c, s) for c in (name, f"{name} too") for i, s in enumerate(("train", "train", "val", "val"))
    ]
    (run / "samples.csv").write_bytes(table_of_samples(rows))
    (run / "predictions.csv").write_bytes(table_of(Predicted(p, c, s, name, 0.9, 0.5) for p, c, s in rows))
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line.update({key: name for key in ("name", "text", "frozen_hash") if key in line})
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    environment = {"versions": {name: name}, "platform": name, "device": name, "device_name": name, "commit": name}
    (run / "environment.json").write_bytes(msgspec.json.encode(environment))
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps({**result, "message": name}))
    (run / "note.txt").write_text(name)
    tags = Tags()
    tags.feed(page(gather(run, Job()), Job()))
    return tags.found


def test_a_name_is_no_markup_in_the_report(tmp_path: Path) -> None:
    expected = report_tags(tmp_path / "plain", "plain")
    assert len(expected) > 100
    for number, name in enumerate(
        (NASTY, '"><img src=x onerror=alert(1)>', "' onload='x", "<!--", "</style><script>", "&lt;b")
    ):
        assert report_tags(tmp_path / str(number), name) == expected, name
