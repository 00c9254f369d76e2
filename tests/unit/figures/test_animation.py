"""The replay as an animated GIF: what its frames show, its time, and its size."""

import io
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from live_modules import open_modules
from PIL import Image

from linreg.experiments import comparison, surface
from linreg.experiments.resources import local_resources
from linreg.figures import animation
from linreg.figures import comparison as comparison_figures
from linreg.figures import surface as surface_figures
from linreg.figures.export import SIZES
from linreg.figures.renderer import render, svg_to_png
from linreg.figures.sheet import svg_document
from linreg.figures.theme import DARK, LIGHT
from linreg.settings.pages import SurfaceView
from linreg.settings.query import from_query

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_renderer")]
FRAMES, MOST_BYTES = 3, 3_000_000
QUERIES = {
    "home": {"samples": "1000"},
    "diverged": {"samples": "1000", "optimizer": "SGD", "lr": "1.5", "bias": "1"},
    "surface": {"samples": "1000"},
}


@cache
def replayed(name):
    """The figures at a step, and the last step."""
    compared, ignored = from_query(QUERIES[name])
    assert not ignored
    resources = local_resources()
    if name == "surface":
        view = SurfaceView(ring=3, optimizers=("RMSprop", "SGD", "Adam"))
        result = surface.run(compared, view, resources)
        return partial(surface_figures.paths, result), result.last_step
    comparison.outstanding(compared, resources).run()
    result = comparison.run(compared, resources)
    assert (result.runs[0].diverged_at is not None) == (name == "diverged")
    return partial(comparison_figures.surfaces, result), result.last_step


def still(figures_of, theme, step):
    """The whole sheet at a step, drawn at once."""
    figures = replace(figures_of(theme, step), heading=f"Step {step:,}")
    png = render(svg_to_png, svg_document(figures, SIZES["page"], "pt"), animation.PPI)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def differing(frame, picture):
    """How many pixels are clearly other than those of a picture."""
    assert frame.shape == picture.shape
    return int((np.abs(frame - picture).max(axis=-1) > 40).sum())


@pytest.mark.parametrize("name", QUERIES)
def test_the_frames_are_the_figures_from_the_start_to_the_end(name):
    figures_of, last = replayed(name)
    theme, done = DARK if name == "surface" else LIGHT, []
    assert animation.is_animated(figures_of(theme, None))
    gif = animation.animated_gif(
        figures_of, theme, last, lambda *progress: done.append(progress), FRAMES
    )
    assert len(gif) < MOST_BYTES * FRAMES / animation.FRAMES
    steps = animation.replay_steps(figures_of(theme, None), last, FRAMES)
    assert (steps[0], steps[-1]) == (0, last)
    assert done == [(k + 1, len(steps)) for k in range(len(steps))]
    with Image.open(io.BytesIO(gif)) as image:
        assert (image.n_frames, image.info["loop"]) == (len(steps), 0)
        frames, seconds = [], 0.0
        for k in range(image.n_frames):
            image.seek(k)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
            seconds += image.info["duration"] / 1000
    assert seconds == pytest.approx(
        animation.FRAME_SECONDS * (len(steps) - 1) + animation.LAST_SECONDS
    )
    end = still(figures_of, theme, last)
    assert differing(frames[-1], end) == 0
    assert differing(frames[0], end) > 200, "something moves"
    assert differing(frames[0], frames[1]) > 20
    # a run that has diverged is said in a line of another height, which moves the plots
    for k in (1,) if name == "diverged" else (0, 1):
        assert differing(frames[k], still(figures_of, theme, steps[k])) == 0


def test_the_first_frame_that_is_not_wanted_ends_the_work():
    figures_of, last = replayed("home")

    def leave(_done, _total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        animation.animated_gif(figures_of, LIGHT, last, leave)


def test_the_name_says_what_it_shows():
    figures_of, _ = replayed("home")
    name = animation.animation_name(figures_of(DARK, None), "RMSprop lr 0.01 batch 100")
    assert name == "loss-surfaces_rmsprop-lr-0.01-batch-100_dark.gif"


CLOCK = """async ([panels, last, times]) => {
    const {Clock} = await import('./clock.js');
    const clock = new Clock(panels.map(({domain, trail}) => ({domain, tables: {trail}})), last);
    return times.map(time => clock.stepAt(time));
}"""


@pytest.mark.browser
@pytest.mark.parametrize("name", QUERIES)
def test_its_time_is_that_of_the_player(name, browser):
    figures_of, last = replayed(name)
    figures = figures_of(LIGHT, None)
    panels = [
        {
            "domain": panel.data["frame"][["w1 from", "w1 to"]].iloc[0].tolist(),
            "trail": {
                column: panel.data["trail"][own].astype(float).tolist()
                for column, own in (("0", "w1"), ("1", "w2"), ("step", "step"), ("piece", "piece"))
            },
        }
        for panel in figures.panels
    ]
    page = browser.new_page()
    open_modules(page)
    played = page.evaluate(CLOCK, [panels, last, np.linspace(0, 1, animation.FRAMES).tolist()])
    page.close()
    assert animation.replay_steps(figures, last, animation.FRAMES) == sorted(set(played))
    assert played != np.linspace(0, last, animation.FRAMES).round().tolist(), "not plain steps"
