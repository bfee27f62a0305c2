"""spaCy without torch, which it would load if it can, and of which a tokeniser makes no use."""

import sys
from typing import Any

__all__ = ["import_spacy"]


def import_spacy() -> Any:
    """Return the module spaCy, loaded without torch: that would cost every worker 190 MB and a second.

    Where torch or spaCy is loaded already, everything stays as it is.

    Example:
        >>> [token.text for token in import_spacy().blank("en").tokenizer("to-day")]
        ['to', '-', 'day']
    """
    if not {"torch", "thinc"} & sys.modules.keys():
        sys.modules["torch"] = None  # type: ignore[assignment]  # importing it fails as where it is not installed
        try:
            import spacy
        finally:
            sys.modules.pop("torch", None)  # another thread may have been here
    import spacy

    return spacy
