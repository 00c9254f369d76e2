"""The diagnosis of two shapes agrees with PyTorch; typed shapes are parsed or refused."""

import subprocess
import sys
import warnings
from itertools import combinations, count, product
from math import prod

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from project import ROOT
from torch import nn

from linreg.guard.shapes import (
    MAX_SIZE,
    broadcast_shape,
    could_be_paired,
    diagnose_shapes,
    find_fixes,
    is_silent_broadcast,
    parse_shape,
)
from linreg.guard.torch_reaction import reaction
from linreg.guard.watch import no_silent_broadcast
from linreg.settings.losses import LOSSES

SHAPES = st.lists(st.sampled_from([0, 1, 1, 2, 3]), max_size=4).map(tuple)
losses = pytest.mark.parametrize("loss", LOSSES)


@losses
@settings(max_examples=150, deadline=None)
@given(SHAPES, SHAPES)
@example((3, 1), (3,))
@example((3,), (3, 1))
@example((0, 1), (0,))
@example((3, 1), (1, 3))
@example((2, 3), (3,))
@example((), (1,))
def test_the_diagnosis_agrees_with_pytorch(loss, prediction, target):
    said, done = diagnose_shapes(prediction, target, loss), reaction(prediction, target, loss)
    assert (said.kind == "raises") == (done.error is not None)
    assert said.warns == bool(done.warnings)
    reported = said.kind == "silent" or (said.kind == "outer" and loss != "raw")
    assert (done.broadcast is not None) == (reported and could_be_paired(prediction, target))
    if done.error is None:
        a, b = torch.broadcast_tensors(torch.zeros(prediction), torch.zeros(target))
        assert said.broadcast_shape == tuple(a.shape)
        assert said.terms == a.numel() == b.numel()
        repeated = [
            torch.zeros(side).expand(a.shape).numel() > prod(side) for side in (prediction, target)
        ]
        if said.terms:
            assert all(repeated) == (said.kind in ("silent", "outer"))
            assert any(repeated) == (said.kind != "matched")
    else:
        assert (said.broadcast_shape, said.terms, said.shrinks_by) == (None, None, None)


@settings(max_examples=150, deadline=None)
@given(SHAPES, SHAPES)
def test_broadcast_shape_equals_pytorchs(first, second):
    try:
        expected = tuple(torch.broadcast_shapes(first, second))
    except RuntimeError:
        expected = None
    assert broadcast_shape(first, second) == expected


@settings(max_examples=150, deadline=None)
@given(SHAPES, SHAPES)
@example((3, 1), (3,))
@example((3, 3, 1), (3, 3))
@example((2, 1, 3), (2, 3))
@example((3, 1), (1, 3))
def test_the_minimum_shrinks_by_the_number_of_terms_per_matched_pair(prediction, target):
    """Counted by broadcasting the position of each element: matched pairs have equal positions."""
    said = diagnose_shapes(prediction, target)
    assume(said.terms)
    places = [torch.arange(prod(side)).reshape(side) for side in (prediction, target)]
    p, t = torch.broadcast_tensors(*places)
    corresponds = [size for size in prediction if size != 1] == [
        size for size in target if size != 1
    ]
    if said.kind in ("silent", "outer") and corresponds:
        assert said.shrinks_by == p.numel() / int((p == t).sum())
    else:
        assert said.shrinks_by is None


