"""Where the page listens: an address and a port that are free, before anything heavy is loaded.

    address_of(Settings(host="::", port=7861))   -> Address(host="::", port=7861), its url http://[::1]:7861

A port counts as taken when this machine's own browser could reach somebody else there, in whichever family of
addresses: a name such as `localhost` means both.
"""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from internvl_demo.errors import SetupError
from internvl_demo.settings import Settings

PORTS = range(7860, 7960)
"""Where a free one is looked for, unless a port is named."""

_LOOPBACKS = ("127.0.0.1", "::1")
_NOT_OURS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENODEV, errno.EINVAL)
_CHOOSE_HOST = "Choose --host (INTERNVL_HOST) 127.0.0.1 for this machine alone, or 0.0.0.0 for others, too."


@dataclass(frozen=True)
class Address:
    """A host, without brackets, and a port."""

    host: str
    port: int

    @property
    def name(self) -> str:
        """The host as it stands in a URL, which is how Gradio takes it."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def url(self) -> str:
        """An address that a browser on this machine can open."""
        here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{Address(here, self.port).name}:{self.port}"


def address_of(settings: Settings) -> Address:
    """Return the address that the settings ask for, with the first free port unless they name one.

    A Hugging Face Space names both to Gradio instead. Raises SetupError when nobody can listen there.
    """
    wanted = settings.host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    host = wanted.strip().removeprefix("[").removesuffix("]")
    port = settings.port or _gradios_port()
    families = _families(host)
    taken: OSError | None = None
    for one in [port] if port else PORTS:
        try:
            return Address(_listenable(host, one, families), one)
        except OSError as error:
            taken = error
            if error.errno != errno.EADDRINUSE:
                break
    assert taken is not None
    raise _refused(taken, host, port) from taken


@contextmanager
def without_proxies() -> Iterator[None]:
    """Inside, nothing goes through a proxy: as Gradio starts, it asks the page itself whether it is there."""
    kept = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    os.environ |= dict.fromkeys(kept, "*")
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _gradios_port() -> int | None:
    named = os.environ.get("GRADIO_SERVER_PORT")
    if not named:
        return None
    if not named.isdecimal() or not 1 <= int(named) <= 65535:
        raise SetupError(
            f"GRADIO_SERVER_PORT is not a port: {named}.", "Set it to a number from 1 to 65535, or unset it."
        )
    return int(named)


def _families(host: str) -> dict[str, socket.AddressFamily]:
    """Return the addresses that a host means, each with its family. Raises SetupError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, ValueError) as error:  # a name that cannot be one is a ValueError
        raise SetupError(f"There is no host {host} on which the page could listen.", _CHOOSE_HOST) from error
    return {str(place[0]): family for family, _, _, _, place in found}


def _listenable(host: str, port: int, families: dict[str, socket.AddressFamily]) -> str:
    """Return the host, or the one of its addresses that this machine has. Raises OSError."""
    ours, missing = [], OSError(errno.EADDRNOTAVAIL, "not an address of this machine")
    for address, family in families.items():
        try:
            _listen(address, port, family)
            ours.append(address)
        except OSError as error:
            if error.errno not in _NOT_OURS:
                raise
            missing = error
    if not ours:
        raise missing
    for address in _LOOPBACKS:
        try:
            _listen(address, port, socket.AF_INET6 if ":" in address else socket.AF_INET)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise
    return host if len(ours) == len(families) else ours[0]


def _listen(address: str, port: int, family: socket.AddressFamily) -> None:
    """Listen for a moment, as a server would. Raises OSError."""
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        if os.name == "posix":  # elsewhere it would let two listen
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(1)


def _refused(error: OSError, host: str, port: int | None) -> SetupError:
    if error.errno == errno.EADDRINUSE:
        ports = f"Port {port} is" if port else f"The ports {PORTS[0]} to {PORTS[-1]} are"
        return SetupError(
            f"{ports} in use by another program.",
            "End that one, or choose another port with --port (INTERNVL_PORT, or PORT= for make demo).",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return SetupError(
            f"This user may not listen on port {port}.", "Choose one from 1024 with --port (INTERNVL_PORT)."
        )
    if error.errno in _NOT_OURS:
        return SetupError(f"This machine has no address {host}.", _CHOOSE_HOST)
    reason = (error.strerror or str(error)).rstrip(".")
    return SetupError(f"The page cannot listen on {host}: {reason}.", _CHOOSE_HOST)
