"""Documents: YAML, JSON and arrays that anyone may have written, read within fixed bounds.

A few bytes can stand for gigabytes, for endless recursion, or for a number that Python refuses to
print. Such documents are refused, with what is wrong in words.
"""
