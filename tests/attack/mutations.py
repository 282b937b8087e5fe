"""Mutated files of every format against every reader: a value or a declared error, soon.

python tests/attack/mutations.py [COUNT [SEED [FIRST]]]

COUNT is 20000 unless given; a million takes an hour of one core. Mutation FIRST + i is the same whatever COUNT is.
"""

import collections
import io
import json
import random
import struct
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

import lossctl
from lossctl.api.gates import read_baseline
from lossctl.errors import LossctlError
from lossctl.files.saved import read_json

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
LABELS = np.arange(12) % 3
PAIR = ([0.1, 0.9], [0, 1])


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
    rows = [{"prob": p, "label": y} for p, y in zip(prob.tolist(), label.tolist(), strict=True)]
    files["a.jsonl"] = "\n".join(map(json.dumps, rows)).encode()
    files["a.json"] = json.dumps(rows).encode()
    files["a.fvecs"] = b"".join(b"\x02\x00\x00\x00" + np.float32(row).tobytes() for row in np.stack([prob, label], 1))
    for write in (_parquet, _arrow, _hdf5, _safetensors, _torch):
        try:
            files.update(write(prob, label))
        except ImportError:
            print(f"left out: {write.__name__[1:]}")
    try:
        import zstandard

        files["a.csv.zst"] = zstandard.compress(files["a.csv"])
    except ImportError:
        print("left out: zstd")
    import bz2
    import gzip
    import lzma

    files |= {"a.csv.gz": gzip.compress(files["a.csv"]), "a.csv.bz2": bz2.compress(files["a.csv"])}
    return files | {"a.csv.xz": lzma.compress(files["a.csv"])} | _sets(rng) | _texts()


def _sets(rng: np.random.Generator) -> dict[str, bytes]:
    """Embeddings, of which each is read with the labels of `LABELS`."""
    points = rng.normal(size=(len(LABELS), 3)).astype(np.float32)
    words = [f"w{at}" for at in range(len(points))]
    head = struct.pack("<i3qBi", 3, len(points), 1 << 20, 1 << 20, 1, 1)
    flat = b"IxF2" + head + struct.pack("<q", points.size) + points.tobytes()
    ids = struct.pack("<q", len(points)) + np.arange(len(points)).tobytes()
    lists = [f'"{point.tolist()}",{y}' for point, y in zip(points, LABELS.tolist(), strict=True)]
    text = [" ".join([word, *map(str, point.tolist())]) for word, point in zip(words, points, strict=True)]
    binary = b"".join(f"{word} ".encode() + point.tobytes() for word, point in zip(words, points, strict=True))
    return {
        "set.npy": _npy(points),
        "set.faiss": flat,
        "set-ids.faiss": b"IxMp" + head + flat + ids,
        "set.vec": "\n".join([f"{len(points)} 3", *text]).encode(),
        "set-glove.txt": "\n".join(text).encode(),
        "set.bin": f"{len(points)} 3\n".encode() + binary,
        "set-lists.csv": "\n".join(["emb,label", *lists]).encode(),
    }


def _texts() -> dict[str, bytes]:
    """A suite and a baseline, of rows that stand in no file."""
    entries = "\n".join(f"  - {{loss: {loss}, inputs: [g.csv::a, g.csv::b]}}" for loss in ("mse", "'huber:delta=2'"))
    suite = f"defaults: {{na: skip}}\nlosses:\n{entries[:-1]}, max: 0.5}}\n"
    saved = {"schema": "lossctl/1", "command": "compute", "results": [lossctl.compute("mse", *PAIR).to_dict()]}
    return {"suite.yaml": suite.encode(), "baseline.json": json.dumps(saved).encode()}


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
    import pyarrow.ipc

    buffer, stream = io.BytesIO(), io.BytesIO()
    pyarrow.feather.write_feather(_table(prob, label), buffer)
    with pyarrow.ipc.new_stream(stream, _table(prob, label).schema) as writer:
        writer.write_table(_table(prob, label))
    return {"a.feather": buffer.getvalue(), "a.arrows": stream.getvalue()}


def _hdf5(prob: np.ndarray, label: np.ndarray) -> dict[str, bytes]:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["prob"], file["label"] = prob, label
    return {"a.h5": buffer.getvalue()}


def _safetensors(prob: np.ndarray, label: np.ndarray) -> dict[str, bytes]:
    import safetensors.numpy

    return {"a.safetensors": safetensors.numpy.save({"prob": prob, "label": label})}


def _torch(prob: np.ndarray, label: np.ndarray) -> dict[str, bytes]:
    import torch

    buffer, old = io.BytesIO(), io.BytesIO()
    tensors = {"prob": torch.tensor(prob), "label": torch.tensor(label)}
    torch.save(tensors, buffer)
    torch.save(tensors, old, _use_new_zipfile_serialization=False)
    return {"a.pt": buffer.getvalue(), "old.pt": old.getvalue()}


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


def read(loss: str, path: Path, skip_nan: bool) -> int:
    """How many rows, anchors or entries the answer is about."""
    if path.name == "suite.yaml":
        (path.parent / "g.csv").write_text("a,b\n1,2\n0,1\n")
        return len(lossctl.run(str(path)).outcomes)
    if path.name == "baseline.json":
        return len(read_baseline(read_json(str(path)), str(path)))
    if path.name.startswith("set"):
        inputs = [str(path)] if path.suffix == ".csv" else [str(path), LABELS]
        return lossctl.compute("batch-hard", *inputs, margin=0.5, skip_nan=skip_nan).n
    return lossctl.compute(loss, str(path), skip_nan=skip_nan).n


def attack(count: int, seed: int, first: int = 0) -> tuple[collections.Counter, list[str]]:
    """What became of the mutations, (format, outcome) -> how many, and the faults: what no reader may do."""
    outcomes, faults = collections.Counter(), []
    warnings.simplefilter("error", RuntimeWarning)  # numpy's, which nobody should see
    files = list(seeds().items())
    with tempfile.TemporaryDirectory() as folder:
        for at in range(first, first + count):
            name, content = files[at % len(files)]
            rng = random.Random(f"{seed} {at}")
            path = Path(folder) / name
            path.write_bytes(mutated(content, rng))
            loss, skip_nan = rng.choice(("bce", "ece", "gini")), rng.random() < 0.3
            start, start_of_work = time.perf_counter(), time.process_time()
            try:
                outcome = "value" if read(loss, path, skip_nan) else "no rows"
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
