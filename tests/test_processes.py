"""One call at a time in a process: the others run in child processes, which are kept, and end with their parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import processes
from pipelines.processes import Child, ChildError, end_children, run_exclusively

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _no_children() -> Iterator[None]:
    """Begin and end without a child process."""
    end_children()
    yield
    end_children()


def pid(folder: Path, calls: int) -> int:
    """Wait until so many calls are under way, and return the process of this one."""
    (folder / f"{os.getpid()}-{threading.get_ident()}").touch()
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < calls and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.getpid()


class Stubborn(Exception):  # noqa: N818  (a test's)
    """An exception that can be pickled, but not read again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def fail(kind: str) -> None:
    """Raise something."""
    if kind == "stubborn":
        raise Stubborn("a", "b")
    raise KeyError(kind)


def talk() -> str:
    """Write to where the answers of a child go, and read from where its calls come from."""
    print("a word of a labeler", flush=True)  # noqa: T201
    os.write(1, b"and another\n")
    return sys.stdin.read()


def die() -> None:
    """End this process as a system does that has no memory left."""
    os.kill(os.getpid(), signal.SIGKILL)


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Return what several calls return that run in threads at once."""
    results: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        try:
            results[place] = calls[place]()
        except Exception as error:  # noqa: BLE001  (it is the result)
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_calls_at_once_run_in_processes_of_their_own(tmp_path: Path) -> None:
    """One of them runs here; the children are kept for the next calls."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    found = set(at_once([lambda: run_exclusively(pid, first, 3)] * 3))
    assert len(found) == 3
    assert os.getpid() in found
    assert set(at_once([lambda: run_exclusively(pid, second, 3)] * 3)) == found


def test_a_call_alone_stays_here(tmp_path: Path) -> None:
    """No child is started where none is needed."""
    assert [run_exclusively(pid, tmp_path, 1) for _ in range(3)] == [os.getpid()] * 3
    assert processes._children == []


def test_a_child_raises_what_its_call_raises() -> None:
    """An exception crosses; one that cannot keeps its words; the child serves on."""
    child = Child()
    with pytest.raises(KeyError, match="lost"):
        child.call(fail, "lost")
    with pytest.raises(RuntimeError, match="Stubborn: ab"):
        child.call(fail, "stubborn")
    assert child.call(len, "abc") == 3
    child.end()


def test_a_child_answers_whatever_its_call_prints(capfd: pytest.CaptureFixture[str]) -> None:
    """Standard output goes to standard error, and standard input is empty."""
    child = Child()
    assert child.call(talk) == ""
    assert child.call(len, "ab") == 2
    child.end()
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "a word of a labeler\nand another\n")


def test_a_child_imports_from_where_its_parent_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that joined the path after the child was started counts, too."""
    child = Child()
    (tmp_path / "late_module.py").write_text("def answer():\n    return 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    from late_module import answer  # type: ignore[import-not-found]

    assert child.call(answer) == 42
    child.end()


def test_a_child_that_is_killed_is_an_error_and_is_replaced(tmp_path: Path) -> None:
    """The call that it was in fails; the next one has a new child."""
    release = threading.Event()

    def busy() -> None:
        run_exclusively(release.wait)

    thread = threading.Thread(target=busy)
    thread.start()
    with pytest.raises(ChildError, match="was ended by signal 9; it may have run out of memory"):
        run_exclusively(die)
    assert run_exclusively(len, "abc") == 3
    assert len(processes._children) == 1
    release.set()
    thread.join()


def test_without_a_child_calls_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be started, calls are made here one after the other."""

    def refuse() -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(processes, "Child", refuse)
    inside: list[int] = []

    def alone() -> int:
        inside.append(1)
        time.sleep(0.01)
        return inside.pop() + len(inside)

    assert at_once([lambda: run_exclusively(alone)] * 4) == [1] * 4


def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    """Neither one without a call nor one in the middle of it."""
    code = (
        "import os, time\n"
        "from pipelines.processes import Child\n"
        "import threading\n"
        "idle, busy = Child(), Child()\n"
        "print(idle.call(os.getpid), busy.call(os.getpid), flush=True)\n"
        "busy.call(time.sleep, 600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    children = [int(number) for number in parent.stdout.readline().split()]
    assert len(children) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 60
    while any(map(_runs, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, children))


def _runs(number: int) -> bool:
    """Return whether there is a process of this number that has not ended."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_children_end_with_their_parent_without_a_word() -> None:
    """At the end of a program, and in the middle of a thread's call, nothing is printed and nothing is left."""
    code = (
        "import os\n"
        "from pipelines.processes import run_exclusively\n"
        "def outer():\n    return run_exclusively(os.getpid)\n"
        "print(run_exclusively(outer), flush=True)\n"
    )
    command = [sys.executable, "-X", "dev", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert not _runs(int(done.stdout))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_has_children_of_its_own(tmp_path: Path) -> None:
    """It leaves those of its parent alone."""
    number = run_exclusively(_nested)
    process = os.fork()
    if not process:
        status = 1
        try:
            status = 0 if run_exclusively(_nested) != number and processes._children else 1
            end_children()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert run_exclusively(_nested) == number


def _nested() -> int:
    """Return the process of a call that finds this one busy."""
    return run_exclusively(os.getpid)
