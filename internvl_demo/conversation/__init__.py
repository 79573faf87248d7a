"""Hold conversations as frozen values, and compute what a model reads of them. Arithmetic and text; no I/O.

In: what people wrote and the photos that they attached. Out: turns, tile plans, the exact prompt, token counts.

turns    turns and conversations; every change gives a new value
options  how an answer is generated, within what a host allows
tiling   a photo's size -> its grid of 448-pixel tiles; a photo -> the tiles
prompt   a conversation -> the official InternVL 1.5 prompt, with people's text neutralised
budget   how many tokens it takes, and which changes make it fit
"""
