"""The loss as an exact quadratic function of the weights: moments, minimum, curvature."""
