"""Results in words, one module a page, and the script generator."""
