"""Parquet files, read by row groups."""

from collections.abc import Container, Iterator, Mapping
from typing import Any

from pipelines.formats.format import ROWS, Format, OpenRange, TableFormat, opened

__all__ = ["ENDINGS", "ParquetFormat"]


class ParquetFormat(TableFormat):
    """Ranges are row groups."""

    def parts(self, path: str) -> int:
        """Return the number of row groups."""
        import pyarrow.parquet as pq

        with opened(path) as stream:
            return int(pq.ParquetFile(stream).num_row_groups)

    def batches(self, span: OpenRange, columns: Container[str]) -> Iterator[tuple[int, Any]]:
        """Yield the batches of row groups."""
        import pyarrow.parquet as pq

        table = pq.ParquetFile(span.stream)
        row = sum(table.metadata.row_group(number).num_rows for number in range(span.start))
        wanted = [name for name in table.schema_arrow.names if name in columns]
        groups = list(range(span.start, span.stop))
        for batch in table.iter_batches(ROWS, row_groups=groups, columns=wanted, use_threads=False):
            yield row, batch
            row += batch.num_rows


ENDINGS: Mapping[str, Format] = {"parquet": ParquetFormat()}
