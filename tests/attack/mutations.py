"""Mutated files of every format against every reader: a value or a declared error, soon.

python tests/attack/mutations.py [COUNT [SEED [FIRST]]]

COUNT is 20000 unless given; a million takes an hour of one core. Mutation FIRST + i is the same whatever COUNT is.
"""

import collections
import io
import json
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

import lossctl
from lossctl.errors import LossctlError

SLOW = 1.0  # seconds of a processor that no small file may take
HUNG = 300.0  # seconds by the clock, which others may use too
INTERESTING = (
    b"\x00",
    b"\xff",
    b"\x80",
    b"\n",
    b",",
    b'"',
    b"-",
    b"9" * 30,
    b"nan",
    b"\xef\xbb\xbf",
    b"\x1b[2J",
    b"::",
)


def seeds() -> dict[str, bytes]:
    """A good file of every format that this Python can write."""
    rng = np.random.default_rng(0)
    prob, label = rng.random(40), rng.integers(0, 2, 40)
    files: dict[str, bytes] = {}
    for name, array in {"c": np.stack([prob, label], 1), "f": np.asfortranarray(np.stack([prob, label], 1))}.items():
        files[f"{name}.npy"] = _npy(array)
    packed = io.BytesIO()
    np.savez_compressed(packed, prob=prob, label=label)
    files["a.npz"] = packed.getvalue()
    plain = io.BytesIO()
    np.savez(plain, prob=prob, label=label)
    files["b.npz"] = plain.getvalue()
    lines = ["prob,label", *(f"{p},{y}" for p, y in zip(prob.tolist(), label.tolist(), strict=True))]
    files["a.csv"] = "\n".join(lines).encode()
    files["a.tsv"] = "\r\n".join(line.replace(",", "\t") for line in lines).encode()
    rows = ({"prob": p, "label": y} for p, y in zip(prob.tolist(), label.tolist(), strict=True))
    files["a.jsonl"] = "\n".join(map(json.dumps, rows)).encode()
    files["a.fvecs"] = b"".join(b"\x02\x00\x00\x00" + np.float32(row).tobytes() for row in np.stack([prob, label], 1))
    for write in (_parquet, _arrow, _safetensors, _torch):
        try:
            files.update(write(prob, label))
        except ImportError:
            print(f"left out: {write.__name__[1:]}")
    import bz2
    import gzip
    import lzma

    files |= {"a.csv.gz": gzip.compress(files["a.csv"]), "a.csv.bz2": bz2.compress(files["a.csv"])}
    return files | {"a.csv.xz": lzma.compress(files["a.csv"])}


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _table(prob: np.ndarray, label: np.ndarray):
    import pyarrow

    return pyarrow.table({"prob": prob, "label": label})


def _parquet(prob: np.ndarray, label: np.ndarray) -> dict[str, bytes]:
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(_table(prob, label), buffer)
    return {"a.parquet": buffer.getvalue()}


def _arrow(prob: np.ndarray, label: np.ndarray) -> dict[str, bytes]:
    import pyarrow.feather

    buffer = io.BytesIO()
    pyarrow.feather.write_feather(_table(prob, label), buffer)
    return {"a.feather": buffer.getvalue()}


def _safetensors(prob: np.ndarray, label: np.ndarray) -> dict[str, bytes]:
    import safetensors.numpy

    return {"a.safetensors": safetensors.numpy.save({"prob": prob, "label": label})}


def _torch(prob: np.ndarray, label: np.ndarray) -> dict[str, bytes]:
    import torch

    buffer = io.BytesIO()
    torch.save({"prob": torch.tensor(prob), "label": torch.tensor(label)}, buffer)
    return {"a.pt": buffer.getvalue()}


def mutated(content: bytes, rng: random.Random) -> bytes:
    """One to four changes: bits, bytes, cuts, repeats, stretches moved, and what readers trip over."""
    result = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = min(rng.randrange(len(result) + 1), rng.randrange(len(result) + 1)) if result else 0
        change = rng.randrange(7)
        if change == 0 and result:
            result[at - 1] ^= 1 << rng.randrange(8)
        elif change == 1 and result:
            result[at - 1] = rng.randrange(256)
        elif change == 2:
            del result[at : at + rng.choice((1, 2, 8, 64, 10**6))]
        elif change == 3:
            result[at:at] = rng.choice(INTERESTING)
        elif change == 4:
            stop = at + rng.randrange(64)
            result[at:at] = result[at:stop]
        elif change == 5:
            number = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1))
            result[at : at + 8] = number.to_bytes(8, rng.choice(("little", "big")))
        else:
            place = rng.randrange(len(result) + 1)
            result[at : at + 16], result[place : place + 16] = result[place : place + 16], result[at : at + 16]
    return bytes(result)


def attack(count: int, seed: int, first: int = 0) -> tuple[collections.Counter, list[str]]:
    """What became of the mutations, (format, outcome) -> how many, and the faults: what no reader may do."""
    outcomes, faults = collections.Counter(), []
    files = list(seeds().items())
    with tempfile.TemporaryDirectory() as folder:
        for at in range(first, first + count):
            name, content = files[at % len(files)]
            rng = random.Random(f"{seed} {at}")
            path = Path(folder) / name
            path.write_bytes(mutated(content, rng))
            loss, skip_nan = rng.choice(("mse", "bce", "gini")), rng.random() < 0.3
            start, start_of_work = time.perf_counter(), time.process_time()
            try:
                value = lossctl.compute(loss, str(path), skip_nan=skip_nan)
                outcome = "value" if value.n else "no rows"
            except LossctlError as fault:
                outcome = type(fault).__name__
                if outcome != "UsageError" and name not in str(fault):
                    faults.append(f"{name} at {at}, {loss}: does not name the file: {fault}")
            except Exception:
                outcome = "bug"
                faults.append(f"{name} at {at}, {loss}: {traceback.format_exc(limit=-3)}")
            seconds, work = time.perf_counter() - start, time.process_time() - start_of_work
            if work > SLOW or seconds > HUNG:
                faults.append(f"{name} at {at}, {loss}: {seconds:.1f} s, {work:.1f} s of them at work")
            outcomes[name, outcome] += 1
    return outcomes, faults


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    count, seed, first = [*numbers, *(20000, 0, 0)[len(numbers) :]]
    outcomes, faults = attack(count, seed, first)
    names = sorted({name for name, _ in outcomes})
    columns = sorted({outcome for _, outcome in outcomes})
    print("| file | " + " | ".join(columns) + " |\n| --- |" + " ---: |" * len(columns))
    for name in names:
        print(f"| {name} | " + " | ".join(f"{outcomes[name, column]:,}" for column in columns) + " |")
    print(f"\n{count:,} mutations from {first:,}, seed {seed}: {len(faults)} faults")
    print("\n".join(faults[:50]))
    sys.exit(bool(faults))
