"""The prompt inspector: the exact prompt of an answer, and the call that asks it again.

prompt  the prompt's segments with their tokens
calls   the same question as text to paste into bash and into Python
view    both, as data for the page
"""
