"""Run a checkpoint in this process, through transformers.

In: a conversation. Out: pieces of text as the model generates them, then the usage.

backend   loads the checkpoint, keeps the prefix cache between turns, and stops when nobody reads
steps     one token at a time: the loop in place of `model.generate`
sampling  picks the next token: greedy or at random, repetition penalised
zerogpu   the same on a GPU that Hugging Face lends for each answer
"""
