"""Find the shapes of a prediction and a target in pasted text. Nothing in it is evaluated.

The text may be two shapes in any notation, printed lines such as `pred.shape = torch.Size([100,
1])`, or a message of PyTorch, NumPy, pytest or Keras."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from keyword import iskeyword

from linreg.guard.shape_text import checked_shape, parse_shape
from linreg.settings.fields import shorten
from linreg.settings.losses import MAX_AXES

Sizes = tuple[int | str, ...]  # of a shape; a name such as B stands for any size

MAX_TEXT = 20_000  # characters, enough for a long traceback
EXAMPLE = "(100, 1) (100,)"
PRINT_THEM = "paste what `print(pred.shape, y.shape)` in front of the loss prints"


@dataclass(frozen=True)
class Reading:
    """What a pasted text says.

    `names` are the two variables, or (). `loss` is a key of `LOSSES`, where the text names one.
    `known_by` says how prediction and target are told apart:
      message      a message of PyTorch that names both
      names        the names beside the shapes
      order        nothing but their order: the prediction first
      sizes        the message has the batch sizes only, the first operand's first"""

    prediction: Sizes
    target: Sizes
    names: tuple[str, ...] = ()
    loss: str | None = None
    known_by: str = "order"


def read_paste(text: str) -> tuple[Reading, ...]:
    """The reading of a text; several if it can be read in several ways.

    Raises `ValueError` with one sentence for a text in which no two shapes can be told."""
    if not text.strip():
        raise ValueError(f"nothing is given; paste two shapes such as {EXAMPLE}, or the warning")
    if len(text) > MAX_TEXT:
        raise ValueError(
            f"{len(text):,} characters are above the limit of {MAX_TEXT:,}; paste only the lines"
            " with the shapes"
        )
    cleaned = _cleaned(text)
    reading = _from_message(cleaned)
    if reading:
        return (reading,)
    found = list(_shapes_in(cleaned))
    if len(found) < 2:
        return _from_few(text, cleaned, found)
    return (_from_shapes(cleaned, found),)


def read_shape(text: str) -> Sizes:
    """The shape of a text such as `(100, 1)`, `(B, 1)` or `32 1`. Raises `ValueError`."""
    stripped = text.strip().strip("`'\"")
    bare = _bare_shape(stripped)
    if bare is not None:
        return bare
    match = _BRACKETED.fullmatch(stripped)
    sizes = _sizes(match) if match else None
    if sizes is None or all(isinstance(size, int) for size in sizes):
        return parse_shape(stripped)  # with its sentences for what is not a shape
    return sizes


# ---- messages ------------------------------------------------------------------------------------

_LOSS_OF_CODE = {
    "mse_loss": "mse",
    "l1_loss": "l1",
    "smooth_l1_loss": "smooth_l1",
    "huber_loss": "huber",
    "gaussian_nll_loss": "gaussian_nll",
    "poisson_nll_loss": "poisson_nll",
    "binary_cross_entropy_with_logits": "bce_with_logits",
    "MSELoss": "mse",
    "L1Loss": "l1",
    "SmoothL1Loss": "smooth_l1",
    "HuberLoss": "huber",
    "GaussianNLLLoss": "gaussian_nll",
    "PoissonNLLLoss": "poisson_nll",
    "BCEWithLogitsLoss": "bce_with_logits",
}
_LOSS = re.compile(rf"\b(?:{'|'.join(_LOSS_OF_CODE)})\b")

_SIZE_TEXT = r"\(?(?:torch\.)?(?:Size)?\(?\[([^\[\]]*)\]\)?\)?"
_TARGET_FIRST = re.compile(  # nn.MSELoss and its like; nn.BCEWithLogitsLoss
    rf"target size {_SIZE_TEXT} (that is different to|must be the same as) the input size"
    rf" {_SIZE_TEXT}|target size {_SIZE_TEXT} must be the same as input size {_SIZE_TEXT}",
    re.IGNORECASE,
)
_BATCH_SIZES = re.compile(  # nn.CrossEntropyLoss
    r"Expected input batch_size \((\d+)\) to match target batch_size \((\d+)\)"
)
_ONE_AXIS = re.compile(
    r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)"
    r" at non-singleton dimension (\d+)"
)
_SAMPLES = re.compile(r"inconsistent numbers of samples: \[(\d+), (\d+)\]")
_NOT_A_LOSS = (
    (
        re.compile(r"shapes cannot be multiplied|matmul: "),
        "this error is of a matrix product, a layer's, and not of a loss",
    ),
    (
        re.compile(r"expanded size of the tensor|doesn.t match the broadcast shape"),
        "this error is of an assignment or of expand, and does not show the two shapes of a loss",
    ),
)


