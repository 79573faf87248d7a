"""Ask an OpenAI-compatible server: LMDeploy, vLLM, SGLang, llama.cpp's or Ollama.

In: a conversation. Out: the pieces of text that the server streams, then the usage; its failures as our errors.

backend     sends the question, reads the stream, pauses by pace
dialects    what differs between servers: a table, and what becomes of a conversation in each
context     how long the model's context is, where each server says it
body        the request's body, photo files put in while it is sent
client      connections through aiohttp: key, proxy, certificates, time limits
sse         bytes -> server-sent events
completion  events -> text and usage, checked and bounded
watchdog    how long to wait for a server that says nothing
errors      what the client and the server raise -> our errors, each with a next step

Not here: starting a server; that is `models.lmdeploy`.
"""
