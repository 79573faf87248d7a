"""A public address on the web -> a file's bytes; never anything that only this machine or its network can reach.

What goes in is whatever a person typed. What comes out is a file, named after the last part of the address, or
an error that says what to do. For each step of at most three redirects:

    address -> http or https, usual port, no password -> all of the host's numbers -> each public, or none is used
            -> a connection to one of these very numbers, TLS for the host's name -> at most 32 MB, 20 s in all

so that a name that changes its number between the check and the connection gains nothing. The host is named in
`Host` and to TLS, nothing else is told: no cookies, no credentials, no referrer, no proxy (which would look names
up anew). A body comes as it is: one that is compressed all the same is refused, so that none can unfold.

Not `safehttpx`, which Gradio brings: it reads bodies of any length, takes one public number of a mixed lot, and
asks a third party's DNS. Not here: what the bytes are; `decode` decodes them like every upload.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote

import httpx

from internvl_demo.errors import DemoError
from internvl_demo.photos.decode import display_name
from internvl_demo.photos.door import MAX_BYTES

MAX_REDIRECTS = 3
TOTAL_S = 20.0
"""For looking up, connecting, redirects and reading, all together."""

MAX_URL_CHARS = 4096

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_TRIED_NUMBERS = 3
_CONNECT_S = 6.0
"""For one of a host's numbers; then the next has its turn."""

_HEADERS = {"User-Agent": "internvl_demo", "Accept": "image/*", "Accept-Encoding": "identity"}
_NUMBER_LIKE = re.compile(r"(^|\.)(0x[0-9a-f]*|[0-9]+)\.?$", re.IGNORECASE)
"""How a host ends that is a number in some notation: 127.1, 0x7f.1, 2130706433. Names never end so."""

_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
"""Where public IPv6 is; outside lie mapped IPv4 (::ffff:0:0/96), NAT64 (64:ff9b::/96), local and multicast."""

_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocols' own; a cloud's metadata is at 192.0.0.192
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # a cloud's host, from inside its machines
        "2001::/23",  # protocols' own, among them Teredo, which holds IPv4
        "2001:db8::/32",  # examples
        "2002::/16",  # 6to4, which holds IPv4
        "3fff::/20",  # examples
    )
)
"""What Python's `is_global` lets through in some versions, or takes for the internet though it leads elsewhere."""

_OTHER_ADDRESS = "Check it, or save the picture and add it as a file."


class AddressError(DemoError):
    """The address cannot be used, or no picture could be fetched from it."""


def is_public(number: str) -> bool:
    """Whether `number`, an IPv4 or IPv6 address, is one of the public internet's."""
    try:
        address = ipaddress.ip_address(number)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address not in _GLOBAL_V6):
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _NOT_PUBLIC if network.version == address.version)


