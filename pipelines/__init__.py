"""From text to a dataset on disk: the only package that imports Beam."""
