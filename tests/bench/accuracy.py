"""Table of the audit of accuracy, in Markdown: python tests/bench/accuracy.py > tests/bench/accuracy_DATE.md

Names of losses behind it: these alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from exact_audit import audit, table

from lossctl.version import __version__

HEAD = f"""# Every loss against 50 digits and more

    python tests/bench/accuracy.py

lossctl {__version__}, numpy {np.__version__}. The truth is the formula in mpmath with 400 bits, of the binary values of
the inputs exactly. An ulp is a unit in the last place of the float64 truth. 4 are allowed, or what a bound allows: then
the worst may be large, where the truth is what is left of two numbers that cancel. Bounds: docs/accuracy.md."""


def main() -> None:
    print(HEAD, end="\n\n")
    print(*table(audit(*sys.argv[1:])), sep="\n")


if __name__ == "__main__":
    main()
