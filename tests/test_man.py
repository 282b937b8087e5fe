"""Help pages and the manual: every command has examples, and they run."""

import shlex
import shutil
import subprocess

import pytest
from conftest import ROOT, run_lossctl

from lossctl.cli.app import COMMANDS
from lossctl.cli.examples import EXAMPLES, of_loss
from lossctl.language.options import settings
from lossctl.language.registry import load


@pytest.mark.slow
def test_every_example_runs(tmp_path, monkeypatch):
    from lossctl.cli.app import run

    for path in (ROOT / "samples").iterdir():
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert list(EXAMPLES) == list(COMMANDS)
    for line, _ in (example for examples in EXAMPLES.values() for example in examples):
        try:
            code = run(shlex.split(line)[1:])
        except SystemExit as ending:
            code = ending.code
        assert code == 0, line


def test_every_help_page_ends_in_examples():
    for name in COMMANDS:
        page = run_lossctl(name, "--help").out
        assert all(f"\n  {line}\n" in page for line, _ in EXAMPLES[name]), name
    for loss in load().values():
        line, _ = of_loss("compute", loss)[0]
        assert line.startswith(f"lossctl compute {loss.name} {loss.roles[0].option}.npy")
    assert "\n  lossctl compute listnet table.csv\n" in run_lossctl("compute", "listnet", "--help").out
    assert "\n  lossctl parity listnet table.csv\n" in run_lossctl("parity", "listnet", "--help").out
    assert EXAMPLES["reconcile"][0][0] in run_lossctl("reconcile", "all", "--help").out


def test_the_manual_has_every_command_option_and_loss():
    page = run_lossctl("man").out
    for name in COMMANDS:
        part = page.partition(f'.SS "lossctl {name}"')[2].partition(".SS")[0].replace("\\-", "-")
        assert part and all(row.flag in part for row in settings(name, "shell").values()), name
        assert all(f"\n    {line}\n" in part.replace("\\e", "\\") for line, _ in EXAMPLES[name]), name
    assert not [name for name in load() if f"\\fB{name.replace('-', chr(92) + '-')}\\fR" not in page]
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
