"""One unit at a time in each process: a unit that finds its process busy is made in a child process.

Engines run several units at once in threads of one process: Dask by default, Flink where a task manager has several
slots. What makes a unit fast (a vocabulary that grows, spaCy's memory zones, caches of labelers) serves one thread at a
time, and the interpreter's lock would let the threads only wait for each other. So the first unit stays here, each
further one goes to a child process, and nothing that changes is ever used by two units at once.
"""

import atexit
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NoReturn, TypeVar

__all__ = ["Child", "ChildError", "at_end", "end_children", "end_when_asked", "end_with", "run_exclusively", "serve"]

_T = TypeVar("_T")

_SERVE = "import sys; sys.path[:] = {path!r}; from pipelines.processes import serve; serve({parent})"
_POLL = 0.5  # seconds between two looks at whether the parent still runs
_PATIENCE = 5.0  # seconds that a child, and last acts, have to end by themselves

_here = threading.Lock()  # held by the thread whose call runs in this process
_guard = threading.Lock()  # of the two lists below
_children: list["Child"] = []  # all that were started and not ended
_idle: list["Child"] = []  # those of them without a call
_last_lock = threading.Lock()  # held for good by the thread that ends this process
_last_acts: list[Callable[[], None]] = []


class ChildError(RuntimeError):
    """A child process that ended in the middle of a call."""


def run_exclusively(function: Callable[..., _T], *arguments: Any) -> _T:
    """Call a function while no other call of this kind runs in the same process.

    The call is made here where this process is free, else in a child process, which is kept for later calls and ends
    with this process. Where no child can be started, the call waits for its turn here.

    Args:
        function: can be pickled; it may run in a child, and so must not rely on what was changed in this process.
        arguments: objects that can be pickled.

    Raises:
        ChildError: the child process ended in the middle of the call, as one does that is killed for its memory.
        Exception: what the function raised.

    Example:
        >>> run_exclusively(max, 3, 4)
        4
    """
    if not _here.acquire(blocking=False):
        try:
            child = _take()
        except OSError:  # no further process can be had
            _here.acquire()
        else:
            return _call(child, function, *arguments)
    try:
        return function(*arguments)
    finally:
        _here.release()


def _take() -> "Child":
    """Return a child without a call, a new one if there is none."""
    with _guard:
        if _idle:
            return _idle.pop()
    child = Child()
    with _guard:
        _children.append(child)
    return child


def _call(child: "Child", function: Callable[..., _T], *arguments: Any) -> _T:
    """Call a function in a child that was taken, and give the child back if it can serve on."""
    try:
        return child.call(function, *arguments)
    finally:
        with _guard:
            if not child.serves and child in _children:
                _children.remove(child)
            elif child in _children:  # `end_children` may have been here
                _idle.append(child)


def end_children() -> None:
    """End all child processes of this one, whatever they are doing."""
    with _guard:
        ended = [*_children]
        _children.clear()
        _idle.clear()
    for child in ended:
        child.end()


def _forget() -> None:
    """Leave the children to the process that was forked; a call that it was in goes on there alone."""
    global _guard, _last_lock  # another thread may have held them
    _guard, _last_lock = threading.Lock(), threading.Lock()
    _last_acts.clear()
    for child in _children:
        child.disown()
    _children.clear()
    _idle.clear()


