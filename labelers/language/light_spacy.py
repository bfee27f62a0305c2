"""spaCy without torch, which it would load if it can, and of which a tokeniser makes no use."""

import sys
from functools import cache
from typing import Any

__all__ = ["import_spacy", "tokenizer"]


def import_spacy() -> Any:
    """Return the module spaCy, loaded without torch: that would cost every worker 190 MB and a second.

    Where torch or spaCy is loaded already, everything stays as it is.

    Example:
        >>> import_spacy().blank("en").lang
        'en'
    """
    if not {"torch", "thinc"} & sys.modules.keys():
        sys.modules["torch"] = None  # type: ignore[assignment]  # importing it fails as where it is not installed
        try:
            import spacy
        finally:
            sys.modules.pop("torch", None)  # another thread may have been here
    import spacy

    return spacy


@cache
def tokenizer(lang: str) -> Any:
    """Return the tokeniser of a blank spaCy pipeline, the same for all who ask.

    Example:
        >>> [token.text for token in tokenizer("en")("to-day")]
        ['to', '-', 'day']
    """
    return import_spacy().blank(lang).tokenizer
