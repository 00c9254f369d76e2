"""Gaussian processes: every kernel, likelihood and variational strategy of gpytorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import gpytorch
import torch
from gpytorch import distributions, kernels, likelihoods, means, variational
from torch import Tensor
from zoo_cases import Case, Criterion, Step

N = 20  # points, as many as the quadrature of a likelihood has nodes, and as inducing points
D = 2

KERNELS: dict[str, Callable[[], kernels.Kernel]] = {
    "RBF": kernels.RBFKernel,
    "RBF with ARD": lambda: kernels.RBFKernel(ard_num_dims=D),
    "Matern 1/2": lambda: kernels.MaternKernel(0.5),
    "Matern 3/2": lambda: kernels.MaternKernel(1.5),
    "Matern 5/2": lambda: kernels.MaternKernel(2.5, ard_num_dims=D),
    "periodic": kernels.PeriodicKernel,
    "cosine": lambda: kernels.CosineKernel() + kernels.RBFKernel(),
    "rational quadratic": kernels.RQKernel,
    "linear": kernels.LinearKernel,
    "polynomial": lambda: kernels.PolynomialKernel(2),
    "piecewise polynomial": kernels.PiecewisePolynomialKernel,
    "spectral mixture": lambda: kernels.SpectralMixtureKernel(4, ard_num_dims=D),
    "random Fourier features": lambda: kernels.RFFKernel(10, D),
    "sum and product": lambda: kernels.RBFKernel() * kernels.LinearKernel() + kernels.RQKernel(),
    "inducing points": lambda: kernels.InducingPointKernel(
        kernels.RBFKernel(), torch.rand(N, D), likelihoods.GaussianLikelihood()
    ),
    "Newton-Girard": lambda: kernels.NewtonGirardAdditiveKernel(kernels.RBFKernel(), D),
    "constant": lambda: kernels.ConstantKernel() + kernels.RBFKernel(),
    "grid interpolation": lambda: kernels.GridInterpolationKernel(
        kernels.RBFKernel(), grid_size=10, num_dims=D
    ),
}

LIKELIHOODS: dict[str, Callable[[], likelihoods.Likelihood]] = {
    "Gaussian": likelihoods.GaussianLikelihood,
    "fixed noise": lambda: likelihoods.FixedNoiseGaussianLikelihood(torch.full((N,), 0.1)),
    "Student t": likelihoods.StudentTLikelihood,
    "Laplace": likelihoods.LaplaceLikelihood,
    "Bernoulli": likelihoods.BernoulliLikelihood,
    "beta": likelihoods.BetaLikelihood,
    "Poisson": likelihoods.PoissonLikelihood,
    "negative binomial": likelihoods.NegativeBinomialLikelihood,
}

STRATEGIES: dict[str, Callable[..., variational.VariationalStrategy]] = {
    "whitened": variational.VariationalStrategy,
    "unwhitened": variational.UnwhitenedVariationalStrategy,
    "contour integral": variational.CiqVariationalStrategy,
    "batch decoupled": variational.BatchDecoupledVariationalStrategy,
}


class Exact(gpytorch.models.ExactGP):
    def __init__(self, x: Tensor, y: Tensor, likelihood: likelihoods.Likelihood, kernel: str):
        super().__init__(x, y, likelihood)
        self.mean_module = means.LinearMean(D)
        self.covar_module = kernels.ScaleKernel(KERNELS[kernel]())

    def forward(self, x: Tensor) -> distributions.MultivariateNormal:
        return distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


class Approximate(gpytorch.models.ApproximateGP):
    def __init__(self, inducing: Tensor, strategy: str, distribution: str = "Cholesky"):
        q = getattr(variational, f"{distribution}VariationalDistribution")(len(inducing))
        super().__init__(STRATEGIES[strategy](self, inducing, q, learn_inducing_locations=True))
        self.mean_module = means.ConstantMean()
        self.covar_module = kernels.ScaleKernel(kernels.MaternKernel(2.5))

    def forward(self, x: Tensor) -> distributions.MultivariateNormal:
        return distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


class Multitask(gpytorch.models.ExactGP):
    def __init__(self, x: Tensor, y: Tensor, likelihood: likelihoods.Likelihood, tasks: int):
        super().__init__(x, y, likelihood)
        self.mean_module = means.MultitaskMean(means.ConstantMean(), num_tasks=tasks)
        self.covar_module = kernels.MultitaskKernel(kernels.RBFKernel(), num_tasks=tasks, rank=1)

    def forward(self, x: Tensor) -> distributions.MultitaskMultivariateNormal:
        return distributions.MultitaskMultivariateNormal(self.mean_module(x), self.covar_module(x))


def training(
    model: torch.nn.Module,
    likelihood: likelihoods.Likelihood,
    objective: torch.nn.Module,
    x: Tensor,
    y: Tensor,
) -> Step:
    modules = torch.nn.ModuleList([model, likelihood]).train()
    optimizer = torch.optim.Adam(modules.parameters(), lr=0.01)

    def step(criterion: Criterion) -> Tensor:
        optimizer.zero_grad()
        output = model(x)
        prediction = output.mean if output.mean.dim() == 1 else output.mean.mean(-1)
        loss = -objective(output, y).sum() + criterion(prediction)
        loss.backward()
        optimizer.step()
        return loss

    return step


def exact(kernel: str, likelihood_name: str = "Gaussian") -> Step:
    x, y = torch.rand(N, D), torch.rand(N)
    likelihood = LIKELIHOODS[likelihood_name]()
    model = Exact(x, y, likelihood, kernel)
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    return training(model, likelihood, objective, x, y)


def approximate(
    likelihood_name: str = "Bernoulli",
    strategy: str = "whitened",
    distribution: str = "Cholesky",
    objective: str = "VariationalELBO",
) -> Step:
    x, y = torch.rand(N, D), torch.rand(N)
    if likelihood_name in ("Bernoulli", "Poisson", "negative binomial"):
        y = y.round()
    likelihood = LIKELIHOODS[likelihood_name]()
    model = Approximate(torch.rand(N, D), strategy, distribution)
    bound = getattr(gpytorch.mlls, objective)(likelihood, model, num_data=N)
    return training(model, likelihood, bound, x, y)


def multitask(tasks: int) -> Step:
    x, y = torch.rand(N, D), torch.rand(N, tasks)
    likelihood = likelihoods.MultitaskGaussianLikelihood(num_tasks=tasks)
    model = Multitask(x, y, likelihood, tasks)
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    return training(model, likelihood, objective, x, y)


def prediction(kernel: str) -> Step:
    """Train once, then predict at as many points with the cached covariances."""
    x, y = torch.rand(N, D), torch.rand(N)
    likelihood = likelihoods.GaussianLikelihood()
    model = Exact(x, y, likelihood, kernel)
    modules = torch.nn.ModuleList([model, likelihood])

    def step(criterion: Criterion) -> Tensor:
        modules.eval()
        with gpytorch.settings.fast_pred_var():
            output = likelihood(model(torch.rand(N, D)))
        loss = output.variance.sum() + criterion(output.mean)
        loss.backward()
        modules.train()
        return loss

    return step


def cases() -> Iterator[Case]:
    for kernel in KERNELS:
        yield Case(f"exact GP with {kernel} kernel", partial(exact, kernel))
        if kernel in ("RBF", "Matern 5/2", "spectral mixture"):
            yield Case(f"prediction with {kernel} kernel", partial(prediction, kernel))
    yield Case("exact GP with fixed noise", partial(exact, "RBF", "fixed noise"))
    for likelihood in LIKELIHOODS:
        if likelihood != "fixed noise":
            yield Case(f"variational GP with {likelihood}", partial(approximate, likelihood))
    for strategy in STRATEGIES:
        yield Case(f"{strategy} variational GP", partial(approximate, strategy=strategy))
    for distribution in ("MeanField", "Delta", "Natural", "TrilNatural"):
        yield Case(
            f"{distribution} variational GP", partial(approximate, distribution=distribution)
        )
    yield Case(
        "predictive log likelihood", partial(approximate, objective="PredictiveLogLikelihood")
    )
    for tasks in (3, N):
        yield Case(f"multitask GP, {tasks} tasks", partial(multitask, tasks))
