"""Run a checkpoint in this process, through transformers.

In: a conversation. Out: pieces of text as the model generates them, then the usage.

backend   keeps the prefix cache between turns, and stops when nobody reads
loading   a checkpoint of either format -> model, tokenizer, profile; `official` reads the official one
device    where it runs, and in which numbers
rope      which of Phi-3's RoPE factors rotate a prompt
steps     one token at a time: the loop in place of `model.generate`
sampling  picks the next token: greedy or at random, repetition penalised
zerogpu   the same on a GPU that Hugging Face lends for each answer
"""
