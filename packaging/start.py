"""The two commands of the README, for a machine that has nothing but CPython 3.11 or later.

    python3 packaging/start.py          open the window on the sample project
    python3 packaging/start.py test     run every check
    python3 packaging/start.py test --quick   the same without the tests that take long, for after each change
    python3 packaging/start.py -- …     anything else ``ftgui`` can do, e.g.  -- train recipe.toml
    python3 packaging/start.py run FILE …   a script of this checkout, e.g.  run tests/bench/bench_start.py

The first run makes an environment in the user's cache, named after the pinned versions, so that it is made once
for all checkouts with the same pins. Standard library only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "packaging" / "constraints.txt"
MARKER = "complete"
MINIMUM = (3, 11)

DEBIAN_PACKAGES = {
    "libEGL.so": "libegl1",
    "libGL.so": "libgl1",
    "libGLX.so": "libglx0",
    "libOpenGL.so": "libopengl0",
    "libxkbcommon.so": "libxkbcommon0",
    "libxkbcommon-x11.so": "libxkbcommon-x11-0",
    "libxcb-cursor.so": "libxcb-cursor0",
    "libxcb-icccm.so": "libxcb-icccm4",
    "libxcb-image.so": "libxcb-image0",
    "libxcb-keysyms.so": "libxcb-keysyms1",
    "libxcb-randr.so": "libxcb-randr0",
    "libxcb-render-util.so": "libxcb-render-util0",
    "libxcb-render.so": "libxcb-render0",
    "libxcb-shape.so": "libxcb-shape0",
    "libxcb-shm.so": "libxcb-shm0",
    "libxcb-sync.so": "libxcb-sync1",
    "libxcb-util.so": "libxcb-util1",
    "libxcb-xfixes.so": "libxcb-xfixes0",
    "libxcb-xkb.so": "libxcb-xkb1",
    "libxcb.so": "libxcb1",
    "libX11-xcb.so": "libx11-xcb1",
    "libX11.so": "libx11-6",
    "libfontconfig.so": "libfontconfig1",
    "libfreetype.so": "libfreetype6",
    "libdbus-1.so": "libdbus-1-3",
    "libglib-2.0.so": "libglib2.0-0",
    "libgthread-2.0.so": "libglib2.0-0",
}
FEDORA_PACKAGES = {
    "libegl1": "mesa-libEGL",
    "libgl1": "mesa-libGL",
    "libxcb-cursor0": "xcb-util-cursor",
    "libxkbcommon0": "libxkbcommon",
    "libxkbcommon-x11-0": "libxkbcommon-x11",
    "libfontconfig1": "fontconfig",
    "libdbus-1-3": "dbus-libs",
    "libglib2.0-0": "glib2",
    "libxcb-icccm4": "xcb-util-wm",
    "libxcb-image0": "xcb-util-image",
    "libxcb-keysyms1": "xcb-util-keysyms",
    "libxcb-render-util0": "xcb-util-renderutil",
}


def say(text: str) -> None:
    print(f"ftgui: {text}", flush=True)


def fail(text: str) -> int:
    print(f"ftgui: {text}", file=sys.stderr, flush=True)
    return 1


def main(arguments: list[str]) -> int:
    if sys.version_info < MINIMUM:
        return fail(f"Python {MINIMUM[0]}.{MINIMUM[1]} or later is needed; this is {platform.python_version()}.")
    try:
        python = environment()
    except subprocess.CalledProcessError as error:
        why = f"The environment could not be created ({error}). The end of pip's output is above."
        return fail(f"{why} Run the same command to try again.")
    if not qt_loads(python):
        return 1
    variables = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    if arguments[:1] == ["test"]:
        return run_checks(python, variables, arguments[1:])
    if arguments[:1] == ["run"] and len(arguments) > 1:
        return subprocess.call([str(python), *arguments[1:]], env=variables)
    if arguments[:1] == ["--"]:
        command = arguments[1:]
    elif arguments:
        return fail(
            f"“{arguments[0]}” is not a command. Use no argument, “test”, “run FILE”, or “-- …” for ftgui's own commands."
        )
    elif has_display():
        command = ["sample"]
    else:
        say("There is no display, so the sample is trained without a window.")
        command = ["sample", "--picture", "ftgui-sample.png"]
    try:
        return subprocess.call([str(python), "-m", "ftgui", *command], env=variables)
    except KeyboardInterrupt:
        return 130  # ftgui got the same Ctrl-C and has said what there is to say


# --- the environment ------------------------------------------------------------------------------------------------


def cache() -> Path:
    if os.environ.get("FTGUI_CACHE_DIR"):
        return Path(os.environ["FTGUI_CACHE_DIR"])
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "ftgui" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "ftgui"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ftgui"


def requirements() -> list[str]:
    """What pyproject.toml asks for, its test extra included: one environment runs the program and its checks."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["test"]]


