"""Coefficients of src/math/erf.rs for `f64`: erfcx on a mapped line, erf near 0, and the expansion of gelu' around its zero."""

import sys
from mpmath import mp, mpf, diff, exp, erf, erfc, findroot, log, pi, sqrt, taylor
from minimax import fit, report, show, to_f64

K = mpf(2)


def g(v):
    b = K * (1 + v) / (1 - v)
    return (1 + 2 * b) * exp(b * b) * erfc(b)


def mapped(b):
    return (b - K) / (b + K)


def tail_pair(degrees, largest):
    """The first coefficient as a pair, the others in f64."""
    first = g(mpf(0))
    low = to_f64(first - to_f64(first))
    first = to_f64(first) + low
    print("G(0) =", show(to_f64(first), "f64"), "+", show(low, "f64"))
    for degree in degrees:
        c, error = fit(lambda v: (g(v) - first) / v, lambda v: v / g(v), degree, -1, mapped(mpf(largest)), "f64")
        report(f"(G(v) - G(0)) / v, relative to G, b in [0, {largest}],", "v", c, error, "f64")


# R(a) = e^(a^2/2) Phi(-a) = (1/2 + s H(s - 1)) / (1 + SLOPE a), s = 2 a / (a + CENTRE).
CENTRE, SLOPE = mpf(5), mpf("1.125")


def half_tail(degrees, largest):
    def whole(v):
        a = CENTRE * (1 + v) / (1 - v)
        return (1 + SLOPE * a) * exp(a * a / 2) * erfc(a / sqrt(2)) / 2

    high = 2 * mpf(largest) / (mpf(largest) + CENTRE) - 1
    for degree in degrees:
        c, error = fit(
            lambda v: (whole(v) - mpf(1) / 2) / (1 + v), lambda v: (1 + v) / whole(v), degree, mpf(10) ** -20 - 1, high, "f64"
        )
        report(f"H, relative to R, a in [0, {largest}],", "v = s - 1", c, error, "f64")
    c, error = fit(lambda v: diff(whole, v), lambda v: mpf(1), 5, mpf(10) ** -10 - 1, high, "f64")
    report("its slope, absolute,", "v", c, error, "f64")


def erf_near(z):
    if z == 0:
        return -2 / sqrt(pi) / 3
    b = sqrt(z)
    return (erf(b) / b - 2 / sqrt(pi)) / z


if sys.argv[1] == "full":
    tail_pair(map(int, sys.argv[2:]), 27.5)
elif sys.argv[1] == "half":
    half_tail(map(int, sys.argv[2:]), 38.9)
elif sys.argv[1] == "near":
    c0 = 2 / sqrt(pi)
    print("2/sqrt(pi) =", show(to_f64(c0), "f64"), "+", show(to_f64(c0 - to_f64(c0)), "f64"))
    for degree in (8, 9, 10):
        c, error = fit(erf_near, lambda z: z, degree, mpf(10) ** -30, mpf(1) / 4, "f64")
        report("E in erf(b) = b (2/sqrt(pi) + z E(z)), z = b^2,", "[0, 1/4]", c, error, "f64")

    def gelu_slope(x):
        return erfc(-x / sqrt(2)) / 2 + x * exp(-x * x / 2) / sqrt(2 * pi)

    root = findroot(gelu_slope, mpf("-0.7518"))
    high = to_f64(root)
    print("gelu' root", show(high, "f64"), "+", show(to_f64(root - high), "f64"))
    c = taylor(gelu_slope, root, 34)
    print("gelu'' at the root =", show(to_f64(c[1]), "f64"), "+", show(to_f64(c[1] - to_f64(c[1])), "f64"))

    def rest(t):
        return sum(v * t**i for i, v in enumerate(c[2:]))

    for degree in (10, 11, 12):
        v, error = fit(rest, lambda t: t / (c[1] + t * rest(t)), degree, -mpf(3) / 16, mpf(3) / 16, "f64")
        report("rest in gelu'(root + t) = t (gelu'' + t rest(t)), relative,", "|t| <= 3/16", v, error, "f64")
K2 = sqrt(mpf(2))
print("1/sqrt 2, 2 sqrt 2 =", [(show(to_f64(v), "f64"), show(to_f64(v - to_f64(v)), "f64")) for v in (1 / K2, 2 * K2, K2)])
