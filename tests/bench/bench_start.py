"""What a command costs before it does anything: CPU time of whole processes, beside a bare Python and bare imports.

    python tests/bench/bench_start.py [--repeats 15]

Measure an installed lossctl (bytecode compiled), not an editable one.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from side_by_side import Case, machine, median, python, run

SAMPLES = Path(__file__).parent.parent.parent / "samples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    script = shutil.which("lossctl", path=str(Path(sys.executable).parent)) or "lossctl"
    one_thread = {"OPENBLAS_NUM_THREADS": "1"}
    cases = [
        Case("python -c pass", python("pass")),
        Case("import typer", python("import typer")),
        Case("import numpy, one BLAS thread", python("import numpy"), one_thread),
        Case("import typer, numpy", python("import typer, numpy"), one_thread),
        *(
            Case("lossctl " + " ".join(arguments), [script, *arguments])
            for arguments in (
                ["--version"],
                ["--help"],
                ["compute", "--help"],
                ["compute", "focal", "--help"],
                ["list"],
                ["explain", "focal"],
            )
        ),
        Case("lossctl compute focal preds.npy", [script, "compute", "focal", str(SAMPLES / "preds.npy")]),
        Case("lossctl compute focal preds.csv", [script, "compute", "focal", str(SAMPLES / "preds.csv")]),
    ]
    run(cases, options.repeats, warmups=2)
    print(f"# Start-up\n\n{machine()}\n\n| command | CPU ms | wall ms |\n| ------- | -----: | ------: |")
    for case in cases:
        print(f"| `{case.name}` | {median(case.cpu) * 1e3:.0f} | {median(case.wall) * 1e3:.0f} |")
    print("\nCPU time of neighbours, the median of their quotients:\n")
    named = {case.name: case for case in cases}
    for ours, plain in (
        ("lossctl --version", "python -c pass"),
        ("lossctl list", "import typer"),
        ("lossctl compute focal preds.npy", "import typer, numpy"),
    ):
        pairs = zip(named[ours].cpu, named[plain].cpu, strict=True)
        print(f"- `{ours}` takes {median([a / b for a, b in pairs]):.2f} times `{plain}`")


if __name__ == "__main__":
    main()
