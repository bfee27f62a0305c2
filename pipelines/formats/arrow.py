"""Arrow IPC files and streams, as Hugging Face datasets are saved in, read by record batches."""

from collections.abc import Container, Iterator, Mapping
from typing import Any

import pyarrow as pa

from pipelines.formats.format import Format, OpenRange, TableFormat, opened

__all__ = ["ENDINGS", "ArrowFormat"]


class ArrowFormat(TableFormat):
    """Ranges are record batches of an IPC file or stream."""

    def parts(self, path: str) -> int:
        """Return the number of record batches."""
        with opened(path) as stream:
            return sum(1 for _ in _arrow_batches(stream))

    def batches(self, span: OpenRange, columns: Container[str]) -> Iterator[tuple[int, Any]]:
        """Yield the batches."""
        row = 0
        for number, batch in enumerate(_arrow_batches(span.stream)):
            if number >= span.stop:
                return
            if number >= span.start:
                yield row, batch.select([name for name in batch.schema.names if name in columns])
            row += batch.num_rows


def _arrow_batches(stream: pa.NativeFile) -> Iterator[Any]:
    """Yield the record batches of an IPC file or stream, one in memory at a time."""
    begin = stream.read(6)
    stream.seek(0)
    if begin == b"ARROW1":
        reader = pa.ipc.open_file(stream)
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
    else:
        yield from pa.ipc.open_stream(stream)


ENDINGS: Mapping[str, Format] = {"arrow": ArrowFormat()}
