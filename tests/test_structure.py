"""The shape of the house: who may import whom, and what a command loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from folds import by, fold

import lossctl

PACKAGE = Path(lossctl.__file__).parent
ROOT = Path(__file__).parent.parent

# The rooms from the ground up: each may import what stands before it, and nothing that stands after it.
# fmt: off
ORDER = (
    "version", "errors", "text", "results", "language", "losses", "files", "kernels", "rows", "sets", "resampling",
    "curves", "bench", "api", "show", "cli", "__init__", "__main__",
)
# fmt: on
FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def ours(path: Path) -> set[str]:
    """The parts of lossctl that a file imports, at any depth of its code."""
    package = ["lossctl", *path.relative_to(PACKAGE).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            names = [[*module, alias.name] for alias in node.names] if len(module) < 2 else [module]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        else:
            continue
        found |= {name[1] for name in names if name[0] == "lossctl" and len(name) > 1}
    return found


@fold("path", by(part_of, FILES))
def test_a_room_imports_only_what_stands_below_it(path):
    floor = ORDER.index(part_of(path))
    above = {part for part in ours(path) if ORDER.index(part) > floor}
    assert not above, f"{part_of(path)} reaches up into {above}"


def test_no_room_is_more_than_a_quarter_of_the_house():
    lines = {}
    for path in FILES:
        lines[part_of(path)] = lines.get(part_of(path), 0) + len(path.read_text().splitlines())
    assert max(lines.values()) <= 0.22 * sum(lines.values()), lines


def test_only_numerics_knows_two_array_libraries():
    knows = {path.stem for path in FILES if "array_api_compat" in path.read_text()}
    assert knows == {"numerics"}


LIGHT = ("numpy", "torch", "rich", "yaml", "matplotlib", "pydantic", "importlib.metadata")
NOT_ON_THE_CPU = ("torch", "rich", "yaml", "matplotlib", "pydantic", "importlib.metadata", "array_api_compat")


def loaded_by(*arguments: str) -> set[str]:
    """The modules in memory after a command line has run in a process of its own."""
    script = (
        "import sys, io, contextlib\n"
        "from lossctl.cli.app import run\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    code = run({list(arguments)!r})\n"
        "assert code == 0, code\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("compute", "--help"),
        ("compute", "focal", "--help"),
        ("list", "--names"),
        ("explain", "focal"),
        ("bench", "--help"),
        ("bench", "--list"),
    ],
    ids=" ".join,
)
def test_help_loads_no_heavy_library(arguments):
    assert not loaded_by(*arguments) & set(LIGHT)


def test_a_small_compute_loads_numpy_and_nothing_heavier(tmp_path):
    import numpy as np

    path = tmp_path / "preds.npy"
    np.save(path, np.array([[0.9, 1.0], [0.2, 0.0]]))
    modules = loaded_by("compute", "focal", "--gamma", "2", str(path))
    assert "numpy" in modules
    assert not modules & set(NOT_ON_THE_CPU)
    assert not {name for name in modules if name.startswith("lossctl.files.tables")}, "a CSV reader for an NPY file"
    assert "lossctl.resampling.bootstrap" not in modules, "a bootstrap where no interval is asked for"


def test_parquet_loads_no_pandas(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "preds.parquet"
    parquet.write_table(pyarrow.table({"prob": [0.9, 0.2], "label": [True, False]}), path)
    modules = loaded_by("compute", "focal", str(path))
    assert "pyarrow" in modules and "pandas" not in modules


@pytest.mark.first_fast
@pytest.mark.parametrize("arguments", [("compute", "batch-hard"), ("triplets", "-b"), ("mine", "semi-hard", "-o")])
def test_embeddings_on_the_cpu_load_no_torch(arguments, tmp_path):
    out = [str(tmp_path / "triplets.npy")] if arguments[-1] == "-o" else []
    modules = loaded_by(*arguments, *out, str(ROOT / "samples" / "embeddings.npz"), "--device", "cpu")
    assert "numpy" in modules and "torch" not in modules


def test_version_loads_almost_nothing():
    script = (
        "import sys\nsys.argv = ['lossctl', '--version']\nfrom lossctl.__main__ import main\nmain()\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    version, modules = done.stdout.splitlines()
    assert version == f"lossctl {lossctl.__version__}"
    assert not set(modules.split()) & {"typer", "dataclasses", "inspect", "numpy", "argparse"}
