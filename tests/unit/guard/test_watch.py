"""The guard reports every silent broadcast with its line and fixes, without false alarms.

It does not change any value, and leaves PyTorch as it was."""

import copy
import functools
import gc
import inspect
import os
import pickle
import re
import subprocess
import sys
import threading
import warnings
import weakref
from contextlib import nullcontext
from itertools import product
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from project import ROOT
from torch import nn
from torch.optim.optimizer import _global_optimizer_pre_hooks
from torch.overrides import TorchFunctionMode, get_overridable_functions, resolve_name
from torch.utils.data import DataLoader, Dataset

from linreg.guard import watch
from linreg.guard.fingerprint import Inconclusive, looks_broadcast
from linreg.guard.operations import WATCHED
from linreg.guard.report import Broadcast, SilentBroadcastError, SilentBroadcastWarning
from linreg.guard.torch_reaction import reaction
from linreg.guard.watch import no_silent_broadcast
from linreg.settings.losses import LOSSES
from linreg.settings.optimizers import OPTIMIZERS

pytest_plugins = ["pytester"]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system starts processes anew")


@pytest.fixture
def pred():
    return torch.tensor([[0.1], [0.4], [0.8]])  # (3, 1)


@pytest.fixture
def y():
    return torch.tensor([0.2, 0.3, 0.9])  # (3,)


def accumulated(pred, y):
    return torch.zeros(3, 3).addcmul_(pred, y)


CAUGHT = {
    "MSELoss": lambda pred, y: nn.MSELoss()(pred, y),
    "MSELoss, sum": lambda pred, y: nn.MSELoss(reduction="sum")(pred, y),
    "L1Loss": lambda pred, y: nn.L1Loss()(pred, y),
    "SmoothL1Loss": lambda pred, y: nn.SmoothL1Loss()(pred, y),
    "HuberLoss": lambda pred, y: nn.HuberLoss()(pred, y),
    "GaussianNLLLoss": lambda pred, y: nn.GaussianNLLLoss()(pred, y, torch.ones_like(pred)),
    "PoissonNLLLoss": lambda pred, y: nn.PoissonNLLLoss()(pred, y),
    "KLDivLoss": lambda pred, y: nn.KLDivLoss(reduction="sum")(pred, y),
    "keywords": lambda pred, y: F.mse_loss(target=y, input=pred),
    "weights of a loss": lambda pred, y: F.binary_cross_entropy(pred, pred, weight=y),
    "weights of positives": lambda pred, y: F.binary_cross_entropy_with_logits(
        pred, pred, pos_weight=y
    ),
    "pred - y": lambda pred, y: pred - y,
    "y - pred": lambda pred, y: y - pred,
    "torch.sub": lambda pred, y: torch.sub(pred, y),
    "torch.sub, keywords": lambda pred, y: torch.sub(input=pred, other=y),
    "method": lambda pred, y: pred.sub(other=y),
    "reflected": lambda pred, y: pred.__rsub__(y),
    "into an array that fits": accumulated,
    "accuracy": lambda pred, y: (pred.round() == y.round()).float().mean(),
    "greater": lambda pred, y: pred > y,
    "power": lambda pred, y: pred**y,
    "floor division": lambda pred, y: pred // y,
    "logical": lambda pred, y: (pred > 0) & (y > 0),
    "where, condition": lambda pred, y: torch.where(y > 0, pred, 0.0),
    "where, both": lambda pred, y: torch.where(torch.tensor(True), pred, y),
    "where, a full mask": lambda pred, y: torch.where(torch.ones(3, 3) > 0, pred, y),
    "where as a method, a full mask": lambda pred, y: pred.where(torch.ones(3, 3) > 0, y),
    "maximum": lambda pred, y: torch.maximum(pred, y),
    "max": lambda pred, y: torch.max(pred, y),
    "clamp": lambda pred, y: pred.clamp(min=y),
    "clamp, one full bound": lambda pred, y: pred.clamp(min=y, max=torch.ones(3, 3)),
    "addcmul": lambda pred, y: torch.addcmul(pred, pred, y),
    "lerp": lambda pred, y: torch.lerp(pred, pred, y),
    "lerp, full weights": lambda pred, y: torch.lerp(pred, y, torch.ones(3, 3)),
    "allclose": lambda pred, y: torch.allclose(pred, y),
    "masked_fill": lambda pred, y: pred.masked_fill(y > 0, 0.0),
    "log_prob": lambda pred, y: torch.distributions.Normal(pred, 1.0).log_prob(y),
    "parameters of a distribution": lambda pred, y: torch.distributions.Normal(pred, y),
    "cosine_similarity": lambda pred, y: F.cosine_similarity(pred, y),
    "inside vmap": lambda pred, y: torch.vmap(lambda p, t: p[:, None] - t)(
        pred.expand(3, 3), y.expand(3, 3)
    ),
    "inside grad": lambda pred, y: torch.func.grad(lambda p: (p - y).sum())(pred),
}


@pytest.mark.parametrize("operation", CAUGHT.values(), ids=CAUGHT)
@pytest.mark.parametrize("requires_grad", [False, True], ids=["plain", "with gradients"])
def test_every_form_of_the_bug_is_caught(operation, requires_grad, pred, y):
    pred = pred.requires_grad_().clone() if requires_grad else pred
    with no_silent_broadcast(), pytest.raises(SilentBroadcastError):
        operation(pred, y)


PASSES = {
    "outer product of equal rank": lambda pred, y: pred - y[None, :],
    "matched by squeeze": lambda pred, y: nn.MSELoss()(pred.squeeze(-1), y),
    "matched by unsqueeze": lambda pred, y: nn.MSELoss()(pred, y.unsqueeze(1)),
    "a bias": lambda _, y: torch.zeros(5, 3) + y,
    "a scale for each row": lambda pred, _: torch.zeros(3, 4) * pred,
    "a number": lambda pred, y: pred * 2 - y.mean(),
    "a batch of one": lambda pred, y: pred[:1] - y[:1],
    "a leading axis of one": lambda _, y: y[None] - y,
    "one-sided where": lambda _, y: torch.where(torch.zeros(4, 3) > 0, y, 0.0),
    "a token where rows are masked": lambda pred, y: torch.where(pred > 0.3, y, torch.zeros(3, 3)),
    "where, more axes": lambda *_: torch.where(
        torch.ones(4, 5, 1) > 0, torch.zeros(8), torch.zeros(4, 5, 8)
    ),
    "where, keywords": lambda pred, y: torch.where(pred > 0.3, input=torch.zeros(3, 3), other=y),
    "where as a method": lambda pred, y: torch.zeros(3, 3).where(pred > 0.3, y),
    "where as a method, other way round": lambda pred, y: y.where(pred > 0.3, torch.zeros(3, 3)),
    "lerp towards a row, a weight for each": lambda pred, y: torch.lerp(torch.zeros(3, 3), y, pred),
    "lerp in place": lambda pred, y: torch.zeros(3, 3).lerp_(y, pred),
    "bounds by row and by column": lambda pred, y: torch.clamp(torch.zeros(3, 3), pred, y),
    "bounds, keywords": lambda pred, y: torch.clamp(min=pred, max=y, input=torch.zeros(3, 3)),
    "weights of rows and of classes": lambda pred, y: nn.BCEWithLogitsLoss(
        weight=pred, pos_weight=y
    )(torch.zeros(3, 3), torch.zeros(3, 3)),
    "an explicit broadcast": lambda pred, y: torch.broadcast_tensors(pred, y),
    "torch.outer": lambda pred, y: torch.outer(pred[:, 0], y),
    "matmul": lambda pred, y: pred.T @ y,
    "variance one axis short, as GaussianNLLLoss takes it": lambda pred, y: nn.GaussianNLLLoss()(
        pred, pred, y
    ),
    "what is masked_scatter's source": lambda pred, y: pred.masked_scatter(pred > 0, y),
    "an output array": lambda _, y: torch.add(y, y, out=torch.empty(0)),
    "a sample for each row": lambda _, y: torch.distributions.Normal(y, 1.0).log_prob(
        torch.zeros(7, 3)
    ),
}


