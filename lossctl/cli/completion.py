"""`lossctl completion SHELL`: print the completion script of a shell."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import UsageError
from .app import single

SHELLS = ("bash", "zsh", "fish", "powershell")


def command() -> Any:
    """The command."""
    return single(completion, "completion")


def completion(shell: Annotated[str, typer.Argument(metavar="|".join(SHELLS), help="The shell.")]) -> None:
    """Print the completion script of a shell.

    For bash: lossctl completion bash >> ~/.bashrc
    """
    import typer.completion as scripts

    if shell not in SHELLS:
        raise UsageError(f"unknown shell {shell!r}", fix=f"use one of {', '.join(SHELLS)}")
    make_script: Any = vars(scripts)["get_completion_script"]  # not in its __all__
    print(make_script(prog_name="lossctl", complete_var="_LOSSCTL_COMPLETE", shell=shell))
