"""A Ray cluster to work on: one that is there already, or one on this machine for the while."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from landslide_zoo.errors import LandslideZooError

LOCAL_WORKERS = 2
"""Scenes that are mapped side by side on this machine, where nothing else is asked for."""
_ADDRESS = "RAY_ADDRESS"
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Set to 0, a cluster is of one machine on every system, and its address is 127.0.0.1."""
_PROXIES = ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy")
_STORE = 100_000_000
"""Bytes of Ray's object store: what goes through it are names and sentences."""


@dataclass(frozen=True)
class Share:
    """What each worker has to itself.

    Attributes:
        workers: How many there are.
        cpus: Processors of each.
        gpus: GPUs of each, 0 or 1.
    """

    workers: int
    cpus: float
    gpus: int


@contextmanager
def ray_cluster(workers: int | None = None) -> Iterator[Share]:
    """Connect to Ray, and disconnect at the end.

    Where ``RAY_ADDRESS`` names a cluster, or Ray is connected already, that one is
    used. Else one is started on this machine: it listens on loopback alone,
    without dashboard, and tells nobody of its use.

    Args:
        workers: How many; where None one for each GPU, else two on this machine
            and one for each machine of a cluster.

    Raises:
        LandslideZooError: If Ray is not installed, or does not start.
    """
    ray = _import_ray()
    if ray.is_initialized():
        yield _share(ray.nodes(), workers)
        return
    try:
        if os.environ.get(_ADDRESS):
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        else:
            _start_here(ray)
    except Exception as error:  # Ray has no errors of its own for this
        reason = " ".join(str(error).split()).rstrip(".")
        raise LandslideZooError(f"Ray does not start: {reason[:300]}.") from error
    try:
        yield _share(ray.nodes(), workers)
    finally:
        ray.shutdown()


def _start_here(ray: Any) -> None:  # noqa: ANN401 - a module
    # Even without statistics Ray asks the metadata servers of three clouds where it runs.
    nowhere, here = "http://127.0.0.1:9", "127.0.0.1,localhost"
    settings = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_BACKEND_LOG_LEVEL": "fatal",  # its files have the rest
        _LOOPBACK: "0",
        **dict(zip(_PROXIES, (nowhere, nowhere, here, here), strict=True)),
    }
    of_workers = {name: os.environ.get(name, "") for name in _PROXIES}
    with _environment(settings):
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=_STORE,
            runtime_env={"env_vars": of_workers},
        )


def _import_ray() -> Any:  # noqa: ANN401 - a module
    """Ray, which reads once, when it is imported, whether it may leave loopback."""
    alone = {} if os.environ.get(_ADDRESS) else {_LOOPBACK: os.environ.get(_LOOPBACK, "0")}
    try:
        with _environment(alone):
            import ray
            import ray.data
    except ImportError as error:
        raise LandslideZooError(
            "The engine ray is not installed: pip install 'landslide-zoo[ray]'."
        ) from error
    return ray


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment for the while."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ |= settings
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _share(nodes: list[dict[str, Any]], workers: int | None) -> Share:
    """Split a cluster's processors, or its GPUs, among workers."""
    held = [node["Resources"] for node in nodes if node["Alive"]]
    gpus = int(sum(one.get("GPU", 0) for one in held))
    if gpus:
        return Share(min(workers or gpus, gpus), 1, 1)
    cpus = [one["CPU"] for one in held if one.get("CPU")] or [1.0]
    workers = workers or (LOCAL_WORKERS if len(held) == 1 else len(cpus))
    each = min(cpus) / -(-workers // len(cpus))
    return Share(workers, float(int(each)) if each >= 1 else each, 0)
