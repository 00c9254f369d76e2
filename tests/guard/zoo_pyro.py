"""Pyro: stochastic variational inference, enumeration, guides and Hamiltonian Monte Carlo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pyro
import pyro.distributions as dist
import torch
from pyro import infer, poutine
from pyro.infer import autoguide
from pyro.nn import PyroModule, PyroSample
from torch import Tensor, nn
from zoo_cases import Case, Criterion, Step

N = 8  # rows, and as many components and steps, so that the axes collide
D = 3


def regression(x: Tensor, y: Tensor | None = None) -> Tensor:
    weight = pyro.sample("weight", dist.Normal(torch.zeros(D), 1.0).to_event(1))
    bias = pyro.sample("bias", dist.Normal(0.0, 10.0))
    scale = pyro.sample("scale", dist.HalfCauchy(1.0))
    mean = x @ weight + bias
    with pyro.plate("data", len(x)):
        pyro.sample("y", dist.Normal(mean, scale), obs=y)
    return mean


def logistic(x: Tensor, y: Tensor | None = None) -> Tensor:
    weight = pyro.sample("weight", dist.Laplace(torch.zeros(D), 1.0).to_event(1))
    logits = x @ weight
    with pyro.plate("data", len(x)):
        pyro.sample("y", dist.Bernoulli(logits=logits), obs=None if y is None else y.round())
    return logits


def hierarchy(x: Tensor, y: Tensor | None = None) -> Tensor:
    """As many groups as rows, in nested plates with a vector of predictions each."""
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    with pyro.plate("groups", N):
        effect = pyro.sample("effect", dist.Normal(mean, 1.0))
        with pyro.plate("rows", len(x)):
            observed = None if y is None else y.unsqueeze(-1).expand(-1, N)
            pyro.sample("y", dist.StudentT(3.0, effect, 1.0), obs=observed)
    return effect


@infer.config_enumerate
def mixture(x: Tensor, y: Tensor | None = None) -> Tensor:
    """As many components as rows."""
    weights = pyro.sample("weights", dist.Dirichlet(torch.ones(N)))
    with pyro.plate("components", N):
        locs = pyro.sample("locs", dist.Normal(0.0, 10.0))
    with pyro.plate("data", len(x)):
        component = pyro.sample("component", dist.Categorical(weights))
        pyro.sample("y", dist.Normal(locs[component], 1.0), obs=y)
    return locs


@infer.config_enumerate
def hidden_markov(x: Tensor, y: Tensor | None = None) -> Tensor:
    """A chain with as many states as steps."""
    with pyro.plate("states", N):
        transition = pyro.sample("transition", dist.Dirichlet(torch.ones(N)))
        emission = pyro.sample("emission", dist.Normal(0.0, 1.0))
    state: Tensor | int = 0
    for t in pyro.markov(range(N)):
        state = pyro.sample(f"state {t}", dist.Categorical(transition[state]))
        pyro.sample(f"y {t}", dist.Normal(emission[state], 1.0), obs=None if y is None else y[t])
    return emission


def counts(x: Tensor, y: Tensor | None = None) -> Tensor:
    rate = pyro.sample("rate", dist.LogNormal(torch.zeros(N), 1.0).to_event(1))
    with pyro.plate("data", N):
        observed = None if y is None else (4 * y).round()
        pyro.sample("poisson", dist.Poisson(rate), obs=observed)
        pyro.sample("negative", dist.GammaPoisson(rate, 1.0), obs=observed)
        pyro.sample(
            "inflated", dist.ZeroInflatedPoisson(rate, gate=torch.tensor(0.1)), obs=observed
        )
        pyro.sample("beta", dist.BetaBinomial(rate, 1.0, total_count=4), obs=observed)
    return rate


def correlated(x: Tensor, y: Tensor | None = None) -> Tensor:
    scales = pyro.sample("scales", dist.HalfNormal(torch.ones(N)).to_event(1))
    factor = pyro.sample("factor", dist.LKJCholesky(N, 1.0))
    tril = scales.unsqueeze(-1) * factor
    pyro.sample("y", dist.MultivariateNormal(torch.zeros(N), scale_tril=tril), obs=y)
    return scales


MODELS: dict[str, Callable[..., Tensor]] = {
    model.__name__: model for model in (regression, logistic, hierarchy, counts, correlated)
}
ENUMERATED: dict[str, Callable[..., Tensor]] = {
    "mixture": mixture,
    "hidden Markov": hidden_markov,
}
GUIDES = {
    guide.__name__: guide
    for guide in (
        autoguide.AutoNormal,
        autoguide.AutoMultivariateNormal,
        autoguide.AutoLowRankMultivariateNormal,
        autoguide.AutoDelta,
        autoguide.AutoIAFNormal,
        autoguide.AutoStructured,
    )
}


class BayesianNetwork(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = PyroModule[nn.Linear](D, N)
        self.hidden.weight = PyroSample(dist.Normal(0.0, 1.0).expand([N, D]).to_event(2))
        self.out = PyroModule[nn.Linear](N, 1)
        self.out.weight = PyroSample(dist.Normal(0.0, 1.0).expand([1, N]).to_event(2))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        mean = self.out(self.hidden(x).tanh()).squeeze(-1)
        with pyro.plate("data", len(x)):
            pyro.sample("y", dist.Normal(mean, 0.5), obs=y)
        return mean


class Autoencoder(nn.Module):
    """A VAE with a Bernoulli decoder, as many pixels as rows."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode = nn.Linear(N, 4), nn.Linear(2, N)

    def model(self, x: Tensor, y: Tensor) -> Tensor:
        pyro.module("decoder", self.decode)
        with pyro.plate("data", len(y)):
            z = pyro.sample("z", dist.Normal(torch.zeros(len(y), 2), 1.0).to_event(1))
            pixels = y.round().expand(len(y), N)
            pyro.sample("x", dist.Bernoulli(logits=self.decode(z)).to_event(1), obs=pixels)
        return self.decode(z)

    def guide(self, x: Tensor, y: Tensor) -> None:
        pyro.module("encoder", self.encode)
        with pyro.plate("data", len(y)):
            mean, log_scale = self.encode(y.expand(len(y), N)).chunk(2, -1)
            pyro.sample("z", dist.Normal(mean, log_scale.exp()).to_event(1))


