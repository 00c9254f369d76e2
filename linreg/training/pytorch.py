"""Training as the thread does it: `nn.Linear`, `nn.MSELoss`, `torch.optim` and autograd, with
everything recorded.

Runs that visit the same rows in the same order share one pass: the batches are cut once, one
backward serves all losses, and runs with the same optimizer share one flat parameter buffer, which
that optimizer updates in one call. Every update in the registry is element by element, so each run
gets the very bits that a script of its own would get."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from linreg.data.dataset import Dataset, batch_order, check_fits, make_data
from linreg.settings.fields import SettingsError, to_text
from linreg.settings.model import Settings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.warnings import captured_warnings
from linreg.settings.wirings import WIRINGS, Wiring
from linreg.training.run import Run

if TYPE_CHECKING:
    from linreg.settings.wirings import Forward, Loss

Progress = Callable[[int, int], None]
Slices = Generator[tuple[int, int], None, list[Run]]  # yields (steps done, steps in total)
Shapes = tuple[
    tuple[int, ...], tuple[int, ...], tuple[int, ...]
]  # of the prediction, the target, the element-wise loss
REPORT_SECONDS = 0.1
FIRST_CHUNK, MOST_CHUNK = 16, 512  # steps between two looks at the clock and at the finite numbers


def train(
    settings: Sequence[Settings],
    dataset: Dataset | None = None,
    progress: Progress | None = None,
    dtype: torch.dtype = torch.float32,
) -> list[Run]:
    """Train every setting with PyTorch; the runs in the order of the settings.

    Settings with the same step schedule (data, batch size, epochs, order) are trained in one pass.
    `dataset` replaces the synthetic one. `progress(done, total)` is called about ten times a second
    with the steps of all runs; what it raises ends the training. Raises `SettingsError` if a batch
    is larger than the table."""
    slices = train_in_slices(settings, dataset, dtype)
    while True:
        try:
            done = next(slices)
        except StopIteration as end:
            runs: list[Run] = end.value
            return runs
        if progress:
            progress(*done)


def train_in_slices(
    settings: Sequence[Settings],
    dataset: Dataset | None = None,
    dtype: torch.dtype = torch.float32,
) -> Slices:
    """`train` as a generator, which yields (done, total) about ten times a second, and at the end.

    In between others may use the interpreter, another training too."""
    passes: dict[tuple[object, ...], list[int]] = {}
    for index, one in enumerate(settings):
        order = one.seed if one.shuffle else None
        passes.setdefault((one.data, one.batch_size, one.epochs, order), []).append(index)
    tables = {
        data: make_data(data) if dataset is None else dataset
        for data in dict.fromkeys(one.data for one in settings)
    }
    for one in settings:
        check_fits(one, tables[one.data])
        if one.init and not torch.tensor(one.init, dtype=dtype).isfinite().all():
            raise SettingsError(
                f"initial weights {to_text(one.init)} are not finite in {dtype}; use smaller ones",
                "init",
            )
    count = _StepCount(sum(_steps(one, len(tables[one.data])) for one in settings))
    runs: dict[int, Run] = {}
    for members in passes.values():
        group = [settings[index] for index in members]
        trained = yield from _train_pass(group, tables[group[0].data], count, dtype)
        runs.update(zip(members, trained, strict=True))
    return [runs[index] for index in range(len(settings))]


def _steps(settings: Settings, rows: int) -> int:
    return settings.epochs * -(-rows // settings.batch_size)


class _StepCount:
    """Counts steps, and yields their number about ten times a second and at the end."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.next = time.monotonic() + REPORT_SECONDS

    def add(self, steps: int) -> Iterator[tuple[int, int]]:
        self.done += steps
        if self.done == self.total or time.monotonic() >= self.next:
            yield self.done, self.total
            self.next = time.monotonic() + REPORT_SECONDS  # from here, since others may have run


# ---- one pass ------------------------------------------------------------------------------------


@dataclass(eq=False)
class _ModelRun:
    """One run in its pass: a layer whose parameters are a slice of its family's flat buffer."""

    settings: Settings
    layer: nn.Linear
    family: int
    loss: Callable[[Tensor, Tensor], Tensor]
    shapes: Shapes
    warnings: tuple[str, ...]
    columns: slice = field(default_factory=lambda: slice(0))
    diverged_at: int | None = None


@dataclass(frozen=True, eq=False)
class _OptimizerGroup:
    """Runs with the same optimizer, their parameters and gradients side by side."""

    flat: nn.Parameter
    gradient: Tensor
    step: Callable[[], object]


