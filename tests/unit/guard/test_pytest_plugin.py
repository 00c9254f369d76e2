"""The pytest plugin: on when asked, by option or configuration; markers change single tests."""

import tomllib
from importlib import import_module
from importlib.metadata import EntryPoint

import pytest
from project import ROOT

import linreg.guard.watch  # noqa: F401 - a run inside a test forgets what it is the first to import
from linreg import pytest_plugin

pytest_plugins = ["pytester"]

BUG = "torch.nn.functional.mse_loss(torch.ones(5, 1), torch.ones(5))"
SUITE = f"""
    import pytest
    import torch

    pytestmark = pytest.mark.filterwarnings("ignore:Using a target size")

    def test_bug():
        {BUG}

    @pytest.fixture
    def prediction():
        return torch.ones(5, 1) - torch.ones(5)

    def test_in_a_fixture(prediction):
        pass

    @pytest.mark.silent_broadcast("off")
    def test_off():
        {BUG}

    @pytest.mark.silent_broadcast(allow="sub")
    def test_allowed():
        torch.ones(5, 1) - torch.ones(5)

    @pytest.mark.silent_broadcast(allow="sub")
    def test_only_that_is_allowed():
        torch.ones(5, 1) * torch.ones(5)

    class TestAll:
        pytestmark = pytest.mark.silent_broadcast("off")

        def test_one(self):
            {BUG}

        @pytest.mark.silent_broadcast("error")
        def test_nearest(self):
            {BUG}

    def test_sound():
        torch.nn.functional.mse_loss(torch.ones(5), torch.ones(5))
"""
PLUGIN = ("-p", "linreg.pytest_plugin", "-p", "no:cacheprovider", "-W", "default")
PLUGIN += ("-W", "ignore::pytest.PytestAssertRewriteWarning")


@pytest.fixture(scope="module", autouse=True)
def imported():
    """Import what a report makes PyTorch import: a run inside a test forgets what it is the first
    to import, and these modules cannot be imported twice."""
    for name in ("torch._dynamo", "torch._inductor.test_operators", "torch.onnx"):
        import_module(name)


@pytest.fixture
def suite(pytester):
    pytester.makepyfile(test_suite=SUITE)
    return pytester


@pytest.mark.slow
@pytest.mark.parametrize("way", ["option", "configuration"])
def test_a_silent_broadcast_is_an_error(suite, way):
    if way == "configuration":
        suite.makepyprojecttoml('[tool.pytest.ini_options]\nsilent_broadcast = "error"\n')
    options = ("--silent-broadcast=error",) if way == "option" else ()
    done = suite.runpytest_inprocess(*PLUGIN, "--strict-markers", *options)
    done.assert_outcomes(failed=3, errors=1, passed=4)
    done.stdout.fnmatch_lines(["E *SilentBroadcastError: *test_suite.py:7: *mse_loss broadcasts*"])
    done.stdout.fnmatch_lines(["FAILED test_suite.py::test_bug*"])
    done.stdout.fnmatch_lines(["FAILED test_suite.py::TestAll::test_nearest*"])
    done.stdout.fnmatch_lines(["ERROR test_suite.py::test_in_a_fixture*"])


def test_a_silent_broadcast_is_a_warning(suite):
    done = suite.runpytest_inprocess(*PLUGIN, "--silent-broadcast=warn")
    done.assert_outcomes(failed=1, passed=7, warnings=3)  # "error" is what a marker says
    done.stdout.fnmatch_lines(["*test_suite.py:7: SilentBroadcastWarning: *mse_loss broadcasts*"])


def test_nothing_is_watched_until_it_is_asked(suite):
    done = suite.runpytest_inprocess(*PLUGIN)
    done.assert_outcomes(passed=7, failed=1)
    done.stdout.no_fnmatch_line("*SilentBroadcastWarning*")


@pytest.mark.slow
def test_the_option_goes_before_the_configuration(suite):
    suite.makepyprojecttoml(
        '[tool.pytest.ini_options]\nsilent_broadcast = "error"\nsilent_broadcast_allow = ["sub"]\n'
    )
    suite.runpytest_inprocess(*PLUGIN).assert_outcomes(failed=3, passed=5)
    suite.runpytest_inprocess(*PLUGIN, "--silent-broadcast=off").assert_outcomes(failed=1, passed=7)


def test_files_can_be_left_alone(suite):
    suite.makepyprojecttoml(
        '[tool.pytest.ini_options]\nsilent_broadcast_skip = ["test_suite.py"]\n'
    )
    suite.runpytest_inprocess(*PLUGIN, "--silent-broadcast=error").assert_outcomes(passed=8)


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ('"fatal"', "*marker silent_broadcast is 'fatal'; use one of error, warn, off*"),
        ("alow='mul'", "*marker silent_broadcast takes an action, and allow, skip, only, strict*"),
        ("allow='nothing'", "*'nothing' is not watched*"),
    ],
)
def test_a_marker_that_means_nothing_is_an_error(pytester, marker, told):
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.silent_broadcast({marker})
        def test_nothing():
            pass
        """
    )
    done = pytester.runpytest_inprocess(*PLUGIN, "--silent-broadcast=error")
    assert done.parseoutcomes()["errors"] >= 1
    done.stdout.fnmatch_lines([told])


def test_a_configuration_that_means_nothing_is_an_error(pytester):
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\nsilent_broadcast = "yes"\n')
    done = pytester.runpytest_inprocess(*PLUGIN)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(
        ["*the option silent_broadcast is 'yes'; use one of error, warn, off"]
    )


def test_the_package_declares_the_plugin_by_the_name_of_its_module():
    """A conftest.py that names it as well would otherwise be an error of pytest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ((name, value),) = project["entry-points"]["pytest11"].items()
    assert name == value
    assert EntryPoint(name, value, "pytest11").load() is pytest_plugin


@pytest.mark.slow
def test_the_plugin_does_not_import_torch(pytester, monkeypatch):
    """It is loaded in every suite of an environment that has linreg."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile("import sys\n\ndef test_it():\n    assert 'torch' not in sys.modules\n")
    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)
