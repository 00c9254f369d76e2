"""Results in figures, one module a page, with theme, shared layers and export."""