def _train_pass(
    group: Sequence[Settings], dataset: Dataset, count: _StepCount, dtype: torch.dtype
) -> Slices:
    started = time.perf_counter()
    X, y = (
        torch.tensor(dataset.X, dtype=dtype),
        torch.tensor(dataset.y, dtype=dtype),
    )  # (N, D), (N,)
    lanes, families = _families(group, X, y)
    steps = _steps(group[0], len(X))
    weights = [
        torch.empty(steps + 1, len(family.flat), dtype=dtype) for family in families
    ]  # (T + 1, all its parameters)
    losses = torch.empty(steps, len(group), dtype=dtype)  # (T, R)
    batches = _batches(X, y, group[0])
    live, done, chunk = list(range(len(lanes))), 0, FIRST_CHUNK
    while done < steps and live:
        end, began = min(done + chunk, steps), time.perf_counter()
        active = sorted({lanes[i].family for i in live})
        losses[done:end, live] = _chunk(
            [lanes[i].loss for i in live],
            [families[f] for f in active],
            [weights[f][done:end].unbind() for f in active],
            batches,
        )
        for f in active:
            weights[f][end] = families[f].flat.data
        for i in live:
            path = weights[lanes[i].family][done : end + 1, lanes[i].columns]
            lanes[i].diverged_at = _first_not_finite(losses[done:end, i], path, done)
        live = [i for i in live if lanes[i].diverged_at is None]
        pace = (time.perf_counter() - began) / (end - done)
        yield from count.add((end - done) * len(group))
        done, chunk = end, int(min(max(REPORT_SECONDS / pace, 1), MOST_CHUNK))
    if done < steps:
        yield from count.add((steps - done) * len(group))
    share = (time.perf_counter() - started) / len(group)
    return [
        _run(lane, weights[lane.family][:, lane.columns].numpy(), losses[:, i].numpy(), share)
        for i, lane in enumerate(lanes)
    ]


def _chunk(
    losses: Sequence[Callable[[Tensor, Tensor], Tensor]],
    families: Sequence[_OptimizerGroup],
    records: Sequence[Sequence[Tensor]],
    batches: Iterator[tuple[Tensor, Tensor]],
) -> Tensor:
    """The training loop: as many steps as there are rows to record the weights into. Returns the
    losses, (steps, R)."""
    buffers = [(family.flat.data, family.gradient) for family in families]
    steps = [family.step for family in families]
    found = torch.empty(len(records[0]), len(losses), dtype=buffers[0][0].dtype)
    # A loss is copied out at once: kept, a number that lies where a batch's pairs were costs the
    # next batch another place.
    for values, *rows in zip(found.unbind(), *records, strict=True):
        for row, (flat, gradient) in zip(rows, buffers, strict=True):
            row.copy_(flat)
            gradient.zero_()
        x, target = next(batches)
        now = [loss(x, target) for loss in losses]
        torch.autograd.backward(now)
        with torch.no_grad():
            for step in steps:
                step()
            torch.stack(now, out=values)
    return found


def _batches(X: Tensor, y: Tensor, settings: Settings) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of the whole run; cut once if every epoch has the same order."""
    size = settings.batch_size
    if not settings.shuffle:
        cut = list(zip(X.split(size), y.split(size), strict=True))
        return chain.from_iterable(cut for _ in range(settings.epochs))
    orders = (torch.from_numpy(order) for order in batch_order(settings, len(X)))
    return chain.from_iterable(
        zip(X[order].split(size), y[order].split(size), strict=True) for order in orders
    )


def _families(
    group: Sequence[Settings], X: Tensor, y: Tensor
) -> tuple[list[_ModelRun], list[_OptimizerGroup]]:
    """The runs of a pass, and the families of those among them that one optimizer can update."""
    size, tail = group[0].batch_size, len(X) % group[0].batch_size
    samples = [(X[:size], y[:size])] + ([(X[-tail:], y[-tail:])] if tail else [])
    lanes: list[_ModelRun] = []
    members: dict[tuple[str, float, float], list[_ModelRun]] = {}
    for one in group:
        wiring = WIRINGS[one.wiring]
        layer = layer_of(one, X.dtype)
        wiring.place(layer)
        family = members.setdefault((one.optimizer, one.lr, one.momentum), [])
        criterion = _Broadcast() if wiring.pairs else nn.MSELoss()
        loss = partial(_batch_loss, layer, wiring.forward, wiring.loss, criterion)
        lane = _ModelRun(
            one,
            layer,
            list(members).index((one.optimizer, one.lr, one.momentum)),
            loss,
            *_probe(layer, wiring, samples),
        )
        family.append(lane)
        lanes.append(lane)
    return lanes, [_family(*key, lanes) for key, lanes in members.items()]


def _family(
    optimizer: str, lr: float, momentum: float, lanes: Sequence[_ModelRun]
) -> _OptimizerGroup:
    """Move the parameters of the lanes, and their gradients, into one flat buffer, and build its
    optimizer."""
    parameters = [parameter for lane in lanes for parameter in lane.layer.parameters()]
    flat = nn.Parameter(torch.cat([parameter.detach().reshape(-1) for parameter in parameters]))
    flat.grad = torch.zeros_like(flat)
    start = 0
    for lane in lanes:
        first = start
        for parameter in lane.layer.parameters():
            part = slice(start, start + parameter.numel())
            parameter.data = flat.data[part].view_as(parameter)
            parameter.grad = flat.grad[part].view_as(parameter)
            start = part.stop
        lane.columns = slice(first, start)
    built = OPTIMIZERS[optimizer].build([flat], lr, momentum)
    # torch.optim wraps `step` for profilers and for gradients of gradients, at half its cost for so
    # few parameters.
    return _OptimizerGroup(flat, flat.grad, partial(inspect.unwrap(type(built).step), built))


class _Broadcast(nn.MSELoss):
    """`nn.MSELoss` on operands that are broadcast beforehand, as it does itself, but after a
    warning at every step.

    The rehearsal has kept that warning; to filter it would take the filters of the whole process,
    which threads share."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return super().forward(*torch.broadcast_tensors(prediction, target))


