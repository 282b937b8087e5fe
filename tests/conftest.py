"""What many tests need: the command line as a person runs it, and how many examples a property is held to."""

import gc
import os
import signal

import commands
import pytest
from commands import ROOT, Done, run_lossctl
from hypothesis import settings

__all__ = ["ROOT", "Done", "examples", "lossctl", "run_lossctl"]
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "small")
WITHOUT_TORCH = "LOSSCTL_TESTS_WITHOUT_TORCH" in os.environ
NO_TORCH = "No module named 'torch'", "torch is not installed", "torch, which is not installed"

gc.disable()  # until all tests are collected: what that makes stays, and to search it takes half of the time
if "PYTEST_XDIST_WORKER" in os.environ:  # each core has its tests, and threads of a product that wait take it from them
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a background job, whose children would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("small", max_examples=20, deadline=None)
settings.register_profile("large", max_examples=200, deadline=None)
settings.load_profile(PROFILE)


def examples(most: int) -> int:
    """So many with HYPOTHESIS_PROFILE=large, else a tenth."""
    return most if PROFILE == "large" else max(1, most // 10)


@pytest.fixture(scope="session", autouse=True)
def threads_on_small_sets():
    """The sets of tests are small, and what they claim of threads is of several."""
    from lossctl.sets import panels

    panels.FEW_PAIRS = 0


@pytest.fixture
def lossctl():
    return run_lossctl


@pytest.fixture(autouse=WITHOUT_TORCH)
def commands_that_need_torch_skip(monkeypatch):
    def keep(*streams):
        if any(words in streams[-1] for words in NO_TORCH):
            pytest.skip("needs torch")
        return done(*streams)

    done = commands.Done
    monkeypatch.setattr(commands, "Done", keep)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of the cases of a test that is marked first_fast, those after the first are left to the slow tests."""
    met = set()
    for item in items:
        name = item.nodeid.partition("[")[0]
        if item.get_closest_marker("first_fast") and name in met:
            item.add_marker(pytest.mark.slow)
        met.add(name)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop():
    gc.collect()
    gc.freeze()
    gc.enable()


def _skipped_without_torch(report):
    """Where versions.py tests without torch, what asks for it is skipped."""
    output = f"{report.longrepr} {getattr(report, 'capstderr', '')}"
    if report.failed and WITHOUT_TORCH and any(words in output for words in NO_TORCH):
        place = report.nodeid.partition("::")[0]
        report.outcome, report.longrepr = "skipped", (place, 0, "Skipped: needs torch")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _skipped_without_torch((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _skipped_without_torch((yield))
