"""What only builds of many units need, so that no process holds what grows with their number."""
