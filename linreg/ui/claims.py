"""The claims page: every claim of the thread as an experiment over many seeds."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from linreg.experiments.claims import (
    CLAIMS,
    CONFIRMED,
    FACTORS,
    PRINTED_RUNS,
    REFUTED,
    Claim,
    Factor,
    Trials,
    arms,
    asked,
    cause,
    of_seed,
    printed_paths,
    trials,
    verdict,
)
from linreg.figures import claims as claims_figures
from linreg.figures import gallery
from linreg.figures.gallery import single_figure
from linreg.quadratic.evaluation import CONVERGED_WITHIN
from linreg.settings.limits import LIMITS
from linreg.settings.model import VERSION, DataSettings, Settings
from linreg.settings.pages import ClaimsView
from linreg.settings.query import to_query
from linreg.settings.wirings import STRANGE_LINE
from linreg.text import claims as claims_text
from linreg.training.worker import PYTORCH
from linreg.ui.cache import Kept, yardstick_of
from linreg.ui.drawing import compiled, draw, plain_table
from linreg.ui.frame import number, view

MOST_KEPT = max(1_000, LIMITS.seeds)
COLOURS = {CONFIRMED: "green", REFUTED: "red"}
ICONS = {CONFIRMED: ":material/check:", REFUTED: ":material/close:"}


@st.cache_resource(show_spinner=False)
def _kept_seeds() -> Kept[int, Mapping[Settings, Any]]:
    """What every arm came to, by seed, for all visitors."""
    return Kept(MOST_KEPT)


@st.cache_resource(show_spinner=False)
def _one_seed() -> threading.Lock:
    """Held while a seed is run."""
    return threading.Lock()


def claims_section() -> None:
    """The number of seeds, what is the cause, and all claims with their verdicts."""
    with st.columns([1, 3])[0]:
        number("view.seeds", "Seeds of data and init")
    place = st.empty()
    seeds = by_seed(view(ClaimsView).seeds, place)
    found = {
        arm.settings: trials(seeds, arm) for arm in arms()
    }  # arms of several claims share their runs
    verdicts = {
        key: verdict(claim, _of(claim, found), _checked(key)[0]) for key, claim in CLAIMS.items()
    }
    tolerance = CONVERGED_WITHIN * yardstick_of(DataSettings(), False).variance
    place.markdown(
        claims_text.claims_finding(list(verdicts.values()), len(seeds), len(arms()), tolerance)
    )
    st.subheader("Which one is the cause")
    st.markdown(
        "Each thing that may be the cause, changed alone, the rest as asked; SGD at a learning rate"
        " that it bears."
    )
    _draw_factors(found)
    st.subheader("The claims, one by one")
    st.markdown(
        "*The line* is the question's. It sets the weight by hand, and the rest of the script stays"
        " as it is:"
    )
    st.code(STRANGE_LINE, wrap_lines=True)
    for number_of, (key, claim) in enumerate(CLAIMS.items(), 1):
        _draw(number_of, claim, _of(claim, found), verdicts[key])


def by_seed(count: int, place: Any) -> list[Mapping[Settings, Any]]:
    """What every arm came to for the first seeds: those that are not kept yet are run behind a bar,
    and kept one by one."""
    kept = _kept_seeds()
    found = {seed: kept.get(seed) for seed in range(count)}
    missing = [seed for seed, runs in found.items() if runs is None]
    if missing:
        bar = place.progress(0.0, f"Running {len(arms())} experiments on {len(missing)} seeds")
        with compiled(sorted({arm.settings.optimizer for arm in arms()})):
            for done, seed in enumerate(missing, 1):
                with _one_seed():  # visitors who wait for the same seeds share them out
                    found[seed] = kept.made(seed, partial(of_seed, seed))
                if done % 5 == 0:
                    bar.progress(
                        done / len(missing),
                        f"Running {len(arms())} experiments: seed {done:,} of {len(missing):,}",
                    )
        place.empty()
    return [runs for runs in found.values() if runs]


def _of(claim: Claim | Factor, found: Mapping[Settings, Trials]) -> list[Trials]:
    return [found[arm.settings] for arm in claim.arms]


@st.cache_data(show_spinner="Asking PyTorch …")
def _checked(key: str) -> tuple[bool | None, str]:
    found: tuple[bool | None, str] = PYTORCH.call(asked, key) if CLAIMS[key].check else (None, "")
    return found


@st.cache_data(show_spinner=False)
def _printed() -> Any:
    return printed_paths(PRINTED_RUNS)


def _draw(number_of: int, claim: Claim, found: Sequence[Trials], answer: str) -> None:
    """One claim: who says what, what was run, what came of it, the verdict, and the way to see
    it."""
    with st.container(border=True):
        left, right = st.columns(2, gap="large")
        with left:
            badge = f":{COLOURS.get(answer, 'orange')}-badge[{ICONS.get(answer, ':material/rule:')} {answer}]"
            asked = claim.check.answered(*_checked(claim.key)) if claim.check else ""
            said = (f"#### {number_of}. {claim.says}", badge, f"{claim.who} {claim.why}", asked)
            st.markdown(
                "\n\n".join(said)
            )  # one text: each that stands alone is drawn anew with every number of seeds
            shown = claim.arms[claim.shown]
            name = shown.label.replace("[", "\\[")
            st.page_link(
                "streamlit_app.py",
                label=f"See *{name}* side by side",
                icon=":material/compare:",
                query_params={
                    "v": str(VERSION),
                    **to_query(shown.comparison()),
                },  # of the defaults too: without any, settings stay
            )
        with right:
            draw(
                lambda theme: gallery.claim_plate(claim, found, theme),
                f"claim {claim.key}",
                caption=False,
            )
        plain_table(claims_text.trials_table(claim.arms, found))
        if claim.key == "batch_of_one":
            draw(
                lambda theme: single_figure(
                    gallery.PRINTED, claims_figures.printed_figure(_printed(), theme), theme
                ),
                "printed",
            )


def _draw_factors(found: Mapping[Settings, Trials]) -> None:
    of_factor = {key: _of(factor, found) for key, factor in FACTORS.items()}
    causes = {key: cause(trials_of) for key, trials_of in of_factor.items()}
    st.markdown(claims_text.factors_table(list(FACTORS.values()), of_factor, causes))
    st.caption(
        "With a batch of one, `(1, 1)` meets `(1,)`: the shapes still differ, and there is nothing"
        " left to mix."
    )
