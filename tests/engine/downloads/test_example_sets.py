"""Example sets come over a bad network whole, or not at all. Their servers are played by one on this machine, with tiny
sets that are laid out like the real ones."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from PIL import Image
from torchvision import datasets
from torchvision.datasets import utils

from ftgui.base.job import Job
from ftgui.cli import main
from ftgui.data import example_sets
from ftgui.data.example_sets import EXAMPLE_SETS, find
from ftgui.data.project import Project
from ftgui.engine.downloads import downloader
from ftgui.engine.downloads import example_sets as examples
from ftgui.engine.downloads.downloader import Settings
from ftgui.engine.errors import EngineError
from ftgui.protocol import messages as m
from tests.conftest import Maker
from tests.engine.conftest import TINY, Engine
from tests.engine.mirror import Mirror
from tests.engine.tiny_sets import TEXTURES, TINY_SETS, TinySet, image, tarred, textures

NOISE = 3_000_000


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture(autouse=True)
def every_server_is_the_mirror(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever host an address names, the mirror is asked for its path."""
    really = downloader._open

    def redirected(url: str, start: int, headers: dict[str, str]) -> object:
        return really(mirror.address + urllib.parse.urlparse(url).path, start, headers)

    monkeypatch.setattr(downloader, "_open", redirected)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


