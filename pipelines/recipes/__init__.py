"""The recipe and what it loads."""
