"""Minimax polynomials with coefficients rounded to a working format.

`fit(f, weight, degree, low, high, fmt)` finds the polynomial p that minimises max |weight (p - f)| on [low, high]: Lawson's
reweighted least squares on Chebyshev points in 60-digit arithmetic, then the coefficients are rounded one after the other,
lowest first, and the rest is fitted again to what is left. Needs mpmath (gmpy2 makes it quick).
"""

import struct

from mpmath import mp, mpf, matrix, cos, pi, log, lu_solve

mp.dps = 60


def to_f32(v):
    """v rounded to f32, ties to even, from any precision."""
    with_bits = mp.mpf(v)
    with mp.workprec(24):
        return +with_bits


def to_f64(v):
    with_bits = mp.mpf(v)
    with mp.workprec(53):
        return +with_bits


ROUND = {"f32": to_f32, "f64": to_f64, None: lambda v: mpf(v)}


def show(v, fmt):
    """The shortest Rust literal that reads back as the rounded v."""
    if fmt == "f32":
        x = struct.unpack("f", struct.pack("f", float(v)))[0]
        assert mpf(x) == v, v
        for digits in range(1, 12):
            text = f"{x:.{digits}e}"
            if struct.unpack("f", struct.pack("f", float(text)))[0] == x:
                break
    else:
        assert mpf(float(v)) == v
        text = repr(float(v))
        return text
    mantissa, exponent = text.split("e")
    return f"{float(text)!r}" if -5 < int(exponent) < 7 and float(repr(float(text))) == float(text) else f"{mantissa}e{int(exponent)}"


def nodes(low, high, n):
    return [(low + high) / 2 + (high - low) / 2 * cos(pi * (2 * i + 1) / (2 * n)) for i in range(n)]


def least_squares(rows, values, weights):
    n = len(rows[0])
    a, b = matrix(n, n), matrix(n, 1)
    for row, v, w in zip(rows, values, weights):
        for i in range(n):
            wi = w * row[i]
            b[i] += wi * v
            for j in range(i, n):
                a[i, j] += wi * row[j]
    for i in range(n):
        for j in range(i):
            a[i, j] = a[j, i]
    return list(lu_solve(a, b))


def minimax(f_values, w_values, xs, powers, rounds=25):
    """Coefficients of x^power for each power, by Lawson's iteration."""
    rows = [[w * x**k for k in powers] for x, w in zip(xs, w_values)]
    values = [w * f for f, w in zip(f_values, w_values)]
    weights = [mpf(1) / len(xs)] * len(xs)
    best = None
    for _ in range(rounds):
        c = least_squares(rows, values, weights)
        errors = [abs(sum(ci * ri for ci, ri in zip(c, row)) - v) for row, v in zip(rows, values)]
        worst = max(errors)
        if best is None or worst < best[0]:
            best = (worst, c)
        if worst == 0:
            break
        weights = [w * (e / worst + mpf(10) ** -9) for w, e in zip(weights, errors)]
        total = sum(weights)
        weights = [w / total for w in weights]
    return best


def fit(f, weight, degree, low, high, fmt, points=None, first=0, step=1):
    """Returns (coefficients, error): p(x) = sum c[i] x^(first + step i), the error of the rounded polynomial."""
    low, high = mpf(low), mpf(high)
    xs = nodes(low, high, points or 6 * (degree + 2))
    fs, ws = [f(x) for x in xs], [weight(x) for x in xs]
    powers = [first + step * i for i in range(degree + 1)]
    done = []
    for i in range(degree + 1):
        rest = [v - sum(c * x**k for c, k in zip(done, powers)) for v, x in zip(fs, xs)]
        _, c = minimax(rest, ws, xs, powers[i:], rounds=25 if i in (0, degree) else 8)
        done.append(ROUND[fmt](c[0]))
    test = nodes(low, high, 40 * (degree + 2) + 1) + [low, high]
    error = max(abs(weight(x) * (sum(c * x**k for c, k in zip(done, powers)) - f(x))) for x in test)
    return done, error


def rational(f, weight, top, bottom, low, high, rounds=40):
    """(n, d, error): the quotient n(x) / d(x) of these degrees with d[0] = 1 that minimises max |weight (n / d - f)|, by
    Lawson's iteration on the problem made linear with the divisor of the round before; coefficients rounded to f64."""
    xs = nodes(mpf(low), mpf(high), 8 * (top + bottom + 3))
    fs, ws = [f(x) for x in xs], [weight(x) for x in xs]
    weights, divisors, best = [mpf(1) / len(xs)] * len(xs), [mpf(1)] * len(xs), None

    def at(c, x):
        return mp.polyval(c[::-1], x)

    for i in range(rounds):
        scale = [w / d for w, d in zip(ws, divisors)]
        rows = [
            [s * x**k for k in range(top + 1)] + [-s * v * x**k for k in range(1, bottom + 1)]
            for x, v, s in zip(xs, fs, scale)
        ]
        c = least_squares(rows, [s * v for s, v in zip(scale, fs)], weights)
        n, d = c[: top + 1], [mpf(1)] + c[top + 1 :]
        divisors = [at(d, x) for x in xs]
        errors = [abs(w * (at(n, x) / v - fv)) for x, v, w, fv in zip(xs, divisors, ws, fs)]
        worst = max(errors)
        if min(divisors) > 0 and (best is None or worst < best[0]):
            best = (worst, n, d)
        if i >= 3:
            weights = [w * (e / worst + mpf(10) ** -6) for w, e in zip(weights, errors)]
            total = sum(weights)
            weights = [w / total for w in weights]
    n, d = [[to_f64(v) for v in part] for part in best[1:]]
    test = nodes(mpf(low), mpf(high), 40 * (top + bottom + 3) + 1) + [mpf(low), mpf(high)]
    return n, d, max(abs(weight(x) * (at(n, x) / at(d, x) - f(x))) for x in test)


def report_rational(name, domain, n, d, error):
    print(f"// {name} on {domain}, degrees {len(n) - 1} over {len(d) - 1}, error 2^{mp.nstr(log(error, 2), 4)}.")
    for part in (n, d):
        print(f"[{', '.join(show(v, 'f64') for v in part)}]")


def report(name, domain, c, error, fmt):
    print(f"// {name} on {domain}, degree {len(c) - 1}, error 2^{mp.nstr(log(error, 2), 4)}.")
    print(f"[{', '.join(show(v, fmt) for v in c)}]")
