"""What the labelers know of language: where connectives, names, n-grams and broken speech stand, and what they do."""
