"""`lossctl completion SHELL`: print the completion script of a shell."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import UsageError
from .app import single

BASH = r"""
_lossctl_completion() {
    local IFS=$'\n' line="${COMP_LINE:0:COMP_POINT}" word cut="" mark candidate files=""
    word="${line##*[[:space:]]}"
    for mark in : =; do  # readline takes what follows these for a word of its own
        if [[ "$COMP_WORDBREAKS" == *"$mark"* && "$word" == *"$mark"* ]]; then
            candidate="${word%"$mark"*}$mark"
            (( ${#candidate} > ${#cut} )) && cut="$candidate"
        fi
    done
    COMPREPLY=()
    for candidate in $(_LOSSCTL_COMPLETE="$line" "$1" 2>/dev/null); do
        if [[ "$candidate" == :files: ]]; then files=yes; continue; fi
        [[ "$candidate" == *[:=] ]] && compopt -o nospace
        COMPREPLY+=("$(printf %q "${candidate#"$cut"}")")
    done
    if [[ "$files" ]]; then
        compopt -o filenames
        COMPREPLY+=($(compgen -f -- "${word#"$cut"}"))
    fi
}
complete -F _lossctl_completion lossctl
"""
ZSH = r"""
#compdef lossctl
_lossctl_completion() {
    local -a offered spaced open
    offered=("${(@f)$(_LOSSCTL_COMPLETE="${(j: :)words[1,CURRENT]}" lossctl 2>/dev/null)}")
    open=(${(M)offered:#*[:=]})
    spaced=(${offered:#*[:=]})
    (( ${#spaced} )) && compadd -a spaced
    open=(${open:#:files:})
    (( ${#open} )) && compadd -S '' -a open
    (( ${offered[(I):files:]} )) && _files
}
compdef _lossctl_completion lossctl
"""
FISH = r"""
function __lossctl_completion
    set --local line (commandline --cut-at-cursor --current-process | string collect)
    set --local offered (_LOSSCTL_COMPLETE=$line lossctl 2>/dev/null)
    string match --invert -- :files: $offered
    contains -- :files: $offered; and __fish_complete_path (commandline --current-token)
end
complete --command lossctl --no-files --arguments '(__lossctl_completion)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def command() -> Any:
    """The command."""
    return single(completion, "completion")


def completion(shell: Annotated[str, typer.Argument(metavar="|".join(SCRIPTS), help="The shell.")]) -> None:
    """Print the completion script of a shell: commands, losses, options and their words, keys and columns of files.

    For bash: eval "$(lossctl completion bash)", for zsh: eval "$(lossctl completion zsh)", for fish: lossctl completion
    fish | source; in ~/.bashrc, behind compinit in ~/.zshrc, or in ~/.config/fish/config.fish.
    """
    if shell not in SCRIPTS:
        raise UsageError(f"unknown shell {shell!r}", fix=f"use one of {', '.join(SCRIPTS)}")
    print(SCRIPTS[shell].lstrip("\n"), end="")
