"""Situations of public bug reports, and right code as libraries write it.

Each broken expression is reported, and each fix of the report, written into the expression, gives
what was meant. Each right one passes, also where two sizes are equal by chance."""

import itertools
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import distributions, nn

from linreg.guard.report import SilentBroadcastError
from linreg.guard.watch import no_silent_broadcast

N = 6


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) + 0.3


def rate(*shape, seed=0):
    return normal(*shape, seed=seed).abs() + 0.2


def probability(*shape, seed=0):
    return normal(*shape, seed=seed).sigmoid()


def labels(*shape, seed=0):
    return torch.randint(3, shape, generator=torch.Generator().manual_seed(seed))


def variables():
    """What the expressions use; `w` requires a gradient."""
    return {
        "torch": torch, "F": F, "nn": nn, "np": np, "d": distributions, "N": N,
        "row": normal(N, seed=1), "column": normal(N, 1, seed=2),
        "w": normal(N, seed=3).requires_grad_(),
        "positive": rate(N, seed=4), "positive_column": rate(N, 1, seed=5),
        "square": normal(N, N, seed=6), "logits": normal(N, 3, seed=7),
        "action": labels(N, 1), "label": labels(N, seed=1), "array": normal(N, seed=8).numpy(),
        "steps": probability(N, N, 1), "targets": (normal(N, N, seed=9) > 0).float(),
        "channel": normal(4, 1, 5, 5), "image": normal(4, 5, 5, seed=1),
        "last": normal(N, 1, 3), "features": normal(N, 3, seed=2),
        "scale": torch.eye(3).expand(N, 3, 3),
        "batch": SimpleNamespace(reward=normal(N, seed=10)),
        "tensordict": {"log_prob": normal(N, seed=11), "advantage": normal(N, 1, seed=12)},
        "x": normal(N, 3, seed=13), "codes": normal(N, 3, seed=14).requires_grad_(),
        "area": rate(N, seed=15).requires_grad_(), "other": rate(N, seed=16), "overlap": rate(N, N),
    }  # fmt: skip


