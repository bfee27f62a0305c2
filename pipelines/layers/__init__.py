"""Layers: more labels beside a dataset."""
