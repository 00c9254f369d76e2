"""What each command of the command line runs."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from urllib.parse import urlencode

from linreg.cli.claims import claims
from linreg.cli.compare import compare
from linreg.cli.diagnose import diagnose
from linreg.cli.output import write
from linreg.cli.request import resolve
from linreg.cli.sweep import sweep
from linreg.experiments.resources import local_resources
from linreg.settings.model import Comparison
from linreg.settings.pages import PAGES
from linreg.settings.query import to_query
from linreg.text.citation import VERSION


def script(chosen: SimpleNamespace) -> None:
    """Both sides as one PyTorch script or notebook that needs nothing of linreg."""
    from linreg.text import script as script_text

    as_notebook = chosen.notebook or (chosen.out and chosen.out.suffix.lower() == ".ipynb")
    make = script_text.notebook if as_notebook else script_text.script
    write(make(resolve(chosen).comparison).rstrip() + "\n", chosen.out)


def figures(chosen: SimpleNamespace) -> None:
    """Every figure of the app as files in a folder, whose names are printed as they are written."""
    from linreg.figures.export import check_packages, exported, file_name, with_source
    from linreg.figures.pages import FIGURES, page_figures
    from linreg.figures.theme import THEMES
    from linreg.text.file_names import state_words

    check_packages(chosen.format)
    wanted, folder, resources = resolve(chosen), chosen.folder, local_resources()
    folder.mkdir(parents=True, exist_ok=True)
    source = _source(chosen.link, wanted.comparison)
    for page in dict.fromkeys(chosen.only or FIGURES):
        kind, step = PAGES.get(page), wanted.link.step
        view = (wanted.link.views.get(kind) or kind()) if kind else None
        words = state_words(wanted.comparison, view, step)
        drawn = page_figures(page, wanted.comparison, view, resources, THEMES[chosen.theme], step)
        for figure_set in (with_source(one, source) for one in drawn):
            for form in dict.fromkeys(chosen.format):
                path = folder / file_name(figure_set, form, chosen.size, words)
                write(exported(figure_set, form, chosen.size), path)
                print(path, flush=True)


def _source(link: str | None, comparison: Comparison) -> str:
    """Where figures are from: the address that was given, or linreg with the settings that differ
    from its defaults."""
    if link and "://" in link:
        return link
    query = urlencode(to_query(comparison), safe=",")
    return f"linreg {VERSION}{query and f', ?{query}'}"


RUN: dict[str, Callable[[SimpleNamespace], None]] = {
    command.__name__: command for command in (compare, claims, sweep, diagnose, script, figures)
}
