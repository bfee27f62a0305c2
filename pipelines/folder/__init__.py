"""The folder of a dataset: its files, and what is missing of them."""
