"""spaCy without torch, which it would load if it can, and of which a tokeniser makes no use."""

import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["import_spacy", "tokenizer"]


def import_spacy() -> Any:
    """Return the module spaCy, loaded without torch: that would cost every worker 190 MB and a second.

    Where torch or spaCy is loaded already, everything stays as it is. Where torch is loaded later, by a user's own
    model, say, spaCy knows of it from then on.

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
        if importlib.util.find_spec("torch"):
            _LateTorch(sys.modules["thinc.compat"]).await_it()
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


class _LateTorch(MetaPathFinder):
    """Tells thinc, the library below spaCy, of torch: once it is loaded, or when `thinc.compat` is asked about it.

    All that thinc knows of torch stands in names of `thinc.compat`, which its other modules have copied.

    Args:
        compat: the module `thinc.compat`, loaded without torch.
    """

    def __init__(self, compat: ModuleType) -> None:
        self._compat = compat
        self._old = {name: value for name, value in vars(compat).items() if "torch" in name or name == "has_gpu"}

    def await_it(self) -> None:
        """Watch for the import of torch, and for questions about it."""
        sys.meta_path.insert(0, self)
        for name in self._old:
            delattr(self._compat, name)
        self._compat.__getattr__ = self._answer  # type: ignore[method-assign]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find torch where the other finders do, with a loader that calls `tell` at its end."""
        if fullname != "torch":
            return None
        others = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, others), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Then(spec.loader, self)
        return spec

    def tell(self) -> None:
        """Give thinc's modules the names that they would have if torch had been there from the beginning."""
        if self not in sys.meta_path:
            return
        sys.meta_path.remove(self)
        del self._compat.__getattr__
        spec = importlib.util.find_spec("thinc.compat")
        if spec is None or spec.loader is None:  # it was loaded once
            raise ModuleNotFoundError("thinc.compat is gone", name="thinc.compat")
        now = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(now)
        new = {name: getattr(now, name) for name in self._old}
        vars(self._compat).update(new)
        for name, module in list(sys.modules.items()):
            if name.startswith(("thinc.", "spacy")) and module is not None:
                known = vars(module)
                known.update(
                    {key: value for key, value in new.items() if key in known and known[key] is self._old[key]}
                )

    def _answer(self, name: str) -> Any:
        """Return a name of `thinc.compat` that says whether torch is there; it is loaded now."""
        if name not in self._old:
            raise AttributeError(f"module 'thinc.compat' has no attribute {name!r}")
        self.tell()
        return getattr(self._compat, name)


class _Then(Loader):
    """Loads torch as its own loader does, and then tells thinc.

    Args:
        loader: the loader of torch.
        late: who tells thinc.
    """

    def __init__(self, loader: Any, late: _LateTorch) -> None:
        self._loader, self._late = loader, late

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the loader of torch."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Load torch, with nothing in it that leads back here."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._late.tell()
