"""Who runs the parts of a computation: executors as they are, and those of clusters by name."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import DeviceError, FileError, UsageError
from ..files import again
from ..rows.workers import cores
from ..text import shown
from . import ranks

if TYPE_CHECKING:
    from .compute import Jobs
    from .parts import Executor

RETRIES = 3  # how often a part is run again whose worker was lost
PATIENCE = 300.0  # seconds in which a cluster should have a worker


@contextmanager
def working(jobs: Jobs) -> Iterator[int | Executor | None]:
    """`jobs` with the executor that its text means, which ends with the block: "ray", "dask://HOST:PORT".

    UsageError, FileError (not installed), DeviceError (not to be reached).
    """
    if not isinstance(jobs, str):
        yield jobs
        return
    name, _, host = jobs.partition("://")
    if name not in CLUSTERS or jobs.endswith("://"):
        raise UsageError(
            f"there is no '{shown(jobs)}' to run on",
            fix="use ray, ray://HOST:PORT, dask or dask://HOST:PORT",
        )
    cluster = CLUSTERS[name]
    try:
        importlib.import_module(cluster.library)
    except ImportError as fault:
        raise FileError(
            f"'{shown(jobs)}' needs {cluster.library}", why=str(fault), fix=f"pip install 'lossctl[{name}]'"
        ) from fault
    with cluster.connect(host) as executor:
        yield executor


def _unreachable(name: str, host: str, fault: Exception, check: str = "the address") -> DeviceError:
    where = f"{name}://{shown(host)}" if host else name
    reason = (str(fault).strip() or type(fault).__name__).splitlines()[0]
    return DeviceError(
        f"{where} cannot be reached: {shown(reason)}",
        fix=f"check {check}, or use {name}, which starts workers here",
    )


def _lost(name: str, fault: Exception) -> DeviceError:
    reason = (str(fault).strip() or type(fault).__name__).splitlines()[0]
    return DeviceError(
        f"a part has lost its worker of {name} {RETRIES + 1} times: {shown(reason)}",
        why="what it was doing is missing, so there is no result",
        fix=f"see what {name} says of its workers; a process that is killed often had too little memory: --memory 1GB",
    )


def _gone(where: str, fault: Exception) -> DeviceError:
    reason = getattr(fault, "reason", "") or (str(fault).strip() or type(fault).__name__).splitlines()[0]
    return DeviceError(
        f"{where} was lost: {shown(reason)}",
        why="what was computed there is missing, so there is no result",
        fix="see what its scheduler says, then run again",
    )


class _Ray(NamedTuple):
    """Tasks of Ray as futures. run: the remote function"""

    run: Any

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Any:
        return _OfRay(lambda: self.run.remote(fn, *args).future())


class _OfRay:
    """A task of Ray, which is sent once more where its worker is lost."""

    def __init__(self, send: Callable[[], Any]) -> None:
        self._send = send
        self._future = send()

    def result(self) -> Any:
        """What it gives. DeviceError where too many workers are lost."""
        from ray import exceptions

        for left in range(RETRIES, -1, -1):
            try:
                return self._future.result()
            except (exceptions.RayTaskError, exceptions.TaskCancelledError):
                raise
            except exceptions.RayError as fault:
                if not left:
                    raise _lost("ray", fault) from fault
                again.count({again.LOST: 1})
                self._future = self._send()
        raise AssertionError("a task is done, or fails")

    def cancel(self) -> None:
        """What is not begun need not be."""
        self._future.cancel()


class _Stdout(NamedTuple):
    """A stream for results. own: the threads that were there before an engine, whose words go to stderr"""

    stream: Any
    own: Collection[threading.Thread]

    def write(self, text: str) -> int:
        stream = self.stream if threading.current_thread() in self.own else sys.stderr
        return int(stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def _ray(host: str) -> Iterator[_Ray]:
    import ray

    is_ours = not ray.is_initialized()
    with contextlib.redirect_stdout(_Stdout(sys.stdout, {*threading.enumerate()})):
        if is_ours:
            _begin_ray(ray, f"ray://{host}" if host else os.environ.get("RAY_ADDRESS"))
        try:
            yield _Ray(ray.remote(max_retries=0, num_cpus=1)(_call))
        finally:
            if is_ours:
                with contextlib.redirect_stdout(sys.stderr):  # what Ray has still to say
                    ray.shutdown()


def _begin_ray(ray: Any, address: str | None) -> None:
    """Join the cluster of an address, or start one here. DeviceError."""
    own: dict[str, Any] = {} if address else {"num_cpus": cores(), "include_dashboard": False}
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **own)
    except Exception as fault:
        where = (address or "").removeprefix("ray://")
        raise _unreachable("ray", where, fault, "the address and RAY_AUTH_TOKEN") from fault


def _call(fn: Callable[..., Any], *args: Any) -> Any:
    return fn(*args)


@contextmanager
def _dask(host: str) -> Iterator[Any]:
    distributed: Any = importlib.import_module("distributed")
    try:
        if host:
            client = distributed.Client(host if "://" in host else f"tcp://{host}", timeout=10)
        else:
            client = distributed.Client(
                n_workers=cores(), threads_per_worker=1, dashboard_address=None, silence_logs="ERROR"
            )
    except (OSError, ValueError) as fault:
        raise _unreachable("dask", host, fault) from fault
    with distributed.utils.silence_logging_cmgr(logging.CRITICAL), client:  # what is lost is told below
        before, executor = len(client.get_events("all")), _Dask(client, set())
        try:
            yield executor
        except distributed.KilledWorker as fault:
            raise _lost("dask", fault) from fault
        except (CancelledError, distributed.comm.CommClosedError) as fault:
            raise _gone(f"dask://{shown(host)}" if host else "dask", fault) from fault
        finally:
            if client.status == "running":
                again.count({again.LOST: executor.lost(client.get_events("all")[before:])})


class _Dask(NamedTuple):
    """Tasks of dask. keys: what dask calls them"""

    client: Any
    keys: set[str]

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Any:
        future = self.client.submit(fn, *args, pure=False, retries=RETRIES)
        self.keys.add(future.key)
        return _OfDask(self.client, future)

    def lost(self, events: Sequence[tuple[float, Any]]) -> int:
        """How many of them were being done by workers that were lost."""
        removed = (event for _, event in events if isinstance(event, dict) and event.get("action") == "remove-worker")
        return sum(len(self.keys.intersection(event.get("processing-tasks", ()))) for event in removed)


class _OfDask(NamedTuple):
    """A task of dask, which waits for workers no longer than `PATIENCE`."""

    client: Any
    future: Any

    def result(self) -> Any:
        """What it gives. DeviceError where there has been no worker for long."""
        last = time.monotonic()
        while True:
            try:
                return self.future.result(timeout=PATIENCE / 10)
            except TimeoutError:
                if self.future.done():
                    raise
            if self.client.nthreads():
                last = time.monotonic()
            elif time.monotonic() > last + PATIENCE:
                raise DeviceError(
                    f"dask has had no worker for {PATIENCE:.0f} seconds",
                    why="what is left to do is missing, so there is no result",
                    fix="start workers of it, or see why they ended, then run again",
                )

    def cancel(self) -> None:
        """What is not begun need not be."""
        self.future.cancel()


class Cluster(NamedTuple):
    """An engine that runs functions elsewhere. library: what it needs;  connect: its executor, from a host or none"""

    library: str
    connect: Callable[[str], Any]


CLUSTERS = {
    "ray": Cluster("ray", _ray),
    "dask": Cluster("distributed", _dask),
    "torchrun": Cluster("torch", ranks.connected),
}
