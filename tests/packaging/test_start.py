"""The newcomer's script: names what is missing, makes one environment, says so when it can't."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def start() -> ModuleType:
    spec = importlib.util.spec_from_file_location("start", ROOT / "packaging" / "start.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_missing_libraries_are_named_with_the_command(start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    text = start.advice(["libEGL.so.1", "libxcb-cursor.so.0"])
    assert "libEGL.so.1, libxcb-cursor.so.0 are missing" in text
    assert "sudo apt-get install libegl1 libxcb-cursor0" in text
    assert start.advice(["libstrange.so.3"]) == "Qt can't start: libstrange.so.3 is missing."
    monkeypatch.setattr(start.shutil, "which", lambda name: "/usr/bin/dnf" if name == "dnf" else None)
    assert "sudo dnf install mesa-libEGL xcb-util-cursor" in start.advice(["libEGL.so.1", "libxcb-cursor.so.0"])


@pytest.mark.skipif(sys.platform != "linux", reason="ldd")
def test_ldd_finds_what_is_not_there(start, tmp_path: Path) -> None:
    if start.shutil.which("gcc") is None:
        pytest.skip("needs a C compiler to make a library that lacks another")
    (tmp_path / "a.c").write_text("int a(void) { return 1; }", encoding="utf-8")
    for command in (
        ["gcc", "-shared", "-fPIC", "-o", "libgone.so.7", "-Wl,-soname,libgone.so.7", "a.c"],
        ["gcc", "-shared", "-fPIC", "-o", "libuser.so", "a.c", "-Wl,--no-as-needed", "./libgone.so.7"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    (tmp_path / "libgone.so.7").unlink()
    found = start.not_found([tmp_path / "libuser.so"])
    assert [name.removeprefix("./") for name in found] == ["libgone.so.7"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="root")
def test_only_root_on_debian_installs_by_itself(start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(start.os, "geteuid", lambda: 0)
    assert start.can_install(["libEGL.so.1"]) and not start.can_install(["libstrange.so.3"])
    monkeypatch.setattr(start.os, "geteuid", lambda: 1000)
    assert not start.can_install(["libEGL.so.1"])


def test_the_environment_is_made_once_and_again_when_pins_change(start, tmp_path: Path, monkeypatch) -> None:
    made: list[Path] = []

    def make(folder: Path, python: Path, _wanted: list[str]) -> None:
        made.append(folder)
        folder.mkdir(parents=True)
        (folder / start.MARKER).touch()

    monkeypatch.setenv("FTGUI_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(start, "make_environment", make)
    assert start.environment() == start.environment()
    assert len(made) == 1 and made[0].is_relative_to(tmp_path)
    pins = tmp_path / "other.txt"
    pins.write_text("torch==2.11.0\n", encoding="utf-8")
    monkeypatch.setattr(start, "CONSTRAINTS", pins)
    start.environment()
    assert len(set(made)) == 2


def test_a_failed_installation_shows_its_last_words(start, capfd: pytest.CaptureFixture[str]) -> None:
    code = "print('Collecting a'); print('ERROR: no matching distribution'); raise SystemExit(1)"
    with pytest.raises(subprocess.CalledProcessError):
        start.watch([sys.executable, "-c", code], 0.0)
    assert "no matching distribution" in capfd.readouterr().err


def test_progress_names_large_downloads(start, capfd: pytest.CaptureFixture[str]) -> None:
    lines = [
        "Collecting torch",
        "  Downloading torch-2.15.0-cp311-x.whl (902.1 MB)",
        "  Downloading six-1.0.whl (11 kB)",
    ]
    start.watch([sys.executable, "-c", f"print({chr(10).join(lines)!r})"], start.time.monotonic())
    out = capfd.readouterr().out
    assert "downloading torch, 902.1 MB" in out and "six" not in out


def test_old_pythons_and_unknown_words_are_told(start, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(start.sys, "version_info", (3, 10, 1))
    assert start.main([]) == 1
    assert "Python 3.11 or later is needed" in capsys.readouterr().err


def test_pins_exclude_the_broken_qt_and_cover_what_is_asked_for(start) -> None:
    pins = dict(
        line.lower().replace("_", "-").split("==")
        for line in start.CONSTRAINTS.read_text().splitlines()
        if "==" in line
    )
    assert pins["pyside6-essentials"] != "6.12.0"
    for requirement in start.requirements():
        name = start.re.split(r"[<>=!~ ]", requirement)[0].lower()
        assert name in pins, f"{name} has no pin"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert any("!=6.12.0" in line for line in project["dependencies"])


def test_ci_runs_the_readmes_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    command = "python3 packaging/start.py test"
    assert command in script and command in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_installed_wheel_works_outside_the_checkout(tmp_path: Path) -> None:
    """Built with hatchling, unpacked elsewhere: its resources are inside, and the command runs."""
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("ftgui-*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    assert "ftgui/resources/icons/play.svg" in names
    assert not any(name.startswith(("tests/", "packaging/")) for name in names)
    entry = next(name for name in names if name.endswith("entry_points.txt"))
    assert "ftgui = ftgui.cli.main:main" in (site / entry).read_text(encoding="utf-8")
    code = (
        "import ftgui, ftgui.cli.main; from ftgui.base.paths import resource; "
        "print(ftgui.__file__, resource('icons', 'play.svg').is_file())"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(site)!r}); {code}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == [str(site / "ftgui" / "__init__.py"), "True"]


def test_no_icon_is_missing_and_none_is_unused() -> None:

    used = set()
    for path in (ROOT / "ftgui" / "ui").rglob("*.py"):
        used |= set(re.findall(r'"([a-z][a-z0-9-]*)"', path.read_text(encoding="utf-8")))
    shipped = {path.stem for path in (ROOT / "resources" / "icons").glob("*.svg")}
    assert shipped <= used, f"unused: {sorted(shipped - used)}"
