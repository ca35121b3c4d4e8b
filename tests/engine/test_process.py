"""The engine as a process: it starts, speaks only messages on stdout, and never outlives its input."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ftgui.engine import command_queue
from ftgui.protocol import codec
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


class Child:
    """A real engine process, spoken to through its pipes."""

    def __init__(self, code: str = "") -> None:
        start = f"import sys; {code}; from ftgui.engine import process as child; sys.exit(child.main())"
        command = [sys.executable, "-c", start] if code else [sys.executable, "-m", "ftgui", "--engine"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, PYTHONPATH=str(ROOT)),
        )
        self.decoder = codec.event_decoder()
        self.events: list[m.Event] = []

    def send(self, *commands: m.Command) -> None:
        for command in commands:
            codec.write(self.process.stdin, command)

    def wait_for(self, kind: type) -> m.Event:
        while True:
            for event in self.events:
                if isinstance(event, kind):
                    self.events.remove(event)
                    return event
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            assert data, self.process.stderr.read().decode()
            self.events += self.decoder.feed(data)

    def end(self) -> int:
        self.process.stdin.close()
        status = self.process.wait(20)
        self.process.stdout.close()
        self.process.stderr.close()
        return status


def test_it_answers_and_leaves_when_told() -> None:
    """Without Qt, as on a GPU machine; a library's prints do not reach the message pipe, and another protocol is refused
    in words."""
    child = Child(
        "sys.modules['PySide6'] = sys.modules['pyqtgraph'] = None; import ftgui.cli.main, ftgui.protocol.event_text; "
        "from ftgui.engine import devices; "
        "known = devices.available; devices.available = lambda: (print('Downloading…'), known())[1]"
    )
    child.send(
        m.Hello(protocol=99), m.Hello(), m.LoadModel(1, Backbone(weights="none"), ["a", "b"], ["head"], device="cpu")
    )
    ready = child.wait_for(m.Ready)
    assert ready.protocol == m.PROTOCOL_VERSION and ready.devices[-1].id == "cpu"
    assert ready.models[0] == "tf_efficientnet_lite0" and "torchvision/resnet18" in ready.models
    assert "protocol 99" in child.wait_for(m.CommandFailed).message
    assert child.wait_for(m.ModelLoaded).trainable_parameters == 2562
    child.send(m.Shutdown())
    assert child.process.wait(20) == 0
    assert "Downloading" in child.process.stderr.read().decode()
    child.end()


def test_it_leaves_even_while_it_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that never returns: nobody is left to kill the process, so it must end itself."""
    hang = (
        "import time; from ftgui.engine import session; session.Session.handle = lambda self, command: time.sleep(3600)"
    )
    child = Child(f"{hang}; from ftgui.engine import process as child; child.PATIENCE = 0.5")
    child.wait_for(m.Ready)
    child.send(m.Hello())
    time.sleep(0.3)
    started = time.monotonic()
    assert child.end() == 1
    assert time.monotonic() - started < 15


@pytest.mark.skipif(sys.platform == "win32", reason="needs a function of the C library that sleeps")
def test_it_leaves_even_while_a_library_holds_the_interpreter() -> None:
    """No thread of Python's gets to run any more: not the one that reads, and no watchdog that it could start."""
    hang = (
        "import ctypes; from ftgui.engine import session; "
        "session.Session.handle = lambda self, command: ctypes.PyDLL(None).sleep(3600)"
    )
    child = Child(f"{hang}; from ftgui.engine import process as child; child.GUARD_PATIENCE = 0.2")
    child.wait_for(m.Ready)
    child.send(m.Hello())
    time.sleep(0.3)
    assert child.end() == -signal.SIGKILL


def test_it_leaves_when_its_output_is_closed() -> None:
    """By a library that closes what is not its own; the window would wait for ever for an answer."""
    lose = (
        "import os; from ftgui.engine import process as child; claim = child._claim_stdout; "
        "child._claim_stdout = lambda: child.__dict__.setdefault('kept', claim()); "
        "from ftgui.engine import session; handle = session.Session.handle; "
        "session.Session.handle = lambda self, command: (os.close(child.kept.fileno()), handle(self, command))"
    )
    child = Child(lose)
    child.wait_for(m.Ready)
    child.send(m.Predict(1, path="x.jpg"))
    assert child.process.wait(20) == 1
    assert "the output is closed" in child.process.stderr.read().decode()
    child.end()


@pytest.mark.skipif(sys.platform == "win32", reason="niceness and SIGKILL")
def test_it_starts_where_the_priority_is_low_already_and_its_guard_leaves_with_it() -> None:
    child = Child("import os; os.nice(10)")
    assert isinstance(child.wait_for(m.Ready), m.Ready)
    guards = psutil.Process(child.process.pid).children()
    assert any("guard.py" in word for word in guards[0].cmdline())
    child.process.kill()
    child.end()
    psutil.wait_procs(guards, timeout=20)
    assert not [guard for guard in guards if guard.is_running() and guard.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.skipif(sys.platform == "win32", reason="niceness")
def test_it_leaves_when_its_input_closes_and_starts_where_the_priority_is_not_to_be_changed() -> None:
    child = Child(
        "import psutil; error = psutil.AccessDenied(); "
        "psutil.Process.nice = lambda self, *value: (_ for _ in ()).throw(error) if value else 10"
    )
    assert isinstance(child.wait_for(m.Ready), m.Ready)
    assert child.end() == 0


def test_noise_on_its_input_ends_it() -> None:
    child = Child()
    child.wait_for(m.Ready)
    child.process.stdin.write(b"GET / HTTP/1.1\r\n\r\n")
    child.process.stdin.flush()
    assert child.process.wait(20) == 0
    child.end()


def test_questions_that_wait_are_bounded_and_what_stops_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_queue, "MOST_COMMANDS", 3)
    commands = command_queue.CommandQueue()
    taken = [commands.put(m.Predict(number, path="x")) for number in range(5)]
    assert taken == [True, True, True, False, False]
    assert commands.put(m.CancelRequest(1)) and commands.put(m.Shutdown())
    assert [type(commands.get(False)) for _ in range(5)] == [*[m.Predict] * 3, m.CancelRequest, m.Shutdown]
    assert commands.get(False) is None
    monkeypatch.setattr(command_queue, "MOST_OF_ALL", 4)
    for number in range(4):
        assert commands.put(m.CancelRequest(number))
    with pytest.raises(codec.ProtocolError, match="commands wait already"):
        commands.put(m.CancelRequest(5))
    assert commands.put(m.Shutdown()), "the end is always heard"
    assert [type(commands.get(False)) for _ in range(5)] == [*[m.CancelRequest] * 4, m.Shutdown]
    monkeypatch.setattr(command_queue, "MOST_BYTES", 10)
    assert not commands.put(m.Predict(9, content=bytes(11))) and commands.put(m.Predict(9, content=bytes(10)))
    commands.get(True)
    assert commands.put(m.Predict(9, content=bytes(10))), "what was taken out counts no more"
