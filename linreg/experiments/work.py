"""Results that take long: computed key by key, kept as they come, shown as far as they are done.

Three pages wait for such work: trainings by PyTorch (a key is the settings of a run), the cells of
a sweep (a key is a task), and the claims (a key is a seed). Each page says with `outstanding` what
its result still lacks, and its `run` returns the result of what is there: a partial one where
something is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

from linreg.training.worker import Progress

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
AskedKey = TypeVar("AskedKey", bound=Hashable, contravariant=True)
FoundValue = TypeVar("FoundValue", covariant=True)


@runtime_checkable
class Store(Protocol[AskedKey, FoundValue]):
    """Where results are kept by their keys, and computed."""

    def get(self, key: AskedKey) -> FoundValue | None:
        """The result of a key, or None where it has not been computed."""

    def compute(self, keys: Sequence[AskedKey], progress: Progress | None = None) -> None:
        """Compute the results of these keys, and keep each as soon as it is done.

        What `progress` raises ends the work; what is done by then is kept.
        """


class LocalStore(Generic[Key, Value]):
    """A store that keeps everything in a dictionary, and computes in the calling thread.

    `compute_all` takes keys and a progress callback, and yields each key with its result.
    """

    def __init__(
        self,
        compute_all: Callable[[Sequence[Key], Progress | None], Iterable[tuple[Key, Value]]],
    ) -> None:
        self._values: dict[Key, Value] = {}
        self._compute_all = compute_all

    def get(self, key: Key) -> Value | None:
        return self._values.get(key)

    def compute(self, keys: Sequence[Key], progress: Progress | None = None) -> None:
        missing = [key for key in dict.fromkeys(keys) if key not in self._values]
        for key, value in self._compute_all(missing, progress):
            self._values[key] = value


@dataclass(frozen=True)
class Work(Generic[Key, Value]):
    """What a result still lacks: the keys to compute. `steps` counts their optimizer steps."""

    store: Store[Key, Value]
    keys: tuple[Key, ...]
    steps: int

    def __bool__(self) -> bool:
        return bool(self.keys)

    def run(self, progress: Progress | None = None) -> None:
        """Compute it, with `progress` called as it proceeds; what is done is kept."""
        if self.keys:
            self.store.compute(self.keys, progress)


def missing_keys(store: Store[Key, Value], keys: Iterable[Key]) -> tuple[Key, ...]:
    """Those of the keys that have no result yet, each once."""
    return tuple(key for key in dict.fromkeys(keys) if store.get(key) is None)
