"""Metrics of torchmetrics, updated in a training step, with as many rows as classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
import torchmetrics as tm
from torch import Tensor
from torchmetrics import audio, clustering, functional, image, nominal, regression, retrieval
from zoo_cases import Case, Criterion, Step

N = 8
Inputs = Callable[[], tuple[Tensor, ...]]


def values() -> tuple[Tensor, ...]:
    return torch.rand(N), torch.rand(N)


def table() -> tuple[Tensor, ...]:
    return torch.rand(N, N), torch.rand(N, N)


def distributions() -> tuple[Tensor, ...]:
    return torch.rand(N, N).softmax(1), torch.rand(N, N).softmax(1)


def binary() -> tuple[Tensor, ...]:
    return torch.rand(N), torch.arange(N) % 2


def classes() -> tuple[Tensor, ...]:
    return torch.randn(N, N).softmax(1), torch.randperm(N)


def labels() -> tuple[Tensor, ...]:
    return torch.rand(N, N), torch.randint(0, 2, (N, N))


def clusters() -> tuple[Tensor, ...]:
    return torch.arange(N) % 3, torch.arange(N) % 4


def pictures() -> tuple[Tensor, ...]:
    return torch.rand(3, 3, 32, 32), torch.rand(3, 3, 32, 32)


def waves() -> tuple[Tensor, ...]:
    return torch.randn(N, 64), torch.randn(N, 64)


def rankings() -> tuple[Tensor, ...]:
    return torch.rand(N), torch.arange(N) % 2, torch.arange(N) // 4


CLASSIFICATION = """
AUROC Accuracy AveragePrecision CalibrationError CohenKappa ConfusionMatrix F1Score HammingDistance
HingeLoss JaccardIndex MatthewsCorrCoef Precision PrecisionRecallCurve ROC Recall Specificity
StatScores ExactMatch
""".split()

METRICS: dict[str, tuple[Callable[[], tm.Metric], Inputs]] = {
    **{name: (getattr(regression, name), values) for name in (
        "ConcordanceCorrCoef", "ExplainedVariance", "KendallRankCorrCoef", "LogCoshError",
        "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
        "MeanSquaredLogError", "PearsonCorrCoef", "R2Score",
        "RelativeSquaredError", "SpearmanCorrCoef", "SymmetricMeanAbsolutePercentageError",
        "TweedieDevianceScore", "WeightedMeanAbsolutePercentageError",
        "NormalizedRootMeanSquaredError",
    )},
    "PeakSignalNoiseRatio": (lambda: image.PeakSignalNoiseRatio(1.0), pictures),
    "MinkowskiDistance": (lambda: regression.MinkowskiDistance(3), values),
    "CriticalSuccessIndex": (lambda: regression.CriticalSuccessIndex(0.5), values),
    "CosineSimilarity": (regression.CosineSimilarity, table),
    "KLDivergence": (regression.KLDivergence, distributions),
    "JensenShannonDivergence": (regression.JensenShannonDivergence, distributions),
    **{f"binary {name}": (partial(getattr(tm, name), task="binary"), binary)
       for name in CLASSIFICATION if name != "ExactMatch"},
    **{f"multiclass {name}": (partial(getattr(tm, name), task="multiclass", num_classes=N), classes)
       for name in CLASSIFICATION if name != "ExactMatch"},
    **{f"multilabel {name}": (partial(getattr(tm, name), task="multilabel", num_labels=N), labels)
       for name in CLASSIFICATION if name not in ("CohenKappa", "HingeLoss", "CalibrationError")},
    **{name: (getattr(clustering, name), clusters) for name in (
        "AdjustedRandScore", "CompletenessScore", "HomogeneityScore", "MutualInfoScore",
        "NormalizedMutualInfoScore", "RandScore", "VMeasureScore", "FowlkesMallowsIndex",
        "AdjustedMutualInfoScore",
    )},
    **{name: (partial(getattr(nominal, name), num_classes=4), clusters) for name in (
        "CramersV", "PearsonsContingencyCoefficient", "TheilsU", "TschuprowsT",
    )},
    **{name: (getattr(image, name), pictures) for name in (
        "ErrorRelativeGlobalDimensionlessSynthesis",
        "RelativeAverageSpectralError", "RootMeanSquaredErrorUsingSlidingWindow",
        "SpectralAngleMapper", "SpectralDistortionIndex", "StructuralSimilarityIndexMeasure",
        "UniversalImageQualityIndex",
    )},
    **{name: (getattr(audio, name), waves) for name in (
        "ScaleInvariantSignalDistortionRatio", "ScaleInvariantSignalNoiseRatio",
        "SignalNoiseRatio", "SignalDistortionRatio",
    )},
    **{name: (getattr(retrieval, name), rankings) for name in (
        "RetrievalMAP", "RetrievalMRR", "RetrievalNormalizedDCG", "RetrievalPrecision",
        "RetrievalRecall", "RetrievalHitRate", "RetrievalFallOut", "RetrievalAUROC",
    )},
}  # fmt: skip

PAIRWISE = ("euclidean_distance", "manhattan_distance", "cosine_similarity", "minkowski_distance")


def metric(name: str) -> Step:
    make, inputs = METRICS[name]
    measure, net = make(), torch.nn.Linear(N, 1)

    def step(criterion: Criterion) -> Tensor:
        prediction, *rest = inputs()
        if len(rest) == 2:
            measure.update(prediction, rest[0], indexes=rest[1])
        else:
            measure.update(prediction, *rest)
        measure.compute()
        loss = criterion(net(torch.rand(N, N)).squeeze(-1))
        loss.backward()
        return loss

    return step


def pairwise(name: str) -> Step:
    """All pairs of the rows of a set with itself and with as many others."""
    options = {"exponent": 3} if name == "minkowski_distance" else {}
    distance = partial(getattr(functional, f"pairwise_{name}"), **options)
    points = torch.rand(N, N).requires_grad_()

    def step(criterion: Criterion) -> Tensor:
        loss = distance(points).mean() + criterion(distance(points, torch.rand(N, N)).mean(1))
        loss.backward()
        return loss

    return step


def cases() -> Iterator[Case]:
    for name in METRICS:
        yield Case(f"{name}, 8 rows", partial(metric, name))
    for name in PAIRWISE:
        yield Case(f"pairwise {name}, 8 and 8", partial(pairwise, name))
