"""What docs/ci.md tells people to put into their build: its commands run, and do what it says."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT, run_lossctl

from lossctl.cli.app import COMMANDS

PAGE = (ROOT / "docs" / "ci.md").read_text()
ACTION, WORKFLOW, HOOKS, OTHER = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def project(tmp_path):
    """A repository with a suite in it, and an environment in which the commands of the page run."""
    for path in (ROOT / "samples").iterdir():
        shutil.copy(path, tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "lossctl").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lossctl "$@"\n')
    (tmp_path / "bin" / "lossctl").chmod(0o755)
    return tmp_path


def bash(command, folder, **variables):
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    shell = ["bash", "-e", "-o", "pipefail", "-c", command]  # as GitHub calls it
    return subprocess.run(shell, cwd=folder, env=environment | variables, capture_output=True, text=True)


@pytest.mark.slow
def test_the_action_runs_the_suite_and_fails_with_it(project):
    (step,) = (step for step in ACTION["runs"]["steps"] if "lossctl run" in step["run"])
    assert step["env"] == {"SUITE": "${{ inputs.suite }}"}
    folder = WORKFLOW["jobs"]["losses"]["steps"][-1]["with"]["path"]
    page = project / "page.md"
    page.write_text("before\n")
    done = bash(step["run"], project, SUITE=ACTION["inputs"]["suite"]["default"], GITHUB_STEP_SUMMARY=str(page))
    assert done.returncode == 0, done.stderr
    assert page.read_text().startswith("before\n### Sample models: 7 entries: 7 passed\n\n| status | entry ")
    assert {path.suffix for path in project.glob(folder)} == {".xml", ".html", ".json"}

    suite = project / "suite.yaml"
    suite.write_text(suite.read_text().replace("max: 0.25", "max: 0.01"))
    done = bash(step["run"], project, SUITE="suite.yaml", GITHUB_STEP_SUMMARY=str(page))
    assert done.returncode == 1
    assert "- **failed**: tumour: bce (micro) is 0.165" in page.read_text()
    assert page.read_text().count("###") == 2

    (hook,) = HOOKS["repos"][0]["hooks"]
    assert bash(hook["entry"], project).returncode == 1
    names = ("suite.yaml", "preds/a.npy", "b.csv")
    assert all(re.search(hook["files"], name) for name in names) and not re.search(hook["files"], "a.py")
    assert [bash(command, project).returncode for command in OTHER["script"]] == [1]


def test_the_workflow_uses_the_action():
    (use,) = (step for step in WORKFLOW["jobs"]["losses"]["steps"] if step.get("uses", "").startswith("./"))
    assert set(use["with"]) == set(ACTION["inputs"])


def test_the_exit_codes_of_every_command_are_told():
    table = PAGE.partition("## Exit codes by command")[2]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert sorted(name for cell in cells for name in re.findall(r"`(\w+)`", cell)) == sorted(COMMANDS)


def test_a_summary_is_appended_and_safe(tmp_path):
    page = tmp_path / "step_summary"
    (tmp_path / "a|b_<i>.csv").write_text("prob,label,g\n0.5,1,<img>\n0.25,0,a|b\n")
    for words in (
        ["compute", "bce", tmp_path / "a|b_<i>.csv", "-g", "g", "--max", "0.5"],
        ["triplets", ROOT / "samples" / "embeddings.npz"],
    ):
        run_lossctl(*words, "--summary", page)
    first, second = page.read_text().split("### ")[1:]
    assert first.startswith("bce: 1 gate failed\n") and "<img>" not in first.replace("\\<", "")
    assert "| a\\|b " in first
    assert second.startswith("triplets of 300 points\n")
    done = run_lossctl("compute", "bce", ROOT / "samples" / "preds.csv", "--summary", page, "-o", page)
    assert done.code == 2 and "two outputs" in done.err
    done = run_lossctl("compute", "bce", ROOT / "samples" / "preds.csv", "--summary", page, "--per-row")
    assert done.code == 2 and "--summary with --per-row" in done.err
    done = run_lossctl("compute", "bce", ROOT / "samples" / "preds.csv", "--summary", tmp_path / "no" / "where.md")
    assert done.code == 4
