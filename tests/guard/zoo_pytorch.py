"""PyTorch itself: layers, losses, distributions, and programs that trace or compile themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import torch
import torch.distributions as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.flex_attention import flex_attention
from torch.utils.checkpoint import checkpoint
from zoo_cases import Case, Criterion, Step

N = 4  # rows, steps, features and classes

DISTRIBUTIONS: dict[str, Callable[[Tensor], dist.Distribution]] = {
    "Bernoulli": lambda p: dist.Bernoulli(p),
    "Beta": lambda p: dist.Beta(p + 1, p + 2),
    "Binomial": lambda p: dist.Binomial(N, p),
    "Categorical": lambda p: dist.Categorical(p.expand(N, N)),
    "Cauchy": lambda p: dist.Cauchy(p, 1 + p),
    "Chi2": lambda p: dist.Chi2(p + 1),
    "ContinuousBernoulli": lambda p: dist.ContinuousBernoulli(p),
    "Dirichlet": lambda p: dist.Dirichlet(p.expand(N, N) + 1),
    "Exponential": lambda p: dist.Exponential(p + 1),
    "FisherSnedecor": lambda p: dist.FisherSnedecor(p + 1, p + 3),
    "Gamma": lambda p: dist.Gamma(p + 1, p + 1),
    "Geometric": lambda p: dist.Geometric(0.1 + 0.8 * p),
    "Gumbel": lambda p: dist.Gumbel(p, 1 + p),
    "HalfCauchy": lambda p: dist.HalfCauchy(1 + p),
    "HalfNormal": lambda p: dist.HalfNormal(1 + p),
    "InverseGamma": lambda p: dist.InverseGamma(p + 1, p + 1),
    "Kumaraswamy": lambda p: dist.Kumaraswamy(p + 1, p + 1),
    "Laplace": lambda p: dist.Laplace(p, 1 + p),
    "LKJCholesky": lambda p: dist.LKJCholesky(N, 1 + p),
    "LogNormal": lambda p: dist.LogNormal(p, 1 + p),
    "LogisticNormal": lambda p: dist.LogisticNormal(p, 1 + p),
    "LowRankMultivariateNormal": lambda p: dist.LowRankMultivariateNormal(
        p, p.unsqueeze(-1), 1 + p
    ),
    "MixtureSameFamily": lambda p: dist.MixtureSameFamily(
        dist.Categorical(p.expand(N, N)), dist.Normal(p.expand(N, N), 1.0)
    ),
    "Multinomial": lambda p: dist.Multinomial(N, p.expand(N, N)),
    "MultivariateNormal": lambda p: dist.MultivariateNormal(p, torch.diag(1 + p)),
    "NegativeBinomial": lambda p: dist.NegativeBinomial(N, p),
    "Normal": lambda p: dist.Normal(p, 1 + p),
    "OneHotCategorical": lambda p: dist.OneHotCategorical(p.expand(N, N)),
    "Pareto": lambda p: dist.Pareto(1 + p, 2 + p),
    "Poisson": lambda p: dist.Poisson(1 + p),
    "RelaxedBernoulli": lambda p: dist.RelaxedBernoulli(torch.tensor(0.5), p),
    "RelaxedOneHotCategorical": lambda p: dist.RelaxedOneHotCategorical(
        torch.tensor(0.5), p.expand(N, N)
    ),
    "StudentT": lambda p: dist.StudentT(3 + p, p, 1 + p),
    "Uniform": lambda p: dist.Uniform(-1 - p, 1 + p),
    "VonMises": lambda p: dist.VonMises(p, 1 + p),
    "Weibull": lambda p: dist.Weibull(1 + p, 1 + p),
    "Wishart": lambda p: dist.Wishart(torch.tensor(N + 2.0), torch.diag(1 + p)),
    "Independent": lambda p: dist.Independent(dist.Normal(p.expand(N, N), 1.0), 1),
    "TransformedDistribution": lambda p: dist.TransformedDistribution(
        dist.Normal(p, 1.0), [dist.AffineTransform(p, 1 + p), dist.TanhTransform(cache_size=1)]
    ),
}

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "Transformer encoder": (
        lambda: nn.TransformerEncoderLayer(N, 2, 8, batch_first=True),
        (N, N, N),
    ),
    "LSTM": (lambda: nn.LSTM(N, N, batch_first=True), (N, N, N)),
    "GRU": (lambda: nn.GRU(N, N, batch_first=True), (N, N, N)),
    "Conv1d": (lambda: nn.Conv1d(N, N, 3, padding=1), (N, N, N)),
    "Conv2d": (lambda: nn.Sequential(nn.Conv2d(N, N, 3), nn.BatchNorm2d(N)), (N, N, N, N)),
    "GroupNorm": (lambda: nn.GroupNorm(2, N), (N, N, N)),
    "RMSNorm": (lambda: nn.RMSNorm(N), (N, N, N)),
    "Bilinear": (lambda: Bilinear(), (N, N)),
    "PReLU": (lambda: nn.PReLU(N), (N, N)),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(N, N)), (N, N)),
    "spectral norm": (lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(N, N)), (N, N)),
    "orthogonal": (lambda: nn.utils.parametrizations.orthogonal(nn.Linear(N, N)), (N, N)),
    "embedding bag": (lambda: Bag(), (N, N)),
}

OPTIMIZERS = ("Adadelta", "Adagrad", "Adam", "Adamax", "AdamW", "ASGD", "Adafactor", "NAdam",
              "RAdam", "RMSprop", "Rprop", "SGD", "Muon")  # fmt: skip


class Bilinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Bilinear(N, N, N)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, x)


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.EmbeddingBag(N, N)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer((x > 0).long())


def distribution(name: str) -> Step:
    """A sample, its log-probability, moments and entropy, and a divergence if there is one."""
    p = (0.1 + 0.8 * torch.rand(N)).requires_grad_()

    def step(criterion: Criterion) -> Tensor:
        made = DISTRIBUTIONS[name](p)
        drawn = made.rsample() if made.has_rsample else made.sample()
        loss = made.log_prob(drawn).mean() + made.log_prob(drawn.expand(N, *drawn.shape)).mean()
        for value in ("entropy", "mean", "variance", "stddev", "perplexity"):
            with suppress(NotImplementedError):
                found = getattr(made, value)
                loss = loss + (found() if callable(found) else found).nan_to_num(0, 0, 0).mean()
        with suppress(NotImplementedError):
            loss = loss + dist.kl_divergence(made, DISTRIBUTIONS[name](p.detach().sqrt())).mean()
        loss = loss + criterion(p)
        loss.backward()
        return loss

    return step


def layer(name: str) -> Step:
    make, shape = LAYERS[name]
    net, x = make(), torch.randn(*shape)
    optimizer = torch.optim.AdamW(net.parameters())

    def step(criterion: Criterion) -> Tensor:
        optimizer.zero_grad()
        output = net(x)
        output = output[0] if isinstance(output, tuple) else output
        loss = criterion(output.flatten(1).mean(1))
        loss.backward()
        optimizer.step()
        return loss

    return step


def optimizer(name: str) -> Step:
    net = nn.Linear(N, N, bias=False)
    update = getattr(torch.optim, name)(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(update, 0.1, total_steps=9, cycle_momentum=False)

    def step(criterion: Criterion) -> Tensor:
        update.zero_grad()
        loss = criterion(net(torch.ones(N, N)).mean(1))
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        update.step()
        schedule.step()
        return loss

    return step


def lbfgs() -> Step:
    net = nn.Linear(N, 1)
    update = torch.optim.LBFGS(net.parameters(), max_iter=3)

    def step(criterion: Criterion) -> Tensor:
        def closure() -> Tensor:
            update.zero_grad()
            loss = criterion(net(torch.ones(N, N)).squeeze(-1))
            loss.backward()
            return loss

        return update.step(closure)

    return step


# ---- whole programs, as papers and tutorials write them ------------------------------------------


def sinusoidal(x: Tensor) -> Tensor:
    """The table of positions of the PyTorch tutorial, with as many positions as frequencies."""
    table = torch.zeros(N, 2 * N)
    position = torch.arange(N).unsqueeze(1)
    frequency = torch.exp(torch.arange(0, 2 * N, 2) * -0.5)
    table[:, 0::2] = torch.sin(position * frequency)
    table[:, 1::2] = torch.cos(position * frequency)
    return x.repeat(1, 2) + table


def rotary(x: Tensor) -> Tensor:
    angles = torch.arange(N)[:, None] * torch.logspace(0, -1, N)
    return x * angles.cos() + x.flip(-1) * angles.sin()


def squared_distances(x: Tensor) -> Tensor:
    norms = x.square().sum(1, keepdim=True)
    return norms + x.square().sum(1) - 2 * x @ x.T


def vector_quantizer(x: Tensor) -> Tensor:
    """VQ-VAE: the distance of each row to as many codes."""
    codes = torch.linspace(0, 1, N * N).view(N, N)
    distance = x.square().sum(1, keepdim=True) + codes.square().sum(1) - 2 * x @ codes.T
    return x + (codes[distance.argmin(1)] - x).detach()


def contrastive(x: Tensor) -> Tensor:
    """SimCLR: as many classes as rows, with the own label masked."""
    similarity = F.cosine_similarity(x.unsqueeze(1), x.unsqueeze(0), dim=-1) / 0.5
    own = torch.arange(N)
    return similarity.masked_fill(own.unsqueeze(1) == own, -9.0)


def length_mask(x: Tensor) -> Tensor:
    lengths = torch.arange(1, N + 1)
    return x.masked_fill(torch.arange(N) >= lengths[:, None], 0.0)


def triplets(x: Tensor) -> Tensor:
    """Batch-all triplet loss: distances of anchors and positives less those of negatives."""
    distance = torch.cdist(x, x)
    return (distance.unsqueeze(2) - distance.unsqueeze(1)).relu().mean(2)


def categorical_support(x: Tensor) -> Tensor:
    """C51: as many atoms as rows."""
    reward, done = x[:, :1], torch.zeros(N, 1)
    support = torch.linspace(-1, 1, N)
    return (reward + 0.99 * support * (1 - done)).clamp(-1, 1)


def quantile_regression(x: Tensor) -> Tensor:
    """QR-DQN: every quantile against every target."""
    error = x.detach().unsqueeze(1) - x.unsqueeze(2)
    levels = (torch.arange(N) + 0.5) / N
    weight = (levels.view(1, -1, 1) - (error.detach() < 0).float()).abs()
    return (weight * F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none")).sum(1)


def alibi(x: Tensor) -> Tensor:
    slopes = 2.0 ** -torch.arange(1, N + 1)
    bias = slopes.view(-1, 1, 1) * (torch.arange(N) - torch.arange(N).view(-1, 1)).abs()
    return x + bias.mean(0)


def gaussian_kernel(x: Tensor) -> Tensor:
    kernel = torch.softmax(-torch.arange(-1.0, 2.0).square(), 0)
    kernel = kernel.unsqueeze(-1) * kernel
    return F.conv2d(x[None, None], kernel[None, None], padding=1)[0, 0]


def discounted_returns(x: Tensor) -> Tensor:
    steps = torch.arange(N)
    discount = 0.9 ** (steps - steps[:, None]).clamp(min=0).float()
    return x @ discount.triu()


def detr_boxes(x: Tensor) -> Tensor:
    corners = torch.cat([x.sigmoid()[:, :2], 1 + x.sigmoid()[:, 2:]], 1)
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    low = torch.max(corners[:, None, :2], corners[:, :2])
    high = torch.min(corners[:, None, 2:], corners[:, 2:])
    inside = (high - low).clamp(min=0).prod(2)
    return inside / (area[:, None] + area - inside)


def kernel_two_sample(x: Tensor) -> Tensor:
    """Maximum mean discrepancy between a batch and another of its size, at several widths."""
    both = torch.cat([x, x.detach() + 1])
    squared = (both.unsqueeze(0) - both.unsqueeze(1)).square().sum(2)
    widths = torch.tensor([1.0, 2.0, 4.0, 8.0])
    kernels = torch.exp(-squared[None] / widths[:, None, None]).sum(0)
    return kernels[:N, :N] + kernels[N:, N:] - kernels[:N, N:] - kernels[N:, :N]


def diffusion(x: Tensor) -> Tensor:
    """DDPM: a noise level for each row, with as many features."""
    level = torch.linspace(0.9, 0.1, N)[torch.arange(N)].view(-1, 1)
    frequency = torch.exp(-torch.arange(N) / 2.0)
    embedding = torch.arange(N)[:, None].float() * frequency[None]
    return level.sqrt() * x + (1 - level).sqrt() * torch.randn_like(x) + embedding.sin()


def flexible_attention(x: Tensor) -> Tensor:
    """It has no backward pass on the CPU."""
    heads = x.detach().view(1, 1, N, N).expand(1, 2, N, N)
    return x + flex_attention(heads, heads, heads).mean(1)[0]


def checkpointed(x: Tensor) -> Tensor:
    return checkpoint(lambda y: y.exp() / y.exp().sum(1, keepdim=True), x, use_reentrant=False)


def conditional(x: Tensor) -> Tensor:
    return torch.cond(torch.tensor(True), lambda y: y + 1.0, lambda y: y - 1.0, (x,))


def per_sample_gradients(x: Tensor) -> Tensor:
    def loss(row: Tensor) -> Tensor:
        return row.square().sum() * row.mean()

    return torch.func.vmap(torch.func.grad(loss))(x)


def double_backward(x: Tensor) -> Tensor:
    """A gradient penalty, as in WGAN-GP."""
    (gradient,) = torch.autograd.grad(x.pow(3).sum(), x, create_graph=True)
    return (gradient.norm(2, dim=1, keepdim=True) - 1).square() + 0 * x


def autocast(x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return (x @ x.T).softmax(1)


PROGRAMS: tuple[Callable[[Tensor], Tensor], ...] = (
    sinusoidal, rotary, squared_distances, vector_quantizer, contrastive, length_mask, triplets,
    categorical_support, quantile_regression, alibi, gaussian_kernel, discounted_returns,
    detr_boxes, kernel_two_sample, diffusion, flexible_attention, checkpointed, conditional,
    per_sample_gradients, double_backward, autocast,
)  # fmt: skip


def program(function: Callable[[Tensor], Tensor]) -> Step:
    net: Any = nn.Linear(N, N)
    x = torch.randn(N, N)

    def step(criterion: Criterion) -> Tensor:
        loss = criterion(function(net(x)).flatten(1).mean(1))
        loss.backward()
        return loss

    return step


def cases() -> Iterator[Case]:
    for name in DISTRIBUTIONS:
        yield Case(f"{name}, 4 rows", partial(distribution, name))
    for name in LAYERS:
        yield Case(f"{name}, all axes of 4", partial(layer, name))
    for name in OPTIMIZERS:
        yield Case(f"{name} optimizer", partial(optimizer, name))
    yield Case("LBFGS optimizer", lbfgs)
    for function in PROGRAMS:
        yield Case(
            f"{function.__name__.replace('_', ' ')}, all axes of 4", partial(program, function)
        )
