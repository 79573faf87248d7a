"""The page and its HTTP interface: the only room that imports gradio and fastapi.

In: requests of browsers and programs. Out: the page, JSON, server-sent events.

app       build the page, serve it, end it; address: where it listens
layout    what stands where; theme
routes    the HTTP interface, which the page itself uses; inputs: what is checked about a request
files     (`page_files`) scripts and texts of the page, named to the browser before it asks
service   the commands behind the routes: ask, edit, retry, stop, undo, choose, rename, delete
pictures  the commands on pictures that wait; counting: what fits into the model's context
follow    a conversation as numbered events, for whoever looks
view      conversations, answers and pictures as JSON; markup: a model's Markdown as safe HTML
language  texts and errors in English and Chinese, from `locale`
ask       the endpoint `/ask` for gradio_client
probes    /healthz, /readyz, /metrics
models    which models the page has, and who is meant; health: how each is, asked once for all pages
limits    how much a request may bring; uploads: Gradio's folder, kept small
widgets   the page's widgets, one folder each; `widgets/lib`: what their scripts share
"""
