"""What Beam finds out anew for every graph, found out once: it takes longer than a small build.

For one graph Beam inspects a thousand methods of its transforms, and makes a parser for its options a hundred times.
Both follow from code alone, so nothing is tested less where they are remembered.
"""

import sys
from functools import cache
from types import MethodType
from typing import Any

__all__ = ["remember"]

_NEEDED = ("apache_beam.options.pipeline_options", "apache_beam.transforms.core")


def remember() -> bool:
    """Let Beam remember the parameters of methods and the parsers of options, and return whether it is loaded."""
    if not all(name in sys.modules for name in _NEEDED):
        return False
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.transforms import core

    core.get_function_args_defaults = _remembering(core.get_function_args_defaults)
    PipelineOptions.__init__ = _with_parsers(PipelineOptions)
    return True


def _remembering(find: Any) -> Any:
    """Return what finds names and defaults of parameters; those of a method it finds once."""
    of_method = cache(lambda function: find(MethodType(function, object)))

    def parameters(function: Any) -> tuple[list[str], list[Any]]:
        found = of_method(function.__func__) if isinstance(function, MethodType) else find(function)
        return [*found[0]], [*found[1]]

    return parameters


def _with_parsers(options: Any) -> Any:
    """Return what makes options as Beam does, with one parser for each class of them."""
    from apache_beam.options import pipeline_options

    @cache
    def parser_of(kind: type) -> Any:
        parser = pipeline_options._BeamArgumentParser(allow_abbrev=False)
        for part in kind.mro()[: kind.mro().index(options)]:
            if "_add_argparse_args" in vars(part):
                part._add_argparse_args(parser)  # type: ignore[attr-defined]
        return parser

    def make(self: Any, flags: Any = None, **given: Any) -> None:
        self._flags, self._all_options = flags, given
        self._visible_options, _ = parser_of(type(self)).parse_known_args(flags)
        for name in self._visible_option_list():
            given.setdefault(name, getattr(self._visible_options, name))

    return make
