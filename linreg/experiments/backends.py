"""Where a sweep's tasks are done: on this machine's cores, or on a Dask cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from linreg.experiments.sweep_grid import CellStats, Task, run_task, run_tasks
from linreg.settings.dependencies import missing_message
from linreg.settings.fields import SettingsError, shorten

CONNECT_SECONDS = 10  # until a scheduler has answered, and until it has a worker
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
    """Every task goes to the cluster, however short: whoever asks for one has the rest of a sweep
    waiting there too."""
    import joblib

    from linreg.training.ensemble import in_parallel

    try:
        import distributed
    except ImportError:
        raise SettingsError(missing_message("--backend dask needs", ["distributed"])) from None
    for name in ("distributed", "tornado"):
        logging.getLogger(name).setLevel(
            logging.CRITICAL
        )  # what goes wrong is said once, by whom it concerns
    try:
        client = distributed.Client(
            address, timeout=CONNECT_SECONDS, **({} if address else {"dashboard_address": ":0"})
        )
    except (OSError, ValueError) as error:
        told = " ".join(str(error).split()) or type(error).__name__
        raise SettingsError(
            f"--scheduler {shorten(address)} cannot be reached: {told}", "scheduler"
        ) from None
    try:
        with (
            client,
            joblib.parallel_config(backend="dask", wait_for_workers_timeout=CONNECT_SECONDS),
        ):
            if not client.scheduler_info()["workers"]:
                client.wait_for_workers(1, timeout=CONNECT_SECONDS)
            yield lambda tasks: in_parallel(run_task, tasks)
    except TimeoutError:
        raise SettingsError(
            f"the cluster at {shorten(address)} has no workers; start some, with dask worker"
        ) from None
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the cluster's workers have no {error.name}; install linreg there too"
        ) from None
    finally:
        if address is None and client.cluster:
            client.cluster.close()


BACKENDS: dict[str, Callable[[str | None], AbstractContextManager[Work]]] = {
    "cores": _cores,
    "dask": _dask,
}
