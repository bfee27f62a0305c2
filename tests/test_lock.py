"""The lock of an output folder: one build at a time, and none is kept out by a build that is dead."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from small import built, recipe, text, write

from pipelines import cli
from pipelines.build import build
from pipelines.folder import lock
from pipelines.folder.layout import LOCK, Folder, to_json
from pipelines.folder.lock import Holder, locked
from pipelines.recipes.recipe import RecipeError
from pipelines.verify import verify

ROOT = Path(__file__).parents[1]
OLD = 1_000_000_000  # a time long ago


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a small text."""
    return write(tmp_path, text(20))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return an output folder that does not exist."""
    return tmp_path / "out"


def leave(out: Path, holder: Holder) -> Path:
    """Leave the lock of a holder."""
    out.mkdir(exist_ok=True)
    (out / LOCK).write_bytes(to_json(asdict(holder)))
    return out / LOCK


@pytest.mark.parametrize("tables", [{}, {"seed": 7}])
def test_a_second_build_says_who_works_there(source: Path, out: Path, tables: dict[str, int]) -> None:
    """Of the same recipe or another, with --overwrite too; nothing is written, and the lock stays."""
    with locked(Folder.at(str(out))):
        before = (out / LOCK).read_bytes()
        for overwrite in (False, True):
            with pytest.raises(RecipeError, match=rf"is being built by process {os.getpid()} on .* since 20.*; wait"):
                build(recipe(source, out, **tables), overwrite=overwrite)
        assert [path.name for path in out.iterdir()] == [LOCK]
        assert (out / LOCK).read_bytes() == before
    assert not (out / LOCK).exists()
    assert built(source, out, **tables).complete
    assert not (out / LOCK).exists()


def test_the_command_says_it_in_a_line(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2; and one line, too, where a dead build is followed."""
    words = ["auxloom", "build", str(source), "--out", str(out), "--with", "masking"]
    monkeypatch.setattr(sys, "argv", words)
    for holder, code in ((Holder.here(), 2), (replace(Holder.here(), born="before"), 0)):
        leave(out, holder)
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert left.value.code == code
        told = capsys.readouterr().err
        wanted = "is being built by process" if code else f"continuing {out.resolve()}, which process"
        assert [wanted in line for line in told.splitlines()].count(True) == 1
        assert "Traceback" not in told


