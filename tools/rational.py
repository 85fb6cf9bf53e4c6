"""Quotients of polynomials for `f32` values in `f64` lanes: src/math/erf.rs, ln.rs, tanh.rs. All errors are relative."""

import sys
from mpmath import mpf, exp, erf, erfc, findroot, log, log1p, mp, pi, sqrt, tanh
from minimax import fit, rational, report, report_rational, show, to_f64

ZERO = mpf(10) ** -12


def quotients(name, f, sizes, low, high, monic=True):
    """Prints the quotient; where monic, both parts over their leading coefficients, and the factor that is left."""
    for top, bottom in sizes:
        n, d, error = rational(f, lambda x: 1 / f(x), top, bottom, low, high)
        if monic:
            n, d, factor = [to_f64(v / n[-1]) for v in n], [to_f64(v / d[-1]) for v in d], n[-1] / d[-1]
            print("// factor", mp.nstr(factor, 17))
        report_rational(name, f"[{mp.nstr(low, 5)}, {mp.nstr(high, 5)}]", n, d, error)
    return n, d, error


def odd(name, f, sizes, high):
    """f(x) = x n(x^2) / d(x^2) with a monic divisor."""
    for top, bottom in sizes:
        n, d, error = rational(lambda z: f(sqrt(z)) / sqrt(z), lambda z: sqrt(z) / f(sqrt(z)), top, bottom, ZERO, mpf(high) ** 2)
        n, d = [to_f64(v / d[-1]) for v in n], [to_f64(v / d[-1]) for v in d]
        report_rational(f"{name}(x) / x of z = x^2", f"|x| in [0, {high}]", n, d, error)


if "gelu" in sys.argv:
    n, d, _ = rational(
        lambda a: exp(a * a / 2) * erfc(a / sqrt(2)) / 2, lambda a: exp(-a * a / 2) / erfc(a / sqrt(2)) * 2, 4, 5, 0, 14.5
    )
    factor = n[-1] / d[-1]
    quotients("e^(a^2/2) Phi(-a)", lambda a: exp(a * a / 2) * erfc(a / sqrt(2)) / 2, ((4, 5),), mpf(0), mpf("14.5"))

    def power(u):
        return factor * exp(-u / 2)

    c, error = fit(power, lambda u: 1 / power(u), 6, -log(mpf(2)), log(mpf(2)), "f64")
    report("factor e^(-u/2)", "|u| <= ln 2", c, error, "f64")
if "slope" in sys.argv:
    # Phi(-a) - a phi(a) = e^(-a^2/2) (a - root) n(a) / d(a)
    root = findroot(lambda a: erfc(a / sqrt(2)) / 2 - a * exp(-a * a / 2) / sqrt(2 * pi), mpf("0.75"))
    print("// root", mp.nstr(to_f64(root), 17), mp.nstr(root - to_f64(root), 17))

    def beside_root(a):
        if abs(a - root) < ZERO:
            a = root + ZERO
        return (exp(a * a / 2) * erfc(a / sqrt(2)) / 2 - a / sqrt(2 * pi)) / (a - root)

    n, d, _ = rational(beside_root, lambda a: 1 / beside_root(a), 5, 5, 0, 15)
    factor = n[-1] / d[-1]
    quotients("(e^(a^2/2) Phi(-a) - a / sqrt(2 pi)) / (a - root)", beside_root, ((5, 5),), mpf(0), mpf(15))

    def scaled_power(u):
        return factor * exp(-u / 2)

    c, error = fit(scaled_power, lambda u: 1 / scaled_power(u), 7, -log(mpf(2)), log(mpf(2)), "f64")
    report("factor e^(-u/2)", "|u| <= ln 2", c, error, "f64")
if "ln" in sys.argv:
    quotients("ln(1 + e) / e", lambda e: log1p(e) / e, ((3, 3),), ZERO, mpf(1), monic=False)
if "erf" in sys.argv:
    odd("erf", erf, ((5, 6),), "3.95")
if "tanh" in sys.argv:
    odd("tanh", tanh, ((5, 4), (5, 5)), "9.2")
