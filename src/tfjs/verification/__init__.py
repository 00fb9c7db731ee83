"""Whether two models answer the same."""
