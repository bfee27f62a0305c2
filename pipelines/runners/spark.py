"""Spark, by Beam's job server."""

import re

from pipelines.recipes.recipe_tables import RunTable
from pipelines.runners.job_service import JobServiceEngine

__all__ = ["ENGINES", "SparkEngine"]

_LOCAL = re.compile(r"^local(\[.+\])?$")


class SparkEngine(JobServiceEngine):
    """It has as many units at a time as its executors have cores."""

    runner = "SparkRunner"
    addresses = ("job_endpoint", "spark_master_url")

    def remote(self, run: RunTable) -> bool:
        """Return whether a job server or a cluster is named."""
        return super().remote(run) or not _LOCAL.match(str(run.beam.get("spark_master_url", "local[4]")))


ENGINES = {"spark": SparkEngine()}
