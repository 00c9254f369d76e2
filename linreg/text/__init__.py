"""Results as sentences: a module per page, and the script generator."""
