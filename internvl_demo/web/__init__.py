"""Serve the page (Gradio): the only room that imports gradio.

In: what people do in the browser. Out: what the page shows, as data for its scripts.

app            what is wired to what, and the launch
strings        every text of the page, English and Chinese, in one table
session        what a browser tab holds: the conversation, its answers; and how they are shown
viewer         what the viewer shows, as data for its scripts
handlers       plain functions from the page's values to the page's values
shelf          photos as files that the browser can fetch
layout         what stands where
loading        what a server that the app started does until it can answer
probes         /healthz, /readyz, /metrics
inspection/    the exact prompt, and the call as text
static/        css, and the widgets' scripts
"""
