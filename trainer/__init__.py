"""Trains one model on all tasks of a dataset that `auxloom build` wrote."""
