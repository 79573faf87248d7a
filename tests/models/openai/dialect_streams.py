"""One answer as seven servers stream it, each with its own extras, from their sources and recorded answers.

The answer is `A red ball.`; those that think have thought `Two balls.` before it.
"""

import json

TEXT, THOUGHT = "A red ball.", "Two balls."


def lines(*events: object, space: str = " ", end: str = "\n\n") -> bytes:
    """Return the events as they are sent: objects as JSON, texts as they are."""
    said = [event if isinstance(event, str) else f"data:{space}{json.dumps(event)}" for event in events]
    return "".join(f"{event}{end}" for event in said).encode()


def one(delta: object, finish: str | None = None, **more: object) -> dict[str, object]:
    """Return an event with one choice."""
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, **more}],
    }


COUNTS = {"prompt_tokens": 300, "completion_tokens": 4, "total_tokens": 304}
COUNTED = {"object": "chat.completion.chunk", "choices": [], "usage": COUNTS}
DONE = "data: [DONE]"

STREAMS: dict[str, bytes] = {
    "LMDeploy": lines(
        one(
            {"role": "assistant", "content": "A red", "reasoning_content": None, "tool_calls": None},
            logprobs=None,
        ),
        one({"role": "assistant", "content": " ball."}) | {"usage": None},
        one({"role": "assistant", "content": ""}, "stop"),
        COUNTED,
        DONE,
    ),
    "vLLM": lines(
        one({"role": "assistant", "content": ""}, logprobs=None),
        one({"content": "A red"}),
        one({"content": " ball."}),
        one({"content": ""}, "stop", stop_reason=92542),
        COUNTED,
        DONE,
    ),
    "vLLM, thinking": lines(
        one({"role": "assistant", "content": ""}),
        one({"reasoning_content": "Two "}),
        one({"reasoning_content": "balls."}),
        one({"content": TEXT}),
        one({"content": ""}, "stop"),
        COUNTED,
        DONE,
    ),
    "SGLang": lines(
        one({"role": "assistant", "content": "", "reasoning_content": None}, matched_stop=None),
        one({"role": None, "content": "A red"}),
        one({"role": None, "content": " ball."}),
        one({"role": None, "content": None}, "stop", matched_stop=92542),
        COUNTED,
        DONE,
    ),
    "llama.cpp": lines(
        one({"role": "assistant", "content": None}),
        one({"content": "A red"}),
        one({"content": " ball."}),
        one({}, "stop") | {"timings": {"prompt_n": 300}},
        COUNTED | {"timings": {"predicted_n": 4}},
        DONE,
    ),
    "Ollama, thinking": lines(
        one({"role": "assistant", "content": "", "reasoning": "Two balls."}),
        one({"role": "assistant", "content": "A red"}),
        one({"role": "assistant", "content": " ball."}),
        one({"role": "assistant", "content": ""}, "stop"),
        COUNTED,
        DONE,
    ),
    "TGI": lines(
        ": keep-alive",
        one({"role": "assistant", "content": "A red"}, logprobs=None) | {"usage": None},
        one({"role": "assistant", "content": " ball."}),
        one({"role": "assistant", "content": ""}, "eos_token") | {"usage": COUNTS},
        DONE,
        space="",
    ),
    "OpenAI": lines(
        one({"role": "assistant", "content": "", "refusal": None}) | {"obfuscation": "k3"},
        one({"content": "A red"}),
        one({"content": " ball."}),
        one({}, "stop"),
        COUNTED,
        DONE,
    ),
    "Azure": lines(
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
        one({"role": "assistant", "content": "A red"}, content_filter_results={}),
        one({"content": " ball."}),
        one({}, "stop"),
        {"choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {}}]},
        COUNTED,
        DONE,
        end="\r\n\r\n",
    ),
    "thinking in the text": lines(
        one({"role": "assistant", "content": "\n<thi"}),
        one({"content": "nk>Two ba"}),
        one({"content": "lls.</th"}),
        one({"content": "ink>\n\nA red"}),
        one({"content": " ball.<|im_"}),
        one({"content": "end|>"}),
        one({"content": ""}, "eos"),
        COUNTED,
        DONE,
    ),
    "keep-alives and ids": lines(
        ": ping",
        "retry: 3000",
        "id: 1\nevent: message\ndata: " + json.dumps(one({"content": "A red"})),
        ": ping",
        "data:",
        "data: null",
        "data: {}",
        'data: {"choices": null}',
        'data: {"choices": [null]}',
        'data: {"choices": [{"index": 0}]}',
        one(None),
        one({"content": [{"type": "text", "text": " ball."}]}),
        one(None, "STOP"),
        'data: {"choices": "none"}',
        "data: [broken",
        COUNTED,
        DONE,
    ),
}
"""By the server's name."""

THINKING = ("vLLM, thinking", "Ollama, thinking", "thinking in the text")
