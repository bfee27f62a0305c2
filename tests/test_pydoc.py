"""The prose of the Python installation: what is kept, what is rejected, and that all of it is counted."""

import json
import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from pipelines.input import pydoc


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("The queue is emptied first. But items that arrive later are kept.", ""),
        ("* The first argument names the file, and the second one its mode.", ""),
        (">>> import queue\n>>> queue.Queue()", "example"),
        ("slice_item ::= expression | proper_slice and nothing else here.", "grammar"),
        ("Slice objects\n-------------", "heading"),
        ("name      the name of the file\nmode      the mode it is opened in", "table"),
        ("def open_file(name): return open(name).", "code"),
        ("Close the file.", "short"),
        ("the rest of a sentence that began somewhere else.", "fragment"),
        ("The values that are allowed here are the following:", "fragment"),
    ],
)
def test_a_block_is_kept_or_rejected_for_a_reason(block: str, reason: str) -> None:
    """Prose is kept, each other block is counted under the first rule that rejects it."""
    counts: Counter[str] = Counter()
    kept = list(pydoc.prose(block, counts))
    assert counts == {f"rejected: {reason}" if reason else "kept": 1}
    assert bool(kept) == (not reason)


def test_a_lead_in_to_an_example_is_cut_off() -> None:
    """The sentence that only announces code goes, the prose before it stays."""
    text = "The list is sorted in place by its keys. For example::\n\n    >>> sort(x)"
    assert list(pydoc.prose(text, Counter())) == ["The list is sorted in place by its keys."]


def test_the_installation_gives_prose_once_and_counts_every_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A topic or docstring is one document with a name of its own; writing twice changes nothing."""
    library = tmp_path / "library"
    for module in ("queue.py", "argparse.py", "json/__init__.py", "json/decoder.py", "test/support/__init__.py"):
        source = Path(sysconfig.get_paths()["stdlib"], module)
        (library / module).parent.mkdir(parents=True, exist_ok=True)
        (library / module).write_bytes(source.read_bytes() if source.exists() else b"")
    (library / "broken.py").write_text("def", encoding="utf-8")
    monkeypatch.setattr(pydoc, "_library", lambda: library)
    path = tmp_path / "pydoc.jsonl"
    counts = pydoc.write_prose(path)
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    names = [record["id"] for record in records]
    assert len(set(names)) == len(names) == counts["documents"]
    modules = {record["module"] for record in records}
    assert {"queue", "argparse", "json/__init__", "topics/assignment"} <= modules
    assert not {"broken", "test/support/__init__"} & modules
    assert all(record["id"].startswith(f"{record['module']}:") for record in records)
    before = path.stat().st_mtime_ns
    assert pydoc.write_prose(path) == counts
    assert path.stat().st_mtime_ns == before


def test_no_document_joins_two_docstrings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a document of its own with its place in the module; one without prose, or seen before, is none."""
    texts = ("The lid is shut when all is quiet again.", "::", "However, the lid may stay open for an hour.")
    source = "".join(f'def f{i}():\n    """{text}"""\n' for i, text in enumerate((*texts, texts[0])))
    (tmp_path / "lid.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(pydoc, "_library", lambda: tmp_path)
    counts: Counter[str] = Counter()
    found = [item for item in pydoc.documents(counts) if item[0] == "lid"]
    assert found == [("lid", 0, texts[0]), ("lid", 2, texts[2])]
