"""Where a graph runs: one module per engine; what one of them needs, no other module knows."""
