"""The page (Gradio): the only room that imports gradio.

strings    every text of the page, English and Chinese, in one table
session    what a browser tab holds: the conversation, its answers; and how they are shown
handlers   plain functions from the page's values to the page's values
page       the layout, and what is wired to what
static/    css, and the viewer's script
"""
