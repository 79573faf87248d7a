"""Fuzzers for what reads foreign bytes: pictures, streams, groundings, Markdown. `make fuzz SECONDS=60` runs them all.

Coverage-guided by atheris (libFuzzer). `targets` says what must hold of any input; `corpus/NAME/` keeps inputs that
reach different code, by their digests, and tests/fuzz/test_corpus.py tries each with every run of the tests. What a
fuzzer finds is written into `found/` and named.
"""