def environment() -> Path:
    """The environment's python; makes the environment where it is missing."""
    wanted = requirements()
    what = [
        CONSTRAINTS.read_text(encoding="utf-8"),
        *wanted,
        platform.python_version(),
        sys.platform,
        platform.machine(),
    ]
    digest = hashlib.sha256("\n".join(what).encode()).hexdigest()[:16]
    folder = cache() / "venvs" / digest
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if (folder / MARKER).exists():
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        if (folder / MARKER).exists():
            return python
        make_environment(folder, python, wanted)
    return python


def make_environment(folder: Path, python: Path, wanted: list[str]) -> None:
    linux = sys.platform == "linux"
    size, minutes = ("about 6 GB on disk", "3 to 10 minutes") if linux else ("about 2 GB on disk", "2 to 5 minutes")
    say(f"First start: creating an environment with PyTorch and Qt ({size}, usually {minutes}).")
    say(f"It is stored in {folder} and created only once.")
    free = shutil.disk_usage(folder.parent).free
    if free < (8 if linux else 3) * 2**30:
        say(f"Only {free / 2**30:.1f} GB are free there, which may not be enough.")
    started = time.monotonic()
    if folder.exists():
        shutil.rmtree(folder)  # a run that was interrupted left it half made
    if subprocess.call([sys.executable, "-m", "venv", str(folder)]) != 0:
        say("Python could not create a virtual environment. On Debian and Ubuntu:  apt-get install python3-venv")
        raise subprocess.CalledProcessError(1, "python -m venv")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    constraint = ["-c", str(CONSTRAINTS)]
    pinned_pip = [line for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines() if line.startswith("pip==")]
    if pinned_pip:
        watch([*pip, *pinned_pip], started)
    watch([*pip, *constraint, *wanted], started)
    (folder / MARKER).write_text("made by packaging/start.py\n", encoding="utf-8")
    say(f"Environment ready after {duration(time.monotonic() - started)}.")


def watch(command: list[str], started: float) -> None:
    """Run pip and turn its talk into one line per larger download and a sign of life in between."""
    lines: list[str] = []
    collected = 0
    last = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            collected += line.startswith("Collecting ")
            download = re.match(r"\s+Downloading (\S+?)-\d\S* \(([\d.]+) ([kMG]B)\)", line)
            large = bool(download and (download[3] == "GB" or (download[3] == "MB" and float(download[2]) >= 50)))
            elapsed = duration(time.monotonic() - started)
            if download and large:
                say(f"{elapsed}  downloading {download[1]}, {download[2]} {download[3]}")
            elif line.startswith("Installing collected packages"):
                say(f"{elapsed}  installing {line.count(',') + 1} packages; nothing is printed for a minute or two")
            elif time.monotonic() - last > 10:
                say(f"{elapsed}  {collected} {'package' if collected == 1 else 'packages'} found")
            else:
                continue
            last = time.monotonic()
    if process.returncode:
        sys.stderr.write("".join(lines[-25:]))
        raise subprocess.CalledProcessError(process.returncode, "pip install")


