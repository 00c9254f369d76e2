"""Foreign text in Markdown shows as itself."""

import re

import pytest

from linreg.cli.output import unmarked
from linreg.text.markdown import WORD_JOINER, escape_markdown

# what Streamlit 1.67's browser side, and the autolinks of GitHub's Markdown in it, look for in
# finished text
LIVE = (
    r":material/[a-z0-9_]+:", r":streamlit:", r":\+1:|:-1:|:[\w-]+:",
    r"(?i)(https?://|www(?=\.))[-.\w]+",
    r"[-.\w+]+@[-\w]+(\.[-\w]+)+", r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)",
)  # fmt: skip


MARKS = re.compile(
    r"[\\`*_{}\[\]()#+\-.!|<>~$:&=]"
)  # of Markdown, its tables and mathematics, and of directives


@pytest.mark.parametrize(
    "name",
    ["<b>bold</b><img src=x onerror=alert(1)>", "$x^2$", ":material/delete:", "::streamlit::",
     ":red[text] :smile: :+1:", "[link](http://evil.example)", "HTTPS://evil.example/x",
     "WWW.evil.example", "mailto:me@evil.example", "a -> b", "-> a <-> b --", "x >= 1 <= 2 ~= 3",
     "`code` **b** _i_ ~~s~~ ==m==", "a|b", "# head", "1. one", "&amp;", "a\\*b\\"],
)  # fmt: skip
def test_foreign_text_shows_as_itself(name):
    """Every mark is escaped, and what the browser then has as text is the name, in which it finds
    nothing to make live."""
    written = escape_markdown(name)
    assert not MARKS.search(re.sub(r"\\(.)", "", written))
    seen = re.sub(r"\\(.)", r"\1", written)
    assert seen.replace(WORD_JOINER, "") == name
    assert not [pattern for pattern in LIVE if re.search(pattern, seen)]
    assert unmarked(written) == name, "nor does a terminal hold what has no width"
