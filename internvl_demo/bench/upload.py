"""Measure how long a 12-megapixel photo takes: from the last byte of its upload to the page's answer.

The clock starts when the kernel has accepted the last byte; what the page still has to read of it counts.
"""

import socket
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from internvl_demo.bench.camera import camera_jpeg, numbered
from internvl_demo.bench.page_client import Visitor
from internvl_demo.bench.sites import our_page, scripted_server
from internvl_demo.errors import SetupError


def measure_upload(times: int) -> dict[str, Any]:
    """Return median milliseconds with EXIF orientation and GPS, and without, in turn. Raise SetupError."""
    files = {"with_exif": camera_jpeg(True), "without_exif": camera_jpeg(False)}
    found: dict[str, list[float]] = {name: [] for name in files}
    with (
        tempfile.TemporaryDirectory(prefix="bench-upload-") as work,
        scripted_server(Path(work)) as server,
        our_page(Path(work), server) as page,
    ):
        visitor = Visitor(page.url)
        for number in range(times + 1):
            for name, data in files.items():
                found[name].append(upload_ms(visitor, numbered(data, number)))
    return {
        name: {
            "file_mb": round(len(files[name]) / 1e6, 2),
            "answer_ms": round(median(ms[1:]), 1),  # the first warms the page up
            "worst_ms": round(max(ms[1:]), 1),
        }
        for name, ms in found.items()
    }


def upload_ms(visitor: Visitor, data: bytes) -> float:
    """Upload a file; return the milliseconds from its last byte to the answer. Raise SetupError if it is refused."""
    parts = urlsplit(visitor.url)
    request = visitor.upload_request("photo.jpg", data)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.sendall(request)
        sent_s = time.perf_counter()
        answer = connection.recv(2**16)
        ms = 1000 * (time.perf_counter() - sent_s)
    status = answer.partition(b"\r\n")[0].decode("latin-1")
    if " 201 " not in f"{status} ":
        raise SetupError("The page refused an upload: {status}", "Look at the page's log.", status=status)
    return ms
