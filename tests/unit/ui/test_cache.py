"""The one cache: a budget in bytes, the values used last, and one computation for all who ask."""

import threading
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from linreg.settings.model import Settings
from linreg.training.run import Run
from linreg.ui import cache as cache_module
from linreg.ui.cache import ENTRY_BYTES, KEPT_AT_LEAST, Cache, SweepCells, size_in_bytes


@dataclass(frozen=True)
class OneTask:
    runs: int


def value(size):
    return np.zeros(size, dtype=np.uint8)


def test_sizes_are_those_of_the_arrays():
    run = Run(Settings(), np.zeros((4, 2)), np.zeros(3), (1, 1), (1,), (1, 1), ("a warning",), 0.1)
    assert 64 + 24 < size_in_bytes(run) < 64 + 24 + 700
    assert size_in_bytes(pd.DataFrame({"a": np.zeros(100)})) >= 800
    assert size_in_bytes({"a": (value(10), [value(20)])}) == 30


def test_what_was_used_last_stays_within_the_budget():
    many = 3 * KEPT_AT_LEAST
    cache = Cache(many * (1_000 + ENTRY_BYTES))
    for key in range(many):
        cache.put(key, value(1_000))
    assert cache.get(0) is not None, "all of them fit, and this one is now the latest"
    cache.put("one more", value(1_000))
    assert cache.get(1) is None
    assert cache.get(0) is not None


def test_a_few_values_stay_however_large_they_are():
    cache = Cache(10)
    for key in range(KEPT_AT_LEAST + 1):
        cache.put(key, value(1_000))
    assert [cache.get(key) is not None for key in range(KEPT_AT_LEAST + 1)] == [
        False,
        *[True] * KEPT_AT_LEAST,
    ]


def test_a_value_that_is_put_again_counts_once():
    many = 2 * KEPT_AT_LEAST
    cache = Cache(many * (1_000 + ENTRY_BYTES))
    for key in range(many):
        for _ in range(3):
            cache.put(key, value(1_000))
    assert all(cache.get(key) is not None for key in range(many))


def test_those_who_ask_at_once_wait_for_one_computation():
    cache, computed, found = Cache(10**6), [], []

    def compute():
        computed.append(1)
        time.sleep(0.05)
        return "value"

    threads = [
        threading.Thread(target=lambda: found.append(cache.get_or_compute("key", compute)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(computed) == 1
    assert found == ["value"] * 8


def test_a_failed_computation_is_tried_again_by_those_who_wait():
    cache, begun, outcomes = Cache(10**6), threading.Event(), []

    def fail():
        begun.set()
        time.sleep(0.05)
        raise ValueError("no")

    def first():
        with pytest.raises(ValueError, match="no"):
            cache.get_or_compute("key", fail)

    def second():
        begun.wait()
        outcomes.append(cache.get_or_compute("key", lambda: "value"))

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["value"]


def test_a_value_is_kept_only_where_that_is_wanted():
    cache = Cache(10**6)
    assert cache.get_or_compute("key", lambda: "partial", lambda _: False) == "partial"
    assert cache.get("key") is None
    cache.clear()


def test_two_visitors_with_the_same_sweep_run_each_task_once(monkeypatch):
    ran, found = [], []

    def run_slowly(tasks, low_priority):
        assert low_priority, "a sweep runs with a low priority"
        for task in tasks:
            time.sleep(0.02)
            ran.append(task)
            yield f"cells of {task}"

    monkeypatch.setattr(cache_module, "CACHE", Cache(10**6))
    monkeypatch.setattr(cache_module, "run_tasks", run_slowly)
    cells, tasks = SweepCells(), [OneTask(k + 1) for k in range(10)]

    def visit():
        told = []
        cells.compute(tasks, lambda done, total: told.append((done, total)))
        found.append(([cells.get(task) for task in tasks], told))

    visitors = [threading.Thread(target=visit) for _ in range(3)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert len(ran) == len(tasks)
    for values, told in found:
        assert values == [f"cells of {task}" for task in tasks]
        assert told[-1] == (55, 55)


def test_what_one_visitor_stops_the_other_who_waits_runs(monkeypatch):
    begun = threading.Event()

    class Stopped(Exception):
        pass

    def run_slowly(tasks, low_priority):  # noqa: ARG001
        for task in tasks:
            begun.set()
            time.sleep(0.02)
            yield f"cells of {task.runs}"

    monkeypatch.setattr(cache_module, "CACHE", Cache(10**6))
    monkeypatch.setattr(cache_module, "run_tasks", run_slowly)
    cells, tasks = SweepCells(), [OneTask(k + 1) for k in range(10)]

    def stop(done, _total):
        if done:
            raise Stopped

    def leave():
        with pytest.raises(Stopped):
            cells.compute(tasks, stop)

    first = threading.Thread(target=leave)
    first.start()
    begun.wait()
    cells.compute(tasks)
    first.join()
    assert [cells.get(task) for task in tasks] == [f"cells of {k + 1}" for k in range(10)]
