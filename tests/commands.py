"""Command lines as a person runs them, each in a process of its own.

Starting Python and importing numpy, torch, typer, rich and our modules takes most of the time of a small command. So
one process of each test run does that once, and forks for every command: streams, folder, environment, signals and exit
code are the command's own. What a command imports by itself is asked in test_structure.py, of fresh processes.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
SAFE = {"COLUMNS", "NO_COLOR", "TERM"}  # variables that are read while a command runs, not when Python starts


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def run_lossctl(*arguments, stdin=None, cwd=ROOT, **environment):
    """`python -m lossctl ARGUMENTS` in a process of its own; stdin is bytes."""
    variables = {**os.environ, "COLUMNS": "100", **environment}
    words = list(map(str, arguments))
    if hasattr(os, "fork") and hasattr(socket, "send_fds") and environment.keys() <= SAFE:
        code, out, err = forked(words, stdin or b"", cwd, variables)
        return Done(code, out.decode(), err.decode())
    done = subprocess.run(
        [sys.executable, "-m", "lossctl", *words],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        cwd=cwd,
        env=variables,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def on_a_terminal(*arguments, code=0, **environment):
    """What a person sees: both streams of a command on a pseudo-terminal."""
    import pty

    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "lossctl", *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, cwd=ROOT,
        env={**os.environ, "TERM": "xterm", **environment},
    )  # fmt: skip
    os.close(slave)
    output = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:
            break
        if not part:
            break
        output += part
    os.close(master)
    assert process.wait() == code
    return output.decode()


def forked(words, stdin, cwd, variables, together=False):
    """(exit code as of subprocess, stdout, stderr) of a command that the server forks; together: both as stdout."""
    (read, give), (out, out_far), (err, err_far) = os.pipe(), os.pipe(), os.pipe()
    if together:
        os.dup2(out_far, err_far)
    request = json.dumps([words, str(cwd), variables]).encode()
    server = _server()
    socket.send_fds(server, [len(request).to_bytes(8, "big")], [read, out_far, err_far])
    server.sendall(request)
    for end in (read, out_far, err_far):
        os.close(end)
    streams = [b"", b""]

    def write():
        with open(give, "wb", buffering=0) as pipe:
            rest = memoryview(stdin)
            try:
                while rest:
                    rest = rest[pipe.write(rest) :]
            except BrokenPipeError:
                pass

    def keep(place, end):
        with open(end, "rb") as pipe:
            streams[place] = pipe.read()

    threads = [
        threading.Thread(target=write),
        *(threading.Thread(target=keep, args=at) for at in enumerate((out, err))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return int.from_bytes(server.recv(4, socket.MSG_WAITALL), "big", signed=True), *streams


@cache
def _server():
    """The end of a socket at which a process waits for commands."""
    here, there = socket.socketpair()
    command = [sys.executable, __file__, str(there.fileno())]
    variables = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # as the command line does, before numpy
    process = subprocess.Popen(command, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL, cwd=ROOT, env=variables)
    there.close()
    atexit.register(lambda: (here.close(), process.wait()))
    return here


def serve(line):
    """Fork for every command that comes along the socket, until it is closed."""
    sys.path.insert(0, os.getcwd())
    import contextlib
    import importlib
    import pkgutil

    import numpy  # noqa: F401
    import rich.table  # noqa: F401

    import lossctl

    modules = pkgutil.walk_packages(lossctl.__path__, "lossctl.")
    ours = [module.name for module in modules if not module.name.startswith(("lossctl.kernels.", "lossctl.__main__"))]
    for name in ("torch", "matplotlib.figure", "matplotlib.backends.backend_svg", *ours):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from lossctl.language.registry import load

    load()
    while True:
        head, ends, _, _ = socket.recv_fds(line, 8, 3)
        if not head:
            return
        size = int.from_bytes(head, "big")
        words, cwd, variables = json.loads(line.recv(size, socket.MSG_WAITALL))
        child = os.fork()
        if not child:
            line.close()
            become(words, cwd, variables, ends)
        for end in ends:
            os.close(end)
        _, status = os.waitpid(child, 0)
        line.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))


def become(words, cwd, variables, ends):
    """Be the command, from its streams to its exit."""
    import io
    import traceback

    for number, end in enumerate(ends):
        os.dup2(end, number)
        os.close(end)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(cwd)
    sys.argv = ["lossctl", *words]
    sys.stdin = io.TextIOWrapper(os.fdopen(0, "rb"), encoding="utf-8")
    at_once = bool(variables.get("PYTHONUNBUFFERED"))
    out = os.fdopen(1, "wb", buffering=0 if at_once else -1)
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=at_once)
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb"), encoding="utf-8", errors="backslashreplace", line_buffering=True)
    code = 1
    try:
        from lossctl.__main__ import main

        main()
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
