"""The libraries that an extra brings, and what to say where one is missing."""

import importlib.util

__all__ = ["LIBRARIES", "MissingLibraryError", "need", "with_cure"]

LIBRARIES = {
    "build": ("apache_beam", "nltk", "spacy"),
    "train": ("safetensors", "tokenizers", "torch"),
    "hf": ("transformers",),
}
"""Import names, by the extra that brings them."""


class MissingLibraryError(ModuleNotFoundError):
    """A library is missing, and the message names the cure."""


def need(command: str, *extras: str, program: str = "auxloom") -> None:
    """Check that all libraries of some extras can be found; none is loaded.

    Raises:
        MissingLibraryError: one is missing.

    Example:
        >>> need("recipe")
    """
    missing = {extra: [name for name in LIBRARIES[extra] if not importlib.util.find_spec(name)] for extra in extras}
    short = [extra for extra in extras if missing[extra]]
    if short:
        names = ", ".join(name for extra in short for name in missing[extra])
        raise MissingLibraryError(f"`{f'{program} {command}'.strip()}` needs {names}; {_cure(short)}")


def with_cure(error: ModuleNotFoundError) -> str:
    """Return the message about a missing module, with the cure if an extra installs it.

    Example:
        >>> with_cure(ModuleNotFoundError("No module named 'torch'", name="torch"))
        "No module named 'torch'; install it with: pip install 'auxloom[train]'"
        >>> with_cure(ModuleNotFoundError("No module named 'mine'", name="mine"))
        "No module named 'mine'"
    """
    top = (error.name or "").partition(".")[0]
    extras = [extra for extra, names in LIBRARIES.items() if top in names]
    return f"{error}; {_cure(extras)}" if extras else str(error)


def _cure(extras: list[str]) -> str:
    """Return the command that installs extras."""
    return f"install it with: pip install 'auxloom[{','.join(extras)}]'"
