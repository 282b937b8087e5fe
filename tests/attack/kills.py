"""Signals at every moment of every command: it ends soon, without a traceback, and every output is old or whole.

python tests/attack/kills.py [COUNT]     COUNT kills of each signal, 30 unless given
"""

import collections
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
LATEST = 4.0  # seconds after which a command is signalled
LONGEST, HUNG = 2.0, 60.0  # seconds of processors in which it has to end, and by the clock, which others may use too
OLD = "the old file\n"
COMMANDS = {  # {out} is written
    "compute": "compute bce {here}/p.npz --ci 0.95 -o {out}.json",
    "rows": "compute bce {here}/p.npz -r none -o {out}.csv",
    "plot": "compute bce {here}/p.npz -r none --plot {out}.svg",
    "compare": "compare {here}/p.npz::prob {here}/p.npz::other -y {here}/p.npz::label --loss bce -o {out}.json",
    "triplets": "triplets {here}/e.npz::emb {here}/e.npz::label -o {out}.json",
    "mine": "mine semi-hard {here}/e.npz::emb {here}/e.npz::label -o {out}.npy",
    "run": "run {here}/s.yaml --report {out}.html",
    "curve": "curve focal -o {out}.svg",
    "bench": "bench -n 256,512 --save {out}.json",
    "parity": "parity bce {here}/p.npz -o {out}.json",
    "list": "list -o {out}.txt",
}


def prepare(here: Path) -> None:
    rng = np.random.default_rng(0)
    n = 400_000
    np.savez(here / "p.npz", prob=rng.random(n), other=rng.random(n), label=rng.integers(0, 2, n))
    np.savez(here / "e.npz", emb=rng.standard_normal((3000, 32)), label=rng.integers(0, 60, 3000))
    entry = "  - {loss: bce, inputs: [p.npz::prob, p.npz::label], ci: 0.95}\n"
    (here / "s.yaml").write_text("losses:\n" + entry + entry.replace("bce", "focal"))


def attacked(here: Path, command: str, sent: signal.Signals, delay: float) -> str:
    """What is wrong after a signal, "" for nothing."""
    out = here / "out" / "result"
    words = COMMANDS[command].format(here=here, out=out).split()
    target = next(Path(word) for word in words if word.startswith(str(out)))
    target.parent.mkdir(exist_ok=True)
    target.write_text(OLD)
    before = _work()
    child = subprocess.Popen(
        [sys.executable, "-m", "lossctl", *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        time.sleep(delay)
        at_signal = _work_of(child.pid)
        child.send_signal(sent)
        try:
            _, said = child.communicate(timeout=HUNG)
        except subprocess.TimeoutExpired:
            return f"does not end within {HUNG:g} s"
        took = _work() - before - at_signal
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            for path in target.parent.iterdir():
                path.unlink()
    beside = [path.name for path in target.parent.iterdir() if path != target]
    for name in beside:
        (target.parent / name).unlink()
    content = target.read_bytes()
    target.unlink()
    if b"Traceback" in said and b"/lossctl/" not in said:
        return ""  # Python itself was starting, and knew nothing of us
    if b"Traceback" in said or b"bug:" in said:
        return f"says {said.decode(errors='replace').strip().splitlines()[-1]!r}, after {delay:.2f} s"
    if beside and sent != signal.SIGKILL:
        return f"leaves {beside}"
    if child.returncode != 0 and content != OLD.encode() and len(content) < 8:
        return f"leaves {len(content)} bytes"
    return f"takes {took:.1f} s of processors, after {delay:.2f} s" if took > LONGEST else ""


def _work() -> float:
    """Seconds of processors that all children so far have taken."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _work_of(process: int) -> float:
    """The same, of one that runs."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def main(count: int) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it puts behind it ignore this one
    rng, outcomes, faults = random.Random(0), collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        prepare(here)
        for at in range(count):
            for command in COMMANDS:
                sent = SIGNALS[at % len(SIGNALS)]
                delay = rng.uniform(0, LATEST) if at % 2 else rng.uniform(0, 0.5)
                wrong = attacked(here, command, sent, delay)
                outcomes[sent.name, "wrong" if wrong else "right"] += 1
                faults += [f"{command}, {sent.name}: {wrong}"] if wrong else []
    for key, times in sorted(outcomes.items()):
        print(*key, times)
    print(f"{count * len(COMMANDS)} kills: {len(faults)} faults")
    print("\n".join(faults))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30))
