"""Which rows of which tasks each step trains on."""