# broken: the expression, what was meant, and whether the report has fixes
BROKEN = {
    "policy gradient": ("(w * column).mean()", "(w * column[:, 0]).mean()"),
    "clipped ratio": (
        "-torch.min(w * column, w.clamp(0.8, 1.2) * column).mean()",
        "-torch.min(w * column[:, 0], w.clamp(0.8, 1.2) * column[:, 0]).mean()",
    ),
    "advantage, detached": (
        "(w * (row - column.detach())).mean()",
        "(w * (row - column[:, 0])).mean()",
    ),
    "entries of a dict": (
        "(tensordict['log_prob'] * tensordict['advantage']).mean()",
        "(tensordict['log_prob'] * tensordict['advantage'][:, 0]).mean()",
    ),
    "an attribute": (
        "F.mse_loss(logits.gather(1, action), batch.reward + (0.9 * column))",
        "F.mse_loss(logits.gather(1, action), batch.reward[:, None] + 0.9 * column)",
    ),
    "contrastive, two terms": (
        "((1 - positive_column) * row.pow(2) + positive_column * (2 - row).clamp(min=0)).mean()",
        "((1 - positive_column[:, 0]) * row.pow(2)"
        " + positive_column[:, 0] * (2 - row).clamp(min=0)).mean()",
    ),
    "cross entropy, B = T": (
        "-(targets * torch.log(steps) + (1 - targets) * torch.log(1 - steps)).mean()",
        "F.binary_cross_entropy(steps[..., 0], targets)",
    ),
    "a new axis too many": ("(row / positive.unsqueeze(1)).mean()", "(row / positive).mean()"),
    "a target made a column": ("(w - row.view(-1, 1)).abs().mean()", "(w - row).abs().mean()"),
    "R squared": ("((row - column) ** 2).sum()", "((row - column[:, 0]) ** 2).sum()"),
    "accuracy": (
        "(logits.argmax(1, keepdim=True) == label).float().mean()",
        "(logits.argmax(1) == label).float().mean()",
    ),
    "channels": ("(channel * image).mean()", "(channel[:, 0] * image).mean()"),
    "a sequence of one": ("(last - features).abs().mean()", "(last[:, 0] - features).abs().mean()"),
    "a loss": (
        "nn.PoissonNLLLoss()(column, positive)",
        "nn.PoissonNLLLoss()(column[:, 0], positive)",
    ),
    "a loss of a row and a column": (
        "F.poisson_nll_loss(column, positive[None])",
        "F.poisson_nll_loss(column[:, 0], positive)",
    ),
    "log_prob": (
        "d.Bernoulli(None, row, validate_args=False).log_prob(positive_column).mean()",
        "d.Bernoulli(None, row, validate_args=False).log_prob(positive_column[:, 0]).mean()",
    ),
    "Categorical": (
        "(d.Categorical(logits=logits).log_prob(action) * w).mean()",
        "(d.Categorical(logits=logits).log_prob(action[:, 0]) * w).mean()",
    ),
    "OneHotCategorical": (
        "d.OneHotCategorical(logits=logits).log_prob(F.one_hot(action, 3)).mean()",
        "d.OneHotCategorical(logits=logits).log_prob(F.one_hot(action[:, 0], 3)).mean()",
    ),
    "MixtureSameFamily": (
        "d.MixtureSameFamily(d.Categorical(logits=square), d.Normal(square, 1.0))"
        ".log_prob(column).mean()",
        "d.MixtureSameFamily(d.Categorical(logits=square), d.Normal(square, 1.0))"
        ".log_prob(column[:, 0]).mean()",
    ),
    "Independent": (
        "d.Independent(d.Normal(features, 1.0), 1).log_prob(last).mean()",
        "d.Independent(d.Normal(features, 1.0), 1).log_prob(last[:, 0]).mean()",
    ),
    "a transformed distribution": (
        "d.LogNormal(row, 1.0).cdf(positive_column).mean()",
        "d.LogNormal(row, 1.0).cdf(positive_column[:, 0]).mean()",
    ),
    "parameters": (
        "d.Normal(column, positive).mean.sum()",
        "d.Normal(column[:, 0], positive).mean.sum()",
    ),
    "parameters of vectors": (
        "d.MultivariateNormal(last, scale_tril=scale).log_prob(features).mean()",
        "d.MultivariateNormal(last[:, 0], scale_tril=scale).log_prob(features).mean()",
    ),
    "an array": (
        "((column - array) ** 2).mean()",
        "((column[:, 0] - torch.tensor(array)) ** 2).mean()",
    ),
    "comparing with an array": (
        "(column > row) & (column == array)",
        "(column[:, 0] > row) & (column[:, 0] == torch.tensor(array))",
    ),
    "index": (
        "logits[torch.arange(N), action].mean()",
        "logits[torch.arange(N), action[:, 0]].mean()",
    ),
    "index with an array": (
        "logits[np.arange(N), action].mean()",
        "logits[torch.arange(N), action[:, 0]].mean()",
    ),
    "index to write": (
        "logits.clone().index_put_((torch.arange(N), action), torch.tensor(0.0)).mean()",
        "logits.clone().index_put_((torch.arange(N), action[:, 0]), torch.tensor(0.0)).mean()",
    ),
}

# reported, but no change of one operand's axes is right
WITHOUT_FIXES = {
    "a temperature for each row": "d.RelaxedOneHotCategorical("
    "positive_column, logits=logits).log_prob(logits.softmax(-1)).sum()",
    "kl_divergence": "d.kl_divergence(d.Normal(row, 1.0), d.Normal(column, 1.0)).mean()",
}