atexit.register(end_children)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class Child:
    """A new Python process that calls functions for this one, one at a time, and ends with it.

    It imports from where this process does at the time of a call. What it writes to standard output goes to standard
    error.

    Example:
        >>> child = Child()
        >>> child.call(max, 3, 4)
        4
        >>> child.end()
    """

    def __init__(self) -> None:
        """Start the process.

        Raises:
            OSError: it cannot be started.
        """
        code = _SERVE.format(path=sys.path, parent=os.getpid())
        command = [sys.executable, "-P", "-c", code]
        # in a session of its own no Ctrl-C reaches it: this process decides
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True)
        self.serves = True
        """Whether it may be given another call."""

    def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Return what a function returns in the child, or raise what it raises there; see `run_exclusively`."""
        calls, answers = self._pipes()
        data = pickle.dumps((function, arguments))
        self.serves = False  # until it has answered
        try:
            pickle.dump((sys.path, data), calls)
            calls.flush()
            value, error = pickle.loads(pickle.load(answers))  # noqa: S301  (of our own child)
        except (EOFError, OSError, pickle.UnpicklingError):
            self.end()
            raise ChildError(_ending(self._process.returncode)) from None
        self.serves = True
        if error is not None:
            raise error
        result: _T = value
        return result

    def end(self) -> None:
        """End the process: at once where it has no call, else by a signal, and if it does not answer by force."""
        for pipe in self._pipes():
            with contextlib.suppress(OSError):
                pipe.close()
        if not self.serves:
            self._process.terminate()
        self.serves = False
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def disown(self) -> None:
        """Close what this forked process holds of another one's child."""
        for pipe in self._pipes():
            os.close(pipe.fileno())
        self._process.returncode = 0  # it is not ours to wait for

    def _pipes(self) -> tuple[Any, Any]:
        """Return where calls are written and answers read."""
        return self._process.stdin, self._process.stdout


def _ending(code: int) -> str:
    """Say how a process ended."""
    cause = f"was ended by signal {-code}" if code < 0 else f"exited with code {code}"
    hint = "; it may have run out of memory" if code == -signal.SIGKILL else ""
    return f"its child process {cause}{hint}"


def serve(parent: int) -> None:
    """Answer the calls that come in on standard input until it ends, or the parent process does."""
    end_with(parent)
    end_when_asked()
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  (a device)
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what a labeler prints must not stand among the answers
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            sys.path[:], call = pickle.load(calls)  # noqa: S301  (of our own parent)
            pickle.dump(_answer(call), answers)
            answers.flush()


def end_with(parent: int) -> None:
    """See to it that this process ends as soon as its parent has ended, whatever it is doing then."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL)
        _end(1)

    threading.Thread(target=watch, daemon=True).start()


def end_when_asked() -> None:
    """End this process at SIGTERM, after what `at_end` was given is done."""

    def end(number: int, frame: Any) -> None:  # noqa: ARG001  (signature of a handler)
        _end(128 + number)

    signal.signal(signal.SIGTERM, end)


@contextmanager
def at_end(act: Callable[[], None]) -> Iterator[None]:
    """Do something if this process ends in the middle of the body, in any other way than by being killed.

    It ends by itself, with its parent (`end_with`), or by SIGTERM (`end_when_asked`); the act must be short. Once it
    has begun to end, other threads begin no such body: they wait for the end.
    """
    with _last_lock:
        _registered()
        _last_acts.append(act)
    try:
        yield
    finally:
        _last_acts.remove(act)


@cache
def _registered() -> None:
    """See to it that the last acts are done when the interpreter ends, while stores can still be reached."""
    atexit.register(_act)


def _act() -> None:
    """Do the last acts."""
    _last_lock.acquire()
    for act in [*_last_acts]:
        with contextlib.suppress(Exception):  # whatever it is, the process ends
            act()


def _end(code: int) -> NoReturn:
    """Do the last acts and end this process, whatever its threads are doing, and though a store may not answer."""
    acting = threading.Thread(target=_act, daemon=True)
    acting.start()
    acting.join(_PATIENCE)
    os._exit(code)


def _answer(call: bytes) -> bytes:
    """Return the pickled (value, exception) of a pickled call; an exception that cannot cross becomes one that can."""
    try:
        function, arguments = pickle.loads(call)  # noqa: S301  (of our own parent)
        return pickle.dumps((function(*arguments), None))
    except Exception as error:  # noqa: BLE001  (the caller shall see it)
        with contextlib.suppress(Exception):
            data = pickle.dumps((None, error))
            pickle.loads(data)  # noqa: S301  (one may be made that cannot be read)
            return data
        return pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}")))
