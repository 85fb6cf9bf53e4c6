"""Coefficients of src/math/ln.rs: A in atanh(s)/s = 1 + z A(z), z = s^2 in [0, 1/9]; softplus
near 0; the zero of mish' and its expansion."""

from mpmath import mp, mpf, exp, findroot, tanh, log, taylor
from minimax import fit, report, show, to_f64


def a(z):
    return sum(z**k / mpf(2 * k + 3) for k in range(70))


for fmt, degrees in (("f32", (3, 4)), ("f64", (4, 5, 10, 11))):
    for degree in degrees:
        c, error = fit(a, lambda z: z, degree, 0, mpf(1) / 9, fmt)
        report(f"A, relative to atanh(s)/s,", "[0, 1/9]", c, error, fmt)

top = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mpf("1.0001")
c, error = fit(a, lambda z: z, 4, 0, top, "f64")
report("A, relative to atanh(s)/s,", "[0, 0.02944]", c, error, "f64")


def softplus_rest(z):
    x = mp.sqrt(z) if z > mpf(10) ** -20 else mpf(10) ** -10
    return (log(1 + exp(x)) - log(2) - x / 2) / x**2


c, error = fit(softplus_rest, lambda z: 1 / softplus_rest(z), 7, 0, mpf(1) / 4, "f64")
report("q in ln(1 + e^x) = ln 2 + x / 2 + z q(z), relative,", "z = x^2 in [0, 1/4]", c, error, "f64")


def mish_slope(x):
    e = exp(x)
    w = 4 * (x + 1) + 4 * e**2 + e**3 + e * (4 * x + 6)
    return e * w / (2 * e + e**2 + 2) ** 2


root = findroot(mish_slope, -1.19)
high = to_f64(root)
print("mish' root", show(high, "f64"), "+", show(to_f64(root - high), "f64"))
c = taylor(mish_slope, root, 34)
print("mish'' at the root =", show(to_f64(c[1]), "f64"), "+", show(to_f64(c[1] - to_f64(c[1])), "f64"))


def rest(t):
    return sum(v * t**i for i, v in enumerate(c[2:]))


for degree in (9, 10):
    v, error = fit(rest, lambda t: t / (c[1] + t * rest(t)), degree, -mpf(1) / 8, mpf(1) / 8, "f64")
    report("rest in mish'(root + t) = t (mish'' + t rest(t)), relative,", "|t| <= 1/8", v, error, "f64")
