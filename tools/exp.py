"""Coefficients of src/math/exp.rs: q in e^r = 1 + r + r^2 q(r) on |r| <= ln 2 / 2 and ln 2 / 16, and the parts of ln 2;
of src/math/gate.rs: p in e^r = beta (1 + p(r)), and the factors beta 2^(j/8)."""

from mpmath import mp, mpf, exp, log, factorial
from minimax import fit, report, show, to_f32, to_f64

half = log(2) / 2 * (1 + mpf(2) ** -10)


def q(r):
    return sum(r**k / factorial(k + 2) for k in range(40))


for fmt, degrees in (("f32", (3, 4)), ("f64", (8, 9, 10))):
    for degree in degrees:
        c, error = fit(q, lambda r: r**2 / exp(r), degree, -half, half, fmt)
        report(f"{fmt} q(r), relative to e^r,", "|r| <= ln 2 / 2", c, error, fmt)

eighth = log(2) / 16 * (1 + mpf(2) ** -10)
for degree in (1, 2):
    c, error = fit(q, lambda r: r**2 / exp(r), degree, -eighth, eighth, "f32")
    report("f32 q(r), relative to e^r,", "|r| <= ln 2 / 16", c, error, "f32")



def factors():
    """(error, β): β in [2^(-1/16), 1) of which the first of the numbers β 2^(j/8) has an even last bit in f32, and none is
    further from an f32 number than `error` of it."""
    powers = [2.0 ** (j / 8) for j in range(8)]
    best = (1.0, None)
    for i in range(int(2.0**24 * 2.0 ** (-1 / 16)) // 2 * 2, 2**24, 2):
        for step in range(-8, 9):
            beta = i * 2.0**-24 * (1 + step * 2.0**-30.5)
            worst = 0.0
            for power in powers:
                value = beta * power
                grid = 2.0**-24 if value < 1 else 2.0**-23
                worst = max(worst, abs(round(value / grid) * grid / value - 1))
                if worst >= best[0]:
                    break
            else:
                best = (worst, beta)
    return best


error, beta = factors()
print("// beta", beta, "relative error of the factors 2^", mp.nstr(log(error, 2), 5))
print("[" + ", ".join(show(to_f32(mpf(beta) * mpf(2) ** (mpf(j) / 8)), "f32") for j in range(8)) + "]")
c, error = fit(lambda r: exp(r) / beta - 1, lambda r: beta / exp(r), 4, -eighth, eighth, "f32")
report("f32 p(r) in e^r = beta (1 + p(r)), relative to e^r,", "|r| <= ln 2 / 16", c, error, "f32")
middle = to_f32(log(mpf(2)) / 16)
c, error = fit(lambda r: exp(r - middle) / beta - 1, lambda r: beta / exp(r - middle), 4, middle - eighth, middle + eighth, "f32")
report(f"the same of r - {show(middle, 'f32')},", "0 <= r <= ln 2 / 8", c, error, "f32")

for fmt, bits, rounded in (("f32", 15, to_f32), ("f64", 40, to_f64)):
    scale = mpf(2) ** bits
    high = mp.floor(log(2) * scale) / scale
    low = rounded(log(2) - high)
    print(fmt, "ln 2 =", show(rounded(high), fmt), "+", show(low, fmt), " 1/ln 2 =", show(rounded(1 / log(2)), fmt))


def g(r):
    return sum(r**k / factorial(k + 1) for k in range(40))


for degree in (4, 5, 6):
    c, error = fit(g, lambda r: r / exp(r), degree, -half, half, "f64")
    report("f64 lanes for f32: g in e^r = 1 + r g(r), relative to e^r,", "|r| <= ln 2 / 2", c, error, "f64")
    c, error = fit(g, lambda r: 1 / g(r), degree, -half, half, "f64")
    report("f64 lanes for f32: g in e^r - 1 = r g(r), relative to e^r - 1,", "|r| <= ln 2 / 2", c, error, "f64")

for fmt, degrees in (("f32", (4, 5)), ("f64", (9, 10))):
    for degree in degrees:
        c, error = fit(q, lambda r: r / g(r), degree, -half, half, fmt)
        report(f"{fmt} q(r), relative to e^r - 1,", "|r| <= ln 2 / 2", c, error, fmt)
