"""What a process finds around it: its console, its certificates, its temporary folder, the places where it shall write.

All of it is somebody's: a console that knows no Chinese, a variable of years ago, a folder that is gone. What can be
borne is borne here; what cannot is said before the work begins, as a SetupError with two sentences.

Not here: the choices of a host (`settings`), the address of the page (`web.address`), proxies on the way to a model
server (`models.openai`), the folder of conversations (`store`).
"""

import json
import os
import socket
import ssl
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TextIO

from internvl_demo.errors import SetupError

READER_LEFT = 1
"""The exit code of a program whose output nobody reads any more."""

_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name a file of certificates for one library or another."""

_SOME_BYTES = bytes(64 * 1024)
"""What a folder has room for if it has any."""


# The console


@contextmanager
def console() -> Iterator[None]:
    """Inside, what the console cannot show is replaced; whoever stops reading (`| head`) ends the program quietly.

    Raises SystemExit then, and SetupError when the output cannot be written for another reason.
    """
    stdout = sys.stdout
    for stream in (stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        if stdout:  # which may be closed
            _flush(stdout)


def _flush(stdout: TextIO) -> None:
    try:
        stdout.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)  # or Python tries again at the exit, and complains
        os.dup2(nowhere, stdout.fileno())
        os.close(nowhere)
        if isinstance(error, BrokenPipeError):
            raise SystemExit(READER_LEFT) from None
        raise SetupError(
            f"The output cannot be written: {_reason(error)}.",
            "Write it to a disk with room, or to a console.",
        ) from error


def print_json(value: Any) -> None:
    """Print JSON, in ASCII where the console could not show its words as they are."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    print(text)


def as_typed(argument: str) -> str:
    """Return an argument as it was typed, in UTF-8; a process in the locale C reads each byte as half a character."""
    if any("\udc80" <= character <= "\udcff" for character in argument):
        return os.fsencode(argument).decode("utf-8", "replace")
    return argument


# Files and folders


def check_file(path: Path, suffixes: Sequence[str] = ()) -> None:
    """Say before the work that its result cannot be written to `path`; nothing is changed there.

    suffixes: what the name may end in, such as `.png`; none: anything. Raises SetupError.
    """
    try:
        if path.is_dir():
            raise SetupError(f"{path} is a folder.", "Name a file in it.")
        if suffixes and path.suffix.lower() not in suffixes:
            raise SetupError(
                f"{path} does not end in {' or '.join(suffixes)}.",
                f"Call it {path.with_suffix(suffixes[0])}.",
            )
        if not path.parent.is_dir():
            raise SetupError(f"There is no folder {path.parent}.", "Make it, or name a file in another one.")
        if path.is_file():
            os.close(os.open(path, os.O_WRONLY))
        _try_writing(path.parent)
    except OSError as error:
        raise SetupError(
            f"{path} cannot be written: {_reason(error)}.", "Name a file in a folder that you may write to."
        ) from error


def check_folder(path: Path, variable: str = "") -> None:
    """Make a folder for the result of the work, before it. Raises SetupError when nothing can be written there.

    variable: what names the folder, if it is the environment.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        _try_writing(path)
    except OSError as error:
        raise SetupError(
            f"Nothing can be written to {path}: {_reason(error)}.",
            f"{f'Set {variable} to' if variable else 'Name'} a folder that you may write to, on a disk with room.",
        ) from error


def check_temporary_folder() -> None:
    """Check that there is a folder for temporary files, with room in it. Raises SetupError."""
    try:
        _try_writing(Path(tempfile.gettempdir()))
    except OSError as error:
        raise SetupError(
            f"Temporary files cannot be written: {_reason(error)}.",
            "Set TMPDIR to a folder that this user may write to, on a disk with room.",
        ) from error


def _try_writing(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(_SOME_BYTES)


def refused_by_system(error: OSError) -> SetupError:
    """Return what to say of an error of the operating system that nobody expected where it came."""
    where = f"{error.filename}: " if error.filename else ""
    return SetupError(
        f"The system does not let the command go on ({where}{_reason(error)}).",
        "Check that the files are there, that this user may use them, and that the disk has room.",
    )


def _reason(error: OSError) -> str:
    """Return what the operating system says, without the path, which stands in the sentence."""
    return (error.strerror or str(error)).rstrip(".")


# The network


def check_certificates() -> None:
    """Check that the certificates that the environment names can be read, whatever reads them. Raises SetupError."""
    for name in _CERTIFICATES:
        path = os.environ.get(name)
        if not path or (name != "SSL_CERT_FILE" and Path(path).is_dir()):
            continue
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:  # ssl's own errors are among them
            raise SetupError(
                f"The certificates that {name} names cannot be read ({path}: {_reason(error)}).",
                f"Set {name} to a file of certificates in PEM format, or unset it.",
            ) from error


def is_this_machine(host: str) -> bool:
    """Return whether an address or a name is this machine's own, which no proxy can reach. Asks no name server."""
    name = host.lower().rstrip(".")
    if name in ("localhost", socket.gethostname().lower()) or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:  # which sends nothing
            probe.connect((str(address), 9))
            return ip_address(probe.getsockname()[0]) == address
    except OSError:
        return False
