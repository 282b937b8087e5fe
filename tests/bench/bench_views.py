"""Losses of two views, of proxies and of all pairs beside torch one-liners: time and memory, in processes of their own.

`python tests/bench/bench_views.py` prints the table of `views_*.md`; N and D, and names of losses, are arguments.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

PROXIES = ("arcface", "normalized-softmax", "proxy-nca", "proxy-anchor")
OF_SETS = ("intra-pair-variance", "threshold-consistent-margin", "snr-contrastive")
LOSSES = ("mnrl", "clip", "siglip", "barlow-twins", "vicreg", "uniformity", "koleo", *PROXIES, *OF_SETS)
CLASSES = 512


def inputs_of(n: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Left and right views, labels, class weights."""
    rng = np.random.default_rng(0)
    left, noise = rng.normal(size=(2, n, d))
    return left, left + 2 * noise, rng.integers(0, CLASSES, n), rng.normal(size=(CLASSES, d))


def ours(name: str, n: int, d: int) -> Callable[[], float]:
    import lossctl

    left, right, label, weights = inputs_of(n, d)
    if name in PROXIES:
        return lambda: lossctl.compute(name, left, label, class_weights=weights.ravel().tolist()).value
    if name in OF_SETS:
        return lambda: lossctl.compute(name, left, label).value
    if name in ("uniformity", "koleo"):
        return lambda: lossctl.compute(name, left).value
    return lambda: lossctl.compute(name, left, right).value


def one_liner(name: str, n: int, d: int, dtype: str) -> Callable[[], float]:
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(2)
    left, right, label, weights = (torch.from_numpy(x) for x in inputs_of(n, d))
    left, right, weights = (x.to(getattr(torch, dtype)) for x in (left, right, weights))
    truth = torch.arange(n)

    def similarity() -> Any:
        return F.normalize(left) @ F.normalize(right).T

    def clip() -> Any:
        s = similarity() / 0.07
        return (F.cross_entropy(s, truth) + F.cross_entropy(s.T, truth)) / 2

    def siglip() -> Any:
        s = 10 * similarity() - 10
        return F.softplus(s - 2 * torch.diag(s.diag())).sum() / n

    def barlow() -> Any:
        a, b = ((x - x.mean(0)) / x.std(0, correction=0) for x in (left, right))
        c = a.T @ b / n
        return ((1 - c.diag()) ** 2).sum() + 0.005 * (c.square().sum() - c.diag().square().sum())

    def vicreg() -> Any:
        total = 25 * F.mse_loss(left, right)
        for x in (left, right):
            c = torch.cov(x.T)
            total = total + 12.5 * F.relu(1 - (c.diag() + 1e-4).sqrt()).mean()
            total = total + (c.square().sum() - c.diag().square().sum()) / d
        return total

    def arcface() -> Any:
        c = F.normalize(left) @ F.normalize(weights).T
        own = (c.gather(1, label[:, None]).acos() + 0.5).cos()
        return F.cross_entropy(64 * c.scatter(1, label[:, None], own), label)

    def proxy_anchor() -> Any:
        c, is_own = F.normalize(left) @ F.normalize(weights).T, F.one_hot(label, CLASSES).bool()
        pull = F.softplus((-32 * (c - 0.1)).masked_fill(~is_own, -torch.inf).logsumexp(0))
        push = F.softplus((32 * (c + 0.1)).masked_fill(is_own, -torch.inf).logsumexp(0))
        return pull.sum() / is_own.any(0).sum() + push.mean()

    def proxies() -> Any:
        return F.normalize(left) @ F.normalize(weights).T

    def proxy_nca() -> Any:
        d, own = 2 - 2 * proxies(), F.one_hot(label, CLASSES).bool()
        return (d[own] + (-d).masked_fill(own, -torch.inf).logsumexp(1)).mean()

    def alone() -> Any:
        x = F.normalize(left)
        return (x @ x.T).fill_diagonal_(-torch.inf)

    def kinds() -> tuple[Any, Any]:
        same = label[:, None] == label
        return same.clone().fill_diagonal_(False), ~same

    def spread() -> Any:
        x, total = F.normalize(left), 0.0
        s = x @ x.T
        for side, kind in zip((1, -1), kinds(), strict=True):
            near = s[kind]
            total = total + F.relu(side * ((1 - side * 0.01) * near.mean() - near)).square().mean()
        return total

    def thresholds() -> Any:
        x = F.normalize(left)
        s, (near, far) = x @ x.T, kinds()
        return (0.9 - s[near & (s <= 0.9)]).mean() + (s[far & (s >= 0.5)] - 0.5).nan_to_num().sum() / max(
            1, int((far & (s >= 0.5)).sum())
        )

    def snr() -> Any:
        x = left - left.mean(1, keepdim=True)
        square = x.square().sum(1)
        d, (near, far) = (square[:, None] + square - 2 * x @ x.T) / square[:, None], kinds()
        return d[near & (d > 0)].mean() + (1 - d[far & (d < 1)]).sum() / max(1, int((far & (d < 1)).sum()))

    functions = {
        "clip": clip,
        "mnrl": lambda: F.cross_entropy(20 * similarity(), truth),
        "siglip": siglip,
        "barlow-twins": barlow,
        "vicreg": vicreg,
        "arcface": arcface,
        "proxy-anchor": proxy_anchor,
        "normalized-softmax": lambda: F.cross_entropy(proxies() / 0.05, label),
        "proxy-nca": proxy_nca,
        "uniformity": lambda: (4 * alone() - 4).exp().sum().div(n * (n - 1)).log(),
        "koleo": lambda: -(2 - 2 * alone().amax(1)).log().mean() / 2,
        "intra-pair-variance": spread,
        "threshold-consistent-margin": thresholds,
        "snr-contrastive": snr,
    }
    return lambda: functions[name]().item()


def measure(who: str, name: str, n: int, d: int) -> None:
    """Prints the value, the seconds of of one call, and the MiB above those before the first."""
    function = ours(name, n, d) if who == "ours" else one_liner(name, n, d, who)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(1 if n > 4096 else 2):
        start = time.perf_counter()
        value = function()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{value!r} {min(seconds)} {(peak - before) / 1024}")


def main(n: int, d: int, names: tuple[str, ...]) -> None:
    print(f"N {n:,}, D {d}; seconds (of one call) and MiB above the inputs, a process each\n")
    print("| loss | lossctl s | MiB | torch float32 s | MiB | torch float64 s | MiB | largest difference of float64 |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name in names:
        rows = {}
        for who in ("ours", "float32", "float64"):
            command = [sys.executable, __file__, who, name, str(n), str(d)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows[who] = tuple(map(float, done.stdout.split()[-3:]))
        cells = " | ".join(f"{rows[who][1]:.2f} | {rows[who][2]:,.0f}" for who in rows)
        gap = abs(rows["ours"][0] - rows["float64"][0]) / abs(rows["ours"][0])
        print(f"| {name} | {cells} | {gap:.1e} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] and not sys.argv[1].isdigit():
        measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        size = map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (16_384, 128)
        main(*size, tuple(sys.argv[3:]) or LOSSES)