@pytest.mark.parametrize("strict", [False, True], ids=["default", "strict"])
@pytest.mark.parametrize("operation", PASSES.values(), ids=PASSES)
def test_intended_broadcasting_passes(operation, strict, pred, y):
    with no_silent_broadcast(strict=strict):
        operation(pred, y)


@pytest.mark.parametrize("strict", [False, True], ids=["default", "strict"])
def test_errors_of_pytorch_are_kept(pred, y, strict):
    """Where PyTorch raises, nothing would be broadcast."""
    with no_silent_broadcast(strict=strict):
        with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
            pred -= y
        with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
            pred.mul_(y)
        with pytest.raises(RuntimeError, match="should have same dimension"):
            F.margin_ranking_loss(pred, pred, y)
        with pytest.raises(RuntimeError, match="Subtraction"):
            (pred > 0) - (y > 0)
        with pytest.raises(RuntimeError, match="must match the size"):
            pred.expand(3, 2) - torch.zeros(3)
        with pytest.raises(ValueError, match="Target size"):
            nn.BCEWithLogitsLoss()(pred, torch.zeros(3))


# ---- the report ----------------------------------------------------------------------------------


def reports_of(operation, **options):
    reports = []
    with no_silent_broadcast(reports.append, **options):
        operation()
    return reports


def test_the_error_names_operation_shapes_line_and_fixes(pred, y):
    with no_silent_broadcast(), pytest.raises(SilentBroadcastError) as caught:
        nn.MSELoss()(pred, y)  # this line
    line = next(
        n
        for n, text in enumerate(Path(__file__).read_text().splitlines(), 1)
        if text.endswith("# this line")
    )
    assert caught.value.broadcast == Broadcast(
        "torch.nn.functional.mse_loss",
        ((3, 1), (3,)),
        (3, 3),
        f"{__file__}:{line}",
        ("pred.squeeze(-1)", "y.unsqueeze(1)"),
        "torch.nn.functional.mse_loss broadcasts pred (3, 1) and y (3,) to (3, 3), all pairs of"
        " their elements. To pair them one by one, write pred.squeeze(-1) or y.unsqueeze(1); if all"
        " pairs are meant, pred.expand(-1, 3).",
    )
    assert str(caught.value) == f"{__file__}:{line}: {caught.value.broadcast.message}"
    assert isinstance(caught.value, RuntimeError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.broadcast) == (str(caught.value), caught.value.broadcast)


def test_operands_are_called_by_their_source_text(pred, y):
    (loss,) = reports_of(lambda: F.poisson_nll_loss(pred + 0, y.detach()))
    (minus,) = reports_of(lambda: (y + 0) - (pred + 0))
    (keyword,) = reports_of(lambda: torch.sub(other=y + 0, input=pred.relu()))
    (module,) = reports_of(lambda: nn.PoissonNLLLoss()(target=y.detach(), log_input=pred.relu()))
    (method,) = reports_of(lambda: pred.relu().sub(other=y.detach()))
    assert loss.fixes == ("(pred + 0).squeeze(-1)", "y.detach().unsqueeze(1)")
    assert minus.fixes == ("(pred + 0).squeeze(-1)", "(y + 0).unsqueeze(1)")
    assert keyword.fixes == ("pred.relu().squeeze(-1)", "(y + 0).unsqueeze(1)")
    assert module.fixes == method.fixes == ("pred.relu().squeeze(-1)", "y.detach().unsqueeze(1)")
    assert "pred.relu() (3, 1) and y.detach() (3,)" in method.message


def test_without_source_only_variables_are_fixed(pred, y):
    def report(code):
        (found,) = reports_of(lambda: eval(code, {"pred": pred, "y": y}))
        return found

    assert report("pred - y").fixes == ("pred.squeeze(-1)",)
    assert report("y - (pred + 0)").fixes == ()
    assert "y (3,) and right (3, 1)" in report("y - (pred + 0)").message


@pytest.mark.parametrize(
    ("first", "second", "fixes"),
    [
        ((3, 1), (3,), ("a.squeeze(-1)", "b.unsqueeze(1)")),
        ((3,), (3, 1), ("b.squeeze(-1)", "a.unsqueeze(1)")),
        ((3, 3, 1), (3, 3), ("a.squeeze(-1)", "b.unsqueeze(2)")),
        ((3, 1, 4), (3, 4), ("a.squeeze(1)", "b.unsqueeze(1)")),
        ((3, 1, 1), (3,), ("a.squeeze((1, 2))", "b.unsqueeze(1).unsqueeze(2)")),
        ((5, 3, 1), (3,), ("a.squeeze(-1)", "b.unsqueeze(1)")),
        ((5, 3, 1), (5,), ("b.unsqueeze(1).unsqueeze(2)",)),
        ((3, 1), (4,), ("b.unsqueeze(0)", "a.expand(-1, 4)")),
        ((2, 3, 1), (4,), ("b.unsqueeze(0).unsqueeze(0)", "a.expand(-1, -1, 4)")),
    ],
    ids=str,
)
def test_the_fixes_fit_the_shapes(first, second, fixes):
    """With each fix the guard is silent, and elements are paired as stated."""
    a, b = torch.rand(first), torch.rand(second)
    (report,) = reports_of(lambda: a - b, strict=True)
    assert report.fixes == fixes
    for fix in report.fixes:
        operands = {"a": a, "b": b} | {fix[0]: eval(fix, {"a": a, "b": b})}
        with no_silent_broadcast(strict=True):
            result = operands["a"] - operands["b"]
        if "expand" in fix or ".unsqueeze(0)" in fix:
            torch.testing.assert_close(result, a - b)
            assert "all pairs are meant" in report.message
        elif a.numel() == b.numel():
            pairs = [p - q for p, q in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True)]
            torch.testing.assert_close(result.flatten(), torch.tensor(pairs))
        else:
            assert result.numel() == max(a.numel(), b.numel()), "no more terms than elements"


def test_a_fix_for_three_tensors_leaves_no_silent_pair(pred, y):
    (report,) = reports_of(lambda: torch.where(pred > 0, y, pred))
    assert report.fixes == ("y.unsqueeze(1)",)
    with no_silent_broadcast():
        torch.where(pred > 0, y.unsqueeze(1), pred)
    mask = torch.ones(3, 3, dtype=torch.bool)
    (report,) = reports_of(lambda: torch.where(mask, pred, y))
    assert report.result == (3, 3)
    every = [*product((1, 3), repeat=2), (3,), (1,), (), (2, 3, 3)]
    for shapes in product(every, repeat=3):
        reports_of(lambda shapes=shapes: torch.addcmul(*map(torch.zeros, shapes)))
    condition = pred > 0
    (report,) = reports_of(lambda: torch.where(condition, pred, y))
    assert report.shapes == ((3, 1), (3,))
    assert report.result == (3, 3)


