"""How many examples a property test tries."""

from hypothesis import settings


def examples(count):
    """Settings for a property test: `count` examples in `make test`, a fifth of them otherwise."""
    return settings(max_examples=max(count * settings.default.max_examples // 100, 1))
