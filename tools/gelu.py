"""Tables of gelu in `f32`, src/math/phi.rs.

    gelu(x) = max(x, 0) - a Φ(-a),  a = |x|,  Φ(-a) = factor(j) 2^n exp(v / (2 lambda)),  8 n + j = k + m
    v = F(a) - a² - (k + m) EIGHTH,  F(a) = 2 lambda ln(exp(a²/2) Φ(-a) / alpha) + (1 - lambda) a²

The factors are alpha 2^(j/8), with alpha such that all eight are nearly `f32` numbers. lambda = 4 EIGHTH / ln 2 stretches
the exponent so that two eighths of ln 2 become EIGHTH, a number of few digits: products of it and integers are exact, where
ln 2 would need two parts. The domain is cut where a² + SHIFT passes a power of two; in each piece
F(a) = m EIGHTH + C + d (p0 + d (p1 + ...)) with d = a - c. C is a multiple of 2^-16, so that C - k EIGHTH is exact: that takes
a centre c where F has such a value, and there are many near the middle of a piece. C is -SHIFT or nearly so, so that k is
rounded from d p0 - (a² + SHIFT). Columns in the order of the lowest bits of the exponent of a² + SHIFT.

    python3 tools/gelu.py                       the tables
    python3 tools/gelu.py centres PIECE         centres for piece 0 or 1, each with the largest error of all inputs (numpy, scipy)

The largest errors are those of a few inputs below 0.7, where two roundings meet: that of a Φ(-a) and that of its difference to
x. They differ from centre to centre, so those of the first two pieces are the best of 50 and 49.
"""

import sys

from mpmath import mp, mpf, erfc, exp, log, sqrt, polyval
from minimax import fit, minimax, nodes, show, to_f32

mp.dps = 40
SHIFT = mpf("1.703125")
TOP = mpf("14.4")
DEGREE = 6
EIGHTH = mpf(11356) / 65536
STRETCH = 4 * EIGHTH / log(mpf(2))
GRID = mpf(1) / 65536
# Where to look for centres, and how far C may be from -SHIFT; below 0.15 or so a difference to the centre has few roundings.
WINDOWS = {0: (0.112, 0.122, 0.035), 1: (0.90, 0.93, 0.03)}
CHOSEN = {0: 0.11804136633872986, 1: 0.9231358170509338}


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


class Piece:
    """The piece in which a² + SHIFT is in [2^i, 2^(i + 1))."""

    def __init__(self, i, alpha):
        low = sqrt(mpf(2) ** i - SHIFT) if i else mpf(0)
        high = min(sqrt(mpf(2) ** (i + 1) - SHIFT), TOP)
        blur = (high - low) / 2000
        self.i, self.alpha, self.low, self.high = i, alpha, max(low - blur, mpf(0)), high + blur
        self.xs = nodes(self.low, self.high, 40)
        self.values = [self.f(x) for x in self.xs]

    def f(self, a):
        mills = log(exp(a * a / 2) * erfc(a / sqrt(mpf(2))) / 2) - log(self.alpha)
        return 2 * STRETCH * mills + (1 - STRETCH) * a * a

    def centres(self):
        """(c, m, C) with C a multiple of the grid to 2^-30, nearest to the middle first."""
        middle = (self.low + self.high) / 2
        half = (self.high - self.low) / 2
        first, last, off = WINDOWS.get(self.i, (float(middle - half / 5), float(middle + half / 5), 0.02))
        aim = mpf(first + last) / 2
        # The polynomial without roundings: at a centre its value counts, not that of F.
        weights = [mpf(1)] * len(self.xs)
        _, p = minimax(self.values, weights, [x - middle for x in self.xs], range(DEGREE + 1))
        p = [float(c) for c in p[::-1]]
        slope = [c * (DEGREE - i) for i, c in enumerate(p[:-1])]
        at, eighth, middle = lambda c, d: float(polyval(c, d)), float(EIGHTH), float(middle)
        found = []
        lowest, highest = at(p, last - middle), at(p, first - middle)
        for m in range(int((lowest + 1) / eighth) - 2, int((highest + 2) / eighth) + 2):
            for step in range(round((-float(SHIFT) - off) * 65536), round((-float(SHIFT) + off) * 65536) + 1):
                c_value = step / 65536
                target = m * eighth + c_value
                if not lowest <= target <= highest:
                    continue
                d = float(aim) - middle
                for _ in range(30):
                    move = (at(p, d) - target) / at(slope, d)
                    d -= move
                    if abs(move) < 1e-16:
                        break
                c = float(to_f32(mpf(middle + d)))
                if first <= c <= last and abs(at(p, c - middle) - target) < 2.0**-30:
                    found.append((abs(c - float(aim)), mpf(c), m, step * GRID))
        return [rest for _, *rest in sorted(found)]

    def fit(self, c, m, value):
        """(p, error) with the constant given: coefficients are rounded one after the other, the rest is fitted again."""
        ds = [x - c for x in self.xs]
        rest = [v - m * EIGHTH - value for v in self.values]
        done = []
        for i in range(1, DEGREE + 1):
            left = [v - sum(q * d ** (k + 1) for k, q in enumerate(done)) for v, d in zip(rest, ds)]
            _, q = minimax(left, [mpf(1)] * len(ds), ds, range(i, DEGREE + 1), rounds=25 if i in (1, DEGREE) else 8)
            done.append(to_f32(q[0]))

        def off(x):
            return abs(self.f(x) - m * EIGHTH - value - sum(q * (x - c) ** (k + 1) for k, q in enumerate(done)))

        return done, max(map(off, nodes(self.low, self.high, 321) + [self.low, self.high]))

    def column(self):
        """(c, m, C, p, error)"""
        near = self.centres()
        chosen = [found for found in near if float(found[0]) == CHOSEN.get(self.i)] or near[:5]
        fits = [(*found, *self.fit(*found)) for found in chosen]
        return min(fits, key=lambda found: found[-1])


