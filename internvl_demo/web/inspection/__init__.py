"""Show what a model read: the exact prompt of a question, and the call that asks it again.

In: a conversation, options, the model, and how it is reached. Out: an `Inspection`, plain data.

prompt  the prompt's segments with their tokens
calls   the same question as text to paste into bash and into Python
"""
