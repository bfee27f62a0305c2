"""Options of Beam as its command line has them, and Beam itself without its noise."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from labelers.advice import nearest
from pipelines.recipes.recipe import RecipeError

__all__ = ["check_flags", "flags_of_beam", "import_beam", "quiet", "refuse"]


def import_beam() -> Any:
    """Import Beam without the warnings that it logs about libraries which it looks for in vain."""
    logger = logging.getLogger("apache_beam")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.ERROR)
    with quiet():
        import apache_beam as beam

        # these are imported here so that what they log is lost, too
        import apache_beam.io.filesystems
        import apache_beam.runners.portability.fn_api_runner
    return beam


@contextmanager
def quiet() -> Iterator[None]:
    """Drop warnings of the logging module for a while."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def flags_of_beam(options: Mapping[str, Any]) -> list[str]:
    """Return options as Beam's command line has them.

    Example:
        >>> flags_of_beam({"dask_npartitions": 4, "streaming": True, "experiment": ["a", "b"]})
        ['--dask_npartitions=4', '--streaming', '--experiment=a', '--experiment=b']
        >>> flags_of_beam({"environment_config": {"command": "auxloom-worker"}})
        ['--environment_config={"command": "auxloom-worker"}']
    """
    return [flag for key, value in options.items() for flag in _flags(key, value)]


def _flags(key: str, value: Any) -> list[str]:
    """Return one option."""
    if isinstance(value, bool):
        return [f"--{key}"] if value else []
    if isinstance(value, Mapping):
        return [f"--{key}={json.dumps(value)}"]
    return [f"--{key}={item}" for item in (value if isinstance(value, (list, tuple)) else [value])]


def check_flags(flags: Sequence[str], more: Sequence[str] = ()) -> None:
    """Refuse options that Beam does not know.

    Args:
        flags: as its command line has them.
        more: names that a job server knows.

    Raises:
        RecipeError: an unknown option, or a value of another type than it has.
    """
    import_beam()
    if not flags:  # Beam takes a while to list all that it knows
        return
    from apache_beam.options.pipeline_options import PipelineOptions

    def check(parser: Any) -> None:
        parser.error = refuse
        for flag in parser.parse_known_args(flags)[1]:
            name = flag.removeprefix("--").partition("=")[0]
            if name not in more:
                refuse(f"no option {name!r}{nearest(name, known)}")

    known = [*PipelineOptions([]).get_all_options(), *more]
    PipelineOptions([]).get_all_options(add_extra_args_fn=check)


def refuse(text: str) -> NoReturn:
    """Refuse options of a runner."""
    raise RecipeError(f"--beam, or [run.beam]: {text}; Beam's documentation lists its pipeline options")
