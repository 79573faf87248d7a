"""Ask an OpenAI-compatible server: LMDeploy, vLLM or SGLang.

In: a conversation. Out: the pieces of text that the server streams, then the usage; its failures as our errors.

backend   builds the request, reads the stream
dialects  what differs between servers: a table, and what becomes of a conversation in each
errors    what the client and the server raise -> our errors, each with a next step
watchdog  how long to wait for a server that says nothing

Not here: starting a server; that is `models.lmdeploy`.
"""
