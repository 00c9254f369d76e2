"""Freed memory returns to the operating system."""

import sys

import pytest
from project import printed

PROGRAM = """
import threading
from linreg.training import memory

def resident():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) // 1024

kept = []

def work():  # 20 MB, of which every fiftieth block stays
    blocks = [bytes(2_000) for _ in range(10_000)]
    kept.extend(blocks[::50])

memory.limit_arenas()
before = resident()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
held = resident() - before
memory.trim()
print(held, resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is given back")
def test_what_has_been_freed_between_other_blocks_is_given_back():
    held, left = map(int, printed(PROGRAM))
    assert left < 20, "the blocks that stay take 3 MB"
    assert held > 2 * left