def test_each_report_names_the_users_line(pred, y):
    def metric(outputs, labels):
        return (outputs - labels).abs().mean()

    (report,) = reports_of(lambda: metric(pred, y))
    where = metric.__code__.co_firstlineno + 1
    assert report.where == f"{__file__}:{where}"
    assert report.fixes == ("outputs.squeeze(-1)", "labels.unsqueeze(1)")
    (report,) = reports_of(lambda: torch.distributions.Normal(pred, 1.0).log_prob(y))
    assert report.where.startswith(f"{__file__}:")


SCRIPT = """
import torch
from linreg.guard import no_silent_broadcast
pred, y = torch.zeros(4, 1), torch.zeros(4)
with no_silent_broadcast("warn"):
    for step in range(5):
        loss = (pred - y).mean()
print(float(loss))
"""


@pytest.mark.slow
def test_a_warning_is_shown_once_and_with_the_users_line(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, script],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "0.0\n"
    said = ran.stderr.splitlines()
    assert said[0].startswith(
        f"{script}:7: SilentBroadcastWarning: torch.Tensor.sub broadcasts pred (4, 1) and y (4,)"
    )
    assert said[1:] == ["  loss = (pred - y).mean()"]


def test_a_warning_can_be_turned_into_an_error(pred, y):
    with no_silent_broadcast("warn"), pytest.raises(SilentBroadcastWarning):
        pred * y  # warnings are errors in these tests


def test_an_operation_can_be_allowed_in_all_its_forms(pred, y):
    for allow in (
        "mul",
        "torch.mul",
        "Tensor.__mul__",
        torch.mul,
        torch.Tensor.mul_,
        ["mul"],
        (torch.multiply, "add"),
    ):
        with no_silent_broadcast(allow=allow):
            pred * y
            torch.mul(pred, y)
            pred.multiply(y)
            with pytest.raises(SilentBroadcastError):
                pred - y
    with no_silent_broadcast(allow=F.mse_loss), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        nn.MSELoss()(pred, y)


def test_invalid_arguments_are_refused_in_one_sentence():
    with pytest.raises(
        ValueError, match="action 'explode' is unknown; give 'raise', 'warn' or a function"
    ):
        no_silent_broadcast("explode")
    for nothing in ("mull", torch.matmul, 3, [None]):
        with pytest.raises(
            ValueError, match="is not watched; give names or functions such as 'mul'"
        ):
            no_silent_broadcast(allow=nothing)


# ---- as a context and a decorator ----------------------------------------------------------------


def test_the_innermost_guard_decides(pred, y):
    outer, inner = [], []
    with no_silent_broadcast(outer.append):
        with no_silent_broadcast(inner.append):
            pred - y
            with no_silent_broadcast(allow="sub"):
                pred - y
        pred + y
    assert [[one.operation for one in reports] for reports in (outer, inner)] == [
        ["torch.Tensor.add"],
        ["torch.Tensor.sub"],
    ]


def test_it_survives_exceptions_and_can_be_used_again(pred, y):
    guard = no_silent_broadcast()
    for _ in range(2):
        with pytest.raises(KeyError), guard:
            raise KeyError
        pred - y  # off again
        with guard, guard:
            for _ in range(2):
                with pytest.raises(SilentBroadcastError):
                    pred - y
        pred - y


def test_as_a_decorator(pred, y):
    @no_silent_broadcast()
    def loss(prediction, target, depth=0):
        """Mean of the differences."""
        return loss(prediction, target, depth - 1) if depth else (prediction - target).mean()

    assert (loss.__name__, loss.__doc__) == ("loss", "Mean of the differences.")
    with pytest.raises(SilentBroadcastError):
        loss(pred, y, depth=3)
    assert loss(y, y) == 0
    pred - y


def test_a_decorated_generator_is_watched_while_it_runs_and_not_while_it_waits(pred, y):
    told = []

    @no_silent_broadcast()
    def batches():
        try:
            told.append((yield 1))
            try:
                yield 2
            except KeyError:
                yield 3
            pred - y
        finally:
            with pytest.raises(SilentBroadcastError):
                pred * y
            told.append("closed")

    generator = batches()
    assert next(generator) == 1
    pred - y
    assert generator.send("sent") == 2
    assert generator.throw(KeyError()) == 3
    pred - y
    with pytest.raises(SilentBroadcastError):
        next(generator)
    assert told == ["sent", "closed"]
    generator = batches()
    next(generator)
    generator.close()
    assert told[2:] == ["closed"]

    @no_silent_broadcast()
    def result():
        return (yield 1)

    assert list(result()) == [1]


def test_classes_and_async_functions_are_refused():
    async def later():
        pass

    async def stream():
        yield

    for function in (later, stream):
        with pytest.raises(TypeError, match="is async, and a guard cannot follow an await"):
            no_silent_broadcast()(function)
    forgotten = no_silent_broadcast(torch.relu)  # as @no_silent_broadcast without parentheses
    with pytest.raises(TypeError, match=r"write @no_silent_broadcast\(\) above a function"):
        forgotten(torch.ones(3))
    for value in (nn.Linear, None):
        with pytest.raises(TypeError, match=r"write @no_silent_broadcast\(\) above a function"):
            no_silent_broadcast()(value)