RIGHT = {
    "rotary angles": "(torch.arange(N)[None, :, None].float()"
    " * 1e4 ** (-torch.arange(N) / N)).cos()",
    "rotary angles, packed": "torch.tensor([0, 1, 2, 0, 1, 2])[:, None]"
    " * 1e4 ** (-torch.arange(N) / N)",
    "rotary angles in half precision": "torch.arange(N)[:, None].bfloat16()"
    " * (1e4 ** (-torch.arange(N) / N)).bfloat16()",
    "other sizes": "torch.rand(50, 1) * torch.rand(8)",
    "length mask": "torch.arange(N) < label[:, None]",
    "causal mask": "torch.arange(N)[:, None] >= torch.arange(N)",
    "slopes of a mask": "torch.arange(N) - torch.arange(N).view(-1, 1)",
    "support of returns": "column + 0.99 * torch.linspace(-1, 1, N) * (1 - positive_column)",
    "a kernel": "(lambda k: k.unsqueeze(-1) * k)(row.softmax(0))",
    "a kernel that is learned": "w.unsqueeze(-1) * w",
    "equal labels": "label.unsqueeze(1) == label",
    "differences of ranks": "w[:, None] - w",
    "distances of a set": "(codes ** 2).sum(1, keepdim=True) + (codes ** 2).sum(1)",
    "distances to codes": "x.square().sum(1, keepdim=True) + codes.square().sum(1)"
    " - 2 * x @ codes.T",
    "distances by matmul": "(x ** 2).sum(1, keepdim=True) + (codes ** 2).sum(1)"
    " - 2 * torch.matmul(x, codes.t())",
    "differences of vectors": "(codes[:, None] - x).norm(dim=-1)",
    "corners of boxes": "torch.max(codes[:, None, :2], x[:, :2])",
    "union of areas": "overlap / (area[:, None] + other - overlap)",
    "a block of a matrix": "square[label.unique()[:, None], label.unique()]",
    "rows and columns": "square[torch.tensor([3, 1, 2, 0, 5, 4])[:, None], torch.arange(N)]",
    "equal ranks": "(column - row[None]).abs().mean()",
    "one side repeated": "square * column + square * row",
    "samples of a distribution": "d.Normal(row, 1.0).log_prob(square)",
    "a value for each component": "d.MixtureSameFamily("
    "d.Categorical(logits=row), d.Normal(w, 1.0)).log_prob(positive)",
    "LKJCholesky": "d.LKJCholesky(N, positive[:5]).log_prob("
    "d.LKJCholesky(N, positive[:5]).sample())",
    "relaxed samples": "d.RelaxedOneHotCategorical(positive_column, logits=logits).rsample()",
    "support": "d.Categorical(logits=square).enumerate_support(False)"
    " + d.Categorical(logits=square).entropy()",
    "likelihood of a support": "d.Binomial(5, logits=row).log_prob("
    "d.Binomial(5, logits=row).enumerate_support(False))",
    "entropy": "d.Binomial(4, logits=row[:5]).entropy()",
    "divergence": "d.kl_divergence(d.Normal(row, 1.0), d.Normal(w, 1.0))",
    "an array of its own shape": "(square - square.numpy()).sum() + (square * array).sum()",
    "one index": "logits[label].sum() + logits[:, label].sum()",
}  # fmt: skip


@pytest.fixture
def value_of(tmp_path):
    """Evaluate an expression that is written in a file, as code is."""
    numbers = itertools.count()

    def evaluate(expression, **options):
        file = tmp_path / f"case{next(numbers)}.py"
        file.write_text(f"value = (\n    {expression}\n)\n")
        names = variables()
        torch.manual_seed(0)
        with no_silent_broadcast(**options):
            exec(compile(file.read_text(), file, "exec"), names)
        return torch.as_tensor(names["value"]).double()

    return evaluate


def with_fix(expression, fix, message):
    """The expression with a fix in the place of the operand, wherever it is."""
    replaced = re.search(rf"{re.escape(fix)} instead of (.+?)(?= or |; if |\.$)", message)
    operand = replaced[1] if replaced else re.sub(r"(\.(un)?squeeze\([^()]*(\(.*\))?\))+$", "", fix)
    if not replaced and ".reshape(" in fix:
        operand = fix.partition(".reshape(")[0]
    assert operand != fix
    pattern = rf"(?<![\w.]){re.escape(operand)}" + (r"(?!\w)" if operand[-1].isalnum() else "")
    assert re.search(pattern, expression), operand
    return re.sub(pattern, lambda _: fix, expression)


