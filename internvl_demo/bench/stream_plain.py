"""The peer that `bench stream` compares with: a `gr.ChatInterface` as its documentation shows one.

An asynchronous function streams from the server through the `openai` package and yields the growing text at each
token. Nothing limits how many it answers at once.

    python -m internvl_demo.bench.stream_plain PORT ENDPOINT MOST_READERS
"""

import sys
from collections.abc import AsyncGenerator
from typing import Any

import gradio as gr

from internvl_demo.bench.stream_server import MODEL

try:
    from openai import AsyncOpenAI
except ImportError:  # `bench stream` shows the end of what a process of it said
    sys.exit("The plain chat needs Python's openai package, which the page does not: pip install openai.")


def chat_of(endpoint: str) -> gr.ChatInterface:
    """Return the page; `endpoint` is the server's address without `/v1`."""
    client = AsyncOpenAI(base_url=f"{endpoint}/v1", api_key="none")

    async def stream(message: str, history: list[dict[str, Any]]) -> AsyncGenerator[str, None]:
        asked: Any = [
            *({"role": turn["role"], "content": turn["content"]} for turn in history),
            {"role": "user", "content": message},
        ]
        chunks = await client.chat.completions.create(model=MODEL, messages=asked, stream=True)
        text = ""
        async for chunk in chunks:
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
                yield text

    return gr.ChatInterface(stream, concurrency_limit=None)


if __name__ == "__main__":
    chat_of(sys.argv[2]).launch(
        server_name="127.0.0.1", server_port=int(sys.argv[1]), max_threads=int(sys.argv[3]) + 40, quiet=True
    )
