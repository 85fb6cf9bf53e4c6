"""Tables of gelu in `f32`, src/math/phi.rs.

    gelu(x) = max(x, 0) - a Φ(-a),  a = |x|,  Φ(-a) = factor(j) 2^n exp(w(a) - a²/2 - k ln 2 / 8),  8 n + j = k + m

The factors are alpha 2^(j/8), with alpha such that all eight are nearly `f32` numbers. The domain is cut where a² + SHIFT
passes a power of two; in each piece m is an integer of its own, w(a) = ln(exp(a²/2) Φ(-a)) - ln alpha - m ln 2 / 8, and
2 w = C + d (p0 + d (p1 + ...)) with d = a - c. Columns in the order of the lowest bits of the exponent of a² + SHIFT.

    python3 tools/gelu.py

Two of the columns have other last bits since: tools/polish.py.
"""

from mpmath import mp, mpf, erfc, exp, log, sqrt, nint
from minimax import fit, show, to_f32

mp.dps = 40
SHIFT = mpf("1.625")
TOP = mpf("14.4")
DEGREE = 6


def factors():
    """(error, alpha): alpha in [1, 2^(1/8)) such that no alpha 2^(j/8) is further from an f32 number than `error` of it."""
    powers = [2.0 ** (j / 8) for j in range(8)]
    best = (1.0, None)
    for i in range(int((powers[1] - 1) * 2**23)):
        for quarter in range(-4, 5):
            alpha = (1 + i * 2.0**-23) * (1 + quarter * 2.0**-29)
            worst = 0.0
            for power in powers:
                value = alpha * power
                # Numbers in [1, 2) are 2^-23 apart.
                worst = max(worst, abs(round(value * 2**23) / 2**23 / value - 1))
                if worst >= best[0]:
                    break
            else:
                best = (worst, alpha)
    return best


def mills(a):
    """The logarithm of exp(a²/2) Φ(-a)."""
    return log(exp(a * a / 2) * erfc(a / sqrt(mpf(2))) / 2)


def column(i, alpha):
    """(c, m, C, p, error) of the piece in which a² + SHIFT is in [2^i, 2^(i + 1))."""
    low = sqrt(mpf(2) ** i - SHIFT) if i else mpf(0)
    high = min(sqrt(mpf(2) ** (i + 1) - SHIFT), TOP)
    eighth = log(mpf(2)) / 8
    m = nint(((mills(low) + mills(high)) / 2 - log(alpha)) / eighth)
    # Few digits, so that d is exact.
    c = nint((low + high) * 8) / 16
    # Below 0.7, where a large part of a positive x is taken from x, errors count most. Of several m and c these gave
    # the smallest largest error, there and in the piece with the longest error of the polynomial.
    if i < 2:
        m += 1
    c = {0: mpf("0.25"), 6: mpf("9.75")}.get(i, c)

    def w(d):
        return 2 * (mills(c + d) - log(alpha) - m * eighth)

    blur = (high - low) / 2000
    p, error = fit(w, lambda d: mpf(1), DEGREE, max(low - blur, mpf(0)) - c, high + blur - c, "f32", points=40)
    return c, m, p, error


def row(values):
    print("    [" + ", ".join(show(v, "f32") for v in values) + "],")


error, alpha = factors()
print("// alpha", alpha, "relative error of the factors 2^", mp.nstr(log(error, 2), 5))
row([to_f32(mpf(alpha) * mpf(2) ** (mpf(j) / 8)) for j in range(8)])
columns = [column((j - 127) % 8, mpf(alpha)) for j in range(8)]
print("// errors of w: 2^", [mp.nstr(log(error / 2, 2), 4) for *_, error in columns])
row([c for c, *_ in columns])
row([m for _, m, *_ in columns])
for i in range(DEGREE + 1):
    row([p[i] for _, _, p, _ in columns])
