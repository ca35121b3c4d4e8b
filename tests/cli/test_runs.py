"""`ftgui runs` and `ftgui report`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ftgui.cli.main import main
from ftgui.data.project import Project
from ftgui.runs.notes import write_words
from tests.conftest import Maker
from tests.made_runs import make_run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    make_run(folder / "runs", 1, accuracies=(0.5,))
    write_words(
        make_run(folder / "runs", 2, name="head-last-stage", accuracies=(0.5, 0.875)), name="Best one", starred=True
    )
    make_run(folder / "runs", 3, reason="")
    return folder


def test_the_table(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "runs" / "0001-head" / "samples.csv").unlink()
    assert main(["runs", str(project)]) == 0
    title, header, *rows = capsys.readouterr().out.splitlines()
    assert title == f"{project} · 3 runs"
    assert header.split() == ["run", "name", "accuracy", "model", "classes", "images", "duration", "ended", "started"]
    assert rows[0].split()[:8] == ["1", "head", "50.0", "%", "tf_efficientnet_lite0", "–", "–", "1:05"]
    starred = ["*", "2", "Best", "one", "87.5", "%", "tf_efficientnet_lite0", "2", "8", "1:05", "done"]
    assert rows[1].split()[:11] == starred
    assert rows[2].split()[8:10] == ["crashed", "2023-11-14"]
    assert rows[3] == "run 1: samples.csv is missing, so its images are not known."


def test_for_programs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "runs" / "0003-head" / "metrics.jsonl").unlink()
    assert main(["runs", str(project / "runs"), "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)
    assert [run["number"] for run in runs] == [1, 2, 3]
    assert (runs[1]["best_accuracy"], runs[1]["counts"], runs[1]["seconds"]) == (0.875, {"train": 4, "val": 4}, 65.0)
    assert runs[2]["best_accuracy"] is None and runs[2]["reason"] == ""


def test_here_or_all(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert main(["runs"]) == 0
    assert capsys.readouterr().out.startswith(f"{project} · 3 runs")
    monkeypatch.chdir(tmp_path)
    assert main(["runs"]) == 0
    assert "There are no runs yet" in capsys.readouterr().out
    for name in ("one", "two"):
        make_run(Project.for_dataset(tmp_path / name).runs_folder)
    Project.for_dataset(tmp_path / "three").runs_folder.mkdir()
    assert main(["runs"]) == 0
    said = capsys.readouterr().out
    assert said.count(" · 1 run\n") == 2 and said.count(" run") == 4, "a project without runs is not worth a line"


def test_by_dataset(make_dataset: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = make_dataset()
    assert main(["runs", str(dataset)]) == 1
    assert "neither a project nor a dataset" in capsys.readouterr().err
    assert not list((tmp_path / "ftgui-data").glob("projects/*")), "looking makes no project"
    opened = Project.for_dataset(dataset)
    opened.take_in(dataset)
    make_run(opened.runs_folder)
    assert main(["runs", str(dataset)]) == 0
    assert main(["runs", str(dataset.parent)]) == 0, "a folder that only wraps it"
    assert capsys.readouterr().out.count(f"{opened.folder} · 1 run") == 2
    assert main(["runs", str(tmp_path / "nowhere")]) == 1
    assert f"There is no folder {tmp_path / 'nowhere'}." in capsys.readouterr().err


def test_a_report_by_folder_and_by_number(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert main(["report", "2"]) == 0
    assert capsys.readouterr().out == "run-0002-head-last-stage.html\n"
    assert "Run 2 · Best one" in (project / "run-0002-head-last-stage.html").read_text(encoding="utf-8")
    assert main(["report", str(project / "runs" / "0001-head" / "best"), "-o", str(tmp_path / "x.html")]) == 0
    assert "Run 1 · head" in (tmp_path / "x.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["report", "9"], "There is no run 9 in"),
        (["report", "nowhere"], "There is no run at nowhere."),
        (["report", "."], ". is not a run: a run's folder has a name like 0007-head."),
        (["report", "2", "-o", "runs/0001-head/recipe.toml/x.html"], "can't be written"),
    ],
)
def test_what_can_not_be_reported_is_a_sentence(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(project)
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert sentence in said.err and said.out == ""


@pytest.mark.filterwarnings("ignore")  # TensorBoard's own
def test_tensorboard_files(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(project), "--tensorboard", str(tmp_path / "tb")]) == 0
    assert f"3 runs written. Look at them with: tensorboard --logdir {tmp_path / 'tb'}" in capsys.readouterr().out
    assert len(list((tmp_path / "tb").glob("000?-*/events.out.tfevents.*"))) == 3


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["runs", "PROJECT", "--json"], ["report", "PROJECT/runs/0002-head-last-stage"]])
def test_neither_torch_nor_qt_is_imported(project: Path, tmp_path: Path, arguments: list[str]) -> None:
    given = [word.replace("PROJECT", str(project)) for word in arguments]
    code = (
        f"import sys; from ftgui.cli.main import main; status = main({given!r}); "
        "sys.exit(status or sum(name in sys.modules for name in ('torch', 'PySide6', 'timm', 'tensorboard')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_whoever_reads_may_have_had_enough(project: Path) -> None:
    for number in range(10, 200):
        make_run(project / "runs", number)
    code = f"from ftgui.cli.main import main; raise SystemExit(main(['runs', {str(project)!r}, '--json']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait(30) == 0
    process.stderr.close()
