"""TAB: what may stand at the cursor, from the tables of help pages; in bash, zsh and fish as a person presses it."""

import os
import pty
import select
import shutil
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, run_lossctl

from lossctl.cli.candidates import FILES, candidates

OFFERED = {  # the line up to the cursor -> what is offered, among others
    "lossctl ": {"compute", "run", "list"},
    "lossctl co": {"compute", "compare", "completion"},
    "lossctl compute foc": {"focal", "focal-star", "focal-tversky"},
    "lossctl parity hub": {"huber"},
    "lossctl reconcile a": {"all", "arcface"},
    "lossctl compute focal --ga": {"--gamma"},
    "lossctl compute bce -f ": {"bare", "table", "json", "tsv"},
    "lossctl compute bce -r ": {"mean", "sum", "none"},
    "lossctl compute triplet --distance ": {"euclidean", "cosine"},
    "lossctl compute bce --like tor": {"torch"},
    "lossctl explain kl-": {"kl-loss"},
    "lossctl explain naive": {"naive-bayes"},
    "lossctl curve focal:al": {"focal:alpha="},
    "lossctl curve focal:gamma=2,al": {"focal:gamma=2,alpha="},
    "lossctl curve focal --sweep ": {"gamma=", "alpha="},
    "lossctl curve circle:unified=": {"circle:unified=true"},
    "lossctl compute bce a.csv --also fo": {"focal"},
    "lossctl compute bce a.csv::": {"a.csv::prob", "a.csv::la bel"},
    "lossctl compute bce a.npz::k": {"a.npz::key"},
    "lossctl compute bce a.csv -g ": {"prob", "la bel", FILES},
    "lossctl compute bce --weight=a.csv::p": {"--weight=a.csv::prob"},
    "lossctl compute bce ": {FILES},
    "lossctl compute bce -o ": {FILES},
    "lossctl info 'a.c": {FILES},
    "lossctl mine hard": {"hardest"},
    "lossctl completion ": {"bash", "zsh", "fish"},
    "lossctl schema ": {"compute", "run"},
    "lossctl list --family re": {"regression", "relative"},
    "lossctl bench batch": {"batch-all", "batch-hard"},
    "lossctl compare a b --loss bce --beside ": {"effect", "wilcoxon"},
}
NOTHING = ("lossctl nonsense ", "lossctl compute nonsense ", "lossctl compute bce missing.csv::", "lossctl list ")


def test_what_is_offered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("prob,la bel\n0.5,1\n")
    np.savez(tmp_path / "a.npz", key=np.zeros(2))
    for line, words in OFFERED.items():
        offered = candidates(line)
        assert words <= set(offered), line
        typed = line.rpartition(" ")[2].strip("'")
        assert all(word == FILES or word.startswith(typed) for word in offered), line
    assert [line for line in NOTHING if candidates(line)] == []
    assert candidates("lossctl compute focal --ga") == ["--gamma"]


def test_the_command_answers_a_shell():
    assert run_lossctl(_LOSSCTL_COMPLETE="lossctl compute foc").out.split() == ["focal", "focal-star", "focal-tversky"]
    for shell in ("bash", "zsh", "fish"):
        assert "_LOSSCTL_COMPLETE" in run_lossctl("completion", shell).out
    assert run_lossctl("completion", "tcsh").code == 2


SHELLS = {
    "bash": (["bash", "--norc", "-i"], ['eval "$(lossctl completion bash)"']),
    "zsh": (["zsh", "-f", "-i"], ["autoload -U compinit; compinit -u", 'eval "$(lossctl completion zsh)"']),
    "fish": (["fish", "--no-config", "-i"], ["lossctl completion fish | source"]),
}


TYPED = (("lossctl compute focal:gam", "gamma="), ("0 a.csv::oth", "other"), ("y.n", "npy"), ("-f nd", "ndjson"))


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_a_person_presses_tab(shell, tmp_path):
    """The answer is that of the completed command: the line runs, and its output is written to a file."""
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "lossctl"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lossctl "$@"\n')
    command.chmod(0o755)
    (tmp_path / "a.csv").write_text("prob,other\n0.5,0.25\n")
    np.save(tmp_path / "y.npy", np.ones(1))
    words, setup = SHELLS[shell]
    child, screen = pty.fork()
    if not child:
        os.chdir(tmp_path)
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        variables = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "TERM": "dumb", "HOME": str(tmp_path)}
        os.execvpe(words[0], words, variables)
    try:
        for line in (*setup, "cd . && echo re''ady"):
            _type(screen, f"{line}\n", "ready" if "echo" in line else "")
        time.sleep(1)  # until the prompt stands
        for typed, completed in TYPED:
            _type(screen, f"{typed}\t", completed)
        _type(screen, "> done && echo fin''ished\n", "finished")
        assert '"value": 1.3862943611198906' in (tmp_path / "done").read_text()
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(screen)


def _type(screen, text, answer):
    """The text as typed, and what the screen shows from then on, until the answer stands in it."""
    os.write(screen, text.encode())
    shown, end = "", time.monotonic() + 60
    while answer not in shown and (left := end - time.monotonic()) > 0:
        if select.select([screen], [], [], left)[0]:
            shown += os.read(screen, 65536).decode(errors="replace").replace("\a", "")
    assert answer in shown, shown
