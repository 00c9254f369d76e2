"""The loss of every batch as an exact quadratic."""
