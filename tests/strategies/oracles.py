"""Utilities in the plainest form, one sample at a time, in exact enough arithmetic."""

from fractions import Fraction
from math import log


def least_confidence(p):
    return float(1 - max(map(Fraction, p)))


def margin(p):
    best, second = sorted(map(Fraction, p))[-1:-3:-1]
    return float(1 - (best - second))


def entropy(p):
    return -sum(x * log(x) for x in p if x > 0)