def serve(mirror: Mirror, tiny: TinySet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a tiny set on the mirror; its checksums are right for torchvision."""
    mirror.files |= tiny.files
    sums = {Path(path).name: md5(content) for path, content in tiny.files.items()}

    def known(name: str, theirs: str) -> str:
        return sums.get(name, theirs)

    flowers = {key: (name, known(name, theirs)) for key, (name, theirs) in datasets.Flowers102._file_dict.items()}
    monkeypatch.setattr(datasets.Flowers102, "_file_dict", flowers)
    pets = tuple((url, known(Path(url).name, theirs)) for url, theirs in datasets.OxfordIIITPet._RESOURCES)
    monkeypatch.setattr(datasets.OxfordIIITPet, "_RESOURCES", pets)
    archives = {
        size: (url, known(Path(url).name, theirs)) for size, (url, theirs) in datasets.Imagenette._ARCHIVES.items()
    }
    monkeypatch.setattr(datasets.Imagenette, "_ARCHIVES", archives)
    monkeypatch.setattr(datasets.DTD, "_MD5", known("dtd-r1.0.1.tar.gz", datasets.DTD._MD5))
    monkeypatch.setattr(datasets.Food101, "_MD5", known("food-101.tar.gz", datasets.Food101._MD5))
    houses = {
        split: [url, name, known(name, theirs)] for split, (url, name, theirs) in datasets.SVHN.split_list.items()
    }
    monkeypatch.setattr(datasets.SVHN, "split_list", houses)
    for kind in (datasets.MNIST, datasets.FashionMNIST, datasets.KMNIST):
        monkeypatch.setattr(kind, "resources", [(name, known(name, theirs)) for name, theirs in kind.resources])


def quiet(_what: str, _done: int, _total: int, _unit: str) -> None:
    pass


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def left_over() -> set[str]:
    """What lies where example sets do, complete sets aside."""
    base = example_sets.base()
    return {path.name for path in base.iterdir()} - {known.name for known in EXAMPLE_SETS} if base.is_dir() else set()


@pytest.fixture
def noisy(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> TinySet:
    """Textures whose download takes some time, on the mirror."""
    tiny = textures(NOISE)
    serve(mirror, tiny, monkeypatch)
    return tiny


# --- each set -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [known.name for known in EXAMPLE_SETS])
def test_a_set_comes_out_as_a_tree_of_classes(name: str, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = TINY_SETS[name]()
    serve(mirror, tiny, monkeypatch)
    if name in ("EuroSAT", "GTSRB"):  # their checksums stand in the middle of functions
        monkeypatch.setattr(downloader, "_digest", lambda _path, _kind: "right")
        really = downloader._is_right
        monkeypatch.setattr(
            downloader, "_is_right", lambda path, source: really(path, downloader._Source(source.url, md5="right"))
        )

    def forbidden(*_args: object, **_more: object) -> None:
        raise AssertionError("not in this way")

    for owner, function in (
        (utils, "_urlretrieve"),
        (utils, "_get_redirect_url"),
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
    ):
        monkeypatch.setattr(owner, function, forbidden)
    folder = examples.prepare(name, Settings(), quiet)
    assert folder == find(name).folder
    found = tree(folder)
    assert tiny.tree.keys() <= found and len(found) == len(tiny.tree) + tiny.others
    for path, content in tiny.tree.items():
        if isinstance(content, bytes):
            assert (folder / path).read_bytes() == content, path
        else:
            with Image.open(folder / path) as opened:
                assert opened.format == "PNG" and np.array_equal(np.asarray(opened), content), path
    assert sorted(path for _, path, _ in mirror.asked) == sorted(tiny.files), "each file once"
    assert left_over() <= {"downloads"} and not any((example_sets.base() / "downloads").iterdir())


def test_what_is_listed_can_be_made() -> None:
    names = [known.name for known in EXAMPLE_SETS]
    assert names == list(examples.READERS) and set(names) == TINY_SETS.keys()
    assert all(hasattr(datasets, name) for name in names)
    assert len(examples.SIGNS) == find("gtsrb").classes
    for known in EXAMPLE_SETS:
        classes = getattr(getattr(datasets, known.name), "classes", None)
        assert classes is None or len(classes) == known.classes, known.name


def test_the_splits_are_those_of_the_set(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(mirror, TINY_SETS["Flowers102"](), monkeypatch)
    folder = examples.prepare("flowers102", Settings(), quiet)
    project = Project.for_dataset(folder)
    project.take_in(folder)
    with project.catalog() as catalog:
        contents = catalog.contents()
    assert contents.split_from_folders
    assert contents.counts["pink primrose"] == {"train": 2, "val": 1, "test": 1}
    assert contents.counts["pink-yellow dahlia_"] == {"train": 1, "val": 1, "test": 2}


# --- a bad network --------------------------------------------------------------------------------------------------


def test_progress_is_in_bytes_then_in_files(engine: Engine, noisy: TinySet) -> None:
    ready = engine.do(m.DownloadExampleSet(7, "DTD"))
    assert ready == m.ExampleSetReady(7, "DTD", str(find("DTD").folder))
    coming = [event for event in engine.of(m.Progress) if event.unit == "bytes" and event.total]
    size = len(noisy.files[TEXTURES])
    assert len(coming) > 5 and coming[-1].done == size and {event.total for event in coming} == {size}
    assert [event.done for event in coming] == sorted(event.done for event in coming)
    assert coming[0].what == "downloading Describable Textures"
    after = [event for event in engine.of(m.Progress) if event.unit != "bytes"]
    assert {event.what for event in after} == {"unpacking Describable Textures", "sorting Describable Textures"}
    assert {event.unit for event in after} == {"files"}


def test_several_files_are_numbered(engine: Engine, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(mirror, TINY_SETS["OxfordIIITPet"](), monkeypatch)
    assert isinstance(engine.do(m.DownloadExampleSet(7, "OxfordIIITPet")), m.ExampleSetReady)
    said = dict.fromkeys(event.what for event in engine.of(m.Progress) if event.unit == "bytes" and event.total)
    assert list(said) == ["downloading Oxford-IIIT Pets", "downloading Oxford-IIIT Pets, file 2"]


def test_stop_cancels_and_the_next_time_goes_on(engine: Engine, mirror: Mirror, noisy: TinySet) -> None:
    def stop_in_the_middle(event: m.Event) -> None:
        if isinstance(event, m.Progress) and event.done > 500_000:
            engine.queue, engine.on_event = [m.CancelRequest(7)], lambda _event: None

    engine.on_event = stop_in_the_middle
    failed = engine.do(m.DownloadExampleSet(7, "DTD"))
    assert isinstance(failed, m.CommandFailed) and failed.request == 7
    assert failed.message == "DTD was cancelled. What has been downloaded is kept, so that it can be resumed."
    assert not find("DTD").is_here and left_over() == {"downloads"}
    (part,) = (example_sets.base() / "downloads" / "DTD").iterdir()
    there = part.stat().st_size
    assert part.suffix == ".part" and 0 < there < len(noisy.files[TEXTURES])
    engine.do(m.DownloadExampleSet(8, "DTD"))
    assert mirror.asked[-1][2] == f"bytes={there}-"
    assert tree(find("DTD").folder) == noisy.tree.keys()


def told_of_each(what: str, report: examples.Report) -> Job:
    """Instead of ten times a second."""
    return Job(lambda done, total: report(what, done, total, "files"), interval=0.0)


@pytest.mark.parametrize("stage", ["unpacking", "sorting"])
def test_cancelling_later_leaves_no_half_set(
    stage: str, mirror: Mirror, noisy: TinySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(what: str, done: int, _total: int, _unit: str) -> None:
        if what.startswith(stage) and done == 3:
            raise downloader.DownloadCancelled("enough")

    monkeypatch.setattr(examples, "_job", told_of_each)
    with pytest.raises(EngineError, match="enough"):
        examples.prepare("DTD", Settings(), stop)
    assert not find("DTD").is_here and left_over() == {"downloads"}
    asked = len(mirror.asked)
    examples.prepare("DTD", Settings(offline=True), quiet)
    assert len(mirror.asked) == asked, "what was downloaded was kept"
    assert tree(find("DTD").folder) == noisy.tree.keys()


def test_a_cut_connection_goes_on_where_it_ended(mirror: Mirror, noisy: TinySet) -> None:
    mirror.cut_after = [1_000_000, 500_000]
    folder = examples.prepare("DTD", Settings(), quiet)
    assert [wanted for _, _, wanted in mirror.asked] == ["", "bytes=1000000-", "bytes=1500000-"]
    assert tree(folder) == noisy.tree.keys()


def test_a_wrong_checksum_is_deleted_and_said(mirror: Mirror, noisy: TinySet) -> None:
    mirror.files[TEXTURES] = noisy.files[TEXTURES][:-1] + b"?"
    with pytest.raises(EngineError, match=r"downloaded images of “Describable Textures” .*checksum is wrong.*deleted"):
        examples.prepare("DTD", Settings(), quiet)
    assert not find("DTD").is_here and not list((example_sets.base() / "downloads" / "DTD").iterdir())


def test_offline_asks_nobody_and_says_what_to_do(engine: Engine, mirror: Mirror, noisy: TinySet) -> None:
    engine.session.handle(m.Configure(offline=True))
    failed = engine.do(m.DownloadExampleSet(7, "DTD"))
    assert isinstance(failed, m.CommandFailed)
    assert failed.message == (
        "The images of “Describable Textures” are not on this computer, and ftgui is set to never use the network. Allow "
        "downloads under “Downloads…” in the list of example sets, or open a folder of your own images."
    )
    assert mirror.asked == [] and not find("DTD").is_here


def test_without_a_network_that_is_said(noisy: TinySet, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_args: object) -> None:
        raise urllib.error.URLError(socket.gaierror(-3, "Temporary failure in name resolution"))

    monkeypatch.setattr(downloader, "_open", no_network)
    for name in ("DTD", "MNIST"):  # the second's class catches what the first's lets through
        with pytest.raises(
            EngineError, match=r"^The images of .* could not be downloaded\. Connect to the network once"
        ):
            examples.prepare(name, Settings(), quiet)


def test_a_refusal_names_the_server(mirror: Mirror) -> None:
    with pytest.raises(EngineError, match=r"www\.robots\.ox\.ac\.uk refused to provide the images of .* \(404 "):
        examples.prepare("DTD", Settings(), quiet)


def test_a_second_address_is_tried(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = TINY_SETS["MNIST"]()
    serve(mirror, tiny, monkeypatch)
    mirror.files = {path.replace("/mnist/", "/exdb/mnist/"): content for path, content in mirror.files.items()}
    assert tree(examples.prepare("MNIST", Settings(), quiet)) == tiny.tree.keys()


def test_a_mirror_of_the_hub_gives_its_sets(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(url: str, _start: int, _headers: dict[str, str]) -> None:
        asked.append(url)
        raise ConnectionRefusedError

    monkeypatch.setattr(downloader, "_open", refuse)
    with pytest.raises(EngineError):
        examples.prepare("EuroSAT", Settings(hub_mirror="https://hub.example/"), quiet)
    assert asked and all(url.startswith("https://hub.example/datasets/torchgeo/") for url in asked)


# --- complete or absent ---------------------------------------------------------------------------------------------


def test_what_is_there_needs_no_network(engine: Engine, mirror: Mirror, noisy: TinySet) -> None:
    engine.do(m.DownloadExampleSet(7, "DTD"))
    mirror.asked.clear()
    engine.session.handle(m.Configure(offline=True))
    assert engine.do(m.DownloadExampleSet(8, "DTD")) == m.ExampleSetReady(8, "DTD", str(find("DTD").folder))
    assert mirror.asked == []


KILLED = """
    import sys, time
    from ftgui.base.job import Job
    from ftgui.engine.downloads import downloader as downloads; from ftgui.engine.downloads import example_sets as examples
    from torchvision import datasets

    address, datasets.DTD._MD5 = sys.argv[1:]
    really = downloads._open
    downloads._open = lambda url, start, headers: really(address + "/" + url.split("/", 3)[3], start, headers)

    examples._job = lambda what, report: Job(lambda done, total: report(what, done, total, "files"), interval=0.0)

    def report(what, done, total, unit):
        if what.startswith("sorting") and done == 3:
            print("now", flush=True)
            time.sleep(60)

    examples.prepare("DTD", downloads.Settings(), report)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_in_the_middle_there_is_no_set_and_the_next_time_makes_it(mirror: Mirror, noisy: TinySet) -> None:
    script = [sys.executable, "-c", textwrap.dedent(KILLED), mirror.address, md5(noisy.files[TEXTURES])]
    with subprocess.Popen(script, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"now\n"
        process.send_signal(signal.SIGKILL)
    assert not find("DTD").is_here and any(name.startswith(".scratch.") for name in left_over())
    asked = len(mirror.asked)
    assert tree(examples.prepare("DTD", Settings(), quiet)) == noisy.tree.keys()
    assert len(mirror.asked) == asked and left_over() == {"downloads"}


def test_an_archive_that_leads_elsewhere_is_not_unpacked(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(mirror, TinySet({TEXTURES: tarred({"../../../outside.jpg": image(1)})}), monkeypatch)
    with pytest.raises(EngineError, match="would write outside its folder"):
        examples.prepare("DTD", Settings(), quiet)
    assert not list(example_sets.base().rglob("outside.jpg")) and left_over() == {"downloads"}


def test_a_set_that_is_otherwise_than_torchvision_knows_is_said(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(mirror, TinySet({TEXTURES: tarred({"somewhere/else.jpg": image(1)})}), monkeypatch)
    with pytest.raises(EngineError, match=r"Describable Textures is not what torchvision .* expects"):
        examples.prepare("DTD", Settings(), quiet)
    assert not find("DTD").is_here and left_over() == {"downloads"}


def test_torchvision_has_its_own_helpers_back(mirror: Mirror, noisy: TinySet) -> None:
    before = datasets.dtd.download_and_extract_archive
    mirror.status = 503
    with pytest.raises(EngineError):
        examples.prepare("DTD", Settings(), quiet)
    assert datasets.dtd.download_and_extract_archive is before is utils.download_and_extract_archive


# --- beside other work ----------------------------------------------------------------------------------------------


def test_other_commands_need_not_wait(
    engine: Engine, noisy: TinySet, make_dataset: Maker, train_command: Callable[..., m.Train]
) -> None:
    """A model is loaded and trained in the middle of a download, which then goes on."""
    engine.queue = [m.LoadModel(1, TINY, ["a", "b"], ["head"], device="cpu"), train_command(make_dataset())]
    engine.do(m.DownloadExampleSet(7, "DTD"))
    kinds = [type(event) for event in engine.events]
    order = [kinds.index(kind) for kind in (m.ModelLoaded, m.TrainingFinished, m.ExampleSetReady)]
    assert order == sorted(order) and not engine.of(m.CommandFailed)
    assert engine.of(m.TrainingFinished)[0].reason == "done"
    units = [event.unit for event in engine.events[order[1] :] if isinstance(event, m.Progress)]
    assert "bytes" in units, "it was in the middle"


@pytest.mark.timeout(25)
def test_a_silent_server_keeps_nobody_waiting(
    engine: Engine, mirror: Mirror, noisy: TinySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing for longer than this test may take; meanwhile a model is loaded, and then it is cancelled."""
    monkeypatch.setattr(downloader, "TIMEOUT", 60.0)
    mirror.hold_after = 1_000_000

    said: list[int] = []

    def when_it_is_silent(event: m.Event) -> None:
        said.append(event.done if isinstance(event, m.Progress) else 0)
        if said[-2:] == [1_000_000, 1_000_000]:  # nothing came since it was last said
            engine.on_event = lambda _event: None
            engine.queue = [m.LoadModel(1, TINY, ["a", "b"], ["head"], device="cpu"), m.CancelRequest(7)]

    engine.on_event = when_it_is_silent
    failed = engine.do(m.DownloadExampleSet(7, "DTD"))
    assert [event.request for event in engine.of(m.ModelLoaded)] == [1]
    assert isinstance(failed, m.CommandFailed) and "was cancelled" in failed.message


def test_one_at_a_time(engine: Engine, noisy: TinySet) -> None:
    engine.queue = [m.DownloadExampleSet(8, "MNIST")]
    engine.do(m.DownloadExampleSet(7, "DTD"))
    (failed,) = engine.of(m.CommandFailed)
    assert failed.request == 8 and failed.message.startswith("DTD is still being prepared.")
    assert engine.of(m.ExampleSetReady)[0].request == 7


def test_not_while_training(
    engine: Engine, mirror: Mirror, make_dataset: Maker, train_command: Callable[..., m.Train]
) -> None:
    engine.queue = [m.DownloadExampleSet(8, "DTD")]
    engine.do(train_command(make_dataset()))
    (failed,) = engine.of(m.CommandFailed)
    assert failed == m.CommandFailed(8, "Training is in progress; stop it first.")
    assert mirror.asked == []


def test_shutdown_ends_it(engine: Engine, noisy: TinySet) -> None:
    engine.queue = [m.Shutdown(), m.DownloadExampleSet(8, "MNIST")]
    engine.do(m.DownloadExampleSet(7, "DTD"))
    assert engine.session.shutting_down and engine.queue and not find("DTD").is_here


# --- without a window -----------------------------------------------------------------------------------------------


@pytest.fixture
def handler_back() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str], noisy: TinySet) -> None:
    examples.prepare("DTD", Settings(), quiet)
    assert main.main(["example"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(EXAMPLE_SETS)
    assert lines[0].startswith("Flowers102") and "102 classes" in lines[0] and "345 MB" in lines[0]
    assert [line.split()[0] for line in lines if " here " in line] == ["DTD"]


def test_the_command_makes_one_and_copies_it(
    capsys: pytest.CaptureFixture[str], noisy: TinySet, tmp_path: Path
) -> None:
    target = tmp_path / "mine" / "textures"
    assert main.main(["example", "dtd", str(target)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"DTD is in {target}"
    assert tree(target) == tree(find("DTD").folder) == noisy.tree.keys()
    assert {path.name for path in target.parent.iterdir()} == {"textures"}
    assert main.main(["example", "dtd", str(target)]) == 1
    assert "already exists and is not empty" in capsys.readouterr().out
    assert tree(target) == noisy.tree.keys()


def test_the_command_says_what_it_does_not_know(capsys: pytest.CaptureFixture[str], mirror: Mirror) -> None:
    assert main.main(["example", "CIFAR10"]) == 1
    assert "There is no example set “CIFAR10”" in capsys.readouterr().err
    assert mirror.asked == []


def test_ctrl_c_ends_the_command_in_good_order(
    capsys: pytest.CaptureFixture[str], noisy: TinySet, monkeypatch: pytest.MonkeyPatch, handler_back: None
) -> None:
    really = downloader._open

    def interrupted(url: str, start: int, headers: dict[str, str]) -> object:
        signal.raise_signal(signal.SIGINT)
        return really(url, start, headers)

    monkeypatch.setattr(downloader, "_open", interrupted)
    assert main.main(["example", "DTD"]) == 130
    said = capsys.readouterr()
    assert "what is downloaded is kept" in said.err and "DTD was cancelled" in said.out
    assert not find("DTD").is_here
