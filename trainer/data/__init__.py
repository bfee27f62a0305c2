"""From a dataset's columns to batches of sub-words and targets."""