@pytest.mark.parametrize(("expression", "meant"), BROKEN.values(), ids=BROKEN)
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
def test_a_broken_expression_is_reported_with_fixes_that_are_right(value_of, expression, meant):
    with pytest.raises(SilentBroadcastError) as caught:
        value_of(expression)
    report = caught.value.broadcast
    assert report.fixes, report.message
    expected = value_of(meant).mean()
    for fix in report.fixes:
        changed = with_fix(expression, fix, report.message)
        torch.testing.assert_close(value_of(changed).mean(), expected, msg=f"{fix}: wrong value")


@pytest.mark.parametrize("expression", WITHOUT_FIXES.values(), ids=WITHOUT_FIXES)
def test_no_fix_is_offered_where_none_is_right(value_of, expression):
    with pytest.raises(SilentBroadcastError) as caught:
        value_of(expression)
    assert caught.value.broadcast.fixes == ()
    assert "write" not in caught.value.broadcast.message


@pytest.mark.parametrize("expression", RIGHT.values(), ids=RIGHT)
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
def test_right_code_passes(value_of, expression):
    value_of(expression)


def test_a_distribution_is_told_at_the_level_of_the_call(value_of):
    told = {
        "d.Categorical(logits=logits).log_prob(action)": "Categorical.log_prob was given action"
        " (6, 1) for a batch of (6,), and broadcasts it to (6, 6).",
        "d.Normal(column, positive)": "Normal was given loc column (6, 1) and scale positive (6,),"
        " and broadcasts the batches to (6, 6).",
        "d.kl_divergence(d.Normal(row, 1.0), d.Normal(column, 1.0))": "kl_divergence was given"
        " d.Normal(row, 1.0) with a batch of (6,) and d.Normal(column, 1.0) with a batch of (6, 1),"
        " and broadcasts the batches to (6, 6).",
    }
    for expression, text in told.items():
        with pytest.raises(SilentBroadcastError) as caught:
            value_of(expression)
        assert caught.value.broadcast.message.startswith(text)


def test_a_regular_operand_counts_as_data_where_a_gradient_is_required(value_of):
    """As the targets of a line do, in an exercise."""
    for expression in (
        "w[:, None] - torch.linspace(0, 1, N)",
        "F.mse_loss(column, torch.arange(N))",
    ):
        with pytest.raises(SilentBroadcastError):
            value_of(expression)


def test_equal_values_count_as_data_where_one_side_requires_a_gradient(value_of):
    """As the first step of PPO has it: the old values are those of the same network."""
    for expression in ("w[:, None] - w.detach().clone()", "F.l1_loss(w[:, None], w)"):
        with pytest.raises(SilentBroadcastError):
            value_of(expression)


def test_a_line_that_has_had_other_sizes_means_all_pairs():
    def union(first, second):
        return first.exp().view(-1, 1) + second.exp()

    with no_silent_broadcast():
        for sizes in ((5, 3), (4, 6), (4, 4)):
            union(*(torch.rand(size) for size in sizes))
    with no_silent_broadcast(), pytest.raises(SilentBroadcastError):
        union(torch.rand(4), torch.rand(4))


def test_an_index_to_write_to():
    q, act = normal(N, 3), labels(N, 1)
    with no_silent_broadcast():
        with pytest.raises(SilentBroadcastError) as caught:
            q[torch.arange(N), act] = 0.0
        q[torch.arange(N), act.squeeze(-1)] = 0.0
    assert caught.value.broadcast.fixes == ("act.squeeze(-1)", "torch.arange(N).unsqueeze(1)")


# ---- strict --------------------------------------------------------------------------------------


@pytest.mark.parametrize("expression", [
    "torch.rand(9, 1) - torch.rand(4)", "w.unsqueeze(-1) * w", "torch.arange(N) < label[:, None]",
    "nn.GaussianNLLLoss()(square, column, square.exp())",
    "F.poisson_nll_loss(square, torch.tensor(1.0))",
])  # fmt: skip
def test_strict_reports_what_passes_by_default(value_of, expression):
    value_of(expression)
    with pytest.raises(SilentBroadcastError):
        value_of(expression, strict=True)


