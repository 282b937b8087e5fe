"""What many tests need: the command line as a person runs it, and how many examples a property is held to."""

import os
import signal

import pytest
from commands import ROOT, Done, run_lossctl
from hypothesis import settings

__all__ = ["ROOT", "Done", "examples", "lossctl", "run_lossctl"]
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "small")

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of the cases of a test that is marked first_fast, those after the first are left to the slow tests."""
    met = set()
    for item in items:
        name = item.nodeid.partition("[")[0]
        if item.get_closest_marker("first_fast") and name in met:
            item.add_marker(pytest.mark.slow)
        met.add(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where versions.py tests without torch, a test that asks for it is skipped."""
    report = yield
    is_missing = call.excinfo is not None and "No module named 'torch'" in str(report.longrepr)
    if is_missing and os.environ.get("LOSSCTL_TESTS_WITHOUT_TORCH"):
        report.outcome, report.longrepr = "skipped", (str(item.path), 0, "Skipped: needs torch")
    return report