def _from_message(text: str) -> Reading | None:
    """The reading of the last message in the text that is known; None if there is none."""
    loss = _loss_in(text)
    for match in reversed(list(_TARGET_FIRST.finditer(text))):
        groups = match.groups()
        target, prediction = (groups[0], groups[2]) if groups[0] is not None else groups[3:]
        if groups[0] is None:
            loss = "bce_with_logits"
        return Reading(
            read_shape(f"[{prediction}]"), read_shape(f"[{target}]"), (), loss, "message"
        )
    for sizes, known_by in ((_BATCH_SIZES, "message"), (_SAMPLES, "sizes")):
        counts = sizes.search(text)
        if counts:
            return Reading((int(counts[1]),), (int(counts[2]),), (), loss, known_by)
    for pattern, sentence in _NOT_A_LOSS:
        if pattern.search(text):
            raise ValueError(f"{sentence}; {PRINT_THEM}")
    axis = _ONE_AXIS.search(text)
    if axis and len(list(_shapes_in(_ONE_AXIS.sub(" ", text)))) < 2:
        if int(axis[3]):
            raise ValueError(
                f"the error names one axis only, {axis[1]} and {axis[2]} at dimension {axis[3]};"
                f" {PRINT_THEM}"
            )
        return Reading((int(axis[1]),), (int(axis[2]),), (), loss, "sizes")
    return None


def _loss_in(text: str) -> str | None:
    """The loss that a text names, if it is one."""
    named = {_LOSS_OF_CODE[name] for name in _LOSS.findall(text)}
    return named.pop() if len(named) == 1 else None


# ---- shapes in brackets --------------------------------------------------------------------------

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]{0,19}"
_ENTRY = rf"(?:[0-9]{{1,30}}|{_IDENTIFIER})"
_ENTRIES = rf"(?:{_ENTRY}(?:\s*[,x×*]\s*{_ENTRY}|\s+{_ENTRY})*\s*,?)?"
_BRACKETED = re.compile(
    rf"(?:\b(?:torch\.)?(?:Size|TensorShape)\(\s*)?(?:\(\s*({_ENTRIES})\s*\)|\[\s*({_ENTRIES})\s*\])"
    r"|\b(?:torch\.)?Size\(\s*\)"
)
_MAY_PRECEDE = re.compile(  # a bracket without a space, as in float32[64,1] or shape=[64]
    r"(?:[Tt]ensor|[Ss]hapes?|[Ss]izes?|dims|b?f(?:loat)?(?:16|32|64)|[iu](?:nt)?(?:8|16|32|64))$"
)
_SHORT_SYMBOL = re.compile(r"[A-Za-z]{1,2}|None|bs|batch|batch_size|seq|seq_len|length")


