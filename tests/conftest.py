"""What many tests need: the command line as a person runs it, and how many examples a property is held to."""

import os

import pytest
from commands import ROOT, Done, run_lossctl
from hypothesis import settings

__all__ = ["ROOT", "Done", "examples", "lossctl", "run_lossctl"]
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "small")

settings.register_profile("small", max_examples=20, deadline=None)
settings.register_profile("large", max_examples=200, deadline=None)
settings.load_profile(PROFILE)


def examples(most: int) -> int:
    """So many with HYPOTHESIS_PROFILE=large, else a tenth."""
    return most if PROFILE == "large" else max(1, most // 10)


@pytest.fixture
def lossctl():
    return run_lossctl
