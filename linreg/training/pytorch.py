"""Training with `nn.Linear`, `nn.MSELoss`, `torch.optim` and autograd, with every step recorded.

Runs that visit the same rows in the same order share one pass: the data is split into batches once,
one backward call serves all losses, and runs with the same optimizer and hyperparameters share one
flat parameter buffer, which one optimizer updates in one call. All optimizers of the registry work
element by element, so each run is bit for bit what a script of its own would give."""

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

from linreg.data.dataset import Dataset, batch_order, check_fits
from linreg.data.tables import make_data
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
# of the prediction, the target and the element-wise loss
Shapes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
REPORT_SECONDS = 0.1
FIRST_CHUNK, MAX_CHUNK = 16, 512  # steps between two checks of the clock and for divergence


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
    """A run while it trains: a layer whose parameters are views of its group's flat buffer."""

    settings: Settings
    layer: nn.Linear
    group: int
    loss: Callable[[Tensor, Tensor], Tensor]
    shapes: Shapes
    warnings: tuple[str, ...]
    columns: slice = field(default_factory=lambda: slice(0))
    diverged_at: int | None = None


@dataclass(frozen=True, eq=False)
class _OptimizerGroup:
    """The parameters and gradients of runs with the same optimizer, side by side, and its step."""

    flat: nn.Parameter
    gradient: Tensor
    step: Callable[[], object]


def _train_pass(
    settings: Sequence[Settings], dataset: Dataset, count: _StepCount, dtype: torch.dtype
) -> Slices:
    """Train settings that visit the same rows in the same order."""
    started = time.perf_counter()
    X = torch.tensor(dataset.X, dtype=dtype)  # (N, D)
    y = torch.tensor(dataset.y, dtype=dtype)  # (N,)
    models, groups = _build(settings, X, y)
    steps = _steps(settings[0], len(X))
    # of each group (T + 1, all its parameters)
    weights = [torch.empty(steps + 1, len(group.flat), dtype=dtype) for group in groups]
    losses = torch.empty(steps, len(models), dtype=dtype)  # (T, R)
    batches = _batches(X, y, settings[0])
    live, done, chunk = list(range(len(models))), 0, FIRST_CHUNK
    while done < steps and live:
        end, began = min(done + chunk, steps), time.perf_counter()
        active = sorted({models[i].group for i in live})
        losses[done:end, live] = _train_chunk(
            [models[i].loss for i in live],
            [groups[g] for g in active],
            [weights[g][done:end].unbind() for g in active],
            batches,
        )
        for g in active:
            weights[g][end] = groups[g].flat.data
        for i in live:
            path = weights[models[i].group][done : end + 1, models[i].columns]
            models[i].diverged_at = _first_not_finite(losses[done:end, i], path, done)
        live = [i for i in live if models[i].diverged_at is None]
        seconds_per_step = (time.perf_counter() - began) / (end - done)
        yield from count.add((end - done) * len(models))
        done = end
        chunk = int(min(max(REPORT_SECONDS / seconds_per_step, 1), MAX_CHUNK))
    if done < steps:
        yield from count.add((steps - done) * len(models))
    seconds = (time.perf_counter() - started) / len(models)
    return [
        _run(model, weights[model.group][:, model.columns].numpy(), losses[:, i].numpy(), seconds)
        for i, model in enumerate(models)
    ]


def _train_chunk(
    losses: Sequence[Callable[[Tensor, Tensor], Tensor]],
    groups: Sequence[_OptimizerGroup],
    records: Sequence[Sequence[Tensor]],
    batches: Iterator[tuple[Tensor, Tensor]],
) -> Tensor:
    """The training loop: as many steps as `records` has rows, into which it writes the weights
    before each step. Returns the losses, (steps, R)."""
    buffers = [(group.flat.data, group.gradient) for group in groups]
    steps = [group.step for group in groups]
    result = torch.empty(len(records[0]), len(losses), dtype=buffers[0][0].dtype)
    for values, *rows in zip(result.unbind(), *records, strict=True):
        for row, (flat, gradient) in zip(rows, buffers, strict=True):
            row.copy_(flat)
            gradient.zero_()
        x, target = next(batches)
        batch_losses = [loss(x, target) for loss in losses]
        torch.autograd.backward(batch_losses)
        with torch.no_grad():
            for step in steps:
                step()
            # Copy the scalars now: holding them fragments the heap, and the next (B, B) buffer
            # needs fresh memory.
            torch.stack(batch_losses, out=values)
    return result


