"""The tests on other Pythons, and on the oldest and newest libraries that pyproject.toml allows.

    python tests/versions.py                                  every Python from 3.11 on that is found, both ends
    python tests/versions.py --python /opt/python3.12 --end oldest
    python tests/versions.py --torch torch==2.9.0             another torch than the one in constraints.txt
    python tests/versions.py --torch none                     without torch: tests that ask for it are skipped

It builds the sdist and the wheel, installs the wheel into a fresh virtual environment for each case, and runs the tests
of the sdist there: the fast ones, unless `-- -m slow` or other arguments of pytest say more. torch is the pinned one
unless told otherwise, since the newest that pip finds brings gigabytes of CUDA libraries.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHONS = ("python3.11", "python3.12", "python3.13")
ENDS = ("oldest", "newest")
NO_TEST_NEEDS = ("ruff", "mypy", "types-PyYAML", "triton")
CLEAN = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def declared(extra: str = "") -> list[str]:
    """The requirements in pyproject.toml, or those of an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return [line.partition(";")[0].strip() for line in lines]


def name_of(requirement: str) -> str:
    return re.split(r"[<>=!~ ]", requirement)[0]


def at_end(requirement: str, end: str) -> str:
    """The requirement at one end of its range: name==lowest, or as it is, which pip reads as the newest."""
    lowest = re.search(r">=([0-9.]+)", requirement)
    return f"{name_of(requirement)}=={lowest[1]}" if end == "oldest" and lowest else requirement


def pinned(name: str) -> str:
    """The line of constraints.txt."""
    return next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if name_of(line) == name)


def requirements(end: str, torch: str) -> list[str]:
    own = [at_end(line, end) for line in declared() if name_of(line) != "torch"]
    tests = [line for line in declared("test") if name_of(line) not in NO_TEST_NEEDS]
    return [*own, *tests, *([] if torch == "none" else [torch])]


def runs(python: str) -> bool:
    """Whether a Python is there, and recent enough."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python, "-c", check], capture_output=True).returncode == 0
    except OSError:
        return False


def build(into: Path) -> tuple[Path, Path]:
    """The wheel, and the unpacked sdist."""
    source = into / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, source, ignore=ignored)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", into, source],
        check=True,
        capture_output=True,
    )
    (wheel,), (archive,) = into.glob("*.whl"), into.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(into, filter="data")
    return wheel, into / archive.name.removesuffix(".tar.gz")


def test(python: str, end: str, torch: str, wheel: Path, tree: Path, venv: Path, more: list[str]) -> str:
    """One line on how the tests went."""
    pip = [venv / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if not venv.exists():
        subprocess.run([python, "-m", "venv", venv], check=True)
    if subprocess.run([*pip, *requirements(end, torch)], env=CLEAN).returncode:
        return "cannot be installed"
    subprocess.run([*pip, "--no-deps", "--force-reinstall", wheel], env=CLEAN, check=True)
    environment = CLEAN | ({"LOSSCTL_TESTS_WITHOUT_TORCH": "1"} if torch == "none" else {})
    done = subprocess.run(
        [venv / "bin" / "pytest", *more], cwd=tree, env=environment, stdout=subprocess.PIPE, text=True
    )
    print(done.stdout if done.returncode else "", end="")
    last = done.stdout.strip().splitlines()[-1:]
    return last[0] if last else "no output"


def main() -> int:
    parser = argparse.ArgumentParser(description="The tests on other Pythons and at both ends of the dependencies.")
    parser.add_argument("--python", action="append", metavar="PYTHON", help="repeatable; as a name or a path")
    parser.add_argument("--end", action="append", choices=ENDS, help="repeatable; both unless given")
    parser.add_argument("--torch", default=pinned("torch"), metavar="REQUIREMENT", help="or none")
    parser.add_argument("--venvs", type=Path, metavar="FOLDER", help="keep the environments here, for the next time")
    parser.add_argument("more", nargs="*", metavar="-- ...", help="arguments of pytest")
    asked = parser.parse_args()
    is_good = True
    with tempfile.TemporaryDirectory() as folder:
        wheel, tree = build(Path(folder))
        for python in asked.python or PYTHONS:
            if not runs(python):
                print(f"{python}: not found here")
                is_good = is_good and not asked.python
                continue
            for end in asked.end or ENDS:
                name = f"{re.sub('[^0-9a-z.]+', '-', python.lower()).strip('-')}-{end}"
                venv = (asked.venvs or Path(folder)) / name
                line = test(python, end, asked.torch, wheel, tree, venv.absolute(), asked.more)
                print(f"{python}, {end}, torch {asked.torch.removeprefix('torch==')}: {line}", flush=True)
                is_good = is_good and "passed" in line and "failed" not in line and "error" not in line
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
