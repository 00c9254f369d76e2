"""Where a sweep runs: on the cores of this machine, or on a Dask cluster through joblib."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pkgutil import resolve_name

from linreg.experiments.sweep_grid import CellStats, Task, run_task, run_tasks
from linreg.settings.dependencies import missing_message
from linreg.settings.fields import SettingsError, shorten

CONNECT_SECONDS = 10  # until a scheduler has answered, and until it has a worker
NEEDED = "linreg.experiments.sweep_grid.run_task.__name__"  # must resolve there, not only here
Work = Callable[[Sequence[Task]], Iterator[CellStats]]


@contextmanager
def _cores(address: str | None) -> Iterator[Work]:
    if address is not None:
        raise SettingsError(
            f"--scheduler {shorten(address)} is of a Dask cluster; use it with --backend dask",
            "scheduler",
        )
    yield run_tasks


@contextmanager
def _dask(address: str | None) -> Iterator[Work]:
    """joblib's Dask backend, with a client that is closed at the end.

    Given only an address, joblib waits 30 s for a scheduler, leaves its client open, and waits for
    ever where linreg is not installed. All tasks go to the cluster, even short ones."""
    import joblib

    from linreg.training.ensemble import in_parallel

    try:
        import distributed
    except ImportError:
        raise SettingsError(missing_message("--backend dask needs", ["distributed"])) from None
    for name in ("distributed", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are reported below, once
    dashboard = {} if address else {"dashboard_address": None}  # a cluster of our own needs none
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, **dashboard)
    except (OSError, ValueError) as error:
        told = " ".join(str(error).split()) or type(error).__name__
        raise SettingsError(
            f"--scheduler {shorten(address)} cannot be reached: {told}", "scheduler"
        ) from None
    try:
        with client, joblib.parallel_config(backend="dask"):
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
            client.run_on_scheduler(resolve_name, NEEDED)
            client.submit(resolve_name, NEEDED, pure=False).result()
            yield lambda tasks: in_parallel(run_task, tasks)
    except TimeoutError:
        raise SettingsError(
            f"the cluster at {shorten(address)} has no workers; start some, with dask worker"
        ) from None
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the cluster has no {error.name}; install linreg on its scheduler and its workers"
        ) from None


BACKENDS: dict[str, Callable[[str | None], AbstractContextManager[Work]]] = {
    "cores": _cores,
    "dask": _dask,
}
