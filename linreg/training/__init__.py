"""Training: PyTorch itself, the compiled ensemble, and the processes that both run in."""
