"""From text to a dataset on disk: the only room that knows Beam."""