def test_a_guard_holds_for_its_own_thread(pred, y):
    """Also if several threads use one object at the same time."""
    guard, ready, go, caught = no_silent_broadcast(), threading.Barrier(3), threading.Barrier(3), []

    def work(guarded):
        if guarded:
            with guard:
                ready.wait()
                try:
                    pred - y
                except SilentBroadcastError:
                    caught.append(guarded)
                go.wait()
        else:
            ready.wait()
            pred - y
            go.wait()
            caught.append(guarded)

    threads = [threading.Thread(target=work, args=(guarded,)) for guarded in (True, True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(caught) == [False, True, True]


class Differences(Dataset):
    """Computed in the worker of a loader, with or without a guard of its own."""

    def __init__(self, pred, y, around):
        self.pred, self.y, self.around = pred, y, around

    def __len__(self):
        return 2

    def __getitem__(self, index):
        pred, y = self.pred, self.y
        with self.around:
            return pred - y + index


def from_a_worker(*differences):
    return [
        *DataLoader(
            Differences(*differences), num_workers=1, multiprocessing_context="fork", timeout=60
        )
    ]


@needs_fork
@pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"
)  # of Python 3.12 and later, in a process with threads
def test_a_guard_is_off_in_the_workers_of_a_loader(pred, y):
    with no_silent_broadcast():
        assert len(from_a_worker(pred, y, nullcontext())) == 2
        with pytest.raises(SilentBroadcastError):
            pred - y


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_an_error_from_a_worker_keeps_its_type_and_text(pred, y):
    text = (
        r"test_watch\.py:\d+: torch\.Tensor\.sub broadcasts pred \(3, 1\) and y \(3,\) to \(3, 3\)"
    )
    with pytest.raises(SilentBroadcastError, match=text) as caught:
        from_a_worker(pred, y, no_silent_broadcast())
    assert caught.value.broadcast is None


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_can_leave_the_blocks_and_enter_its_own(pred, y):
    def caught():
        try:
            pred - y
        except SilentBroadcastError:
            return True
        return False

    seen, child = [], None
    try:
        with no_silent_broadcast(), no_silent_broadcast("warn"), no_silent_broadcast():
            child = os.fork()
            seen.append(caught())
            with no_silent_broadcast():
                seen.append(caught())
            seen.append(caught())
        seen.append(caught())
        with no_silent_broadcast():
            seen.append(caught())
    finally:
        if child == 0:
            os._exit(seen != [False, True, False, False, True])
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert seen == [True, True, True, False, True]


class Count(TorchFunctionMode):
    """Records every call."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.seen.append(func)
        return func(*args, **(kwargs or {}))


AROUND = {
    "no other mode": (nullcontext, nullcontext),
    "a device outside": (lambda: torch.device("cpu"), nullcontext),
    "a device inside": (nullcontext, lambda: torch.device("cpu")),
    "a guard outside": (no_silent_broadcast, nullcontext),
    "a mode outside": (Count, nullcontext),
    "a mode inside": (nullcontext, Count),
}


@pytest.mark.parametrize(("outside", "inside"), AROUND.values(), ids=AROUND)
@pytest.mark.parametrize(
    "backward", [torch.Tensor.backward, torch.autograd.backward], ids=["method", "function"]
)
def test_an_optimizer_that_steps_inside_of_backward(outside, inside, backward, pred, y):
    """Each parameter is stepped in a hook of its gradient, to save memory."""

    def trained(guard):
        net = nn.Linear(1, 1)
        nn.init.constant_(net.weight, 0.5), nn.init.zeros_(net.bias)
        optimizers = {
            parameter: torch.optim.SGD([parameter], lr=0.1) for parameter in net.parameters()
        }
        for parameter, optimizer in optimizers.items():
            parameter.register_hook(lambda _, optimizer=optimizer: optimizer.zero_grad())
            parameter.register_post_accumulate_grad_hook(
                lambda _, optimizer=optimizer: optimizer.step()
            )
        for _ in range(3):
            with outside(), guard, inside():
                backward(F.mse_loss(net(pred).squeeze(-1), y))
                if not isinstance(guard, nullcontext):
                    with pytest.raises(SilentBroadcastError):
                        pred - y
            pred - y
        return torch.cat([net.weight.detach().flatten(), net.bias.detach()])

    assert torch.equal(trained(no_silent_broadcast()), trained(nullcontext()))


def test_another_mode_inside_stays_on_the_stack(pred, y):
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    with no_silent_broadcast(), Count() as count:
        optimizer.step()
        assert count.seen, "the other mode sees the step"
        with pytest.raises(SilentBroadcastError):
            pred - y


# ---- values stay the same, and nothing is reported that should not be ----------------------------


def trained(guarded, optimizer):
    """Weights after ten steps of a small network, all under the guard or not."""
    torch.manual_seed(0)
    x, target = torch.randn(20, 3), torch.randn(20)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    entry = OPTIMIZERS[optimizer]
    built = entry.build(list(net.parameters()), 0.01, 0.9 if entry.needs_momentum else 0.0)
    for _ in range(10):
        with no_silent_broadcast() if guarded else torch.enable_grad():
            loss = nn.MSELoss()(net(x).squeeze(-1), target)
            built.zero_grad()
            loss.backward()
            built.step()
    return [parameter.detach() for parameter in net.parameters()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_gives_identical_values(optimizer):
    for ours, plain in zip(trained(True, optimizer), trained(False, optimizer), strict=True):
        assert torch.equal(ours, plain)


def test_reported_operations_give_identical_gradients(pred, y):
    def gradient(around):
        p = pred.clone().requires_grad_()
        with around, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            (nn.MSELoss()(p, y) + (p * y).sum()).backward()
        return p.grad

    assert torch.equal(gradient(no_silent_broadcast(lambda _: None)), gradient(torch.enable_grad()))


def test_a_step_that_raises_leaves_the_guard_on(pred, y):
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    optimizer = torch.optim.Adam([weight])
    optimizer.step()
    optimizer.state[weight]["exp_avg"] = torch.ones(7)
    with no_silent_broadcast():
        with pytest.raises(RuntimeError):
            optimizer.step()
        with pytest.raises(SilentBroadcastError):
            pred - y
    pred - y


def test_closures_and_custom_optimizers_are_watched(pred, y):
    class Own(torch.optim.Optimizer):
        def __init__(self, parameters):
            super().__init__(parameters, {})

        def step(self, closure=None):  # noqa: ARG002
            pred - y

    weight = nn.Parameter(torch.ones(2))
    with no_silent_broadcast():
        with pytest.raises(SilentBroadcastError):
            torch.optim.SGD([weight]).step(lambda: (pred - y).mean())
        with pytest.raises(SilentBroadcastError):
            Own([weight]).step()


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.lstm, self.out = (
            nn.Embedding(10, 8),
            nn.LSTM(8, 6, batch_first=True, num_layers=2),
            nn.Linear(6, 1),
        )

    def forward(self, tokens):
        return self.out(self.lstm(self.words(tokens))[0]).squeeze(-1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        causal = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)
        padding = torch.zeros(4, 5, dtype=torch.bool)
        padding[:, -1] = True
        attended = self.attention(x, x, x, attn_mask=causal, key_padding_mask=padding)[0]
        scores = torch.einsum("btd,bsd->bts", attended, x).masked_fill(causal, -1e9)
        mixed = scores.softmax(-1) @ x + F.scaled_dot_product_attention(x, x, x, is_causal=True)
        return mixed[:, 0, 0].sum() + mixed.gather(1, torch.zeros(4, 1, 8, dtype=torch.long)).mean()


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Transformer(8, 2, 2, 2, 16, dropout=0.1, batch_first=True)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(5)
        padding = torch.zeros(4, 5)
        padding[:, -1] = float("-inf")
        return self.inner(
            x, x, tgt_mask=mask, src_key_padding_mask=padding, tgt_key_padding_mask=padding
        )


def convolution():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.GroupNorm(2, 4),
        nn.PReLU(4), nn.Dropout(), nn.Flatten(), nn.LazyLinear(5), nn.LayerNorm(5),
    )  # fmt: skip


NETWORKS = {
    "transformer": (Transformer, lambda: torch.randn(4, 5, 8)),
    "attention with masks": (Attention, lambda: torch.randn(4, 5, 8)),
    "embedding and LSTM": (Recurrent, lambda: torch.randint(10, (4, 7))),
    "convolution and norms": (convolution, lambda: torch.randn(4, 3, 10, 10)),
    "GRU": (lambda: nn.GRU(8, 3), lambda: torch.randn(5, 4, 8)),
    "bilinear": (lambda: nn.Bilinear(8, 8, 1), lambda: (torch.randn(4, 8), torch.randn(4, 8))),
}


@pytest.mark.parametrize(("build", "make"), NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:Lazy modules")
def test_no_false_alarm_in_a_network(build, make, training):
    """Forward, backward, clipped gradients and a step."""
    torch.manual_seed(0)
    with no_silent_broadcast():
        net, x = build().train(training), make()
        for _ in range(2):
            out = net(*x) if isinstance(x, tuple) else net(x)
            out = out[0] if isinstance(out, tuple) else out
            parameters = list(net.parameters())
            optimizer = torch.optim.AdamW(parameters)
            out.square().mean().backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad()


def test_no_false_alarm_in_classification_and_indexing():
    torch.manual_seed(0)
    with no_silent_broadcast():
        logits, labels = torch.randn(6, 4, requires_grad=True), torch.randint(4, (6,))
        loss = F.cross_entropy(logits, labels, weight=torch.ones(4), label_smoothing=0.1)
        loss = (
            loss + F.nll_loss(logits.log_softmax(1), labels) + F.multi_margin_loss(logits, labels)
        )
        loss = (
            loss
            + F.cosine_embedding_loss(logits, logits, torch.ones(6))
            + F.triplet_margin_loss(logits, logits, logits)
        )
        loss = loss + F.binary_cross_entropy_with_logits(
            logits, F.one_hot(labels, 4).float(), pos_weight=torch.ones(4)
        )
        loss.backward()
        assert (logits.argmax(1) == labels).float().mean() <= 1
        (
            logits[labels > 1],
            logits[torch.arange(6), labels],
            logits.index_select(0, labels),
            logits.topk(2),
        )
        table = torch.zeros(6, 4)
        table[:, 1] = 3.0
        table[labels > 1] = torch.ones(4)
        table.scatter_(1, labels[:, None], 1.0).index_add_(0, labels, torch.ones(6, 4))
        (
            torch.cdist(logits, logits),
            torch.cov(logits.detach()),
            torch.linalg.lstsq(logits.detach(), torch.ones(6, 1)),
        )


DISTRIBUTIONS = {
    "Normal": lambda d: d.Normal(torch.zeros(3), torch.ones(3)),
    "MultivariateNormal": lambda d: d.MultivariateNormal(torch.zeros(4, 2), torch.eye(2)),
    "LowRankMultivariateNormal": lambda d: d.LowRankMultivariateNormal(
        torch.zeros(4, 2), torch.ones(4, 2, 1), torch.ones(2)
    ),
    "Categorical": lambda d: d.Categorical(logits=torch.zeros(3, 4)),
    "OneHotCategorical": lambda d: d.OneHotCategorical(torch.ones(3, 4)),
    "Multinomial": lambda d: d.Multinomial(5, torch.ones(3, 4)),
    "Dirichlet": lambda d: d.Dirichlet(torch.ones(3, 4)),
    "Gamma": lambda d: d.Gamma(torch.ones(3), torch.ones(3)),
    "StudentT": lambda d: d.StudentT(torch.full((3,), 4.0)),
    "VonMises": lambda d: d.VonMises(torch.zeros(3), torch.ones(3)),
    "Independent": lambda d: d.Independent(d.Normal(torch.zeros(3, 2), torch.ones(2)), 1),
    "MixtureSameFamily": lambda d: d.MixtureSameFamily(
        d.Categorical(torch.ones(3, 5)), d.Normal(torch.zeros(3, 5), torch.ones(3, 5))
    ),
    "TransformedDistribution": lambda d: d.LogNormal(torch.zeros(3), torch.ones(3)),
    "LKJCholesky": lambda d: d.LKJCholesky(3, torch.ones(2)),
    "Wishart": lambda d: d.Wishart(torch.full((2,), 3.0), torch.eye(2)),
}


@pytest.mark.parametrize("make", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
@pytest.mark.filterwarnings("ignore:Singular sample")
def test_no_false_alarm_in_distributions(make):
    torch.manual_seed(0)
    with no_silent_broadcast():
        distribution = make(torch.distributions)
        distribution.log_prob(distribution.sample())
        distribution.log_prob(distribution.sample((7,)))


# ---- every function of PyTorch -------------------------------------------------------------------

NOT_WATCHED = {
    "torch.functional.broadcast_tensors": "explicit; watched if torch.distributions calls it",
    "torch.nn.functional.gumbel_softmax": "the second argument is a temperature",
    "torch.sym_sum": "adds sizes, not tensors",
}


@functools.cache
def made(kind, shape, seed):
    uniform = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    return {"f": uniform + 0.05, "i": (uniform * 6 + 1).long(), "b": uniform > 0.5}[kind]


def broadcasts(function, args, more):
    """Whether the result equals that of the arguments expanded to (3, 3), as broadcasting does."""
    try:
        torch.default_generator.manual_seed(0)
        ours = function(*(one.clone() for one in args), **more)
        torch.default_generator.manual_seed(0)
        expanded = function(*(one.expand(3, 3).clone() for one in args), **more)
    except Exception:
        return False
    both = [list(one) if isinstance(one, tuple | list) else [one] for one in (ours, expanded)]
    return (
        all(isinstance(one, torch.Tensor) for one in (*both[0], *both[1]))
        and [one.shape for one in both[0]] == [one.shape for one in both[1]]
        and bool(both[0])
        and all(
            torch.allclose(a.cdouble(), b.cdouble(), equal_nan=True)
            for a, b in zip(*both, strict=True)
        )
    )


def is_reported(function, args, more):
    reports = []
    try:
        torch.default_generator.manual_seed(0)
        with no_silent_broadcast(reports.append):
            function(*(one.clone() for one in args), **more)
    except Exception:
        return bool(reports)
    return bool(reports)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_function_that_broadcasts_is_watched():
    """All overridable functions of PyTorch, called with (3, 1) and (3,)."""
    functions = {f for several in get_overridable_functions().values() for f in several} | set(
        WATCHED
    )
    missed, reported = set(), set()
    with torch.random.fork_rng(devices=[]):
        for function in functions:
            if "__get__" in getattr(function, "__name__", ""):
                continue  # a property
            for kinds in ("ff", "ii", "bb", "fb", "fff", "bff", "fbf"):
                for shapes in ([(3, 1), (3,), (3, 1)], [(3,), (3, 1), (3,)]):
                    args = [
                        made(kind, shape, seed)
                        for seed, (kind, shape) in enumerate(zip(kinds, shapes, strict=False))
                    ]
                    for more in ({}, {"value": 1}) if kinds in ("bb", "fb") else ({},):
                        if is_reported(function, args, more):
                            reported.add(function)
                        elif broadcasts(function, args, more):
                            missed.add(resolve_name(function))
                if function in reported:
                    break
    assert missed == set(NOT_WATCHED)
    written = {
        operation.name
        for function, operation in WATCHED.items()
        if function not in reported and operation.kind in ("elementwise", "loss")
    }
    in_place = {name for name in written if re.search(r"[a-z0-9]_$|\.__i(?!nt|nv)", name)}
    assert len(in_place) > 20, "PyTorch refuses them itself"
    written -= in_place
    assert written == {
        "torch.Tensor.__complex__",  # of one number
        "torch.nn.functional.margin_ranking_loss",  # raises if the ranks differ
        "torch.poisson_nll_loss",  # takes more arguments
        "torch.nn.functional.binary_cross_entropy",  # of these three, the weights are watched
        "torch.nn.functional.binary_cross_entropy_with_logits",
        "torch.binary_cross_entropy_with_logits",
    }


# ---- torch.compile -------------------------------------------------------------------------------


@pytest.fixture
def compiled():
    """Compile a function, and count its graphs."""
    torch._dynamo.reset()
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    yield lambda function, **options: (torch.compile(function, backend=backend, **options), graphs)
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False], ids=["compiled before", "first called inside"])
def test_compiled_code_is_watched(compiled, before, pred, y):
    def loss(prediction, target):
        return (prediction * 2 - target).square().mean()

    fast, graphs = compiled(loss)
    if before:
        fast(pred, y), fast(y, y)
    count = len(graphs)
    for _ in range(12):  # more often than the recompile limit
        with no_silent_broadcast(), pytest.raises(SilentBroadcastError) as caught:
            fast(pred, y)
        (report,) = reports_of(lambda: fast(pred, y))
        with no_silent_broadcast():
            assert torch.equal(fast(y, y), loss(y, y))
    assert (
        caught.value.broadcast.where
        == report.where
        == f"{__file__}:{loss.__code__.co_firstlineno + 1}"
    )
    assert report.fixes == ("(prediction * 2).squeeze(-1)", "target.unsqueeze(1)")
    assert len(graphs) == count, "inside, it runs as Python"
    assert torch.equal(fast(y, y), loss(y, y))


@pytest.mark.slow
@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x + 1).mul(x.max().item()).abs().mean(),
        lambda x: (x * 2 - x).square().mean() if x.sum() > 0 else x,
        lambda x: 2.0 ** x[x > 0.25].square().mean(),
    ],
    ids=["a number taken out", "a branch", "a shape that depends on values"],
)
def test_compiled_code_gives_the_right_values_where_its_graph_is_split(compiled, function, y):
    """Under a mode that the compiler traces, torch 2.13 loses what follows a graph break."""
    fast, _ = compiled(function)
    with no_silent_broadcast():
        assert torch.equal(fast(y), function(y))
    assert torch.equal(fast(y), function(y))


@pytest.mark.slow
def test_a_guard_inside_of_compiled_code(compiled, pred, y):
    def within(prediction, target):
        with no_silent_broadcast():
            return (prediction - target).abs().mean()

    @no_silent_broadcast()
    def decorated(prediction, target):
        return (prediction - target).abs().mean()

    for function in (within, decorated, lambda a, b: decorated(a * 2, b * 2)):
        fast, _ = compiled(function)
        with pytest.raises(SilentBroadcastError):
            fast(pred, y)
        assert fast(y, y) == 0
        pred - y  # off again


def test_fullgraph_code_stays_compiled(compiled, pred, y):
    def loss(a, b):
        return (a * 2 - b).square().mean()

    fast, graphs = compiled(loss, fullgraph=True)
    fast(y, y)
    with no_silent_broadcast():
        for _ in range(3):
            assert torch.equal(fast(y, y), loss(y, y))
        with torch.compiler.set_stance("force_eager"):
            assert torch.equal(fast(y, y), loss(y, y))
            with pytest.raises(SilentBroadcastError):
                fast(pred, y)
    count = len(graphs)
    assert count > 1, "compiled inside too"
    assert torch.equal(fast(y, y), loss(y, y))
    assert len(graphs) == count, "outside, it is compiled as before"


@pytest.mark.parametrize("step", ["cond", "while_loop", "scan", "flex_attention", "optimizer"])
@pytest.mark.filterwarnings("ignore")  # warnings of the compiler
def test_what_compiles_itself_runs_as_without_the_guard(step, y):
    """Control flow, attention with a score function, an optimizer with a compiled step."""
    from torch._higher_order_ops import scan, while_loop
    from torch.nn.attention.flex_attention import flex_attention

    class Compiled(torch.optim.Optimizer):
        def __init__(self, parameters):
            super().__init__(parameters, {})
            self.update = torch.compile(
                lambda weight, grad: weight - 0.1 * grad, backend="eager", fullgraph=True
            )

        @torch.no_grad()
        def step(self):
            for weight in self.param_groups[0]["params"]:
                weight.copy_(self.update(weight, weight.grad))

    def optimized():
        weight = nn.Parameter(torch.ones(3))
        optimizer = Compiled([weight])
        for _ in range(2):
            weight.grad = None
            F.mse_loss(weight * 2, y).backward()
            optimizer.step()
        return weight.detach()

    query = torch.linspace(0, 1, 512).reshape(1, 2, 16, 16)
    run = {
        "cond": lambda: torch.cond(y.sum() > 0, lambda x: x + 1, lambda x: x - 1, (y,)),
        "while_loop": lambda: while_loop(
            lambda i, _: i < 3, lambda i, x: (i + 1, x * 2), (torch.tensor(0), y)
        )[1],
        "scan": lambda: scan(lambda c, x: (c + x, c * x), torch.tensor(0.0), y)[1],
        "flex_attention": lambda: flex_attention(query, query, query),
        "optimizer": optimized,
    }[step]
    plain = run()
    torch._dynamo.reset()
    with no_silent_broadcast():
        guarded = run()
        with pytest.raises(SilentBroadcastError):
            y[:, None] - y.exp()
    torch._dynamo.reset()
    assert torch.equal(guarded, plain)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # warnings of the compiler
def test_a_compiled_training_step(compiled):
    def after(guarded):
        torch.manual_seed(0)
        net = nn.Linear(2, 1)
        optimizer = torch.optim.Adam(net.parameters())
        x, target = torch.randn(8, 2), torch.randn(8)

        def step():
            optimizer.zero_grad()
            F.mse_loss(net(x).squeeze(-1), target).backward()
            optimizer.step()

        fast, _ = compiled(step)
        for _ in range(3):
            with no_silent_broadcast() if guarded else torch.enable_grad():
                fast()
        return net.weight.detach()

    torch.testing.assert_close(after(True), after(False))


# ---- the fingerprint -----------------------------------------------------------------------------


def batch(rows=50, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(rows, generator=generator).to(dtype), torch.rand(
        rows, generator=generator
    ).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("rows", [3, 50, 1000])
@pytest.mark.parametrize(
    "loss", [one for one in LOSSES.values() if not one.refuses], ids=lambda loss: loss.key
)
def test_the_fingerprint_is_right_for_every_loss(loss, rows, dtype):
    p, t = batch(rows, dtype)
    assert looks_broadcast(loss.run, p[:, None], t)
    assert looks_broadcast(loss.run, p, t[:, None])
    assert looks_broadcast(loss.run, p[:, None], t[None, :]), "equal ranks are all pairs too"
    assert not looks_broadcast(loss.run, p, t)
    assert not looks_broadcast(loss.run, p[:, None], t[:, None])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e6])
def test_the_fingerprint_at_any_scale(scale):
    p, t = (one * scale for one in batch())
    for reduction in ("mean", "sum", "none"):
        loss = nn.MSELoss(reduction=reduction)
        assert looks_broadcast(loss, p[:, None], t)
        assert not looks_broadcast(loss, p, t)


def test_the_fingerprint_of_the_threads_script():
    """Targets in the hundreds, predictions of an untrained model."""
    torch.manual_seed(0)
    x = 100 * torch.randn(100, 2)
    target = x @ torch.tensor([5.0, 3.0])
    pred = nn.Linear(2, 1, bias=False)(x)
    assert looks_broadcast(nn.MSELoss(), pred, target)
    assert not looks_broadcast(nn.MSELoss(), pred.squeeze(-1), target)
    assert pred.grad_fn is not None


def test_the_fingerprint_of_other_losses():
    p, t = batch()
    assert looks_broadcast(nn.MSELoss(), p[:2, None], t[:2]), "two rows are enough"
    assert not looks_broadcast(nn.MSELoss(), p[:2], t[:2])
    assert looks_broadcast(lambda a, b: (a[:, None] - b).abs().mean(), p, t), (
        "all pairs inside of the loss"
    )
    assert not looks_broadcast(lambda a, b: (a - b).square().mean().item(), p, t), (
        "a loss that gives a number"
    )
    assert not looks_broadcast(F.binary_cross_entropy_with_logits, p, (t > 0.5).float())
    labels = torch.arange(50) % 4
    assert not looks_broadcast(
        F.cross_entropy, torch.rand(50, 4, generator=torch.Generator().manual_seed(0)), labels
    )
    assert looks_broadcast(lambda a, b: (a == b).float().mean(), labels[:, None], labels), (
        "an accuracy over all pairs"
    )
    scores = torch.rand(50, 4, generator=torch.Generator().manual_seed(0))
    assert looks_broadcast(
        lambda a, b: (a.argmax(1, keepdim=True) == b).float().mean(), scores, labels
    )
    assert not looks_broadcast(lambda a, b: (a == b).float().mean(), labels, labels)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_the_fingerprint_of_squares_and_of_half_precision(dtype):
    """With (B, T, 1) and (B, T) at B = T only one axis of the target is free of order."""
    generator = torch.Generator().manual_seed(0)

    def values(*shape):
        return torch.randn(shape, generator=generator).to(dtype)

    for size in (3, 8):
        p, t = values(size, size), values(size, size)
        assert looks_broadcast(nn.MSELoss(), p[..., None], t)
        assert looks_broadcast(nn.MSELoss(), p, t[..., None])
        assert looks_broadcast(nn.MSELoss(), p[:, None], t)
        assert not looks_broadcast(nn.MSELoss(), p, t)
        assert not looks_broadcast(nn.MSELoss(), p[..., None], t[..., None])
    assert looks_broadcast(nn.MSELoss(), values(100, 1), values(100))
    assert not looks_broadcast(nn.MSELoss(), values(100), values(100))
    if dtype != torch.bfloat16:  # too coarse for a loss that takes no other dtype
        weight = torch.ones(4, dtype=dtype)
        p, t = values(50, 4), values(50, 4)
        assert not looks_broadcast(lambda a, b: F.l1_loss(a @ weight.diag(), b), p, t)


def accuracy(scores, labels):
    return (scores.argmax(1) == labels).float().mean()


CANNOT = {
    "is a batch of one": (nn.MSELoss(), torch.ones(1, 1), torch.ones(1)),
    "or none": (nn.MSELoss(), torch.ones(0, 1), torch.ones(0)),
    "targets are constant": (nn.MSELoss(), torch.rand(5), torch.ones(5)),
    "the loss 1.5 to show": (
        nn.L1Loss(),
        torch.tensor([3.0, 4.0]),
        torch.tensor([1.5, 2.5]),
    ),  # signs that never change
    "predictions are constant": (nn.MSELoss(), torch.zeros(5), torch.rand(5)),
    "predictions are constant, so": (
        nn.CrossEntropyLoss(),
        torch.tensor([[0.1, 0.5, -0.3]]).expand(50, 3),
        torch.arange(50) % 3,
    ),
    "the targets are constant": (
        nn.MSELoss(),
        torch.rand(50, 3),
        torch.tensor([0.1, 0.5, -0.3]).expand(50, 3),
    ),
    "the loss is nan": (nn.MSELoss(), torch.tensor([1.0, float("nan")]), torch.tensor([1.0, 2.0])),
    "switch off what is random": (lambda p, t: F.dropout(p - t).sum(), *batch()),
    "to show in it": (
        accuracy,
        torch.tensor([0.0, 9.0, 0.0]) + torch.rand(50, 3),
        torch.arange(50) % 3,
    ),
    "beside the loss 0.5 to show": (
        lambda p, t: ((p > 0) == t).float().mean(),
        0.1 + batch()[0],
        torch.arange(50) % 2,
    ),
    "predictions or targets vary too little": (nn.MSELoss(), batch()[0] * 1e-9, batch()[1] * 1e3),
    "targets vary too little beside": (nn.MSELoss(), batch()[0][:, None] + 1e6, batch()[1]),
}


@pytest.mark.parametrize(
    ("says", "loss", "p", "t"), [(k, *v) for k, v in CANNOT.items()], ids=CANNOT
)
def test_the_fingerprint_raises_if_it_is_inconclusive(says, loss, p, t):
    with pytest.raises(Inconclusive, match=says):
        looks_broadcast(loss, p, t)
    assert issubclass(Inconclusive, ValueError)


def test_the_fingerprint_has_no_side_effects():
    p, t = (one.requires_grad_() for one in batch())
    torch.manual_seed(5)
    state, filters = torch.get_rng_state(), list(warnings.filters)
    with pytest.raises(Inconclusive, match="random"):
        looks_broadcast(lambda a, b: (F.dropout(a) - b).sum(), p, t)
    with no_silent_broadcast():
        assert looks_broadcast(nn.MSELoss(), p[:, None], t), "a guard outside does not stop it"
    assert torch.equal(state, torch.get_rng_state())
    assert warnings.filters == filters
    assert p.grad is None
    assert t.grad is None
    with pytest.raises(TypeError, match="returns a tuple; it must return a tensor or a number"):
        looks_broadcast(lambda a, b: (a, b), p, t)


# ---- what PyTorch does ---------------------------------------------------------------------------


def test_a_reaction_has_pytorchs_messages(recwarn):
    said = reaction((4, 1), (4,))
    with pytest.warns(UserWarning, match="Using a target size") as heard:
        nn.MSELoss()(torch.zeros(4, 1), torch.zeros(4))
    assert said.warnings == (str(heard[0].message),)
    assert said.error is None
    assert said.value > 0
    assert said.broadcast.fixes == ("prediction.squeeze(-1)", "target.unsqueeze(1)")
    assert "linreg" not in said.broadcast.message
    assert reaction((4, 1), (4,), "raw").warnings == ()
    assert reaction((4, 1), (4,), "raw").broadcast.operation == "torch.Tensor.sub"
    assert reaction((4,), (4,)).broadcast is None
    refused = reaction((4, 1), (4,), "bce_with_logits")
    assert "Target size (torch.Size([4])) must be the same" in refused.error
    assert (refused.value, refused.broadcast) == (None, None)
    assert "must match the size of tensor b" in reaction((4,), (3,), "raw").error
    assert reaction((4, 1), (4,)) == said, "seeded"
    assert not recwarn.list


def test_the_size_of_a_reaction_is_limited():
    for shapes in (((3_000, 1), (3_000,)), ((10**18,), (5,)), ((0, 10**9), (1,))):
        with pytest.raises(
            ValueError, match="more than the 4,000,000 elements that are run; give smaller sizes"
        ):
            reaction(*shapes)
    with pytest.raises(ValueError, match="loss 'mae' is unknown; the choices are mse, l1"):
        reaction((1,), (1,), "mae")


REACTIONS = """
import threading, warnings
from linreg import Settings, DataSettings, train
from linreg.guard import reaction, looks_broadcast
import torch
failed = []
def work():
    try:
        for _ in range(40):
            assert len(reaction((4, 1), (4,)).warnings) == 1
            assert reaction((4,), (4,)).warnings == ()
            assert looks_broadcast(torch.nn.MSELoss(), torch.arange(5.)[:, None], torch.arange(5.))
    except BaseException as error:
        failed.append(error)
def other():
    try:
        for _ in range(20):
            (run,) = train([Settings(data=DataSettings(samples=100), epochs=1)])
            assert len(run.warnings) == 1
    except BaseException as error:
        failed.append(error)
# modules that are imported late add filters
reaction((4, 1), (4,)), train([Settings(data=DataSettings(samples=100), epochs=1)])
filters = list(warnings.filters)
threads = [threading.Thread(target=target) for target in (work, work, other)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
assert not failed, failed
assert warnings.filters == filters
"""


@pytest.mark.slow
def test_threads_capture_only_their_own_warnings():
    """In a new process, as these tests' shape checker replaces the filters of this one."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", REACTIONS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


# ---- in a test suite -----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_fixture_fails_a_test_that_broadcasts(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest('pytest_plugins = ["linreg.pytest_plugin"]')
    pytester.makepyfile(
        """
        import pytest, torch
        from linreg.guard import no_silent_broadcast

        pred, y = torch.zeros(4, 1), torch.zeros(4)

        @pytest.mark.usefixtures("linreg_guard")
        def test_bug():
            assert ((pred - y) ** 2).mean() == 0

        @pytest.mark.usefixtures("linreg_guard")
        def test_fixed():
            assert ((pred.squeeze(-1) - y) ** 2).mean() == 0

        def test_exempt(linreg_guard):
            with no_silent_broadcast(allow="sub"):
                pred - y

        def test_without():
            pred - y
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*SilentBroadcastError: *.py:8: *sub broadcasts pred (4, 1) and y (4,)*",
            "",
            "*.py:8: SilentBroadcastError",
        ]
    )


def test_importing_the_guard_loads_no_compiler_and_no_trainer():
    program = (
        "import sys, linreg.guard; sys.exit(any(name in sys.modules for name in"
        " ('torch._dynamo', 'streamlit', 'pandas', 'linreg.training.pytorch', 'numba')))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


# ---- PyTorch's optimizers stay as they are -------------------------------------------------------


@pytest.mark.slow
def test_importing_the_guard_and_leaving_it_changes_nothing_in_torch():
    program = """
import inspect, sys, torch
from torch.optim import optimizer

def state():
    modules = [m for name, m in sys.modules.items() if name.startswith("torch.optim")]
    classes = {o for m in modules for o in vars(m).values() if inspect.isclass(o)}
    owners = {o for o in classes if issubclass(o, torch.optim.Optimizer)}
    found = {(m.__name__, name): value for m in modules for name, value in vars(m).items()}
    found |= {(o, name): value for o in owners for name, value in vars(o).items()}
    hooks = (optimizer._global_optimizer_pre_hooks, optimizer._global_optimizer_post_hooks)
    return found, *map(dict, hooks)

def constructed():
    weights = [torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2)]
    weights[0].grad = torch.ones(2, 2)
    return torch.optim.RMSprop(weights), torch.optim.AdamW(weights), torch.optim.Muon(weights)

optimizers = constructed()  # PyTorch itself wraps `step` of a class at its first object
before = state()
import linreg.guard, linreg.guard.watch
assert state() == before, "after the import"
own = [dict(vars(one)) for one in optimizers]
with linreg.guard.no_silent_broadcast():
    for one in optimizers * 2:
        one.step(), one.zero_grad()
    later = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))])
    later.step(), later.step()
