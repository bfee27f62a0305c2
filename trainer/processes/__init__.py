"""Several processes that train one run together, each on its share of the rows of every step."""