def test_a_killed_build_keeps_nobody_out(source: Path, out: Path) -> None:
    """Its process is gone; who comes next says so and builds."""
    code = (
        "import os, signal\nfrom pipelines.folder.layout import Folder\nfrom pipelines.folder.lock import locked\n"
        f"with locked(Folder.at({str(out)!r})): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    dead = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert dead.returncode == -9
    assert (out / LOCK).exists()
    said: list[str] = []
    assert build(recipe(source, out), say=said.append).complete
    (line,) = said
    assert line.startswith(f"continuing {out.resolve()}, which process ")
    assert line.endswith(" left unfinished")
    assert built(source, out).already


def test_a_lock_that_tells_nothing_is_named(source: Path, out: Path) -> None:
    """Whoever knows that nothing is built there can remove it, and need not wait."""
    out.mkdir()
    (out / LOCK).touch()
    with pytest.raises(
        RecipeError, match=r"an unknown process; .*; if no build is running there, remove its file \.lock$"
    ):
        build(recipe(source, out))


def test_what_an_interrupted_cluster_build_left_in_a_whole_dataset_goes(source: Path, out: Path) -> None:
    """A build that has nothing to do removes it."""
    built(source, out)
    left = [out / ".tmp-stop-auxloom-1", out / "train/.tmp-2"]
    for path in left:
        path.touch()
    assert verify(out) == []
    assert built(source, out).already
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("links", [True, False])
def test_a_lock_appears_with_all_that_it_says(out: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool) -> None:
    """Whoever is interrupted while making it leaves none that tells nothing; some file systems have no links."""
    seen: list[bool] = []
    link = os.link

    def watched(source: Path, target: Path) -> None:
        seen.append(Path(target).exists())
        if not links:
            raise OSError(1, "Operation not permitted")
        link(source, target)

    monkeypatch.setattr(lock.os, "link", watched)
    with locked(Folder.at(str(out))):
        assert seen == [False]
        assert [path.name for path in out.iterdir()] == [LOCK]
        with pytest.raises(RecipeError, match="is being built by process"), locked(Folder.at(str(out))):
            pass


def test_a_process_that_has_ended_but_was_not_asked_for_is_dead() -> None:
    """The system keeps its number until its parent asks."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = replace(Holder.here(), process=child.pid, born=lock._born(child.pid))
    assert not holder.dead
    assert child.stdin is not None
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert holder.dead
    child.wait()
    assert holder.dead


@pytest.mark.parametrize("data", [b"", b"{}", b"[3]", to_json(asdict(replace(Holder.here(), host="elsewhere")))])
def test_of_a_machine_elsewhere_silence_tells(source: Path, out: Path, data: bytes) -> None:
    """Whoever has given no sign of life for ten minutes is taken for dead."""
    out.mkdir()
    (out / LOCK).write_bytes(data)
    with pytest.raises(RecipeError, match="is being built by"):
        built(source, out)
    os.utime(out / LOCK, (OLD, OLD))
    assert built(source, out).complete


def test_a_live_process_here_may_be_silent(source: Path, out: Path) -> None:
    """A machine that slept gives no sign of life, and its processes go on."""
    os.utime(leave(out, Holder.here()), (OLD, OLD))
    with pytest.raises(RecipeError, match="is being built by"):
        built(source, out)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_lock_is_given_back_whatever_happens(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """Ctrl-C too."""

    def fail(*given: object, **more: object) -> None:
        raise error

    monkeypatch.setattr("pipelines.build.inspect", fail)
    with pytest.raises(error):
        built(source, out)
    assert (out / "plan.json").exists()
    assert not (out / LOCK).exists()


def test_a_holder_gives_signs_of_life(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is touched now and then, and not where it became somebody else's."""
    touched = threading.Event()
    utime = os.utime
    monkeypatch.setattr(lock, "_BEAT", 0.001)
    monkeypatch.setattr(lock.os, "utime", lambda path: utime(path) or touched.set())
    with locked(Folder.at(str(out))):
        assert touched.wait(60)
        leave(out, replace(Holder.here(), host="elsewhere"))
    assert (out / LOCK).exists()


def test_in_an_object_store_the_lock_is_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same content, written as a file there is written."""
    monkeypatch.setattr(lock, "_BEAT", 0.001)
    wrote = threading.Event()
    write_file = Folder.write
    monkeypatch.setattr(Folder, "write", lambda self, *given: write_file(self, *given) or wrote.set())
    folder = Folder(pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem()), "out")
    with locked(folder):
        assert json.loads((tmp_path / "out" / LOCK).read_bytes())["process"] == os.getpid()
        wrote.clear()
        assert wrote.wait(60)
        with pytest.raises(RecipeError, match="is being built by"), locked(folder):
            pass
    assert not (tmp_path / "out" / LOCK).exists()


def test_where_nothing_can_be_written_no_lock_is_needed(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A complete dataset on a read-only disk is complete."""
    built(source, out)

    def fail(*given: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(lock, "_take", fail)
    assert built(source, out).already

    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lock, "_take", full)
    with pytest.raises(OSError, match="No space"):
        built(source, out)


def test_systems_that_do_not_tell_when_a_process_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """There a process is alive if there is one of its number."""
    monkeypatch.setattr(lock, "Path", lambda *parts: Path("/nowhere", *(part.lstrip("/") for part in parts)))
    here = Holder.here()
    assert here.born == "alive"
    assert not here.dead
    assert not replace(here, process=1).dead
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert replace(here, process=child.pid).dead
