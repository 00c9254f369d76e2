"""What people paste is read as two shapes, or refused in one sentence; nothing is evaluated."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from linreg.experiments.pasted_shapes import read_paste, read_shape
from linreg.settings.losses import LOSSES
from linreg.settings.pages import CodeView

COLUMN, ROW = (100, 1), (100,)
SYMBOLS = ("B", 1), ("B",)

WARNING = (
    "/usr/lib/python3.12/site-packages/torch/nn/modules/loss.py:634: UserWarning: Using a target"
    " size (torch.Size([100])) that is different to the input size (torch.Size([100, 1])). This"
    " will likely lead to incorrect results due to broadcasting. Please ensure they have the same"
    " size.\n  return F.mse_loss(input, target, reduction=self.reduction)"
)
TRACEBACK = """Traceback (most recent call last):
  File "/home/me/train.py", line 41, in <module>
    loss = criterion(model(x), y)
           ^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3/torch/nn/modules/module.py", line 1751, in _wrapped_call_impl
    return self._call_impl(*args, **kwargs)
RuntimeError: The size of tensor a (64) must match the size of tensor b (100) at non-singleton \
dimension 0"""
PYTEST = """>       assert pred.shape == y.shape
E       assert torch.Size([100, 1]) == torch.Size([100])
E        +  where torch.Size([100, 1]) = tensor([[0.1], [0.2]]).shape
E        +  and   torch.Size([100]) = tensor([0.1, 0.2]).shape"""

NOTATIONS = [
    # two shapes
    ("(100, 1) (100,)", COLUMN, ROW, ()),
    ("(100,1),(100,)", COLUMN, ROW, ()),
    ("(100, 1) and (100)", COLUMN, ROW, ()),
    ("(100, 1) vs (100,)", COLUMN, ROW, ()),
    ("[64, 1] vs [64]", (64, 1), (64,), ()),
    ("[64, 1] vs. [64]", (64, 1), (64,), ()),
    ("[[100, 1], [100]]", COLUMN, ROW, ()),
    ("((100, 1), (100,))", COLUMN, ROW, ()),
    ("`(100, 1)` against `(100,)`", COLUMN, ROW, ()),
    ("'(100, 1)' != '(100,)'", COLUMN, ROW, ()),
    ("torch.Size([100, 1]) torch.Size([100])", COLUMN, ROW, ()),
    ("torch.Size([100, 1])\ntorch.Size([100])", COLUMN, ROW, ()),
    ("(torch.Size([100, 1]), torch.Size([100]))", COLUMN, ROW, ()),
    ("Size([100, 1]); Size([100])", COLUMN, ROW, ()),
    ("torch.Size([100]) torch.Size([])", ROW, (), ()),
    ("TensorShape([64, 1]) TensorShape([64])", (64, 1), (64,), ()),
    ("100x1 vs 100", COLUMN, ROW, ()),
    ("100x1 100", COLUMN, ROW, ()),
    ("100 x 1 / 100", COLUMN, ROW, ()),
    ("100×1 and 100", COLUMN, ROW, ()),
    ("100,1\n100", COLUMN, ROW, ()),
    ("100 1 | 100", COLUMN, ROW, ()),
    ("[100, 1] 100", COLUMN, ROW, ()),
    ("64 vs 100", (64,), ROW, ()),
    ("float32[64,1] float32[64]", (64, 1), (64,), ()),
    ("tensor[100, 1] n=100 tensor[100]", COLUMN, ROW, ()),
    ('Float[Tensor, "B 1"] Float[Tensor, "B"]', *SYMBOLS, ()),
    # sizes that are names
    ("(B, 1) (B,)", *SYMBOLS, ()),
    ("(B,1) vs (B)", *SYMBOLS, ()),
    ("[B, 1] [B]", *SYMBOLS, ()),
    ("B x 1 vs B", *SYMBOLS, ()),
    ("(batch, seq, 1) (batch, seq)", ("batch", "seq", 1), ("batch", "seq"), ()),
    ("tensor.shape: (B, 1)\ntensor.shape: (B,)", *SYMBOLS, ()),
    ("logits and labels must have the same shape, received ((None, 1) vs (None,)).",
     ("None", 1), ("None",), ()),
    # printed lines
    ("pred.shape = torch.Size([100, 1])\ny.shape = torch.Size([100])", COLUMN, ROW, ("pred", "y")),
    ("y.shape = torch.Size([100])\npred.shape = torch.Size([100, 1])", COLUMN, ROW, ("pred", "y")),
    ("pred.shape=torch.Size([100, 1]), y.shape=torch.Size([100])", COLUMN, ROW, ("pred", "y")),
    ("pred: torch.Size([100, 1]), target: torch.Size([100])", COLUMN, ROW, ("pred", "target")),
    ("labels: (100,)  outputs: (100, 1)", COLUMN, ROW, ("outputs", "labels")),
    ("y_true (100,)\ny_pred (100, 1)", COLUMN, ROW, ()),
    ("y_hat.size() -> torch.Size([100, 1])\ny.size() -> torch.Size([100])", COLUMN, ROW,
     ("y_hat", "y")),
    ("outputs.logits.shape torch.Size([8, 1]) batch.labels.shape torch.Size([8])", (8, 1), (8,),
     ("outputs.logits", "batch.labels")),
    (">>> pred.shape\ntorch.Size([100, 1])\n>>> y.shape\ntorch.Size([100])", COLUMN, ROW,
     ("pred", "y")),
    ("In [3]: pred.shape\nOut[3]: torch.Size([100, 1])\n\nIn [4]: y.shape\n"
     "Out[4]: torch.Size([100])", COLUMN, ROW, ("pred", "y")),
    ("print(pred.shape, y.shape)\ntorch.Size([100, 1]) torch.Size([100])", COLUMN, ROW,
     ("pred", "y")),
    ("print(y.shape, pred.shape)\ntorch.Size([100]) torch.Size([100, 1])", COLUMN, ROW,
     ("pred", "y")),
    ("x.shape (100, 2)\npred.shape (100, 1)\ny.shape (100,)", COLUMN, ROW, ("pred", "y")),
    ("inputs: (100, 2), outputs: (100, 1), targets: (100,)", COLUMN, ROW, ("outputs", "targets")),
    ("shape of the prediction: (100, 1), shape of the target: (100,)", COLUMN, ROW, ()),
    ("The target is [100] and the output is [100, 1]", COLUMN, ROW, ()),
    ("my model gives (100, 1) but my labels are (100,)", COLUMN, ROW, ()),
    ("(100, 1) is pred.shape, (100,) is y.shape", COLUMN, ROW, ("pred", "y")),
    ("np.shape(pred) = (100, 1)\nnp.shape(truth) = (100,)", COLUMN, ROW, ()),
    ("<tf.Tensor: shape=(64, 1), dtype=float32> <tf.Tensor: shape=(64,), dtype=float32>",
     (64, 1), (64,), ()),
    # messages
    (WARNING, COLUMN, ROW, ()),
    (WARNING.split("UserWarning: ")[1].split(". This")[0], COLUMN, ROW, ()),
    ("Using a target size (torch.Size([100, 1])) that is different to the input size"
     " (torch.Size([100]))", ROW, COLUMN, ()),
    ("ValueError: Target size (torch.Size([100])) must be the same as input size"
     " (torch.Size([100, 1]))", COLUMN, ROW, ()),
    ("ValueError: Using a target size (torch.Size([16])) that is different to the input size"
     " (torch.Size([16, 1])) is deprecated.", (16, 1), (16,), ()),
    (TRACEBACK, (64,), ROW, ()),
    (TRACEBACK.split("\n")[-1], (64,), ROW, ()),
    ("ValueError: Expected input batch_size (64) to match target batch_size (100).", (64,), ROW,
     ()),
    ("ValueError: operands could not be broadcast together with shapes (64,1) (100,10) ",
     (64, 1), (100, 10), ()),
    ("TypeError: sub got incompatible shapes for broadcasting: (64,), (100,).", (64,), ROW, ()),
    ("ValueError: Found input variables with inconsistent numbers of samples: [64, 100]",
     (64,), ROW, ()),
    ("AssertionError: torch.Size([100, 1]) != torch.Size([100])", COLUMN, ROW, ()),
    ("AssertionError: The values for attribute 'shape' do not match: torch.Size([100, 1]) !="
     " torch.Size([100]).", COLUMN, ROW, ()),
    ("AssertionError: pred has shape (100, 1), target has shape (100,)", COLUMN, ROW, ()),
    (PYTEST, COLUMN, ROW, ("pred", "y")),
    ("\x1b[31mpred (100, 1)\x1b[0m \x1b[32mtarget (100,)\x1b[0m", COLUMN, ROW, ()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "prediction", "target", "names"), NOTATIONS, ids=[text[:40] for text, *_ in NOTATIONS]
)
def test_what_people_paste_is_read(text, prediction, target, names):
    (reading,) = read_paste(text)
    assert (reading.prediction, reading.target, reading.names) == (prediction, target, names)
    CodeView(reading.prediction, reading.target, names=reading.names)  # fits in a link


@pytest.mark.parametrize("loss", [key for key, loss in LOSSES.items() if loss.warns])
def test_pytorch_s_own_warning_is_read(loss):
    """As this version of PyTorch words it, with the line of its source."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        LOSSES[loss].run(torch.zeros(7, 1), torch.zeros(7))
    (warning,) = caught
    (reading,) = read_paste(warnings.formatwarning(
        warning.message, warning.category, warning.filename, warning.lineno
    ))  # fmt: skip
    assert (reading.prediction, reading.target, reading.known_by) == ((7, 1), (7,), "message")
    assert reading.loss == loss


