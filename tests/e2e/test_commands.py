"""`ftgui export`, `predict` and `evaluate`: the same answers and figures as in the window, on stdout; the rest on stderr."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ftgui.cli import main
from ftgui.data import metrics
from ftgui.data.catalog.catalog import Catalog
from ftgui.engine.export import verification
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Phase
from ftgui.runs.model_folder import read_about
from tests.conftest import Maker, picture
from tests.engine.conftest import Engine, engine, train_command

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
__all__ = ["engine", "train_command"]  # fixtures


@pytest.fixture
def run(engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train]) -> m.Train:
    """The command of a run that is over; the engine still holds its model."""
    phases = [Phase(name="All", train=["everything"], epochs=2, lr=3e-3)]
    command = train_command(make_dataset(count=20), phases=phases)
    end = engine.do(command)
    assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
    return command


def result(command: m.Train) -> dict:
    return json.loads(Path(command.run_folder, "result.json").read_text(encoding="utf-8"))["evaluation"]


# --- predict --------------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "ask"
    (folder / "inner").mkdir(parents=True)
    picture((200, 40, 40), 7).save(folder / "a.png")
    picture((40, 60, 200), 8).save(folder / "inner" / "bä.jpg")
    return folder


def test_predict_gives_the_windows_answers(
    engine: Engine, run: m.Train, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["predict", run.run_folder, str(pictures), "--top", "2", "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [Path(row["path"]).name for row in rows] == ["a.png", "bä.jpg"] and "2 images" in err
    assert main.main(["predict", run.run_folder, str(pictures), "--format", "jsonl", "--top", "2"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row, line in zip(rows, lines, strict=True):
        said = engine.do(m.Predict(1, row["path"]))
        assert isinstance(said, m.Prediction)
        expected = dict(zip(said.class_names, said.probabilities, strict=True))
        assert {one["class"]: one["probability"] for one in line["top"]} == pytest.approx(expected, abs=1e-5)
        best = max(expected, key=expected.__getitem__)
        assert row["answer"] == row["class_1"] == line["answer"] == best
        assert float(row["probability"]) == pytest.approx(line["probability"], abs=1e-4)
        assert float(row["probability_2"]) == pytest.approx(min(expected.values()), abs=1e-4)


def test_predict_says_dont_know_and_what_it_cannot_read(
    run: m.Train, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "c.jpg").write_bytes(b"broken")
    model = str(Path(run.run_folder, "best"))
    assert main.main(["predict", model, str(pictures), str(pictures / "gone.png"), "--threshold", "1"]) == 1
    out, err = capsys.readouterr()
    in_order = list(csv.DictReader(io.StringIO(out)))
    rows = {Path(row["path"]).name: row for row in in_order}
    assert list(rows) == ["a.png", "c.jpg", "bä.jpg", "gone.png"]  # as given: what can't be read has its place too
    assert rows["a.png"]["answer"] == rows["bä.jpg"]["answer"] == "don't know"
    assert "not an image" in rows["c.jpg"]["problem"] and "no longer there" in rows["gone.png"]["problem"]
    assert "4 images, 2 of them can't be read" in err
    assert main.main(["predict", model, str(pictures), "--threshold", "7"]) == 1
    assert "from 0 to 1" in capsys.readouterr().err
    assert main.main(["predict", str(pictures), str(pictures)]) == 1
    assert "is not a model made by ftgui" in capsys.readouterr().err


def start(*arguments: object) -> subprocess.Popen[str]:
    # What a shell starts in the background is born deaf to Ctrl-C, and so would be these tests' children.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from ftgui.cli.main import main; raise SystemExit(main())"
    )
    return subprocess.Popen(
        [sys.executable, "-P", "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=dict(os.environ, PYTHONPATH=str(ROOT), PYTHONIOENCODING="utf-8", PYTHONUNBUFFERED=""),
    )


@pytest.mark.timeout(120)
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT to one process, FIFOs")
def test_predict_streams_and_ends_quietly(run: m.Train, pictures: Path) -> None:
    pipe = pictures / "pipe.png"
    os.mkfifo(pipe)  # whoever opens it waits for a writer
    process = start("predict", run.run_folder, pictures / "a.png", pipe)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and "pipe.png" in out.splitlines()[-1] and "not an image file but a pipe" in out
    again = [pictures / "a.png"] * 4000
    process = start("predict", run.run_folder, *again)
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "path,answer,probability,problem\n"
    assert "a.png" in process.stdout.readline() and process.poll() is None  # long before the last is looked at
    process.stdout.close()  # as `head` does
    assert process.stderr.read() == ""
    assert process.wait(60) == 0
    process.stderr.close()
    process = start("predict", run.run_folder, *again)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err == ""


# --- evaluate -------------------------------------------------------------------------------------------------------


def test_evaluate_gives_the_runs_figures(engine: Engine, run: m.Train, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["evaluate", run.run_folder, "--json", "--device", "cpu"]) == 0
    said = json.loads(capsys.readouterr().out)
    known = result(run)
    total, right = sum(map(sum, known["confusion"])), sum(row[at] for at, row in enumerate(known["confusion"]))
    assert (said["images"], said["right"]) == (total, right) and said["accuracy"] == known["accuracy"]
    assert said["interval"] == list(metrics.interval(right, total))
    assert said["calibration_error"] == pytest.approx(known["calibration_error"], abs=1e-6)
    for at, one in enumerate(said["classes"]):
        row = known["confusion"][at]
        assert one["class"] == known["class_names"][at] and one["support"] == sum(row)
        assert one["recall"] == row[at] / sum(row)
    # The window's: what the engine says of every image, through the catalog.
    engine.events.clear()
    engine.do(m.EvaluateImages(5, run.catalog))
    with Catalog(Path(run.catalog)) as catalog:
        for event in engine.of(m.EvaluatedImages):
            catalog.record_answers(zip(event.paths, event.predictions, event.confidences, event.losses, strict=True))
        answers = catalog.answers("val")
    assert answers.confusion().tolist() == known["confusion"]
    error = metrics.calibration_error(metrics.reliability(answers.confidences, answers.right))
    assert said["calibration_error"] == pytest.approx(error, abs=1e-6)
    assert main.main(["evaluate", run.run_folder]) == 0
    text = capsys.readouterr().out
    assert f"accuracy {known['accuracy'] * 100:.1f} % ({right} right; 95 % confidence interval" in text
    assert f"the val images of {Path(run.run_folder).name}: {total} images" in text


def test_evaluate_a_folder(run: m.Train, make_dataset: Maker, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(Path(run.run_folder, "best"))
    other = make_dataset(("red", "green"), 3, splits=("train", "val"), name="other")
    assert main.main(["evaluate", model, str(other), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["images"] == 12 and "6 images of “green”, a class the model does not know" in err
    assert main.main(["evaluate", model, str(other), "--json", "--split", "val"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["images"] == 6 and said["right"] <= 3
    assert [one["support"] for one in said["classes"] if one["class"] in ("green", "red")] == [3, 3]
    assert main.main(["evaluate", model, str(other), "--split", "test"]) == 1
    assert "no images of the split “test”" in capsys.readouterr().err
    packed = shutil.make_archive(str(other.with_name("packed")), "zip", other)
    assert main.main(["evaluate", model, packed, "--json", "--split", "val"]) == 0
    assert json.loads(capsys.readouterr().out) == said | {"images_of": packed}
    assert main.main(["predict", model, packed]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 12
    strange = make_dataset(("green",), 2, name="strange")
    assert main.main(["evaluate", model, str(strange)]) == 1
    assert "no images of the model's classes" in capsys.readouterr().err
    assert main.main(["evaluate", model, str(other), "--split", "dev"]) == 1
    assert "There is no split “dev”" in capsys.readouterr().err


def test_evaluate_without_a_catalog_takes_the_runs_own_list(
    run: m.Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(run.catalog).unlink()
    assert main.main(["evaluate", run.run_folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == result(run)["accuracy"]
    moved = Path(run.run_folder, "best").rename(tmp_path / "alone")
    assert main.main(["evaluate", str(moved)]) == 1
    assert "name a folder of labelled images" in capsys.readouterr().err


# --- export ---------------------------------------------------------------------------------------------------------


def test_export(
    run: m.Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verification, "prove_script", lambda *_: 0.0)
    to = tmp_path / "out"
    assert main.main(["export", run.run_folder, "--to", str(to), "--kinds", "folder,torch", "--threshold", "0.7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (folder,) = to.iterdir()
    assert lines[0].startswith(
        "folder: model.safetensors, ftgui.json, config.json; largest difference in probability on 8 "
    )
    assert "torch: model.pt2;" in lines[1] and "in batches of 1" in lines[1] and "in batches of 7" in lines[1]
    assert lines[2] == f"in {folder}" and read_about(folder).threshold == 0.7
    monkeypatch.setattr(verification, "LIMIT", -1.0)
    assert main.main(["export", run.run_folder, "--to", str(to), "--kinds", "folder"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and "does not answer as ftgui does" in err and list(to.iterdir()) == [folder]
    assert main.main(["export", str(tmp_path / "gone"), "--to", str(to)]) == 1
    assert "does not exist" in capsys.readouterr().err
