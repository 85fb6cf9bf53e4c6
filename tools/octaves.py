"""Table of eight polynomials for `f32` tanh, src/math/tanh.rs.

The domain is cut where `v`, linear in the argument and from 1 to 16, passes a half octave; columns in the order of the
lowest bits of its exponent and the leading one of its mantissa. In each piece f = C + d p(d) with d = a - c, where c is
chosen near the middle such that C = f(c) is nearly an `f32` number: then the sum has no error but those of d p(d).

    python3 tools/octaves.py 7
"""

import sys

from mpmath import mp, mpf, diff, floor, log, tanh, atanh
from minimax import fit, show, to_f32

mp.dps = 40


def pieces(scale, top):
    """The ends in a of each column's piece, where v = 1 + scale a."""
    for i in range(8):
        exponent, half = divmod((i + 2) % 8, 2)
        ends = [(mpf(2) ** exponent * (1 + mpf(half + j) / 2) - 1) / scale for j in (0, 1)]
        yield ends[0], min(ends[1], top)


def near_exact(f, low, high, inverse):
    """(error, c, C): c near the middle with f(c) next to the f32 number C."""
    middle = to_f32((low + high) / 2)
    unit = mpf(2) ** (floor(log(middle, 2)) - 23)
    found = [(c, to_f32(f(c))) for c in (to_f32(middle + j * unit) for j in range(-150, 151))]
    values = (to_f32(f(middle)) + j * mpf(2) ** -24 for j in range(-40, 41))
    found += [(to_f32(inverse(v)), v) for v in values if f(low) < v < f(high)]
    return min((abs(f(c) / value - 1), c, value) for c, value in found)


def column(f, low, high, degree, inverse):
    error, c, value = near_exact(f, low, high, inverse)
    blur = (high - low) / 512
    p, fitted = fit(
        lambda d: (f(c + d) - f(c)) / d if d else diff(f, c),
        lambda d: d / f(c + d),
        degree,
        max(low - blur, mpf(0)) - c,
        high + blur - c,
        "f32",
        points=40,
    )
    return c, value, p, max(error, fitted)


def write(rows, errors):
    print("// relative error 2^", mp.nstr(log(max(errors), 2), 5), "; of the columns", [mp.nstr(log(e, 2), 4) for e in errors])
    for row in zip(*rows):
        print("    [" + ", ".join(show(v, "f32") if v else "0.0" for v in row) + "],")


degree = int(sys.argv[1])
rows, errors = [], []
for low, high in pieces(mpf("1.65"), mpf("9.08")):
    if low:
        c, value, p, error = column(tanh, low, high, degree, atanh)
        rows.append([c, mpf(0), value] + p)
    else:
        # tanh a = a + a p(a).
        p, error = fit(
            lambda a: tanh(a) / a - 1 if a > 1e-9 else -a * a / 3,
            lambda a: a / tanh(a) if a else mpf(1),
            degree,
            mpf(0),
            high * (1 + mpf(1) / 512),
            "f32",
            points=40,
        )
        rows.append([mpf(0), mpf(1), mpf(0)] + p)
    errors.append(error)
write(rows, errors)
