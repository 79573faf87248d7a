"""Measure what a model knows: questions whose answers are known, asked through the same road as a person's.

In: backends. Out: marks with intervals, as a table and as an HTML page; or how far two of them are apart.

exam/       fresh drawn pictures, asked about in English and Chinese, and marked
agreement/  two servers, asked the same: how far their boxes are apart
commands    `grounding-check` on the command line
"""