def test_a_loss_that_repeats_one_side_is_reported_by_strict(value_of):
    with pytest.raises(SilentBroadcastError) as caught:
        value_of("F.poisson_nll_loss(square, column)", strict=True)
    assert caught.value.broadcast.message == (
        "torch.nn.functional.poisson_nll_loss broadcasts square (6, 6) and column (6, 1) to (6, 6),"
        " one of them repeated. If the other is to be repeated, write column.expand(-1, 6)."
    )


# ---- installed packages, skip and only -----------------------------------------------------------

LIBRARY = """
import torch

def error(prediction, target):
    return (prediction - target).abs().mean()

def loss(prediction, target):
    return ((prediction.sigmoid() - target) ** 2).mean()

def criterion(prediction, target):
    return torch.nn.functional.poisson_nll_loss(prediction.exp(), target.exp())

def area(boxes, others):
    return boxes.exp().sum(1)[:, None] + others.exp().sum(1)
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A package that is installed."""
    folder = tmp_path / "lib/site-packages/somelibrary"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "losses.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(folder.parent)
    import somelibrary.losses

    yield somelibrary.losses
    for name in ("somelibrary", "somelibrary.losses"):
        del sys.modules[name]


def test_in_a_package_what_the_user_gives_is_watched(library):
    pred, y = normal(N, 1).requires_grad_(), normal(N, seed=1)
    boxes, others = normal(N, 4).requires_grad_(), normal(N, 4, seed=1)
    with no_silent_broadcast():
        library.area(boxes, others)  # of the package's own tensors
        with pytest.raises(SilentBroadcastError) as caught:
            library.error(pred, y)  # both are given
        with pytest.raises(SilentBroadcastError):
            library.loss(pred, y)  # one is given, the other requires a gradient
        with pytest.raises(SilentBroadcastError):
            library.criterion(pred, y)  # losses always count
    report = caught.value.broadcast
    assert report.where.startswith(f"{__file__}:")
    assert report.inside == f"{library.__file__}:5"
    assert report.message.splitlines()[1] == (
        f"  The call is in {library.__file__}:5: prediction - target"
    )
    with no_silent_broadcast(only="somelibrary"), pytest.raises(SilentBroadcastError):
        library.area(boxes, others)
    with no_silent_broadcast(strict=True), pytest.raises(SilentBroadcastError):
        library.area(boxes, others)


def test_skip_and_only_go_by_the_line_that_calls(library):
    pred, y = normal(N, 1), normal(N, seed=1)
    for entry in ("somelibrary", "somelibrary.losses", "losses.py", "somelibrary/losses.py"):
        with no_silent_broadcast(skip=entry):
            library.error(pred, y)
            with pytest.raises(SilentBroadcastError):
                pred - y
        with no_silent_broadcast(only=[entry]):
            pred - y
            with pytest.raises(SilentBroadcastError):
                library.error(pred, y)
    for entry in ("some", "somelibrary.loss", "other/losses.py", "osses.py"):
        with no_silent_broadcast(skip=("numpy", entry)), pytest.raises(SilentBroadcastError):
            library.error(pred, y)
    with no_silent_broadcast(skip="lib/site-packages/"):
        library.error(pred, y)
    for entry in ("", " ", "/", [""]):
        with pytest.raises(ValueError, match="names nothing; give a package such as"):
            no_silent_broadcast(skip=entry)
    with pytest.raises(TypeError, match="only: 3 is no text"):
        no_silent_broadcast(only=[3])


# ---- tracing -------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_report_is_readable_under_trace():
    def loss(prediction, target):
        return (prediction.exp() - target).mean()

    pred, y = normal(N, 1), normal(N, seed=1)
    with no_silent_broadcast():
        with pytest.raises(SilentBroadcastError) as caught:
            torch.jit.trace(loss, (pred, y))
        traced = torch.jit.trace(loss, (y, y))
    assert "prediction.exp() (6, 1) and target (6,) to (6, 6)" in str(caught.value)
    graphs = [traced.graph, torch.jit.trace(loss, (y, y)).graph]
    operations = [[node.kind() for node in graph.nodes()] for graph in graphs]
    assert operations[0] == operations[1]
