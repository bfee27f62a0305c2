"""The plan: what it is, making one, and comparing it with another."""