def _cleaned(text: str) -> str:
    """The text without colours of the terminal, prompts, quotes and printed values."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"(?m)^\s*(?:(?:In|Out)\s?\[\d*\]:|>>>|\.\.\.)", " ", text)
    text = re.sub(r"\w*\[[\w.]*Tensor,\s*[\"']([\w ]*)[\"']\]", _annotated, text)
    text = re.sub(r"\b(?:tensor|array)\(\[[^\[\]()]*\][^()]*\)", " ", text)
    return re.sub(r"[`\"'“”‘’]", " ", text)


def _annotated(match: re.Match[str]) -> str:
    """A jaxtyping annotation such as `Float[Tensor, "B 1"]` as a shape."""
    return f"({', '.join(match[1].split())},)"


def _shapes_in(text: str) -> Iterator[tuple[int, int, Sizes]]:
    """Start, end and sizes of each shape in brackets."""
    for match in _BRACKETED.finditer(text):
        before = text[: match.start()][-20:]
        is_called = bool(re.search(r"[\w\])]$", before)) and match[0][0] in "(["
        if is_called and not (match[0][0] == "[" and _MAY_PRECEDE.search(before)):
            continue
        sizes = _sizes(match)
        if sizes is not None:
            yield match.start(), match.end(), sizes


def _sizes(match: re.Match[str]) -> Sizes | None:
    """The sizes in a match of `_BRACKETED`; None for a word in brackets that is no shape."""
    inside = (match[1] or match[2] or "").strip()
    entries = re.findall(_ENTRY, re.sub(r"(?<=[0-9])x(?=[0-9])", " ", inside))
    entries = [entry for entry in entries if entry != "x"]
    if len(entries) == 1 and not (
        entries[0].isdigit() or inside.endswith(",") or _SHORT_SYMBOL.fullmatch(entries[0])
    ):
        return None
    is_spaced = not re.search(r"[,x×*]", inside)
    for entry in entries:
        if iskeyword(entry) and entry != "None":
            return None
        if is_spaced and not (entry.isdigit() or _SHORT_SYMBOL.fullmatch(entry)):
            return None
    return _checked(entries)


def _checked(entries: Sequence[str]) -> Sizes:
    """The sizes of entries. Raises `ValueError` for too many axes and impossible sizes."""
    if len(entries) > MAX_AXES:
        raise ValueError(
            f"a shape has more axes than the {MAX_AXES} that are handled; leave some out"
        )
    return tuple(checked_shape([int(e)])[0] if e.isdigit() else e for e in entries)


# ---- which is which ------------------------------------------------------------------------------

_PREDICTION_WORDS = {
    *("pred", "preds", "prediction", "predictions", "predicted", "predict", "output", "outputs"),
    *("out", "outs", "logit", "logits", "hat", "yhat", "ypred", "forecast", "recon", "estimate"),
    *("estimated", "model", "net", "reconstruction", "scores", "yp"),
}
_TARGET_WORDS = {
    *("target", "targets", "tgt", "label", "labels", "lbl", "y", "ys", "yb", "yt", "ytrue", "true"),
    *("truth", "gt", "groundtruth", "expected", "actual", "ref", "reference", "t"),
}
_NAMED = re.compile(r"([A-Za-z_][\w.]{0,60}?)(?:\.shape\b|\.size\(\s*\)|\.get_shape\(\))")
_ASSIGNED = re.compile(r"([A-Za-z_][\w.]{0,60})\s*(?:\bshape\b|\bsize\b)?\s*(?:[:=]|->)\s*$")


def _from_shapes(text: str, found: Sequence[tuple[int, int, Sizes]]) -> Reading:
    """The reading of a text with two or more shapes in brackets."""
    labels = _labels(text, found)
    roles = [_role(words) for words, _ in labels]
    loss = _loss_in(text)
    first, second, known_by = 0, 1, "order"
    predictions = [i for i, role in enumerate(roles) if role == "prediction"]
    targets = [i for i, role in enumerate(roles) if role == "target"]
    if predictions and targets:
        first, second, known_by = predictions[-1], targets[-1], "names"
    elif len(found) == 2 and (predictions or targets):
        first = predictions[0] if predictions else 1 - targets[0]
        second, known_by = 1 - first, "names"
    elif len(found) > 2 and not _are_repeated(found):
        shown = ", ".join(_shown(sizes) for _, _, sizes in found[:4])
        raise ValueError(
            f"{len(found)} shapes are given, {shown}{', …' * (len(found) > 4)}, and none is named"
            f" prediction or target; paste only the two of the loss, such as {EXAMPLE}"
        )
    names = tuple(labels[i][1] for i in (first, second))
    usable = all(names) and names[0] != names[1] and names != ("prediction", "target")
    return Reading(found[first][2], found[second][2], names if usable else (), loss, known_by)


def _are_repeated(found: Sequence[tuple[int, int, Sizes]]) -> bool:
    """Whether a text, such as pytest's, has the first two shapes over and over."""
    return all(sizes in (found[0][2], found[1][2]) for _, _, sizes in found)


def _labels(text: str, found: Sequence[tuple[int, int, Sizes]]) -> list[tuple[list[str], str]]:
    """The words that go with each shape, and its variable, or '' where there is none."""
    ends = [0, *(end for _, end, _ in found)]
    gaps = [text[end:start] for end, (start, _, _) in zip(ends, found, strict=False)]
    gaps.append(text[ends[-1] :])
    named = _NAMED.findall(gaps[0])
    if len(named) >= 2 and not _NAMED.search(gaps[1]):  # print(pred.shape, y.shape), then both
        pair = named[-2:]
        return [(_words(name), _variable(name)) for name in pair] + [([], "")] * (len(found) - 2)
    before = [_label(gap) for gap in gaps[:-1]]
    if not any(_role(words) for words, _ in before[:1]):  # (100, 1) is pred, (100,) is y
        after = [_label(gap.split("\n")[0]) for gap in gaps[1:]]
        if all(_role(words) for words, _ in after):
            return after
    return before


def _label(gap: str) -> tuple[list[str], str]:
    named = _NAMED.findall(gap)
    if named:
        return _words(named[-1]), _variable(named[-1])
    line = next((line for line in reversed(gap.split("\n")) if line.strip()), "")
    assigned = _ASSIGNED.search(line)
    if assigned and _role(_words(assigned[1])):
        return _words(assigned[1]), _variable(assigned[1])
    return _words(line), ""


