"""Tables: drawn from a seed, or read from files."""
