"""`python -m lossctl`, and the console script."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; `--version` alone is answered before anything else is imported."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from .version import __version__

        print(f"lossctl {__version__}")
        return
    from .cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
