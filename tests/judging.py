"""The outcomes of runs with the surfaces of their own settings, and the home page's result."""

from linreg.data.tables import make_data
from linreg.experiments.comparison import ComparisonResult, Sample, SideResult
from linreg.quadratic.evaluation import baseline
from linreg.quadratic.least_squares import least_squares
from linreg.quadratic.streaming import loss_surface
from linreg.settings.model import LABELS, Comparison
from linreg.training.outcome import outcome


def judged(run, table):
    return outcome(run, table, loss_surface(table, run.settings))


def trained_result(runs, outcomes=None):
    """The home page's result of two runs, with their own outcomes or with these."""
    comparison = Comparison(*(run.settings for run in runs))
    table = make_data(comparison.original.data)
    found = outcomes or [judged(run, table) for run in runs]
    sides = tuple(
        SideResult(
            label,
            run.settings,
            loss_surface(table, run.settings),
            baseline(table, run.settings.bias),
            run,
            outcome,
        )
        for label, run, outcome in zip(LABELS, runs, found, strict=True)
    )
    mean = float(table.y.mean())
    sample = Sample(table.X, table.y, len(table), mean, table.target, table.features)
    return ComparisonResult(comparison, sides, least_squares(table.X, table.y), sample)
