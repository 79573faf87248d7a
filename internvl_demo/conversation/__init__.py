"""Hold conversations as frozen values, and compute what a model reads of them. Arithmetic and text; no I/O.

In: what people wrote and the photos that they attached. Out: turns, tile plans, the exact prompt, token counts.

turns     turns and conversations; every change gives a new value
options   how an answer is generated, within what a host allows
tiling    a photo's size -> its grid of 448-pixel tiles; a photo -> the tiles
template  what stands around the parts of a conversation, for one kind of model; `template_files` writes it for servers
prompt    a conversation -> the prompt of the model's official code, with people's text neutralised
budget    how many tokens it takes, and which changes make it fit
"""