def _words(text: str) -> list[str]:
    """The words of a text; those of `y_pred` are y and pred."""
    return [word.lower() for word in re.findall(r"[A-Za-z]+", text.replace("y_hat", "yhat"))]


def _role(words: Sequence[str]) -> str | None:
    """Prediction or target, where the words tell; `y_pred` is a prediction."""
    if _PREDICTION_WORDS & set(words):
        return "prediction"
    return "target" if _TARGET_WORDS & set(words) else None


def _variable(name: str) -> str:
    """A name that can stand in code, '' for any other."""
    good = all(part.isidentifier() and not iskeyword(part) for part in name.split("."))
    return name if good and len(name) <= 40 else ""


# ---- less than two shapes in brackets ------------------------------------------------------------

_SEPARATOR = re.compile(
    r"\s*(?:\bvs\b\.?|\bversus\b|\band\b|\bagainst\b|\bwith\b|!=|==|->|→|;|\||/|\n|\t)\s*",
    re.IGNORECASE,
)
_NUMBERS_IN_BRACKETS = re.compile(r"(?<![\w\])])[(\[][^()\[\]]*[0-9][^()\[\]]*[)\]]")
_BARE = re.compile(rf"{_ENTRY}(?:\s*[,x×*]\s*{_ENTRY}|\s+{_ENTRY})*\s*,?")


def _bare_shape(text: str) -> Sizes | None:
    """The shape of a text such as `100 x 1`, `B, 1` or `32 1`; None for any other."""
    if not _BARE.fullmatch(text):
        return None
    spaced = re.sub(r"(?<=[0-9])x(?=[0-9])", " ", text)
    entries = [entry for entry in re.findall(_ENTRY, spaced) if entry != "x"]
    if not all(entry.isdigit() or _SHORT_SYMBOL.fullmatch(entry) for entry in entries):
        return None
    return _checked(entries)


def _from_few(
    text: str, cleaned: str, found: Sequence[tuple[int, int, Sizes]]
) -> tuple[Reading, ...]:
    """The readings of a text with at most one shape in brackets."""
    if found:
        start, end, sizes = found[0]
        rest = cleaned[:start], cleaned[end:]
        for k, part in enumerate(rest):
            other = _bare_shape(_SEPARATOR.sub(" ", part).strip(" ,:"))
            if other is not None:
                pair = (other, sizes) if k == 0 else (sizes, other)
                return (Reading(*pair),)
            wrong = _NUMBERS_IN_BRACKETS.search(part)
            if wrong:
                raise ValueError(
                    f"“{shorten(wrong[0])}” is not a shape; write whole numbers as in {EXAMPLE}"
                )
        return _with_other(sizes, _role(_label(rest[0])[0]))
    parts = [part for part in _SEPARATOR.split(cleaned.strip()) if part]
    shapes = [_bare_shape(part.strip(" ,")) for part in parts]
    if len(shapes) == 2 and None not in shapes:
        return (Reading(shapes[0] or (), shapes[1] or ()),)
    if len(shapes) == 1 and shapes[0]:
        return _split(parts[0], shapes[0])
    if re.search(r"[0-9]", cleaned) is None or len(shapes) != 2:
        raise ValueError(
            f"no shapes are found in “{shorten(text)}”; paste two, such as {EXAMPLE}, or PyTorch's"
            " warning"
        )
    unread = next(part for part, shape in zip(parts, shapes, strict=True) if shape is None)
    raise ValueError(f"“{shorten(unread)}” is not a shape; write it as in {EXAMPLE}")


def _split(text: str, sizes: Sizes) -> tuple[Reading, ...]:
    """The readings of sizes in a row: one shape whose other is missing, or two."""
    groups = text.split()
    shapes = [_bare_shape(group.strip(",")) for group in groups]
    if len(groups) == 2 and re.search(r"[0-9][x×,*][0-9]", text) and None not in shapes:
        return (Reading(shapes[0] or (), shapes[1] or ()),)  # 100x1 100
    if len(sizes) == 1 or re.search(r"[,x×*]", text):
        return _with_other(sizes, None)
    splits = tuple(Reading(sizes[:k], sizes[k:]) for k in range(len(sizes) - 1, 0, -1))
    return (_with_other(sizes, None)[0], *splits)[:4]


def _with_other(sizes: Sizes, role: str | None) -> tuple[Reading, ...]:
    """One shape: the likely shapes of the other side."""
    others = [sizes[:-1] if sizes[-1:] == (1,) else (*sizes, 1), sizes]
    known_by = "names" if role else "order"
    if role == "target":
        return tuple(Reading(other, sizes, known_by=known_by) for other in others)
    return tuple(Reading(sizes, other, known_by=known_by) for other in others)


def _shown(sizes: Sizes) -> str:
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"
