"""The kinds of tasks, one module for each."""
