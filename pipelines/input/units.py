"""Units of work: which ranges of the input files each has, and the records that stand in one."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

import pyarrow as pa

from labelers.text.document import Document, Reject
from pipelines.formats import FORMATS
from pipelines.input.changes import PieceDigest
from pipelines.input.parse import Parser
from pipelines.input.records import InputFile, Range, Unit, total_bytes
from pipelines.labels.record_labels import LabelColumn
from pipelines.recipes.recipe_tables import InputTable

__all__ = ["REASONS", "make_units", "place_of", "read_unit"]

REASONS = (
    "undecodable",
    "not_json",
    "not_an_object",
    "missing_field",
    "wrong_type",
    "too_long",
    "empty",
    "bad_token",
    "bad_segments",
    "bad_turns",
    "bad_row",
    "file",
)
"""Why a record, or with ``file`` a whole file, cannot be used."""

_MIB = 1 << 20
_UNITS = 64
_BLOCK, _MIN_BLOCK, _BLOCKS = 65_536, 1_024, 64
"""Bytes of text that stay in one split where records bring no id: 64 kB, or a 64th of a small input, at least 1 kB."""


def make_units(files: Sequence[InputFile], unit_bytes: int, inputs: Sequence[InputTable] = ()) -> list[Unit]:
    """Cut the files into units of equal size, about ``unit_bytes``, never of more than that for text.

    Args:
        files: in the order in which they are read.
        unit_bytes: 0 means total / 64, between 1 and 64 MiB.
        inputs: of the recipe; a file of which only the first records are read is not cut.
    """
    total = sum(file.size for file in files)
    wanted = unit_bytes or min(max(-(-total // _UNITS), _MIB), 64 * _MIB)
    size = -(-total // -(-total // wanted)) if total else 1
    units: dict[int, list[Range]] = {}
    place = 0
    for number, file in enumerate(files):
        limited = bool(inputs) and inputs[file.input].limit > 0
        for unit, start, stop in _ranges(file, place, size, whole=limited):
            units.setdefault(unit, []).append(Range(number, start, stop))
        place += file.size
    return [Unit(index, tuple(units[unit])) for index, unit in enumerate(sorted(units))]


def _ranges(file: InputFile, place: int, size: int, *, whole: bool) -> Iterator[tuple[int, int, int]]:
    """Yield (unit, start, stop) of a file that starts ``place`` bytes behind the start of all input."""
    form = FORMATS[file.format]
    if form.bytewise and not whole:
        unit = place // size
        cuts = [0, *range((unit + 1) * size - place, file.size, size), file.size]
        for step, (start, stop) in enumerate(pairwise(cuts)):
            if start < stop:
                yield unit + step, start, stop
        return
    parts = file.size if form.bytewise else _parts(file)
    owners = [place // size] if whole or not parts else [(place + file.size * i // parts) // size for i in range(parts)]
    for unit in dict.fromkeys(owners):
        last = parts if whole else bisect_right(owners, unit)
        yield unit, owners.index(unit), last


def _parts(file: InputFile) -> int:
    """Return the number of parts of a file; one that cannot be read counts as one, which will say so."""
    try:
        return FORMATS[file.format].parts(file.path)
    except (OSError, pa.ArrowException):
        return 1


def place_of(unit: Unit, files: Sequence[InputFile]) -> str:
    """Return what a unit reads, in words.

    Example:
        >>> file = InputFile("a.txt", "/in/a.txt", "txt", 900, "")
        >>> place_of(Unit(1, (Range(0, 300, 600),)), [file]), place_of(Unit(0, (Range(0, 0, 900),) * 3), [file])
        ('a.txt bytes 300-600', 'a.txt and 2 more files')
    """
    first, *rest = unit.ranges
    file = files[first.file]
    if rest:
        return f"{file.name} and {len(rest)} more {'file' if len(rest) == 1 else 'files'}"
    return f"{file.name} bytes {first.start}-{first.stop}" if FORMATS[file.format].bytewise else file.name


def read_unit(
    unit: Unit,
    files: Sequence[InputFile],
    inputs: Sequence[InputTable],
    group: str = "",
    digests: dict[int, PieceDigest] | None = None,
    *,
    labels: Sequence[tuple[LabelColumn, ...]] = (),
) -> Iterator[Document | Reject]:
    """Yield every record of a unit, as a document or as a reject.

    Where a unit ends changes neither which records are read nor their ids. Blank lines of text are no records. An
    id that the input repeats is not noticed here.

    Args:
        unit: what to read.
        files: all files of the build.
        inputs: of the recipe: names of fields, encoding, limits.
        group: `SplitTable.group`: "", "file", or a kept field.
        digests: takes the digest of the bytes of each range that has one, by the number of its file; with a limit,
            which leaves files unread, none.
        labels: where the records of each input have labels.
    """
    # a small input has smaller blocks, so that each split gets some of them
    block = min(max(total_bytes(files) // _BLOCKS, _MIN_BLOCK), _BLOCK)
    for part in unit.ranges:
        file = files[part.file]
        form, settings = FORMATS[file.format], inputs[file.input]
        digest = None if digests is None or settings.limit else form.piece(file.size, part.start, part.stop)
        if digests is not None and digest:
            digests[part.file] = digest
        own = labels[file.input] if labels else ()
        parser = Parser(file, settings, group, block, own, any(labels))
        records = form.read(parser, part.start, part.stop, digest)
        yield from islice(records, settings.limit) if settings.limit else records