@pytest.mark.slow
@pytest.mark.parametrize("loss", [key for key, entry in LOSSES.items() if entry.squared])
def test_the_minimum_shrinks_so_in_a_regression(loss):
    """Normal data, batches of five: the loss is quadratic, so a Newton step finds its minimum."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1_500, 5, 2, generator=generator, dtype=torch.float64)  # (batches, B, 2)
    true = torch.tensor([5.0, 3.0], dtype=torch.float64)
    y = x @ true  # (batches, B)

    def gradient(w):
        w = w.clone().requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            total = sum(
                LOSSES[loss].run((rows @ w)[:, None], target)
                for rows, target in zip(x, y, strict=True)
            )
        return torch.autograd.grad(total, w)[0]

    start = torch.zeros(2, dtype=torch.float64)
    at_start = gradient(start)
    hessian = torch.stack([gradient(unit) - at_start for unit in torch.eye(2, dtype=torch.float64)])
    minimum = torch.linalg.solve(hessian, -at_start)
    shrinks_by = diagnose_shapes((5, 1), (5,), loss).shrinks_by
    assert shrinks_by == 5
    torch.testing.assert_close(minimum, true / shrinks_by, rtol=0.1, atol=0)


@losses
@pytest.mark.parametrize(
    "shapes",
    [
        ((4, 1), (4,)),
        ((4,), (4, 1)),
        ((3, 3, 1), (3, 3)),
        ((2, 1, 3), (2, 3)),
        ((4, 1), (1, 4)),
        ((4, 1, 1), (4,)),
    ],
    ids=str,
)
def test_the_corrected_lines_compare_each_prediction_with_its_target(loss, shapes):
    generator = torch.Generator().manual_seed(0)
    prediction, target = (torch.rand(shape, generator=generator) for shape in shapes)
    said = diagnose_shapes(*shapes, loss)
    assert len(said.corrected) == len(said.fixes) == 2
    for line in said.corrected:
        names = {
            "prediction": prediction,
            "target": target,
            "nn": nn,
            "torch": torch,
            "pred": prediction,
            "y": target,
        }
        with no_silent_broadcast():
            exec(line, names)
        torch.testing.assert_close(
            names["loss"], LOSSES[loss].run(prediction.flatten(), target.flatten())
        )


def test_every_fix_has_the_stated_shape_and_effect():
    """Run in PyTorch for all silent broadcasts of two and three shapes, of up to three axes of
    sizes 1, 2 and 3."""
    every = [shape for axes in range(4) for shape in product((1, 2, 3), repeat=axes)]
    meeting = [pair for pair in product(every, every) if is_silent_broadcast(*pair)]
    assert len(meeting) == 152
    for shapes in [
        *meeting,
        *(((3, 1), third, (3,)) for third in every if broadcast_shape((3, 3), third)),
    ]:
        names = ["a", "b", "c"][: len(shapes)]
        tensors = {name: torch.zeros(shape) for name, shape in zip(names, shapes, strict=True)}
        fixes = find_fixes(shapes, names)
        assert len(fixes) >= 2 if len(shapes) == 2 else fixes
        assert any(fix.all_pairs for fix in fixes) or len(shapes) > 2
        left = set()
        for fix in fixes:
            assert tuple(eval(fix.code, dict(tensors)).shape) == fix.shape
            after = [
                fix.shape if index == fix.operand else shape for index, shape in enumerate(shapes)
            ]
            left.add(any(is_silent_broadcast(*two) for two in combinations(after, 2)))
            result = torch.broadcast_shapes(*after)
            assert (tuple(result) == broadcast_shape(*shapes)) or not fix.all_pairs
        assert left == {False} or (len(shapes), left) == (3, {True}), (
            "for three, one change may not be enough"
        )


def test_the_finding_for_the_threads_shapes():
    said = diagnose_shapes((100, 1), (100,))
    assert said.fixes == ("prediction.squeeze(-1)", "target.unsqueeze(1)")
    assert said.corrected == (
        "loss = nn.MSELoss()(prediction.squeeze(-1), target)",
        "loss = nn.MSELoss()(prediction, target.unsqueeze(1))",
    )
    assert said.fixed_shapes == (((100,), (100,)), ((100, 1), (100, 1)))
    assert said.finding == (
        "`(100, 1)` is broadcast against `(100,)`: `(100, 100)`, 10,000 terms. Each prediction is"
        " compared with 100 targets. For independent rows with means near zero, the loss has its"
        " minimum at 1/100 of the least-squares weights."
    )
    assert diagnose_shapes((5, 4, 1), (5,)).fixes == ("target.unsqueeze(1).unsqueeze(2)",), (
        "a target for each row"
    )
    assert (
        "takes a target of the prediction's shape only"
        in diagnose_shapes((5, 1), (5,), "bce_with_logits").finding
    )
    assert "mean over nothing is NaN" in diagnose_shapes((0, 1), (0,)).finding
    assert diagnose_shapes((1, 1), (1,)).kind == "matched", "a batch of one mixes nothing"
    assert diagnose_shapes([MAX_SIZE, 1], torch.Size([MAX_SIZE])).terms == MAX_SIZE**2


@pytest.mark.parametrize(
    ("prediction", "target", "says"),
    [
        ((64, 1), (100,), "64 predictions but 100 targets"),
        ((64,), (100,), "64 predictions but 100 targets"),
        ((64,), (100, 1), "64 predictions but 100 targets"),
        ((64, 1), (1, 100), "64 predictions but 100 targets"),
        ((2, 1), (3,), "2 predictions but 3 targets"),
        ((4, 5, 1), (5,), "4 rows of predictions but 5 targets"),
        ((2, 3), (3, 2), "2 rows of predictions but 3 rows of targets"),
    ],
)
@losses
def test_batches_that_do_not_line_up_are_called_so_and_no_fix_keeps_the_bug(
    prediction, target, says, loss
):
    said = diagnose_shapes(prediction, target, loss)
    assert said.finding.startswith(f"{says}: the batches do not line up.")
    assert (said.fixes, said.corrected, said.fixed_shapes) == ((), (), ())


def test_rows_that_are_compared_with_the_whole_vector_are_called_so():
    said = diagnose_shapes((8, 8), (8,))
    assert (said.kind, said.fixes) == ("misaligned", ("target.unsqueeze(1)",))
    assert "Each row of predictions is compared with the whole target vector" in said.finding
    assert "for class labels use `nn.CrossEntropyLoss`" in said.finding
    assert diagnose_shapes((8,), (8, 8)).fixes == ("prediction.unsqueeze(1)",)
    assert diagnose_shapes((8, 1), (8, 8)).kind == "one-sided", "row i with target i"
    assert "all rows are compared with the same" in diagnose_shapes((64, 10), (10,)).finding
    assert "all rows" not in diagnose_shapes((64, 10), (64, 1)).finding


@losses
def test_with_every_fix_each_prediction_is_compared_with_the_target_of_its_row(loss):
    """For all pairs of shapes of up to three axes of sizes 1, 2 and 3: the loss of the corrected
    line is that of a loop over the elements of the side with more of them."""
    every = [shape for axes in range(4) for shape in product((1, 2, 3), repeat=axes)]
    generator = torch.Generator().manual_seed(0)
    fixed = 0
    for shapes in product(every, every):
        said = diagnose_shapes(*shapes, loss)
        if not said.corrected:
            continue
        prediction, target = (torch.rand(shape, generator=generator) for shape in shapes)
        p, t = prediction.flatten(), target.flatten()
        count = max(p.numel(), t.numel())  # element k belongs to row k // (elements per row)
        p, t = (side.repeat_interleave(count // side.numel()) for side in (p, t))
        for line, both in zip(said.corrected, said.fixed_shapes, strict=True):
            names = {"prediction": prediction, "target": target, "nn": nn, "torch": torch}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # equal rows, other shapes
                exec(line, names)
            torch.testing.assert_close(names["loss"], LOSSES[loss].run(p, t))
            assert torch.broadcast_shapes(*both) in both
            fixed += 1
    assert fixed > 100


def test_names_and_symbols_stand_in_the_diagnosis():
    said = diagnose_shapes((4, 1), (4,), names=("pred", "batch.y"), symbols={4: "B"})
    assert said.fixes == ("pred.squeeze(-1)", "batch.y.unsqueeze(1)")
    assert said.finding.startswith("`(B, 1)` is broadcast against `(B,)`: `(B, B)`, B·B terms.")
    assert said.finding.endswith("at 1/B of the least-squares weights.")
    said = diagnose_shapes((4, 3, 1), (4, 3), symbols={4: "B", 3: "T"})
    assert said.finding == "`(B, T, 1)` and `(B, T)` do not broadcast, so PyTorch raises."
    assert said.fixes == ("prediction.squeeze(-1)", "target.unsqueeze(2)")
    said = diagnose_shapes((4, 3, 1), (4, 3, 5), symbols={4: "B"})
    assert "15·B terms" in said.finding


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((3, -1), "size -1 in prediction shape is below 0; give a whole number from 0 up"),
        ((1,) * 9, "prediction shape has more axes than the 8 that are handled; leave some out"),
        (
            (2**63,),
            f"a size in prediction shape is above {MAX_SIZE}, the most that PyTorch can count;"
            " give a smaller one",
        ),
        ((2.0,), "size 2.0 in prediction shape is not a whole number; give one from 0 up"),
        ((True,), "size True in prediction shape is not a whole number; give one from 0 up"),
        (("3",), "size '3' in prediction shape is not a whole number; give one from 0 up"),
        (
            "(3, 1)",
            "prediction shape '(3, 1)' is text; give a tuple such as (100, 1), or read the text"
            " with parse_shape",
        ),
        (7, "prediction shape 7 is no sequence of sizes; give a tuple such as (100, 1)"),
        (None, "prediction shape None is no sequence of sizes; give a tuple such as (100, 1)"),
        (
            (-(10**5000),),
            "size of type int in prediction shape is below 0; give a whole number from 0 up",
        ),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, tuple) else f"{len(value)} sizes",
)
def test_an_invalid_shape_is_refused_in_one_sentence(shape, says):
    with pytest.raises(ValueError, match=r"\w") as refused:
        diagnose_shapes(shape, (3,))
    assert str(refused.value) == says
    with pytest.raises(ValueError, match="target shape"):
        diagnose_shapes((3,), shape)


def test_an_endless_shape_is_refused():
    with pytest.raises(ValueError, match="more axes than the 8"):
        diagnose_shapes(count(), (3,))


def test_an_unknown_loss_is_refused():
    with pytest.raises(
        ValueError, match="loss 'mae' is unknown; the choices are mse, l1, smooth_l1"
    ):
        diagnose_shapes((3,), (3,), "mae")


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("(100, 1)", (100, 1)),
        ("(100,)", (100,)),
        ("(100)", (100,)),
        ("100,1", (100, 1)),
        ("100 x 1", (100, 1)),
        ("100x1", (100, 1)),
        ("100 × 1", (100, 1)),
        ("[100]", (100,)),
        ("[100, 1]", (100, 1)),
        ("torch.Size([100, 1])", (100, 1)),
        ("torch.Size((100, 1))", (100, 1)),
        ("Size([100])", (100,)),
        ("torch.Size([])", ()),
        ("torch.Size()", ()),
        (" ( 100 , 1 ) \n", (100, 1)),
        ("()", ()),
        ("[]", ()),
        ("7", (7,)),
        ("0, 3", (0, 3)),
        ("007", (7,)),
        ("1,2,3,4,5,6,7,8", (1, 2, 3, 4, 5, 6, 7, 8)),
        (str(MAX_SIZE), (MAX_SIZE,)),
    ],
)
def test_a_shape_is_parsed(text, shape):
    assert parse_shape(text) == shape


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no shape is given"),
        ("  ", "no shape is given"),
        ("(B, 1)", r"'\(B, 1\)' is not a shape; write whole numbers as in \(100, 1\)"),
        ("(100, 1", "is not a shape"),
        ("100, 1)", "is not a shape"),
        ("[100, 1)", "is not a shape"),
        ("(100,, 1)", "is not a shape"),
        ("(,)", "is not a shape"),
        ("-1", "is not a shape"),
        ("1.5", "is not a shape"),
        ("1e3", "is not a shape"),
        ("((100, 1))", "is not a shape"),
        ("100 1", "is not a shape"),
        ("١٠٠", "is not a shape"),
        ("__import__('os').system('true')", "is not a shape"),
        ("1,2,3,4,5,6,7,8,9", "more axes than the 8"),
        ("9" * 30, "above 9223372036854775807"),
        ("9" * 31, "is not a shape"),
        ("9" * 10_000, "a shape of 10000 characters is above the limit of 200"),
        (None, "None is not text"),
        (b"(1, 2)", "is not text"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_text_that_is_not_a_shape_is_refused(text, says):
    with pytest.raises(ValueError, match=says) as refused:
        parse_shape(text)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


@settings(max_examples=250, deadline=None)
@given(st.text(alphabet="0123456789 ,x×()[]torch.Size\n-", max_size=40) | st.text(max_size=220))
def test_parsing_any_text_gives_a_shape_or_a_value_error(text):
    try:
        shape = parse_shape(text)
    except ValueError:
        return
    assert len(shape) <= 8
    assert parse_shape(str(shape)) == shape


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, MAX_SIZE), max_size=8).map(tuple))
def test_every_shape_is_parsed_back(shape):
    for text in (str(shape), str(list(shape)), f"torch.Size({list(shape)})"):
        assert parse_shape(text) == shape


def test_a_diagnosis_needs_no_torch():
    program = (
        "import sys, linreg; linreg.diagnose_shapes((4, 1), (4,)); linreg.parse_shape('(4, 1)');"
        " sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