async def look_up(host: str, port: int) -> list[str]:
    """All numbers of a host, as the machine's resolver gives them. Raises OSError if there are none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True)
class Rules:
    """What is allowed; other rules than the default are for tests. `ports` None: any."""

    look_up: Callable[[str, int], Awaitable[list[str]]] = look_up
    is_public: Callable[[str], bool] = is_public
    ports: tuple[int, ...] | None = tuple(_PORTS.values())
    max_bytes: int = MAX_BYTES
    total_s: float = TOTAL_S


async def fetch_file(url: str, rules: Rules = Rules()) -> tuple[str, bytes]:
    """Fetch the file at a public http or https address: its name, for display, and its bytes, whatever they are.

    Raises AddressError if the address is none, is not public, does not answer in 20 s, or leads to something that
    cannot be a picture's file of at most 32 MB.
    """
    try:
        async with asyncio.timeout(rules.total_s):
            name, data = await _follow(_parsed(url), rules)
            return display_name(name), data
    except TimeoutError:
        raise AddressError(
            "The address has not sent a picture within {seconds} seconds.",
            "Try again later, or save the picture and add it as a file.",
            seconds=f"{rules.total_s:.0f}",
        ) from None


async def _follow(url: httpx.URL, rules: Rules) -> tuple[str, bytes]:
    """Name and bytes of what is at the end of the redirects."""
    for _ in range(1 + MAX_REDIRECTS):
        _check(url, rules)
        got = await _step(url, rules)
        if isinstance(got, bytes):
            return _name(url), got
        url = got
    raise AddressError("The address leads on more than {most} times.", _OTHER_ADDRESS, most=MAX_REDIRECTS)


def _parsed(text: str) -> httpx.URL:
    text = text.strip()
    try:
        if len(text) > MAX_URL_CHARS:
            raise ValueError("too long")
        return httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise AddressError("This is no address on the web.", "It begins with https:// ...") from None


def _check(url: httpx.URL, rules: Rules) -> None:
    """Everything about an address that can be known without asking anybody."""
    if url.scheme not in _PORTS or not url.host:
        raise AddressError(
            "Only addresses that begin with http:// or https:// can be fetched.", _OTHER_ADDRESS
        )
    if url.userinfo:
        raise AddressError("The address holds a name or a password.", "Leave out what stands before the @.")
    if rules.ports is not None and _port(url) not in rules.ports:
        raise AddressError("The address names an unusual port.", "Only 80 and 443 can be used.")
    if "%" in url.host or (_NUMBER_LIKE.search(url.host) and not _is_plain_number(url.host)):
        raise _not_public()


def _is_plain_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _step(url: httpx.URL, rules: Rules) -> httpx.URL | bytes:
    """Where the address leads on, or what is there."""
    try:
        numbers = await rules.look_up(url.raw_host.decode("ascii"), _port(url))
    except (OSError, UnicodeError):
        raise AddressError('There is no host "{host}".', _OTHER_ADDRESS, host=url.host[:80]) from None
    if not numbers or not all(rules.is_public(number) for number in numbers):
        raise _not_public()
    for number in numbers[:_TRIED_NUMBERS]:
        try:
            return await _ask(url, number, rules)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):  # httpx reads a redirect's address, too
            raise AddressError(
                "The connection broke before the picture was there.", "Try again later."
            ) from None
    raise AddressError('"{host}" cannot be reached.', _OTHER_ADDRESS, host=url.host[:80])


async def _ask(url: httpx.URL, number: str, rules: Rules) -> httpx.URL | bytes:
    """One request to that very number, in the host's name. `url` is checked, `number` public."""
    headers = {**_HEADERS, "Host": url.netloc.decode("ascii")}
    pinned = url.copy_with(host=number, fragment=None)
    named = {"sni_hostname": url.raw_host.decode("ascii")}
    patience = httpx.Timeout(None, connect=_CONNECT_S)
    async with (
        httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=patience) as client,
        client.stream("GET", pinned, headers=headers, extensions=named) as response,
    ):
        if response.status_code in _REDIRECTS and "location" in response.headers:
            return _onward(url, response.headers["location"])
        if response.status_code != 200:
            raise AddressError(
                "The address answers with error {status}.", _OTHER_ADDRESS, status=response.status_code
            )
        return await _body(response, rules)


def _onward(url: httpx.URL, location: str) -> httpx.URL:
    try:
        if len(location) > MAX_URL_CHARS:
            raise ValueError("too long")
        return url.join(location)
    except (httpx.InvalidURL, ValueError):
        raise AddressError("The address leads on to none.", _OTHER_ADDRESS) from None


async def _body(response: httpx.Response, rules: Rules) -> bytes:
    if response.headers.get("content-type", "").lower().startswith("text/html"):
        raise AddressError(
            "The address leads to a web page, not to a picture.",
            'Open it, and copy the address of the picture itself ("Copy image address").',
        )
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise AddressError("The picture was sent compressed once more.", "Save it and add it as a file.")
    length = response.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > rules.max_bytes:
        raise _too_large(rules)
    data = bytearray()
    async for piece in response.aiter_raw():
        data += piece
        if len(data) > rules.max_bytes:
            raise _too_large(rules)
    return bytes(data)


def _port(url: httpx.URL) -> int:
    return _PORTS[url.scheme] if url.port is None else url.port


def _name(url: httpx.URL) -> str:
    """`https://a.org/x/cat%20one.png?y` -> `cat one.png`; the host where there is no such part."""
    return unquote(url.path.rstrip("/").rsplit("/", 1)[-1]) or url.host


def _too_large(rules: Rules) -> AddressError:
    return AddressError(
        "The file at the address is larger than {limit} MB.",
        "Choose a smaller picture.",
        limit=f"{rules.max_bytes / 1024 / 1024:.0f}",
    )


def _not_public() -> AddressError:
    return AddressError(
        "The address is not one of the public internet.",
        "Save the picture and add it as a file.",
    )
