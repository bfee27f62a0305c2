"""Runners that Beam has and we do not know: options are checked, and the rest is Beam's."""

from dataclasses import dataclass
from typing import Any

from pipelines.recipes.recipe import RecipeError
from pipelines.runners.beam_options import check_flags, flags_of_beam, import_beam
from pipelines.runners.engine import Engine, Job

__all__ = ["ENGINES", "OtherEngine", "runner_of"]


@dataclass(frozen=True)
class OtherEngine(Engine):
    """A runner by the name that Beam knows it by, or by the full name of its class."""

    name: str

    def prepare(self, job: Job) -> tuple[Any, Any]:
        """Return the runner and the options that were given."""
        from apache_beam.options.pipeline_options import PipelineOptions
        from apache_beam.runners.portability.portable_runner import PortableRunner

        runner, flags = runner_of(self.name), flags_of_beam(job.run.beam)
        if not isinstance(runner, PortableRunner):  # a job server may know more than we can ask
            check_flags(flags)
        return runner, PipelineOptions(flags)


def runner_of(name: str) -> Any:
    """Return the runner of a name.

    Raises:
        RecipeError: Beam knows none of that name.
    """
    import_beam()
    from apache_beam.runners import create_runner

    try:
        return create_runner(name)
    except ValueError:
        raise RecipeError("Beam has no runner of that name") from None
    except (ImportError, AttributeError) as error:
        raise RecipeError(str(error)) from None


ENGINES = {
    "dataflow": OtherEngine("DataflowRunner"),
    "direct": OtherEngine("DirectRunner"),
    "prism": OtherEngine("PrismRunner"),
}