def power():
    """`h` in exp(v / (2 lambda)) = 1 + v h(v)."""
    return fit(lambda v: (exp(v / (2 * STRETCH)) - 1) / v, lambda v: v, 3, -0.125, 0.125, "f32")


def row(values):
    print("    [" + ", ".join(show(v, "f32") for v in values) + "],")


def largest_error(x, column, factors, h):
    """Of the steps of `begin_gelu`, `middle_gelu` and `finish_gelu`, in ULP."""
    import numpy as np
    from scipy.special import erfc

    def fma(a, b, c):
        # Rounded to 53 bits first: that differs from one rounding for one sum in 2^29.
        return (np.float64(a) * np.float64(b) + np.float64(c)).astype(np.float32)

    single = np.float32
    c, m, value, p = single(column[0]), single(column[1]) + single(12582912), single(column[2]), [single(q) for q in column[3]]
    a = np.abs(x)
    d = a - c
    number = fma(fma(d, p[0], -fma(a, a, single(SHIFT))), single(1 / EIGHTH), m)
    w = fma(-a, a, fma(-(number - m), single(EIGHTH), value))
    q = p[5]
    for s in p[4:0:-1]:
        q = fma(q, d, s)
    v = fma(d * d, q, fma(d, p[0], w))
    e = single(h[3])
    for s in h[2::-1]:
        e = fma(e, v, single(s))
    n = number.astype(np.int32) - 12582912
    scale = np.ldexp(np.array(factors, single)[n & 7], n >> 3)
    y = np.maximum(x, single(0)) - fma(a, scale, a * scale * (v * e))
    wide = x.astype(np.float64)
    exact = wide * 0.5 * erfc(-wide * np.sqrt(0.5))
    return float((np.abs(y - exact) / np.ldexp(1.0, np.frexp(exact)[1] - 24)).max())


def search(piece, factors, h):
    import numpy as np

    first, last = (int(np.float32(v).view(np.int32)) for v in (max(piece.low, mpf(2) ** -8), piece.high))
    for found in piece.centres():
        column = (*found, piece.fit(*found)[0])
        worst = 0.0
        for start in range(first, last, 1 << 20):
            x = np.arange(start, min(last, start + (1 << 20)), dtype=np.int32).view(np.float32)
            worst = max(worst, largest_error(x, column, factors, h), largest_error(-x, column, factors, h))
        print(float(found[0]), worst, flush=True)


def main():
    error, alpha = factors()
    scales = [to_f32(mpf(alpha) * mpf(2) ** (mpf(j) / 8)) for j in range(8)]
    h, short = power()
    if sys.argv[1:2] == ["centres"]:
        return search(Piece(int(sys.argv[2]), mpf(alpha)), scales, h)
    print("// alpha", alpha, "relative error of the factors 2^", mp.nstr(log(error, 2), 5))
    row(scales)
    print("// h, error 2^", mp.nstr(log(short, 2), 4))
    row(h)
    columns = [Piece((j - 127) % 8, mpf(alpha)).column() for j in range(8)]
    print("// errors of the exponent: 2^", [mp.nstr(log(error / 2, 2), 4) for *_, error in columns])
    row([c for c, *_ in columns])
    row([mpf(m) for _, m, *_ in columns])
    row([value for _, _, value, *_ in columns])
    for i in range(DEGREE):
        row([p[i] for *_, p, _ in columns])


main()
