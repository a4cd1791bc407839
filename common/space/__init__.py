"""A search space is ordinary data with open decisions in it.

A description is made of frozen dataclasses, tuples, dicts and plain values; a `OneOf`, `ManyOf` or `Repeat` anywhere in it is an
open decision, `Where` adds a rule that spans several. One function, `resolve`, walks the data and asks an *oracle* to settle
every decision it meets: sampling, mutation, crossover, enumeration, decoding and encoding are nothing but different oracles.
A decision exists only where the walk reaches it, so conditional spaces need no special syntax and hold no duplicates.
"""

from common.space.moves import TRIES, alone, crossover, enumerate_all, mutate, neighbours, redraw, sample, sample_leaning
from common.space.properties import decisions, describe, restrict, size, space_fingerprint
from common.space.values import Arch, Decision, Invalid, ManyOf, OneOf, Repeat, Where, label
from common.space.walk import Oracle, decode, record, resolve

__all__ = [
    "TRIES",
    "Arch",
    "Decision",
    "Invalid",
    "ManyOf",
    "OneOf",
    "Oracle",
    "Repeat",
    "Where",
    "alone",
    "crossover",
    "decisions",
    "decode",
    "describe",
    "enumerate_all",
    "label",
    "mutate",
    "neighbours",
    "record",
    "redraw",
    "resolve",
    "restrict",
    "sample",
    "sample_leaning",
    "size",
    "space_fingerprint",
]