adam = vars(torch.optim.Adam)["step"]
assert adam.hooked and not hasattr(adam.__wrapped__, "hooked"), "wrapped by PyTorch alone"
changed = {key for key, value in state()[0].items() if before[0].get(key) != value}
assert changed == {(torch.optim.Adam, "step")}, changed
assert state()[1:] == before[1:]
assert [set(vars(one)) for one in optimizers] == [set(one) for one in own]
assert not {"step", "zero_grad"} & set(vars(later))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def stepping(build=torch.optim.Adam):
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    return build([weight])


class Inherited(torch.optim.Adam):
    """A subclass that inherits `step`."""


def scheduled(weights):
    optimizer = torch.optim.Adam(weights)
    optimizer.scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    return optimizer


@pytest.mark.parametrize("build", [torch.optim.Adam, torch.optim.AdamW, Inherited, scheduled])
def test_after_its_first_step_an_optimizer_is_not_watched(monkeypatch, build, pred, y):
    calls = []

    def counting(mode, func, types, args=(), kwargs=None):
        calls.append(func)
        return original(mode, func, types, args, kwargs)

    original = watch._Watch.__torch_function__
    monkeypatch.setattr(watch._Watch, "__torch_function__", counting)
    optimizer = stepping(build)
    own = dict(vars(optimizer))
    for _ in range(2):
        with no_silent_broadcast():
            optimizer.step()  # watched in the first round only
            calls.clear()
            for _ in range(3):
                optimizer.step()
            optimizer.zero_grad()
            assert not calls
            with pytest.raises(SilentBroadcastError):
                pred - y
        assert {name: vars(optimizer).get(name) for name in ("step", "zero_grad")} == {
            name: own.get(name) for name in ("step", "zero_grad")
        }


