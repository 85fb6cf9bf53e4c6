"""Coefficients of src/math/tanh.rs: D in x - tanh x = x^3 / D(x^2)."""

from mpmath import mp, mpf, exp, factorial, log, tanh, sqrt, taylor
from minimax import fit, report, show, to_f64

# D - 3 over x^2, as a series in x^2.
series = taylor(lambda x: x - tanh(x), 0, 121)[3::2]
inverse = []
for n in range(len(series)):
    rest = (mpf(1) if n == 0 else mpf(0)) - sum(series[i] * inverse[n - i] for i in range(1, n + 1))
    inverse.append(rest / series[0])
print([mp.nstr(v, 8) for v in inverse[:8]])


def tail(t):
    return sum(v * t**i for i, v in enumerate(inverse[1:]))


def divisor(t):
    return 3 + t * tail(t)


for limit, degrees in ((mpf("0.36"), (1, 2, 3)), (mpf(1), (6, 7, 8, 9, 10))):
    for degree in degrees:
        c, error = fit(tail, lambda t: t / divisor(t), degree, mpf(0), limit, "f64")
        report("D(t) = 3 + t c(t), relative to D,", f"t = x^2 in [0, {limit}]", c, error, "f64")
