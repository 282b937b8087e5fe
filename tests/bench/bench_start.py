"""What a command costs before it does anything: CPU time of whole processes, beside a bare Python and bare imports.

    python tests/bench/bench_start.py [--repeats 15] [--beside CHECKOUT]

What is measured is a copy of the package with its bytecode compiled. --beside: the same commands of another checkout,
in turn, and the quotients of the two.
"""

from __future__ import annotations

import argparse
import compileall
import shutil
import sys
import tempfile
from pathlib import Path

from side_by_side import Case, machine, median, python, run

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ROOT / "samples"
COMMANDS = (
    ["--version"],
    ["--help"],
    ["compute", "--help"],
    ["compute", "focal", "--help"],
    ["list"],
    ["explain", "focal"],
    ["compute", "mse", "regression.csv"],
    ["compute", "focal", "preds.npy"],
    ["triplets", "embeddings.npz"],
)
AIMS = (
    ("--version", "python -c pass"),
    ("list", "import typer"),
    ("compute mse regression.csv", "import typer, numpy"),
    ("compute focal preds.npy", "import typer, numpy"),
)


def cases_of(name: str, checkout: Path, folder: Path, environment: dict[str, str]) -> list[Case]:
    """The commands of a checkout. folder: where a compiled copy of its package goes"""
    shutil.copytree(checkout / "lossctl", folder / "lossctl", ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(str(folder / "lossctl"), quiet=1)
    home = {**environment, "PYTHONPATH": str(folder)}
    return [
        Case(
            f"{name} {' '.join(command)}",
            [sys.executable, "-P", "-m", "lossctl", *(str(SAMPLES / w) if "." in w else w for w in command)],
            home,
        )
        for command in COMMANDS
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--beside", type=Path, help="another checkout")
    options = parser.parse_args()
    one_thread = {"OPENBLAS_NUM_THREADS": "1"}
    cases = [
        Case("python -c pass", python("pass")),
        Case("import typer", python("import typer")),
        Case("import numpy", python("import numpy"), one_thread),
        Case("import typer, numpy", python("import typer, numpy"), one_thread),
    ]
    with tempfile.TemporaryDirectory() as own, tempfile.TemporaryDirectory() as other:
        ours = cases_of("lossctl", ROOT, Path(own), one_thread)
        others = cases_of("beside:", options.beside, Path(other), one_thread) if options.beside else []
        pairs = [case for pair in zip(ours, others, strict=True) for case in pair] if others else ours
        run([*cases, *pairs], options.repeats, warmups=1)
    print(f"# Start-up\n\n{machine()}\n\n| command | CPU ms | wall ms | peak MB |")
    print("| ------- | -----: | ------: | ------: |")
    for case in [*cases, *pairs]:
        print(f"| `{case.name}` | {median(case.cpu) * 1e3:.0f} | {median(case.wall) * 1e3:.0f} | {case.peak:.0f} |")
    print("\nCPU time of neighbours, the median of their quotients, and the quotient of the least:\n")
    named = {case.name: case for case in cases + ours}
    quotients = [(named[f"lossctl {command}"], named[plain]) for command, plain in AIMS]
    for case, plain in [*quotients, *zip(ours, others, strict=False)]:
        middle = median([a / b for a, b in zip(case.cpu, plain.cpu, strict=True)])
        print(f"- `{case.name}` takes {middle:.2f} ({min(case.cpu) / min(plain.cpu):.2f}) times `{plain.name}`")


if __name__ == "__main__":
    main()