def duration(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process makes the environment; the operating system drops the lock if that process dies."""
    with path.open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            while True:
                try:
                    file.seek(0)
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:
                    say("Another ftgui is already creating the environment; waiting for it.")
        else:
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another ftgui is already creating the environment; waiting for it.")
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- Qt's system libraries ------------------------------------------------------------------------------------------


def has_display() -> bool:
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def qt_loads(python: Path) -> bool:
    """Whether Qt finds its system libraries; installs or names the packages that are missing."""
    missing = missing_libraries(python)
    if missing and can_install(missing):
        packages = debian_packages(missing)
        say(f"Qt needs system libraries that are not installed. Installing {' '.join(packages)}.")
        quiet = {"stdout": subprocess.DEVNULL}
        subprocess.call(["apt-get", "update", "-qq"], **quiet)
        subprocess.call(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], **quiet)
        missing = missing_libraries(python)
    if missing:
        fail(advice(missing))
        return False
    return True


def missing_libraries(python: Path) -> list[str]:
    """Names of shared libraries that Qt's modules, and its X11 plugin where there is a display, do not find."""
    load = "from PySide6 import QtCore, QtGui, QtSvg, QtWidgets; print(QtCore.__file__)"
    outcome = subprocess.run(
        [str(python), "-c", load], capture_output=True, text=True, env=dict(os.environ, QT_QPA_PLATFORM="offscreen")
    )
    if sys.platform != "linux":
        return [] if outcome.returncode == 0 else [last_words(outcome.stderr)]
    site = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    qt = Path(site) / "PySide6" / "Qt"
    objects = [
        qt / "lib" / "libQt6Gui.so.6",
        qt / "lib" / "libQt6Widgets.so.6",
        qt / "plugins/platforms/libqoffscreen.so",
    ]
    if os.environ.get("DISPLAY"):
        objects.append(qt / "plugins/platforms/libqxcb.so")
    found = not_found(objects)
    if not found and outcome.returncode != 0:
        match = re.search(r"(lib[\w.+-]+\.so[\w.]*): cannot open", outcome.stderr)
        found = [match[1] if match else last_words(outcome.stderr)]
    return found


def last_words(text: str) -> str:
    return (text.strip().splitlines() or ["a part of Qt (no reason was given)"])[-1]


def not_found(objects: list[Path]) -> list[str]:
    """What `ldd` calls "not found" for these files."""
    if shutil.which("ldd") is None:
        return []
    text = subprocess.run(["ldd", *map(str, objects)], capture_output=True, text=True).stdout
    return sorted(set(re.findall(r"^\s*(\S+) => not found", text, re.MULTILINE)))


def debian_packages(libraries: list[str]) -> list[str]:
    return sorted({DEBIAN_PACKAGES[stem] for stem in map(library_stem, libraries) if stem in DEBIAN_PACKAGES})


def library_stem(library: str) -> str:
    return library.split(".so")[0] + ".so"


def can_install(libraries: list[str]) -> bool:
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return root and shutil.which("apt-get") is not None and bool(debian_packages(libraries))


def advice(libraries: list[str]) -> str:
    """What is missing and the command that installs it, for this system."""
    packages = debian_packages(libraries)
    lines = ["Qt can't start: " + ", ".join(libraries) + (" is" if len(libraries) == 1 else " are") + " missing."]
    if not packages:
        return lines[0]
    if shutil.which("dnf"):
        lines.append("Install with:  sudo dnf install " + " ".join(FEDORA_PACKAGES.get(p, p) for p in packages))
    else:
        lines.append("Install with:  sudo apt-get install " + " ".join(packages))
    return "\n".join(lines)


# --- the checks -----------------------------------------------------------------------------------------------------


MOST_WORKERS = 8
"""Processes that run tests; each holds PyTorch and Qt, about half a gigabyte."""


def run_checks(python: Path, variables: dict[str, str], arguments: list[str]) -> int:
    """Linters, types, import rules, then the tests; all of them, even when one fails.

    Args:
        arguments: ``--quick`` leaves out the tests that take long; anything else is for pytest. Where one of them says
            which tests, they run in one process, so that a debugger and ``-s`` work.
    """
    tools = python.parent
    pytest_arguments = [argument for argument in arguments if argument != "--quick"]
    if not pytest_arguments:
        workers = min(os.cpu_count() or 1, MOST_WORKERS)
        pytest_arguments = ["-n", str(workers), "--dist", "worksteal"]
        # The workers share the cores; a pool of threads in each would only have them wait for one another.
        variables.setdefault("OMP_NUM_THREADS", "1")
    if "--quick" in arguments:
        pytest_arguments += ["-m", "not slow"]
    checks = {
        "ruff": [str(tools / "ruff"), "check", "."],
        "ruff format": [str(tools / "ruff"), "format", "--check", "."],
        "mypy": [str(python), "-m", "mypy"],
        "import rules": [str(tools / "lint-imports")],
        "tests": [str(python), "-m", "pytest", *pytest_arguments],
    }
    variables.setdefault("QT_QPA_PLATFORM", "offscreen")
    failed = []
    for number, (name, command) in enumerate(checks.items(), 1):
        started = time.monotonic()
        say(f"check {number} of {len(checks)}: {name}")
        if subprocess.call(command, cwd=ROOT, env=variables) != 0:
            failed.append(name)
        say(f"{name}: {'FAILED' if name in failed else 'ok'} after {duration(time.monotonic() - started)}")
    if failed:
        return fail(f"failed: {', '.join(failed)}")
    say("every check passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