@pytest.mark.parametrize(
    ("operation", "shapes"),
    [
        (lambda: torch.zeros(64) - torch.zeros(100), ((64,), (100,))),
        (lambda: np.zeros((64, 2)) - np.zeros((100, 3)), ((64, 2), (100, 3))),
        (lambda: nn.CrossEntropyLoss()(torch.zeros(64, 3), torch.zeros(100).long()), ((64,), ROW)),
        (lambda: nn.BCEWithLogitsLoss()(torch.zeros(7, 1), torch.zeros(7)), ((7, 1), (7,))),
    ],
)
def test_an_error_as_it_is_raised_here_is_read(operation, shapes):
    with pytest.raises((RuntimeError, ValueError)) as raised:
        operation()
    (reading,) = read_paste(f"{type(raised.value).__name__}: {raised.value}")
    assert (reading.prediction, reading.target) == shapes


def test_how_the_two_are_told_apart():
    known = {text: read_paste(text)[0].known_by for text, *_ in NOTATIONS}
    assert known["(100, 1) (100,)"] == "order"
    assert known[WARNING] == "message"
    assert known["labels: (100,)  outputs: (100, 1)"] == "names"
    assert known[TRACEBACK] == "sizes"


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("32 1", [((32, 1), (32,)), ((32,), (1,))]),
        ("8 4 1", [((8, 4, 1), (8, 4)), ((8, 4), (1,)), ((8,), (4, 1))]),
        ("(100, 1)", [((100, 1), (100,)), ((100, 1), (100, 1))]),
        ("(B,)", [(("B",), ("B", 1)), (("B",), ("B",))]),
        ("pred.shape = torch.Size([100, 1])", [((100, 1), (100,)), ((100, 1), (100, 1))]),
        ("y.shape = torch.Size([100])", [((100, 1), (100,)), ((100,), (100,))]),
        ("100", [((100,), (100, 1)), ((100,), (100,))]),
    ],
)
def test_what_can_be_read_in_several_ways_is_asked(text, readings):
    assert [(one.prediction, one.target) for one in read_paste(text)] == readings


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing is given"),
        ("  \n", "nothing is given"),
        ("my loss does not go down", "no shapes are found in “my loss does not go down”"),
        ("(100, 1) (100, -1)", "“\\(100, -1\\)” is not a shape; write whole"),
        ("(1.5, 2) and (3,)", "is not a shape"),
        ("__import__('os').system('true')", "no shapes are found"),
        ("(1,2,3,4,5,6,7,8,9) (1,)", "more axes than the 8"),
        (f"({'9' * 30},) (1,)", "above 9223372036854775807"),
        ("(1, 2) (3, 4) (5, 6)", r"3 shapes are given, \(1, 2\), \(3, 4\), \(5, 6\), and none"),
        ("x" * 30_000, "30,000 characters are above the limit of 20,000"),
        ("RuntimeError: mat1 and mat2 shapes cannot be multiplied (64x10 and 20x1)",
         "of a matrix product"),
        ("The expanded size of the tensor (100) must match the existing size (64) at non-singleton"
         " dimension 0.  Target sizes: [100].  Tensor sizes: [64]", "of an assignment"),
        ("output with shape [64] doesn't match the broadcast shape [64, 64]", "of an assignment"),
        ("The size of tensor a (10) must match the size of tensor b (32) at non-singleton"
         " dimension 1", "names one axis only, 10 and 32 at dimension 1; paste what"),
    ],
    ids=lambda value: value[:30],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_one_sentence(text, says):
    with pytest.raises(ValueError, match=says) as refused:
        read_paste(text)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 220


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=80)
    | st.text(alphabet="0123456789 ,x×()[]BNtorch.Sizepredyshape=:\n-", max_size=60)
)
def test_any_text_is_read_or_refused(text):
    try:
        readings = read_paste(text)
    except ValueError:
        return
    for reading in readings:
        CodeView(reading.prediction, reading.target, names=reading.names)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("(100, 1)", COLUMN),
        ("(B, 1)", ("B", 1)),
        ("32 1", (32, 1)),
        ("B x 1", ("B", 1)),
        ("(batch, seq, 1)", ("batch", "seq", 1)),
        ("torch.Size([])", ()),
        ("()", ()),
        ("64", (64,)),
    ],
)
def test_one_shape_is_read(text, sizes):
    assert read_shape(text) == sizes


@pytest.mark.parametrize("text", ["", "(pred)", "(1, -2)", "1.5", "(100, 1", "<b>1</b>"])
def test_one_shape_is_refused(text):
    with pytest.raises(ValueError, match="shape"):
        read_shape(text)
