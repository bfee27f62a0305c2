"""Settings of the whole test run."""

from hypothesis import settings

# The clock decides nothing, and a run finds the same examples everywhere.
settings.register_profile("auxloom", deadline=None, derandomize=True)
settings.load_profile("auxloom")
