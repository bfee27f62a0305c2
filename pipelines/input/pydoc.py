"""The English prose that ships with every Python, as input: language topics and the standard library's docstrings.

One topic or docstring is one document, so that no passage joins the end of one with the start of the next; the
docstrings of a module are one group, on one side of the split. Only prose is kept: examples, grammar, tables and other
blocks are rejected by rule, and every rejected block is counted.
"""

import ast
import inspect
import json
import re
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

__all__ = ["documents", "prose", "write_prose"]

_SKIPPED_FOLDERS = {"test", "tests", "site-packages", "dist-packages", "lib2to3", "idlelib", "turtledemo"}
_RULE = re.compile(r"^\s*([=*\-~^#_+.])\1{2,}\s*$", re.MULTILINE)
_PROMPT = re.compile(r"^\s*(>>>|\.\.\. |\$ |%|#)", re.MULTILINE)
_COLUMNS = re.compile(r"\S {3,}\S|\t|^\s*[|+]|\s--?\s\w+.*\n.*\s--?\s", re.MULTILINE)
_BULLET = re.compile(r"^(?:[*\-•]|\d+[.)])\s+")
_LEAD_IN = re.compile(r"(?<=[.!?] )[^.!?]*::?$")  # "...: " before an example that is not kept
_MARKUP = re.compile(
    r":\w+:`|::\S|\\\w|[{}<>|@^~]|\w\(\)?\w*=|==|->|__\w+__\(|^\s*(?:def|class|import|from|return|raise) ",
    re.MULTILINE,
)
_WORD = re.compile(r"""^["'(*`]*[A-Za-z][a-z]*(?:['-][A-Za-z]+)*["')*`]*[.,;:!?]*["')]*$""")
_END = re.compile(r"""[.!?]["')]*$""")
_OPENING = re.compile(r"""^["'(]?[A-Z]""")
_MIN_WORDS = 5
_MIN_PROSE = 0.8  # share of chunks that are plain words: below it, rows read as reference tables


def write_prose(path: Path) -> Counter[str]:
    """Write one JSON line per document and return how many blocks were kept and rejected, by reason.

    The order and the texts depend on the Python that runs, and on nothing else. A file that holds them already is left
    as it is, so that a build which reads it can be resumed.
    """
    counts: Counter[str] = Counter()
    lines = [
        json.dumps({"id": f"{module}:{number}", "module": module, "text": text}, ensure_ascii=False)
        for module, number, text in documents(counts)
    ]
    data = ("\n".join(lines) + "\n").encode()
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)
    return counts


def documents(counts: Counter[str]) -> Iterator[tuple[str, int, str]]:
    """Yield (topic or module, number in it, prose) of every text that has some; equal docstrings count once."""
    seen: set[str] = set()
    for module, texts in _sources():
        for number, text in enumerate(texts):
            blocks = () if text in seen else tuple(prose(text, counts))
            seen.add(text)
            if blocks:
                counts["documents"] += 1
                yield module, number, " ".join(blocks)
    counts["texts"] += len(seen)


def prose(text: str, counts: Counter[str]) -> Iterator[str]:
    r"""Yield the blocks of a text that are English prose, each on one line; count the others by reason.

    Example:
        >>> counts = Counter()
        >>> list(prose("Return the first match that is found.\n\n    >>> find(x)", counts)), dict(counts)
        (['Return the first match that is found.'], {'kept': 1, 'rejected: example': 1})
    """
    for block in re.split(r"\n\s*\n", text.strip()):
        reason, line = _judge(block)
        counts[f"rejected: {reason}" if reason else "kept"] += 1
        if not reason:
            yield line


def _judge(block: str) -> tuple[str, str]:
    """Return (why the block is no prose, or nothing; its text on one line)."""
    line = _LEAD_IN.sub("", _BULLET.sub("", " ".join(block.split()))).strip()
    chunks = line.split()
    words = sum(bool(_WORD.match(chunk)) for chunk in chunks)
    rules = (
        ("example", _PROMPT.search(block)),
        ("grammar", "::=" in block),
        ("heading", _RULE.search(block)),
        ("table", _COLUMNS.search(block)),
        ("code", _MARKUP.search(block) or words < _MIN_PROSE * len(chunks)),
        ("short", words < _MIN_WORDS),
        ("fragment", not _END.search(line) or not _OPENING.match(line)),
    )
    return next((reason for reason, found in rules if found), ""), line


def _sources() -> Iterator[tuple[str, list[str]]]:
    """Yield (name, texts) of the language topics, then of each module of the standard library, in sorted order."""
    from pydoc_data.topics import topics

    for topic in sorted(topics):
        yield f"topics/{topic}", [topics[topic]]
    root = _library()
    for path in sorted(root.rglob("*.py"), key=lambda item: item.relative_to(root).as_posix()):
        relative = path.relative_to(root)
        if not _SKIPPED_FOLDERS.intersection(relative.parts) and "pydoc_data" not in relative.parts:
            yield relative.with_suffix("").as_posix(), _docstrings(path)


def _library() -> Path:
    """Return where the standard library's source lies."""
    return Path(sysconfig.get_paths()["stdlib"])


def _docstrings(path: Path) -> list[str]:
    """Return the docstrings of a source file in the order of its text; none where it does not parse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            return []
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, owners)]
    return [inspect.cleandoc(text) for text in found if text]
