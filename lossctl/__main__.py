"""`python -m lossctl`, and the console script."""

from __future__ import annotations

import os
import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is open yet: the end, and no traceback of an import


def main() -> None:
    """Run the command line; `--version` alone is answered before anything else is imported."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from .version import __version__

        try:
            print(f"lossctl {__version__}", flush=True)
        except OSError:
            os._exit(4)
        return
    import gc

    gc.set_threshold(100_000)  # imports make many objects and no garbage: 5 ms less at the start
    from .cli.app import run

    code = run(sys.argv[1:])
    os._exit(code)  # all is written and closed; taking the libraries down one by one costs 15 ms


if __name__ == "__main__":
    main()
