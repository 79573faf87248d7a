"""Pictures by address: what is refused, and that nothing but the public internet is ever asked."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from internvl_demo.errors import DemoError
from internvl_demo.photos.download import AddressError, Rules, fetch_file, is_public, look_up
from tests.support.uploads import png

HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
"""Two numbers of this machine. To these tests the first is public, the second private."""

PICTURE = png((20, 10))


def answer(body: bytes = PICTURE, *headers: str, status: str = "200 OK") -> bytes:
    length = [] if any(header.lower().startswith("content-length") for header in headers) else [len(body)]
    lines = [
        f"HTTP/1.1 {status}",
        *headers,
        *(f"Content-Length: {one}" for one in length),
        "Connection: close",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def onward(location: str) -> bytes:
    return answer(b"", f"Location: {location}", "Set-Cookie: id=1", status="302 Found")


@dataclass
class Served:
    """A real server on `number` that says the same to everybody, and remembers what it was asked."""

    says: Callable[[str], bytes | AsyncIterator[bytes]]
    number: str = HERE
    asked: list[str] = field(default_factory=list)
    port: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
            says = self.says(self.asked[-1].split()[1])
            if isinstance(says, bytes):
                writer.write(says)
            else:
                async for piece in says:
                    writer.write(piece)
                    await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*servers: Served) -> AsyncIterator[None]:
    """All on one port, as the default rules want it of real ones."""
    opened: list[asyncio.Server] = []
    try:
        for server in servers:
            port = opened[0].sockets[0].getsockname()[1] if opened else 0
            opened.append(await asyncio.start_server(server.talk, server.number, port))
            server.port = opened[0].sockets[0].getsockname()[1]
        yield
    finally:
        for one in opened:
            one.close()


async def to_here(_host: str, _port: int) -> list[str]:
    return [HERE]


RULES = Rules(look_up=to_here, is_public=lambda number: number == HERE, ports=None, total_s=120)


def fetched(
    *servers: Served, url: str = "http://photos.example:{port}/cat.png", rules: Rules = RULES
) -> tuple[str, bytes]:
    async def run() -> tuple[str, bytes]:
        async with serving(*servers):
            return await fetch_file(url.format(port=servers[0].port), rules)

    return asyncio.run(run())


def refused(*servers: Served, **more: Any) -> AddressError:
    with pytest.raises(AddressError) as caught:
        fetched(*servers, **more)
    assert caught.value.next_step
    return caught.value


# Which numbers are public.


@pytest.mark.parametrize(
    "number",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",  # at home
        "169.254.169.254", "192.0.0.192", "100.100.100.200", "168.63.129.16", "fd00:ec2::254",  # clouds' metadata
        "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1", "192.88.99.1",
        "::1", "::", "fe80::1", "fe80::1%eth0", "2606:4700::1111%eth0", "fc00::1", "fec0::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808",
        "64:ff9b:1::1", "2002:7f00:1::1", "2002:808:808::1", "2001:0:7f00:1::1", "2001:db8::1", "3fff::1", "100::1",
        "", "localhost", "0x7f.1", "127.1", "2130706433", "017700000001", "8.8.8.8 ", "1.1.1", "[::1]",
    ],
)  # fmt: skip
def test_these_are_not_public(number: str) -> None:
    assert not is_public(number)


@pytest.mark.parametrize(
    "number", ["8.8.8.8", "1.1.1.1", "151.101.1.69", "2606:4700:4700::1111", "2a00:1450::1"]
)
def test_these_are_public(number: str) -> None:
    assert is_public(number)


@given(st.ip_addresses(v=4))
def test_no_number_of_ours_becomes_public_inside_another(address: Any) -> None:
    hidden = int(address)
    for network in ("::ffff:0:0", "::", "64:ff9b::"):
        start = int.from_bytes(socket.inet_pton(socket.AF_INET6, network), "big")
        inside = (start + hidden).to_bytes(16, "big")
        assert not is_public(socket.inet_ntop(socket.AF_INET6, inside))


# Addresses that are refused before anybody is asked.


@pytest.mark.parametrize(
    "url",
    [
        "", " ", "cat.png", "//a.org/x.png", "/etc/passwd", "file:///etc/passwd", "ftp://a.org/x.png", "gopher://a.org/",
        "data:image/png;base64,AAAA", "javascript:alert(1)", "http://", "http:///x.png", "http://[::1", "http://a:b:c/",
        "http://a\nb.org/", "http://a.org:99999/", "https://a.org/" + "x" * 5000, "http://" + "\u2100" + ".org/",
        "http://me@a.org/", "http://me:secret@a.org/", "http://:secret@a.org/", "http://a.org\\@b.org/",
        "http://a.org:8080/", "http://a.org:22/", "https://a.org:6379/", "http://a.org:0/",
        "http://0x7f.1/", "http://127.1/", "http://2130706433/", "http://017700000001/", "http://0x8.0x8.0x8.0x8/",
        "http://8.8.2056/", "http://8.8.8.8./", "http://[fe80::1%25eth0]/",
    ],
)  # fmt: skip
def test_such_an_address_is_refused_and_nothing_is_looked_up(url: str) -> None:
    async def nothing(host: str, _port: int) -> list[str]:
        raise AssertionError(f"looked up {host}")

    with pytest.raises(AddressError) as caught:
        asyncio.run(fetch_file(url, Rules(look_up=nothing)))
    assert caught.value.what and caught.value.next_step


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "10.0.0.1", "[::ffff:10.0.0.1]", "169.254.169.254"]
)
def test_by_the_real_rules_this_machine_is_refused(host: str) -> None:
    with pytest.raises(AddressError, match="public"):
        asyncio.run(fetch_file(f"http://{host}/cat.png"))


def test_the_machines_resolver_is_asked() -> None:
    assert HERE in asyncio.run(look_up("localhost", 80))


def test_a_host_that_is_nowhere_is_told() -> None:
    async def nowhere(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(AddressError, match="no host"):
        asyncio.run(fetch_file("https://nowhere.example/x.png", Rules(look_up=nowhere)))


# Names that lead somewhere else.


@pytest.mark.parametrize("numbers", [[ELSEWHERE], [HERE, ELSEWHERE], [ELSEWHERE, HERE], []])
def test_one_number_that_is_not_public_spoils_the_name(numbers: list[str]) -> None:
    async def some(_host: str, _port: int) -> list[str]:
        return numbers

    public, private = Served(lambda _: answer()), Served(lambda _: answer(), ELSEWHERE)
    refused(public, private, rules=replace(RULES, look_up=some))
    assert not public.asked and not private.asked


def test_a_name_that_changes_its_number_after_the_check_gains_nothing() -> None:
    looked_up: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        looked_up.append(host)
        return [HERE if len(looked_up) == 1 else ELSEWHERE]

    public, private = Served(lambda _: answer()), Served(lambda _: answer(), ELSEWHERE)
    fetched(public, private, rules=replace(RULES, look_up=rebinding))
    assert looked_up == ["photos.example"]
    assert len(public.asked) == 1 and not private.asked


def test_every_redirect_is_looked_up_and_checked_anew() -> None:
    async def by_name(host: str, _port: int) -> list[str]:
        return [ELSEWHERE if host == "inside.example" else HERE]

    public = Served(lambda _: onward(f"http://inside.example:{public.port}/secret.png"))
    private = Served(lambda _: answer(), ELSEWHERE)
    assert "public" in refused(public, private, rules=replace(RULES, look_up=by_name)).what
    assert len(public.asked) == 1 and not private.asked


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.2/x.png", "http://[::1]/", "file:///etc/passwd", "ftp://a.org/", "http://me:you@a.org/",
     "http://0x7f.1/", "//127.0.0.2/x", "http://[::1", "javascript:1", "http://" + "a" * 5000],
)  # fmt: skip
def test_a_redirect_leads_nowhere_that_an_address_may_not(location: str) -> None:
    async def literally(host: str, _port: int) -> list[str]:
        return [HERE if host.endswith(".example") else host]

    server = Served(lambda _: onward(location))
    refused(server, rules=replace(RULES, look_up=literally))
    assert len(server.asked) == 1


def test_the_fourth_redirect_is_one_too_many() -> None:
    server = Served(lambda _: onward("/again.png"))
    assert "3 times" in refused(server).what
    assert len(server.asked) == 4


# Bodies.


def test_a_body_without_an_end_is_cut_at_the_limit() -> None:
    sent: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n"
        while True:
            sent.append(65_536)
            yield bytes(65_536)

    limit = 1_000_000
    assert "larger" in refused(Served(lambda _: endless()), rules=replace(RULES, max_bytes=limit)).what
    assert sum(sent) < 40 * limit, "it stops soon: only what is on its way in buffers is more"


def test_a_length_over_the_limit_is_believed_at_once() -> None:
    server = Served(lambda _: answer(b"", f"Content-Length: {33 * 1024 * 1024}"))
    assert refused(server).what == "The file at the address is larger than 32 MB."


def test_a_compressed_body_is_refused_instead_of_unfolded() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert "compressed" in refused(Served(lambda _: answer(bomb, "Content-Encoding: gzip"))).what


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n\x89PNG"])
def test_one_who_is_slow_is_given_up(beginning: bytes) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield beginning
        await asyncio.Event().wait()

    assert "within" in refused(Served(lambda _: slow()), rules=replace(RULES, total_s=0.5)).what


def test_a_resolver_that_is_slow_is_given_up() -> None:
    async def never(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return [HERE]

    with pytest.raises(AddressError, match="within"):
        asyncio.run(fetch_file("https://a.example/", Rules(look_up=never, total_s=0.2)))


@pytest.mark.parametrize(
    ("says", "what"),
    [
        (answer(b"<html>", "Content-Type: text/html; charset=utf-8"), "web page"),
        (answer(b"gone", status="404 Not Found"), "404"),
        (answer(b"", status="204 No Content"), "204"),
        (answer(b"", status="302 Found"), "302"),
        (b"", "broke"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "broke"),
        (answer(PICTURE, f"Content-Length: {len(PICTURE) + 9}"), "broke"),
    ],
)
def test_what_is_no_picture_is_told(says: bytes, what: str) -> None:
    assert what in refused(Served(lambda _: says)).what


def test_a_host_that_nobody_answers_for_is_told() -> None:
    server = Served(lambda _: answer())

    async def gone() -> None:
        async with serving(server):
            pass
        await fetch_file(f"http://photos.example:{server.port}/", RULES)

    with pytest.raises(AddressError, match="cannot be reached"):
        asyncio.run(gone())


@settings(max_examples=40)
@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://a.org/", "http://[", "http://1."]))
def test_whatever_is_typed_only_errors_with_a_next_step_come_out(text: str, before: str) -> None:
    async def nowhere(_host: str, _port: int) -> list[str]:
        return [ELSEWHERE]

    with pytest.raises(DemoError) as caught:
        asyncio.run(fetch_file(before + text, Rules(look_up=nowhere)))
    assert caught.value.next_step


# What works.


def test_a_picture_is_fetched_and_named_after_its_address() -> None:
    server = Served(lambda _: answer(PICTURE, "Content-Type: text/plain"))
    file = fetched(server, url="http://photos.example:{port}/a/my%20cat.png?size=9#top")
    assert file == ("my cat.png", PICTURE)


@pytest.mark.parametrize("body", [b"", b"not a picture", b"<svg/>"])
def test_what_the_bytes_are_is_not_asked_here(body: bytes) -> None:
    assert fetched(Served(lambda _: answer(body, "Content-Type: image/png"))) == ("cat.png", body)


@pytest.mark.parametrize(
    ("path", "name"), [("a%2Fb%0Ac.png", "bc.png"), ("..%5C..%5Ccat.png", "cat.png"), ("n" * 300, "n" * 80)]
)
def test_a_name_from_an_address_is_safe_to_show(path: str, name: str) -> None:
    assert fetched(Served(lambda _: answer()), url=f"http://photos.example:{{port}}/{path}")[0] == name


def test_nothing_is_told_but_the_address_and_the_host() -> None:
    steps = {"/cat.png": onward("two.png"), "/two.png": answer()}
    server = Served(lambda path: steps[path])
    assert fetched(server)[0] == "two.png"
    for asked in server.asked:
        first, *lines = asked.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        assert headers["host"] == f"photos.example:{server.port}"
        assert headers["accept-encoding"] == "identity"
        assert set(headers) == {"host", "accept", "accept-encoding", "user-agent", "connection"}, first


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.2:9")
    assert fetched(Served(lambda _: answer())) == ("cat.png", PICTURE)


def test_the_next_number_is_tried_when_one_does_not_answer() -> None:
    async def two(_host: str, _port: int) -> list[str]:
        return [ELSEWHERE, HERE]

    rules = replace(RULES, look_up=two, is_public=lambda _: True)
    assert fetched(Served(lambda _: answer()), rules=rules) == ("cat.png", PICTURE)


def test_tls_is_spoken_to_the_checked_number_in_the_hosts_name() -> None:
    hello: list[bytes] = []

    async def run() -> None:
        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            hello.append(await reader.read(4096))
            writer.close()

        server = await asyncio.start_server(listen, HERE, 0)
        async with server:
            await fetch_file(f"https://photos.example:{server.sockets[0].getsockname()[1]}/", RULES)

    with pytest.raises(AddressError, match="cannot be reached"):
        asyncio.run(run())
    assert hello[0][0] == 0x16 and b"photos.example" in hello[0]


def test_the_look_up_of_the_default_rules_is_the_real_one() -> None:
    default: Callable[[str, int], Awaitable[list[str]]] = Rules().look_up
    assert default is look_up and Rules().is_public is is_public and Rules().ports == (80, 443)