def test_a_scheduler_works_before_inside_and_after_a_guard(recwarn):
    rates = []
    for place in ("before", "inside", "after a step inside"):
        optimizer = stepping()
        if place == "before":
            scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        with no_silent_broadcast():
            if place == "after a step inside":
                optimizer.step()
            if place != "before":
                scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
            for _ in range(2):
                optimizer.step()
                scheduler.step()
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr())
    assert rates == [[0.001 * 0.5**3]] * 3
    assert not recwarn.list


def test_optimizers_are_restored_when_the_last_thread_leaves_its_guard():
    optimizer = stepping()
    inside, leave = threading.Event(), threading.Event()

    def other():
        with no_silent_broadcast():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(60)
    with no_silent_broadcast():
        optimizer.step()
        assert "step" in vars(optimizer)
    assert "step" in vars(optimizer)
    optimizer.step()
    leave.set()
    thread.join()
    assert "step" not in vars(optimizer)
    assert not _global_optimizer_pre_hooks


def test_an_optimizer_can_be_copied_and_dropped_inside_a_guard():
    with no_silent_broadcast():
        optimizer = stepping()
        optimizer.step()
        twin = copy.deepcopy(optimizer)
        assert "step" not in vars(twin)
        assert pickle.loads(pickle.dumps(optimizer)).state_dict()["param_groups"]
        gone = weakref.ref(optimizer)
        del optimizer
        gc.collect()
        assert gone() is None
        twin.step()


def test_a_replacement_of_the_step_stays_and_is_watched(pred, y):
    optimizer = stepping()
    steps = []
    with no_silent_broadcast():
        optimizer.step()
        inner = optimizer.step

        @functools.wraps(inner)
        def counted():
            steps.append(pred - y)
            return inner()

        optimizer.step = counted
    optimizer.step()
    assert vars(optimizer)["step"] is counted
    assert len(steps) == 1
    with no_silent_broadcast(), pytest.raises(SilentBroadcastError):
        optimizer.step()
    assert vars(optimizer)["step"] is counted


def test_optimizers_keep_their_signatures_and_copies():
    assert list(inspect.signature(torch.optim.Adam.step).parameters) == ["self", "closure"]
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=0.1)
    with no_silent_broadcast():
        optimizer.step()
        assert list(inspect.signature(optimizer.step).parameters) == ["closure"]
    assert copy.deepcopy(optimizer).state_dict() == optimizer.state_dict()
