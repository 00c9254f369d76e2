"""Results as figures: a module per page, and the theme, templates, layers and export they share."""
