"""Which device a computation runs on: what was asked for, or one error that says why not. Never another in silence."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from typing import Any, NamedTuple

from ..errors import DeviceError, UsageError

WRITTEN = re.compile(r"cpu|auto|cuda(?::(\d+))?")


class Device(NamedTuple):
    """A device that is there.

    name: "cpu", or "cuda:0" and so on, as torch names it
    note: how it was chosen, where the user left the choice to lossctl
    """

    name: str
    note: str = ""

    @property
    def kind(self) -> str:
        """ "cpu" or "cuda"."""
        return self.name.partition(":")[0]


def choose(text: str) -> Device:
    """The device for cpu, cuda, cuda:1 or auto. Imports torch for all but the first.

    Raises UsageError for any other word, DeviceError with the reason where the device is not there.
    """
    written = WRITTEN.fullmatch(text)
    if not written:
        raise UsageError(f"unknown device {text!r}", fix="use cpu, cuda, cuda:1 (and so on), or auto")
    if text == "cpu":
        return Device("cpu")
    reason = no_cuda()
    if text == "auto":
        return Device("cpu", f"auto: cpu, for there is no CUDA: {reason}") if reason else _automatic()
    if reason:
        raise DeviceError(f"--device {text}: no CUDA here: {reason}", fix=_remedy(reason))
    return _numbered(text, int(written[1] or 0))


def choose_all(text: str) -> list[Device]:
    """The devices of a comma-separated list, each once."""
    return list({device.name: device for device in map(choose, text.split(","))}.values())


def _automatic() -> Device:
    import torch

    return Device("cuda:0", f"auto: cuda:0, {torch.cuda.get_device_name(0)}")


def _numbered(text: str, number: int) -> Device:
    import torch

    count = torch.cuda.device_count()
    if number >= count:
        raise DeviceError(f"--device {text}: there is no such device", fix=f"choose from cuda:0 to cuda:{count - 1}")
    return Device(f"cuda:{number}")


CPU_ONLY = "this torch is built without CUDA"
NO_DRIVER = "no NVIDIA driver was found"
NO_DEVICE = "no device is visible"


def no_cuda() -> str:
    """Why CUDA cannot be used, in a few words; empty where it can. Imports torch."""
    if find_spec("torch") is None:
        return "torch is not installed"
    import warnings

    import torch

    if torch.version.cuda is None:
        return f"{CPU_ONLY} ({torch.__version__})"
    start: Any = torch.cuda.init
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start()
            return "" if torch.cuda.device_count() else no_cuda_in_words("")
    except (RuntimeError, AssertionError) as fault:
        return no_cuda_in_words(str(fault))


def no_cuda_in_words(fault: str) -> str:
    """What torch says when CUDA does not start, in a few words: no driver, no device, or its own first line."""
    if "no NVIDIA driver" in fault:
        return NO_DRIVER
    if not fault or "No CUDA GPUs" in fault or "no CUDA-capable device" in fault:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        return NO_DEVICE if visible is None else f"{NO_DEVICE} (CUDA_VISIBLE_DEVICES is {visible!r})"
    return fault.splitlines()[0]


def _remedy(reason: str) -> str:
    if reason.startswith((CPU_ONLY, "torch is")):
        return "install a torch built with CUDA (pytorch.org/get-started/locally), or use --device cpu"
    if reason.startswith(NO_DRIVER):
        return "install the NVIDIA driver, or use --device cpu"
    return "see that nvidia-smi lists the GPU, or use --device cpu"
