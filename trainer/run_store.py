"""Folders that are written and belong in a store: of runs, which are trained here and published, and of exports.

The rest of the trainer works in a folder of this machine, whatever names it, and says when others may have its files.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from labelers.place import local
from labelers.stores.faults import AGAIN, explained, is_fault
from labelers.stores.published import StoreFolder
from labelers.stores.work import WorkFolder, files_at
from trainer.folder import RunFolder
from trainer.run_place import FILES, MARK, uri_of

__all__ = ["followed", "out_folder", "trained_in"]

_ORDER = (MARK, *reversed(FILES))
_ON = "then continue the run (`auxloom train ... --resume`, or the same `auxloom run`); what is done is kept"


@contextmanager
def trained_in(out: str | Path) -> Iterator[RunFolder]:
    """Give the folder of a run that is trained while the body runs.

    Raises:
        ValueError: a URI that cannot be opened, a folder of something else, or one that another process of this
            machine trains in.
    """
    if not (place := uri_of(out)):
        yield RunFolder(local(out, "a run folder"))
        return
    with WorkFolder.opened(place, _ORDER) as work:
        yield _StoredRun(work.files, place, work=work)


def followed(out: str | Path) -> RunFolder:
    """Return the folder that another process trains in, with this machine's cache, to read what it wrote there."""
    place = uri_of(out)
    return RunFolder(files_at(place), place) if place else RunFolder(local(out, "a run folder"))


@contextmanager
def out_folder(out: str | Path, what: str) -> Iterator[Path]:
    """Give the path of a folder that is not there yet, and upload what the body wrote if it belongs in a store.

    Args:
        out: path or URI.
        what: what it is for, for errors.

    Raises:
        ValueError: there are files already.
    """
    place = uri_of(out)
    path = None if place else local(out, what)
    store = StoreFolder(place) if place else None
    if (path and path.exists() and (not path.is_dir() or any(path.iterdir()))) or (store and store.names()):
        raise ValueError(f"{out if store else path} already contains files; give another folder with --out")
    if path:
        yield path
    elif store:
        with tempfile.TemporaryDirectory(prefix="auxloom-") as folder:
            made = Path(folder) / "out"
            yield made
            for item in sorted(made.rglob("*"), reverse=True):
                if item.is_file():
                    store.upload(item.relative_to(made).as_posix(), item)


@dataclass(frozen=True)
class _StoredRun(RunFolder):
    """The folder of a run that is published to a store."""

    work: WorkFolder = field(kw_only=True)

    def publish(self) -> None:
        """Bring the store to what the folder holds.

        Raises:
            ValueError: another process has written there.
            OSError: the store does not take it.
        """
        try:
            self.work.publish()
        except OSError as error:
            if not is_fault(error):
                raise
            raise OSError(explained(error, _ON if self.work.begun else AGAIN)) from error

    def clear(self) -> None:
        """Remove the run, in the store first."""
        self.work.clear()
        super().clear()
