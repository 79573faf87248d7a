"""Measure what a model knows: questions whose answers are known, asked through the same road as a person's.

In: a backend. Out: marks with intervals, as a table and as an HTML page.

exam/  fresh drawn pictures, asked about in English and Chinese, and marked
"""
