"""What the surface page says of curvature and stable learning rates."""

import numpy as np

from linreg.experiments.optimizer_paths import Panel
from linreg.experiments.surface import SurfaceResult
from linreg.quadratic.evaluation import Baseline
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import Comparison, Settings
from linreg.settings.pages import SurfaceView
from linreg.text.surface import curvature_finding


def test_the_stable_learning_rate_is_of_the_optimizer_and_of_its_steepest_batch():
    bowl = Quadratic(np.eye(2) / 2, np.zeros(2), 1.0)  # λ = 1
    baseline = Baseline(bowl, 1.0)

    def said(batch_limit, **changes):
        settings = Settings(**{"optimizer": "SGD", "lr": 1.5, **changes})
        panel = Panel("Original", settings, bowl, baseline, batch_limit, ())
        comparison = Comparison(settings, settings)
        return curvature_finding(SurfaceResult(comparison, SurfaceView(), (panel,), np.zeros(2)))

    plainly, steep = said(2.0), said(0.5)
    nesterov, wild = said(0.5, optimizer="Nesterov", momentum=0.9), said(0.5, momentum=1.5)
    assert plainly.endswith(
        "SGD is stable below 2/λ = 2.00 on the mean of the batches; the current learning rate 1.5"
        " is below."
    )
    assert steep.endswith(
        "on the mean of the batches, and below 0.500 on each of them; the current learning rate 1.5"
        " is 3.00 times the limit."
    )
    assert "Nesterov with momentum 0.9 is stable below 2(1 + β)/((1 + 2β)λ) = 1.36 on" in nesterov
    assert wild.endswith(
        "SGD with momentum 1.5 diverges at every learning rate; use a momentum below 1."
    )
