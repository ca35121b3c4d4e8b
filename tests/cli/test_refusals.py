"""Where the system refuses what a command needs, a sentence says so, and nothing is printed that only a programmer reads."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ftgui.base.files import reason, refusal, temporary_name
from ftgui.cli import terminal
from ftgui.cli.main import main
from ftgui.engine import memory_limits
from tests.conftest import Maker

ROOT = Path(__file__).resolve().parents[2]


def test_what_was_refused_and_why(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as gone:
        (tmp_path / "gone" / "x.txt").open()
    assert refusal(gone.value) == f"{tmp_path / 'gone' / 'x.txt'}: No such file or directory."
    with pytest.raises(FileNotFoundError) as temporary:
        temporary_name(tmp_path / "gone" / "x.txt").open("w")
    assert refusal(temporary.value) == f"{tmp_path / 'gone'}: No such file or directory."
    assert refusal(OSError("it hangs.")) == "it hangs." and reason(ValueError("no figure.")) == "no figure"
    assert reason(OSError(errno.ENOSPC, "No space left on device", "/x")) == "No space left on device"


def test_a_project_that_can_not_be_written(
    make_dataset: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.toml").write_text(
        f'[dataset]\nfolder = "{make_dataset(count=2).as_posix()}"\n', encoding="utf-8"
    )
    (tmp_path / "file").touch()
    assert main(["train", str(tmp_path / "recipe.toml"), "--project", str(tmp_path / "file" / "p")]) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        f"ftgui: The run can't be written to {tmp_path / 'file' / 'p'}: Not a directory. Another folder"
    )


def test_the_programs_own_folder_can_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FTGUI_DATA_DIR", str(tmp_path / "file" / "data"))
    assert main(["sample", "--picture", str(tmp_path / "x.png")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("ftgui: ftgui can't write to its own folder. ") and "Set FTGUI_DATA_DIR" in said
    assert main(["runs"]) == 1
    assert "can't be listed: Not a directory." in capsys.readouterr().err


def test_a_library_that_does_not_load(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise ImportError("libtorch_cpu.so: failed to map segment from shared object")

    monkeypatch.setattr(terminal, "address_space_limit", lambda: None)
    assert terminal.ends_well(work) == 1
    assert capsys.readouterr().err == (
        "ftgui: A library can't be loaded: libtorch_cpu.so: failed to map segment from shared object.\n"
    )
    monkeypatch.setattr(terminal, "address_space_limit", lambda: 2 * 10**9)
    assert terminal.ends_well(work) == 1
    assert "may use 2.0 GB of memory (ulimit -v)" in capsys.readouterr().err


def test_no_more_memory_may_be_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError("could not create a primitive")
    monkeypatch.setattr(memory_limits, "address_space_limit", lambda: None)
    assert not memory_limits.out_of_memory(error)
    monkeypatch.setattr(memory_limits, "address_space_limit", lambda: 4 * 10**9)
    assert memory_limits.out_of_memory(error)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space")
def test_with_too_little_memory_for_torch(make_dataset: Maker, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(
        f'[dataset]\nfolder = "{make_dataset(count=4).as_posix()}"\n', encoding="utf-8"
    )
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (900 << 20, 900 << 20)); "
        "from ftgui.cli.main import main; raise SystemExit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "train", str(tmp_path / "recipe.toml")],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
        env=dict(os.environ, PYTHONPATH=str(ROOT), OPENBLAS_NUM_THREADS="1"),
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "A library can't be loaded: " in done.stderr and "944 MB of memory" in done.stderr
