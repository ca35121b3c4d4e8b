"""The worker with real processes: crashes, kills and noise become states, never exceptions."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt, QThread, Signal

from ftgui.base import paths
from ftgui.protocol import messages as m
from ftgui.protocol.questions import REFUSAL
from ftgui.protocol.recipe import Recipe
from ftgui.ui.engine_client import engine_end, engine_log, memory_watch, worker
from ftgui.ui.engine_client.memory_watch import MemoryLeft
from ftgui.ui.engine_client.worker import EngineKind, EngineState, EngineWorker

ROOT = Path(__file__).resolve().parents[3]


class Owner(QObject):
    """Runs a worker in its thread as the workspace does."""

    start = Signal()
    send = Signal(object)
    kill = Signal()
    shut_down = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.thread_ = QThread()
        self.worker = EngineWorker()
        self.worker.moveToThread(self.thread_)
        for name in ("start", "send", "kill", "shut_down"):
            getattr(self, name).connect(getattr(self.worker, name))
        self.states: list[EngineState] = []
        self.worker.state_changed.connect(self.states.append, Qt.ConnectionType.QueuedConnection)
        self.thread_.start()

    @property
    def kinds(self) -> list[EngineKind]:
        return [state.kind for state in self.states]


@pytest.fixture
def owner(qapp, monkeypatch, request):
    """The engine is a script of this test (a marker's argument), so that it takes no seconds to start."""
    script = getattr(request, "param", "")
    if script:
        header = "import sys, time, os\nfrom ftgui.protocol import codec, messages as m\nout = sys.stdout.buffer\n"
        ready = "codec.write(out, m.Ready('2', [m.Device(id='cpu', name='CPU', memory=1)], [], 0.1))\n"
        code = header + ready + script
        monkeypatch.setattr(worker, "engine_command", lambda: [sys.executable, "-c", code])
    made = Owner()
    yield made
    made.shut_down.emit()
    assert made.thread_.wait(15_000)


WAIT = "sys.stdin.buffer.read()"


@pytest.mark.parametrize("owner", [WAIT], indirect=True)
def test_start_and_orderly_end(qtbot, owner: Owner) -> None:
    owner.start.emit()
    qtbot.waitUntil(lambda: owner.kinds == [EngineKind.STARTING, EngineKind.READY])
    owner.shut_down.emit()
    assert owner.thread_.wait(10_000)


@pytest.mark.parametrize("owner", ["print('the driver is gone', file=sys.stderr); sys.exit(7)"], indirect=True)
def test_a_crash_has_its_exit_code_and_last_words(qtbot, owner: Owner) -> None:
    owner.start.emit()
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.CRASHED])
    assert (owner.states[-1].exit_code, owner.states[-1].last_words) == (7, "the driver is gone")
    assert "the driver is gone" in (paths.data_dir() / "logs" / "engine.log").read_text(encoding="utf-8")
    owner.start.emit()
    qtbot.waitUntil(lambda: owner.kinds.count(EngineKind.CRASHED) == 2)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("owner", [WAIT], indirect=True)
def test_kill_minus_nine_is_a_crash(qtbot, owner: Owner) -> None:
    owner.start.emit()
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.READY])
    os.kill(owner.worker.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.CRASHED])
    assert owner.states[-1].signal == signal.SIGKILL
    assert "killed from outside" in engine_end.sentence(owner.states[-1])


GB = 2**30


@pytest.mark.parametrize(
    ("memory", "said", "not_said"),
    [
        (MemoryLeft(True, 8 * GB, 16 * GB), "its system ended the engine", "killed from outside"),
        (
            MemoryLeft(False, GB // 2, 16 * GB),
            "most likely because the computer ran out of memory: 0.5 of 16.0 GB",
            "a person",
        ),
        (MemoryLeft(None, GB // 2, 16 * GB), "most likely because the computer ran out of memory", "a person"),
        (MemoryLeft(False, 8 * GB, 16 * GB), "probably not because memory ran out: 8.0 of 16.0 GB", "smaller batch"),
        (MemoryLeft(None, 8 * GB, 16 * GB), "perhaps because the computer ran out of memory (8.0 of 16.0 GB", "likely"),
        (MemoryLeft(), "perhaps because the computer ran out of memory. Close", "GB"),
    ],
)
def test_want_of_memory_is_named_where_it_was_the_reason(memory: MemoryLeft, said: str, not_said: str) -> None:
    killed = EngineState(EngineKind.CRASHED, -1, int(getattr(signal, "SIGKILL", 9)), memory=memory)
    assert said in engine_end.sentence(killed) and not_said not in engine_end.sentence(killed)


def test_the_system_says_whom_it_killed(tmp_path: Path, monkeypatch) -> None:
    """As Linux has it, for a container and for the whole computer."""
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 2\n", encoding="ascii")
    (tmp_path / "vmstat").write_text("pgfree 9\noom_kill 5\n", encoding="ascii")
    (tmp_path / "memory.max").write_text(f"{4 * GB}\n", encoding="ascii")
    (tmp_path / "memory.current").write_text(f"{4 * GB - 1000}\n", encoding="ascii")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 300\n", encoding="ascii")
    monkeypatch.setattr(memory_watch, "_CONTAINER", tmp_path)
    monkeypatch.setattr(memory_watch, "_COUNTERS", (tmp_path / "memory.events", tmp_path / "none", tmp_path / "vmstat"))
    watch = memory_watch.MemoryWatch()
    watch.begin()
    watch.look()
    assert watch.at_the_end() == MemoryLeft(False, 1300, 4 * GB) and watch.at_the_end().was_short
    (tmp_path / "vmstat").write_text("pgfree 9\noom_kill 6\n", encoding="ascii")
    assert watch.at_the_end().killed
    monkeypatch.setattr(memory_watch, "_COUNTERS", (tmp_path / "none",))
    monkeypatch.setattr(memory_watch, "_REMEMBERED", -1.0)
    assert watch.at_the_end() == MemoryLeft(None, 0, 0), "long ago is not the end"


@pytest.mark.parametrize("owner", [WAIT], indirect=True)
def test_our_own_kill_is_not_a_crash(qtbot, owner: Owner) -> None:
    owner.start.emit()
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.READY])
    owner.kill.emit()
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.NOT_STARTED])


