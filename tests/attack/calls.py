"""System calls that fail, one at a time: every output is old or whole, nothing is left beside it, no exit code is 70.

python tests/attack/calls.py [MOST [COMMAND ...]]     the first MOST calls of each kind fail in turn, 6 unless given
"""

import builtins
import collections
import contextlib
import errno
import io
import os
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np

from lossctl.cli import app

OLD = "the old file\n"
LONGEST = 20  # seconds
CODES = {0, 1, 2, 3, 4, 141}
COMMANDS = {  # {out} is written
    "compute": "compute bce {here}/p.npz --json -o {out}.json",
    "rows": "compute bce {here}/p.csv -r none -o {out}.csv",
    "mine": "mine semi-hard {here}/e.npz -o {out}.npy",
    "run": "run {here}/s.yaml --report {out}.html",
}
CALLS = {  # where it is looked up -> what it fails with
    (os, "open"): (errno.EMFILE, errno.EACCES),
    (os, "read"): (errno.EIO,),
    (os, "pread"): (errno.EIO,),
    (os, "write"): (errno.ENOSPC,),
    (os, "fsync"): (errno.EIO, errno.EINVAL),
    (os, "replace"): (errno.EACCES, errno.ENOSPC),
    (os, "rename"): (errno.EACCES,),
    (os, "mkdir"): (errno.EROFS,),
    (os, "stat"): (errno.EIO,),
    (os, "fstat"): (errno.EIO,),
    (os, "unlink"): (errno.EACCES,),
    (os, "link"): (errno.EPERM,),
    (os, "chmod"): (errno.EPERM,),
    (builtins, "open"): (errno.EMFILE, errno.ENOENT),
    (io, "open"): (errno.EMFILE,),
}


def prepare(here: Path) -> None:
    rng = np.random.default_rng(0)
    prob, label = rng.random(50), rng.integers(0, 2, 50)
    np.savez(here / "p.npz", prob=prob, label=label)
    np.savez(here / "e.npz", emb=rng.standard_normal((40, 3)), label=np.arange(40) % 5)
    lines = (f"{p},{y}\n" for p, y in zip(prob.tolist(), label.tolist(), strict=True))
    (here / "p.csv").write_text("prob,label\n" + "".join(lines))
    (here / "s.yaml").write_text("losses:\n  - {loss: bce, inputs: [p.npz::prob, p.npz::label]}\n")


def run_failing(words: list[str], place: object, name: str, at: int, number: int) -> int:
    """The exit code of a command whose call number `at` fails; in a child, since nothing of it may stay."""
    real, count = getattr(place, name), 0

    def call(*args: object, **more: object) -> object:
        nonlocal count
        count += 1
        if count == at + 1:
            raise OSError(number, os.strerror(number), str(args[0]) if args else None)
        return real(*args, **more)

    setattr(place, name, call)
    return app.run(words)


def outcome(command: str, here: Path, place: object, name: str, at: int, number: int) -> str:
    """What is wrong, "" for nothing."""
    folder = here / "out"
    words = COMMANDS[command].format(here=here, out=folder / "result").split()
    target = next(Path(word) for word in words if word.startswith(str(folder)))
    target.write_text(OLD)
    said = here / "said"
    child = os.fork()
    if not child:
        code = 99
        signal.alarm(LONGEST)
        try:
            with open(said, "wb") as file, open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), 1)
                os.dup2(file.fileno(), 2)
            code = run_failing(words, place, name, at, number)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    beside = [path.name for path in folder.iterdir() if path != target]
    for left in beside:
        (folder / left).unlink()
    content = target.read_bytes() if target.exists() else b""
    target.unlink(missing_ok=True)
    if code not in CODES or b"Traceback" in said.read_bytes():
        return f"exit {code}: {said.read_text(errors='replace').strip()[-300:]}"
    if code > 1 and content != OLD.encode() and len(content) < 40:
        return f"leaves {len(content)} bytes"
    return f"leaves {beside}" if beside and name != "unlink" else ""


def attack(most: int, commands: list[str]) -> tuple[collections.Counter, list[str]]:
    """How many calls of each kind failed, and what was wrong."""
    tried: collections.Counter = collections.Counter()
    faults = []
    with tempfile.TemporaryDirectory() as text:
        here = Path(text)
        prepare(here)
        (here / "out").mkdir()
        for command in commands:
            with contextlib.redirect_stdout(io.StringIO()):  # so that a child has all its imports
                app.run(COMMANDS[command].format(here=here, out=here / "first").split())
            for (place, name), numbers in CALLS.items():
                for number in numbers:
                    for at in range(most):
                        wrong = outcome(command, here, place, name, at, number)
                        tried[f"{place.__name__}.{name}"] += 1
                        faults += [f"{command}, {name} {at} {errno.errorcode[number]}: {wrong}"] if wrong else []
    return tried, faults


if __name__ == "__main__":
    tried, faults = attack(int(sys.argv[1]) if len(sys.argv) > 1 else 6, sys.argv[2:] or list(COMMANDS))
    print("\n".join(f"{name}: {times}" for name, times in tried.items()))
    print(f"{sum(tried.values())} failing calls: {len(faults)} faults")
    print("\n".join(faults))
    sys.exit(bool(faults))
