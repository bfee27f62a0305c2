"""Input: files, units, records, splits."""
