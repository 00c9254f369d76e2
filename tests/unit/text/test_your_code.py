"""The page of one's own code in words: code to copy that does what it says."""

import warnings

import pytest
import torch
from torch import nn

from linreg.experiments.resources import local_resources
from linreg.experiments.your_code import run
from linreg.guard.watch import no_silent_broadcast
from linreg.settings.losses import LOSSES
from linreg.settings.pages import CodeView
from linreg.text import your_code as text


def result_of(*view, **more):
    return run(CodeView(*view, **more), local_resources())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("prediction", "target"),
    [((6, 1), (6,)), ((6,), (6, 1)), ((2, 3, 1), (2, 3)), ((6, 1), (1, 6))],
)
def test_a_copied_fix_runs_and_compares_each_prediction_with_its_target(prediction, target, loss):
    generator = torch.Generator().manual_seed(0)
    pred, y = (torch.rand(shape, generator=generator) for shape in (prediction, target))
    blocks = text.fixes(result_of(prediction, target, loss, names=("pred", "batch.y")))
    assert len(blocks) == 2
    for block in blocks:
        variables = {"pred": pred, "batch": torch.nn.Module(), "nn": nn, "torch": torch}
        variables["batch"].y = y
        with no_silent_broadcast(), warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(block, variables)
        assert "assert " in block
        torch.testing.assert_close(variables["loss"], LOSSES[loss].run(pred.flatten(), y.flatten()))


@pytest.mark.parametrize("target", [(100,), (1, 100)])
def test_where_no_fix_is_right_the_assertion_stands_alone(target):
    result = result_of((64, 1), target)
    assert text.fixes(result) == ("assert prediction.shape == target.shape",)
    assert text.fixes_title(result) == "**Stop it in front of the loss**"


def test_where_pytorch_raises_or_nothing_is_wrong_there_is_nothing_to_add():
    assert text.fixes(result_of((64, 1), (100, 1))) == ()
    assert text.fixes(result_of((64,), (64,))) == ()


def test_two_tensors_of_one_last_name_do_not_become_one():
    blocks = text.fixes(result_of((6, 1), (6,), names=("a.value", "b.value")))
    assert blocks[0].startswith("value = a.value.squeeze(-1)")
    assert "nn.MSELoss()(value, b.value)" in blocks[0]
    blocks = text.fixes(result_of((6, 1), (6,), names=("value", "b.value")))
    assert blocks[1].startswith("target = b.value.unsqueeze(1)")
    assert "nn.MSELoss()(value, target)" in blocks[1]


def test_named_sizes_stay_in_words_and_code():
    result = result_of(("B", 1), ("B",))
    assert "is broadcast against `(B,)`: `(B, B)`" in text.shapes_verdict(result)
    assert "# (B,)" in text.fixes(result)[0]
    assert text.stand_ins(result) == "Drawn and run with `B` = 4."
    result = result_of(("B", 4), ("N", 5))
    assert text.stand_ins(result).startswith("Drawn and run with `B` = 6 and `N` = 7. Different")
    assert text.stand_ins(result_of()) == ""
