"""The claims page: every claim of the thread as an experiment over many seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from linreg.experiments import claims as experiment
from linreg.experiments.claim_trials import CONFIRMED, REFUTED, arms
from linreg.experiments.claims import ClaimResult, ClaimsResult
from linreg.experiments.work import Work
from linreg.figures import claims as figures
from linreg.settings.model import VERSION, Settings
from linreg.settings.pages import ClaimsView
from linreg.settings.query import to_query
from linreg.settings.wirings import STRANGE_LINE
from linreg.text import claims as text
from linreg.ui.cache import RESOURCES, result_of
from linreg.ui.controls import number
from linreg.ui.elements import plain_table
from linreg.ui.figure_view import draw
from linreg.ui.state import page_state
from linreg.ui.work import run_behind_bar

COLOURS = {CONFIRMED: "green", REFUTED: "red"}
ICONS = {CONFIRMED: ":material/check:", REFUTED: ":material/close:"}


def claims_section(place: DeltaGenerator) -> None:
    """The cause, at a place of its own, then the factors, and all claims with their verdicts."""
    view = page_state().view(ClaimsView)
    work = experiment.outstanding(view, RESOURCES)
    if work:
        with place.container():
            run_seeds_behind_bar(work)
    result = result_of(experiment.run, view)
    place.markdown(text.cause_finding(result))
    draw(lambda theme: figures.factors(result, theme), "factors")
    with st.expander("The factors as a table"):
        st.markdown(text.factors_table(result))
    st.subheader("The claims, one by one")
    st.markdown(text.claims_finding(result))
    with st.columns([1, 3])[0]:
        number("view.seeds", "Random data sets (seeds)")
    st.markdown(
        "*The line* is the question's. It sets the weight by hand, and the rest of the script stays"
        " as it is:"
    )
    st.code(STRANGE_LINE, wrap_lines=True)
    for index, found in enumerate(result.claims, 1):
        _draw_claim(index, found, result)


def run_seeds_behind_bar(work: Work[int, Mapping[Settings, Any]]) -> None:
    """Run every experiment with the missing seeds, and show how many are done."""
    title = f"Running {len(arms())} experiments"

    def bar_text(done: int, total: int) -> str:
        if not done:
            return f"{title} on {total} seeds"
        return f"{title}: seed {done:,} of {total:,}"

    optimizers = sorted({arm.settings.optimizer for arm in arms()})
    run_behind_bar(work, bar_text, len(work.keys), optimizers)


def _draw_claim(index: int, found: ClaimResult, result: ClaimsResult) -> None:
    """One claim: the verdict, what was found, the way to see it, and in an expander how it was
    tested."""
    claim = found.claim
    with st.container(border=True):
        left, right = st.columns(2, gap="large")
        with left:
            colour = COLOURS.get(found.verdict, "orange")
            icon = ICONS.get(found.verdict, ":material/rule:")
            paragraphs = (
                f"#### {index}. {claim.says}",
                f":{colour}-badge[{icon} {found.verdict}] {text.claim_finding(found)}",
            )
            # One text: Streamlit draws each that stands alone anew with every number of seeds.
            st.markdown("\n\n".join(paragraphs))
            shown = claim.arms[claim.shown]
            name = shown.label.replace("[", "\\[")
            st.page_link(
                "streamlit_app.py",
                label=f"See *{name}* side by side",
                icon=":material/compare:",
                # with the version, as the defaults alone have no query, which may be the menu's
                query_params={"v": str(VERSION), **to_query(shown.comparison())},
            )
        with right:
            draw(lambda theme: figures.claim(found, theme), f"claim {claim.key}", caption=False)
        with st.expander("How it was tested, and the numbers"):
            answered = claim.check.answered(*found.answer) if claim.check and found.answer else ""
            st.markdown(f"{claim.who} {claim.why}\n\n{answered}")
            plain_table(text.trials_table(found))
        if claim.key == "batch_of_one":
            draw(lambda theme: figures.printed(result, theme), "printed")