def _batches(X: Tensor, y: Tensor, settings: Settings) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of the whole run; split once if every epoch has the same order."""
    size = settings.batch_size
    if not settings.shuffle:
        split = list(zip(X.split(size), y.split(size), strict=True))
        return chain.from_iterable(split for _ in range(settings.epochs))
    orders = (torch.from_numpy(order) for order in batch_order(settings, len(X)))
    return chain.from_iterable(
        zip(X[order].split(size), y[order].split(size), strict=True) for order in orders
    )


def _build(
    settings: Sequence[Settings], X: Tensor, y: Tensor
) -> tuple[list[_ModelRun], list[_OptimizerGroup]]:
    """The models of a pass, and a group for each optimizer with its hyperparameters."""
    size, tail = settings[0].batch_size, len(X) % settings[0].batch_size
    samples = [(X[:size], y[:size])] + ([(X[-tail:], y[-tail:])] if tail else [])
    models: list[_ModelRun] = []
    members: dict[tuple[str, float, float], list[_ModelRun]] = {}
    for one in settings:
        variant = WIRINGS[one.wiring]
        layer = layer_of(one, X.dtype)
        variant.place(layer)
        key = (one.optimizer, one.lr, one.momentum)
        group = members.setdefault(key, [])
        criterion = _SilentMSELoss() if variant.pairs else nn.MSELoss()
        loss = partial(_batch_loss, layer, variant.forward, variant.loss, criterion)
        probed = _probe(layer, variant, samples)
        model = _ModelRun(one, layer, list(members).index(key), loss, *probed)
        group.append(model)
        models.append(model)
    return models, [_optimizer_group(*key, group) for key, group in members.items()]


def _optimizer_group(
    optimizer: str, lr: float, momentum: float, models: Sequence[_ModelRun]
) -> _OptimizerGroup:
    """Make the models' parameters and gradients views of one flat buffer, and build its
    optimizer."""
    parameters = [parameter for model in models for parameter in model.layer.parameters()]
    flat = nn.Parameter(torch.cat([parameter.detach().reshape(-1) for parameter in parameters]))
    flat.grad = torch.zeros_like(flat)
    start = 0
    for model in models:
        first = start
        for parameter in model.layer.parameters():
            part = slice(start, start + parameter.numel())
            parameter.data = flat.data[part].view_as(parameter)
            parameter.grad = flat.grad[part].view_as(parameter)
            start = part.stop
        model.columns = slice(first, start)
    built = OPTIMIZERS[optimizer].build([flat], lr, momentum)
    # torch.optim wraps `step` for profilers and for gradients of gradients, which takes half the
    # time of a step on so few parameters.
    return _OptimizerGroup(flat, flat.grad, partial(inspect.unwrap(type(built).step), built))


class _SilentMSELoss(nn.MSELoss):
    """`nn.MSELoss`, with the operands broadcast beforehand, so that it does not warn at every step.

    `_probe` records the warning. To filter it here would change the warning filters of the whole
    process, which all threads share."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return super().forward(*torch.broadcast_tensors(prediction, target))


def _batch_loss(
    layer: nn.Linear, forward: Forward, loss: Loss, criterion: nn.Module, x: Tensor, y: Tensor
) -> Tensor:
    return loss(criterion, forward(layer, x), y)


class _UninitialisedLinear(nn.Linear):
    def reset_parameters(self) -> None:
        """Draw nothing from the global generator."""


def uninitialised_layer(features: int, bias: bool, dtype: torch.dtype) -> nn.Linear:
    """`nn.Linear(features, 1)` with arbitrary parameters.

    `torch.nn.utils.skip_init` would do it too, but imports 35 MB (symbolic shapes)."""
    return _UninitialisedLinear(features, 1, bias=bias, dtype=dtype)


def layer_of(settings: Settings, dtype: torch.dtype = torch.float32) -> nn.Linear:
    """`nn.Linear(2, 1)` with the settings' init, or as it is after `torch.manual_seed(seed)`.

    The numbers come from a generator of its own, not from the global one."""
    layer = uninitialised_layer(2, settings.bias, dtype)
    generator = torch.Generator().manual_seed(settings.seed)
    bound = 1 / 2**0.5
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
    if settings.bias:
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    if settings.init is not None:
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([settings.init[:2]], dtype=dtype))  # (1, 2)
            if len(settings.init) == 3:
                layer.bias.fill_(settings.init[2])
    return layer


def _run(model: _ModelRun, weights: np.ndarray, losses: np.ndarray, seconds: float) -> Run:
    """The record of a run, cut before the first value that is not finite."""
    steps = len(losses)
    if model.diverged_at is not None:
        finite = bool(np.isfinite(weights[model.diverged_at]).all())
        steps = model.diverged_at if finite else model.diverged_at - 1
    prediction, target, loss = model.shapes
    return Run(
        model.settings,
        weights[: steps + 1].copy(),
        losses[:steps].copy(),
        prediction,
        target,
        loss,
        model.warnings,
        seconds,
        model.diverged_at,
    )


def _first_not_finite(losses: Tensor, weights: Tensor, start: int) -> int | None:
    """The first step, counted from `start`, at which the loss (T,) or a weight (T + 1, P) is not
    finite."""
    bad = ~weights.isfinite().all(1)  # (T + 1,)
    bad[:-1] |= ~losses.isfinite()
    return start + int(bad.int().argmax()) if bad.any() else None


# ---- shapes and warnings -------------------------------------------------------------------------


def _probe(
    layer: nn.Linear, variant: Wiring, samples: Sequence[tuple[Tensor, Tensor]]
) -> tuple[Shapes, tuple[str, ...]]:
    """The shapes on the first batch, and PyTorch's warnings on a full batch and on a smaller last
    one."""
    operands: list[Tensor] = []

    def elementwise(prediction: Tensor, target: Tensor) -> Tensor:
        operands.extend((prediction, target))
        return nn.functional.mse_loss(prediction, target, reduction="none")

    with captured_warnings() as messages, torch.no_grad():
        for x, target in samples:
            variant.loss(nn.MSELoss(), variant.forward(layer, x), target)
        x, target = samples[0]
        operands.append(variant.loss(elementwise, variant.forward(layer, x), target))
    prediction_shape, target_shape, loss_shape = (tuple(tensor.shape) for tensor in operands)
    return (prediction_shape, target_shape, loss_shape), tuple(dict.fromkeys(messages))