def _batch_loss(
    layer: nn.Linear, forward: Forward, loss: Loss, criterion: nn.Module, x: Tensor, y: Tensor
) -> Tensor:
    return loss(criterion, forward(layer, x), y)


class _UninitialisedLinear(nn.Linear):
    def reset_parameters(self) -> None:
        """Draw nothing: the generator of the whole process stays as it is."""


def uninitialised_layer(features: int, bias: bool, dtype: torch.dtype) -> nn.Linear:
    """`nn.Linear(features, 1)` with whatever numbers; `skip_init` would load PyTorch's symbolic
    shapes for it, 35 MB."""
    layer: nn.Linear = _UninitialisedLinear(features, 1, bias=bias, dtype=dtype)
    layer.__class__ = nn.Linear
    return layer


def layer_of(settings: Settings, dtype: torch.dtype = torch.float32) -> nn.Linear:
    """`nn.Linear` as PyTorch makes it after `torch.manual_seed(seed)`, but from a generator of its
    own; then the init."""
    layer = uninitialised_layer(2, settings.bias, dtype)
    generator = torch.Generator().manual_seed(settings.seed)
    reach = 1 / 2**0.5
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
    if settings.bias:
        nn.init.uniform_(layer.bias, -reach, reach, generator=generator)
    if settings.init is not None:
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([settings.init[:2]], dtype=dtype))  # (1, 2)
            if len(settings.init) == 3:
                layer.bias.fill_(settings.init[2])
    return layer


def _run(lane: _ModelRun, weights: np.ndarray, losses: np.ndarray, seconds: float) -> Run:
    """The record of a lane, cut before the first number that is not finite."""
    steps = len(losses)
    if lane.diverged_at is not None:
        finite = bool(np.isfinite(weights[lane.diverged_at]).all())
        steps = lane.diverged_at if finite else lane.diverged_at - 1
    prediction, target, loss = lane.shapes
    return Run(
        lane.settings,
        weights[: steps + 1].copy(),
        losses[:steps].copy(),
        prediction,
        target,
        loss,
        lane.warnings,
        seconds,
        lane.diverged_at,
    )


def _first_not_finite(losses: Tensor, weights: Tensor, start: int) -> int | None:
    """The first step, counted from `start`, at which the loss (T,) or a weight (T + 1, P) is not
    finite."""
    bad = ~weights.isfinite().all(1)  # (T + 1,)
    bad[:-1] |= ~losses.isfinite()
    return start + int(bad.int().argmax()) if bad.any() else None


# ---- what PyTorch says ---------------------------------------------------------------------------


def _probe(
    layer: nn.Linear, wiring: Wiring, samples: Sequence[tuple[Tensor, Tensor]]
) -> tuple[Shapes, tuple[str, ...]]:
    """The three shapes of the first batch, and what PyTorch warns of for a whole batch and for a
    smaller last one."""
    met: list[Tensor] = []

    def elementwise(prediction: Tensor, target: Tensor) -> Tensor:
        met.extend((prediction, target))
        return nn.functional.mse_loss(prediction, target, reduction="none")

    with captured_warnings() as said, torch.no_grad():
        for x, target in samples:
            wiring.loss(nn.MSELoss(), wiring.forward(layer, x), target)
        x, target = samples[0]
        met.append(wiring.loss(elementwise, wiring.forward(layer, x), target))
    prediction_shape, target_shape, loss_shape = (tuple(tensor.shape) for tensor in met)
    return (prediction_shape, target_shape, loss_shape), tuple(dict.fromkeys(said))
