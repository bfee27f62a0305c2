"""One encoder with a head per task."""