@pytest.mark.parametrize("owner", ["out.write(b'Downloading 100%' * 9); out.flush(); " + WAIT], indirect=True)
def test_noise_on_the_pipe_ends_the_engine(qtbot, owner: Owner) -> None:
    owner.start.emit()
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.CRASHED])
    assert "something else wrote" in owner.states[-1].last_words


OTHER = "codec.write(out, m.Ready('2', [m.Device(id='cpu', name='CPU', memory=1)], [], 0.1, 99)); "


@pytest.mark.parametrize("owner", [OTHER + WAIT], indirect=True)
def test_an_engine_of_another_version_is_a_crash_with_words(qtbot, owner: Owner) -> None:
    owner.start.emit()
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.CRASHED])
    assert "speaks protocol 99" in owner.states[-1].last_words


@pytest.mark.parametrize("owner", [WAIT], indirect=True)
def test_a_log_that_can_not_be_written_hides_no_crash(qtbot, owner: Owner) -> None:
    owner.worker.log.path = paths.data_dir() / "logs" / "engine.log"
    (paths.data_dir() / "logs").write_text("a file where the folder should be", encoding="utf-8")
    owner.start.emit()
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.READY])
    os.kill(owner.worker.process_id, getattr(signal, "SIGKILL", signal.SIGTERM))
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.CRASHED])


@pytest.mark.parametrize("owner", ["time.sleep(3600)"], indirect=True)
def test_an_engine_that_does_not_read_never_blocks_the_window(qtbot, owner: Owner, monkeypatch) -> None:
    """Far more than a pipe holds is sent to a process that reads nothing; what would fill the window's memory is refused."""
    owner.start.emit()
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.READY])
    refused: list[m.CommandFailed] = []
    owner.worker.arrived.connect(refused.append)
    monkeypatch.setattr(worker, "MOST_UNREAD", 10_000_000)
    for request in range(20):
        owner.send.emit(m.Predict(request, content=bytes(1_000_000)))
    owner.send.emit(m.Train(99, Recipe(), "", ""))
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.TRAINING])
    assert 5 <= len(refused) < 12 and {one.message for one in refused} == {REFUSAL}
    owner.kill.emit()
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.NOT_STARTED])


def test_commands_to_no_engine_are_answered(qtbot, owner: Owner) -> None:
    failed: list[m.CommandFailed] = []
    owner.worker.arrived.connect(failed.append)
    owner.send.emit(m.Predict(9, path="x"))
    qtbot.waitUntil(lambda: len(failed) == 1)
    assert (failed[0].request, failed[0].message) == (9, "The engine is not running.")


def test_a_program_that_does_not_exist_is_a_crash(qtbot, owner: Owner, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(worker, "engine_command", lambda: [str(tmp_path / "no such program")])
    owner.start.emit()
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.CRASHED])


SILENT = "import sys, time; time.sleep(3600)"


def test_an_engine_that_never_gets_ready_is_given_up(qtbot, owner: Owner, monkeypatch) -> None:
    monkeypatch.setattr(worker, "engine_command", lambda: [sys.executable, "-c", SILENT])
    owner.worker.not_ready.setInterval(200)
    owner.start.emit()
    qtbot.waitUntil(lambda: owner.kinds[-1:] == [EngineKind.CRASHED], timeout=20_000)
    assert "did not answer" in owner.states[-1].last_words
    assert "memory" not in engine_end.sentence(owner.states[-1]), "the window killed it itself"


def test_the_log_is_bounded_while_the_engine_runs(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(engine_log, "LOG_BYTES", 1000)
    log = engine_log.EngineLog(tmp_path / "logs" / "engine.log")
    log.begin()
    for number in range(100):
        log.write(b"%098d\n" % number)
    files = sorted((tmp_path / "logs").iterdir())
    assert [file.name for file in files] == ["engine.log", "engine.log.1"]
    assert sum(file.stat().st_size for file in files) <= 2200
    assert files[0].read_bytes().endswith(b"99\n") or files[1].read_bytes().endswith(b"99\n"), "the newest is kept"
