"""The network guard: nothing in the tests, subprocesses included, reaches outside the machine.

Python imports a module of this name at start-up. The tests' ``conftest.py``
imports it too and puts its folder on ``PYTHONPATH``, so it also runs in every
Python subprocess. An audit hook (PEP 578) then refuses each connection and
name lookup that does not stay on loopback, and appends a line about it to the
file that ``NETWORK_GUARD_LOG`` names; the session fails if that file is not
empty. Without the variable nothing is guarded. What other programs do, and
native code that opens sockets without Python's ``socket``, is not seen.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from typing import Any

LOG_VARIABLE = "NETWORK_GUARD_LOG"

_LOOKUPS = {
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
    "socket.getnameinfo",
}
_SENDS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_LOCAL_NAMES = {"", "localhost", socket.gethostname()}


class NetworkBlockedError(OSError):
    """Something tried to reach outside the machine."""


def stays_local(host: Any) -> bool:
    """Whether a host name or address is this machine's."""
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name in _LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _destination(event: str, args: tuple[Any, ...]) -> Any:
    """The host that an audit event is about; None where it leads nowhere."""
    if event in _LOOKUPS:
        return args[0][0] if isinstance(args[0], tuple) else args[0]
    if event in _SENDS:
        sender, address = args[:2]
        if sender.family in (socket.AF_INET, socket.AF_INET6) and address:
            return address[0]
    return None


def _guard(event: str, args: tuple[Any, ...]) -> None:
    log = os.environ.get(LOG_VARIABLE)
    if not log or not event.startswith("socket."):
        return
    host = _destination(event, args)
    if stays_local(host):
        return
    line = f"{event} {host} by {' '.join(sys.argv[:3])}\n"
    with open(log, "a") as file:
        file.write(line)
    raise NetworkBlockedError(f"The network guard of the tests refuses {line.strip()}.")


sys.addaudithook(_guard)
