"""The page's own files: nothing else of the folder, sent once, and named to the browser before it asks."""

import re

import brotli
import httpx
import pytest

from internvl_demo.web.layout import WEB

SCRIPT = "page/widgets/lib/dom.js"


@pytest.mark.parametrize(
    "path",
    [
        "page/app.py",
        "page/widgets/../app.py",
        "page/widgets/lib",
        "page/",
        "page/page.css",
        "page/widgets/lib/no.js",
    ],
)
def test_what_is_no_file_of_the_page_is_not_there(scripted_url: str, path: str) -> None:
    assert httpx.get(scripted_url + path).status_code == 404


def test_a_file_is_read_and_never_written(scripted_url: str) -> None:
    assert httpx.post(scripted_url + SCRIPT).status_code == 404


@pytest.mark.parametrize("encoding", ["identity", "br"])
def test_a_file_arrives_as_it_is(scripted_url: str, encoding: str) -> None:
    with httpx.stream("GET", scripted_url + SCRIPT, headers={"Accept-Encoding": encoding}) as response:
        body = b"".join(response.iter_raw())
    assert response.headers["content-type"].startswith("text/javascript")
    assert (brotli.decompress(body) if encoding == "br" else body) == (
        WEB / "widgets/lib/dom.js"
    ).read_bytes()


def test_who_has_a_file_gets_it_only_when_it_is_new(scripted_url: str) -> None:
    tag = httpx.get(scripted_url + SCRIPT).headers["etag"]
    again = httpx.get(scripted_url + SCRIPT, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert httpx.get(scripted_url + SCRIPT, headers={"If-None-Match": '"another"'}).status_code == 200


def test_the_page_names_every_file_that_it_needs(scripted_url: str) -> None:
    page = httpx.get(scripted_url)
    head = page.text.partition("</head>")[0]
    named = re.findall(r'<link rel="(?:module)?preload"[^>]* href="(page/[^"]+)">', head)
    assert {f"page/{path.relative_to(WEB)}" for path in WEB.glob("widgets/*/*.js")} < set(named)
    assert all(httpx.get(scripted_url + name).status_code == 200 for name in named)
    assert page.text.rstrip().endswith("</html>") and len(page.content) == int(page.headers["content-length"])


def test_the_headers_of_the_page_pass_every_proxy(scripted_url: str) -> None:
    headers = httpx.get(scripted_url).headers
    assert sum(len(name) + len(value) + 4 for name, value in headers.items()) < 2000
