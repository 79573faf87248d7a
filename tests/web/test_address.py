"""Where the page listens: what is taken or not ours is told, and what is printed can be opened."""

import os
import socket
from contextlib import closing

import pytest

from internvl_demo.errors import SetupError
from internvl_demo.settings import Settings
from internvl_demo.web import address
from internvl_demo.web.address import Address, address_of, without_proxies
from tests.support.commands import environment


@pytest.fixture(autouse=True)
def _nobody_else_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)


def listener(host: str, **how: bool) -> closing[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return closing(socket.create_server((host, 0), family=family, **how))


@pytest.mark.parametrize("host", [None, "127.0.0.1", "0.0.0.0", "::", "[::1]", "localhost"])
@pytest.mark.parametrize("taken", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_a_port_that_somebody_has_is_taken_in_every_family(host: str | None, taken: str) -> None:
    with listener(taken) as other:
        port = other.getsockname()[1]
        with pytest.raises(SetupError, match=f"Port {port} is in use") as refused:
            address_of(Settings(host=host, port=port))
    assert "--port" in refused.value.next_step


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("192.0.2.7", "no address"),
        ("2001:db8::7", "no address"),
        ("no-such-host.invalid", "no host"),
        ("http://127.0.0.1", "no host"),
        ("127.0.0.1:7860", "no host"),
        ("a" * 300 + ".org", "no host"),
        ("*", "no host"),
    ],
)
def test_a_host_that_is_not_ours_is_told(host: str, what: str) -> None:
    with pytest.raises(SetupError, match=what) as refused:
        address_of(Settings(host=host))
    assert host in refused.value.what and "--host" in refused.value.next_step


def test_all_ports_taken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with listener("127.0.0.1") as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(address, "PORTS", range(port, port + 1))
        with pytest.raises(SetupError, match=f"{port} to {port} are in use"):
            address_of(Settings())


@pytest.mark.parametrize("named", ["abc", "0", "70000", "-1", "²"])
def test_a_port_that_the_platform_names_wrongly_is_told(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("GRADIO_SERVER_PORT", named)
    with pytest.raises(SetupError, match="GRADIO_SERVER_PORT"):
        address_of(Settings())


@pytest.mark.parametrize(
    ("host", "name", "url"),
    [
        ("127.0.0.1", "127.0.0.1", "http://127.0.0.1:{port}"),
        ("", "127.0.0.1", "http://127.0.0.1:{port}"),
        ("localhost", "localhost", "http://localhost:{port}"),
        ("0.0.0.0", "0.0.0.0", "http://127.0.0.1:{port}"),
        ("::", "[::]", "http://[::1]:{port}"),
        ("[::]", "[::]", "http://[::1]:{port}"),
        (" ::1 ", "[::1]", "http://[::1]:{port}"),
    ],
)
def test_what_is_printed_can_be_opened(host: str, name: str, url: str) -> None:
    with listener("127.0.0.1") as other:
        port = other.getsockname()[1]
    found = address_of(Settings(host=host, port=port))
    assert (found.name, found.url) == (name, url.format(port=port))


def test_the_next_free_port_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with listener("127.0.0.1") as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(address, "PORTS", range(port, port + 20))
        assert port < address_of(Settings()).port < port + 20


def test_a_name_of_several_addresses_means_those_that_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as `localhost` where IPv6 is switched off."""
    stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(*stream, ("192.0.2.7", 0)), (*stream, ("127.0.0.1", 0))]
    )
    assert address_of(Settings(host="page.example.org")).host == "127.0.0.1"


def test_a_space_names_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with listener("127.0.0.1") as other:
        port = other.getsockname()[1]
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", str(port))
    assert address_of(Settings()) == Address("0.0.0.0", port)


@pytest.mark.parametrize("kept", [None, "example.org"])
def test_a_persons_own_proxies_are_back_afterwards(monkeypatch: pytest.MonkeyPatch, kept: str | None) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, kept) if kept else monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="within"), without_proxies():
        assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == "*"
        raise ValueError("within")
    assert (os.environ.get("NO_PROXY"), os.environ.get("no_proxy")) == (kept, kept)
