"""What is handed out: the sdist holds the tests and what they read, the wheel installs, runs and is typed."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """The sdist, and the wheel that was made from it, of a copy of this tree."""
    folder = tmp_path_factory.mktemp("built")
    unwanted = shutil.ignore_patterns(".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, folder / "source", ignore=unwanted)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, folder / "source"]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> Path:
    """The bin folder of an environment that has the wheel, and everything else from this one."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    own = next(venv.glob("lib/python*/site-packages"))
    (own / "reused.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    pip = [sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--force-reinstall", built[1]], check=True, capture_output=True)
    return venv / "bin"


def output_of(*command: object, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_sdist_holds_the_tests_and_what_they_read(built):
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tree = {
        str(path.relative_to(ROOT))
        for folder in ("lossctl", "tests", "samples", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    top = {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "constraints.txt", "pyproject.toml", ".ci/run"}
    assert not (tree | top) - names


def test_the_wheel_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built[1]) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = [path for path in (ROOT / "lossctl").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert names == {str(path.relative_to(ROOT)) for path in files}


def test_the_installed_command_runs(installed, tmp_path):
    shutil.copy(ROOT / "samples" / "preds.npy", tmp_path)
    home = output_of(installed / "python", "-c", "import lossctl; print(lossctl.__file__)", cwd=tmp_path)
    assert Path(home).is_relative_to(installed.parent)
    command = [installed / "lossctl", "compute", "focal", "--gamma", "2", "preds.npy"]
    assert output_of(*command, cwd=tmp_path) == "0.07246878524309487"


def test_the_installed_package_is_typed(installed, tmp_path):
    (tmp_path / "user.py").write_text("import lossctl\nreveal_type(lossctl.compute('mse', [0.0], [1.0]).value)\n")
    options = ["--python-executable", installed / "python", "--strict", "--cache-dir", os.devnull]
    mypy = [sys.executable, "-m", "mypy", *options, "user.py"]
    assert 'Revealed type is "float"' in output_of(*mypy, cwd=tmp_path).replace("builtins.", "")
