"""The formats of input files, one module for each; here a format is looked up by the ending of a file's name."""

import importlib
import pkgutil
from collections.abc import Mapping

from pipelines.formats.format import Format
from pipelines.formats.packed_files import PACKINGS, PackedFormat

__all__ = ["ENDINGS_READ", "FORMATS", "ending_of", "find_formats"]


def find_formats() -> dict[str, Format]:
    """Return the formats by their endings: all that the modules of this package have in ``ENDINGS``, packed ones too.

    They are in the order in which errors list them: what is read from first byte to last, which is text, before
    tables, and of each the longer endings first.

    Raises:
        ValueError: two modules read the same ending.
    """
    found: dict[str, Format] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        endings: Mapping[str, Format] = getattr(importlib.import_module(f"{__name__}.{name}"), "ENDINGS", {})
        for ending, form in endings.items():
            if ending in found:
                raise ValueError(f".{ending} is read by {type(found[ending]).__name__} and {type(form).__name__}")
            found[ending] = form
    for ending, form in list(found.items()):
        if form.onward:
            found |= {f"{ending}.{packing}": PackedFormat(form, packing) for packing in PACKINGS}
    return dict(sorted(found.items(), key=lambda item: (not item[1].onward, -len(item[0]), item[0])))


FORMATS: Mapping[str, Format] = find_formats()
"""The formats by their endings, in the order of `find_formats`."""

_PLAIN = [ending for ending, form in FORMATS.items() if not isinstance(form, PackedFormat)]

ENDINGS_READ = (
    f"{', '.join(f'.{ending}' for ending in _PLAIN)}; text formats may also be compressed "
    f"({', '.join(f'.{packing}' for packing in PACKINGS)})"
)
"""What an error says of the endings."""


def ending_of(name: str) -> str:
    """Return the ending by which a file is read, the longest that its name has; nothing where none reads it.

    Example:
        >>> ending_of("a/B.TXT.GZ"), ending_of("notes.pdf")
        ('txt.gz', '')
    """
    return max((ending for ending in FORMATS if name.lower().endswith(f".{ending}")), key=len, default="")