def inference(model: Callable[..., Tensor], guide: Callable[..., object], elbo: infer.ELBO) -> Step:
    x, y = torch.randn(N, D), torch.rand(N)
    svi = infer.SVI(model, guide, pyro.optim.Adam({"lr": 0.01}), elbo)

    def step(criterion: Criterion) -> Tensor:
        loss = torch.tensor(svi.step(x, y))
        with poutine.block():
            prediction = model(x, y).flatten()
        return loss + criterion(prediction)

    return step


def guided(model: str, guide: str) -> Step:
    pyro.clear_param_store()
    return inference(MODELS[model], GUIDES[guide](MODELS[model]), infer.Trace_ELBO(2))


def enumerated(model: str) -> Step:
    pyro.clear_param_store()
    hide = [*(f"state {t}" for t in range(N)), "component"]
    guide = autoguide.AutoNormal(poutine.block(ENUMERATED[model], hide=hide))
    return inference(ENUMERATED[model], guide, infer.TraceEnum_ELBO(max_plate_nesting=1))


def bayesian_network(elbo: Callable[[], infer.ELBO]) -> Step:
    pyro.clear_param_store()
    net = BayesianNetwork()
    return inference(net, autoguide.AutoDiagonalNormal(net), elbo())


def autoencoder(elbo: Callable[[], infer.ELBO]) -> Step:
    pyro.clear_param_store()
    net = Autoencoder()
    x, y = torch.randn(N, D), torch.rand(N)
    svi = infer.SVI(net.model, net.guide, pyro.optim.ClippedAdam({"lr": 0.01}), elbo())

    def step(criterion: Criterion) -> Tensor:
        loss = torch.tensor(svi.step(x, y.unsqueeze(-1)))
        return loss + criterion(net.encode(y.expand(N, N)).mean(1))

    return step


def monte_carlo(model: str, kernel: type) -> Step:
    x, y = torch.randn(N, D), torch.rand(N)

    def step(criterion: Criterion) -> Tensor:
        pyro.clear_param_store()
        chain = infer.MCMC(
            kernel(MODELS[model]), num_samples=2, warmup_steps=2, disable_progbar=True
        )
        chain.run(x, y)
        drawn = next(iter(chain.get_samples().values()))
        return criterion(drawn.flatten())

    return step


def cases() -> Iterator[Case]:
    for model in MODELS:
        for guide in ("AutoNormal", "AutoMultivariateNormal"):
            yield Case(f"{model} with {guide}", partial(guided, model, guide))
    for guide in GUIDES:
        yield Case(f"hierarchy with guide {guide}", partial(guided, "hierarchy", guide))
    for model in ENUMERATED:
        yield Case(f"{model}, enumerated", partial(enumerated, model))
    for elbo in (
        infer.Trace_ELBO,
        infer.TraceMeanField_ELBO,
        infer.RenyiELBO,
        infer.TraceGraph_ELBO,
    ):
        yield Case(f"Bayesian network, {elbo.__name__}", partial(bayesian_network, elbo))
        yield Case(f"autoencoder, {elbo.__name__}", partial(autoencoder, elbo))
    for model in ("regression", "logistic", "correlated"):
        yield Case(f"{model} by NUTS", partial(monte_carlo, model, infer.NUTS))
    yield Case("regression by HMC", partial(monte_carlo, "regression", infer.HMC))
