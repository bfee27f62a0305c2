"""How rows are made, from a unit to the files of a shard."""
