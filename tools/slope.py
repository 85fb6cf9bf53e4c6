"""Expansions of derivatives around their zeros: src/math/gate.rs (x sigma(x))' and src/activation/gelu_tanh.rs."""

from mpmath import mp, mpf, exp, findroot, sqrt, pi, taylor
from minimax import fit, report, show, to_f64


def gate(z):
    s = 1 / (1 + exp(-z))
    return s * (1 + z * (1 - s))


def gelu_tanh(x):
    c = 2 * sqrt(2 / pi)
    w = c * (x + mpf("0.044715") * x**3)
    s = 1 / (1 + exp(-w))
    return s * (1 + c * (x + 3 * mpf("0.044715") * x**3) * (1 - s))


for name, f, start, radius in (("gate", gate, -1.278, 0.125), ("gelu_tanh", gelu_tanh, -0.7525, 0.0625)):
    root = findroot(f, start)
    high = to_f64(root)
    print(name, "root", show(high, "f64"), "+", show(to_f64(root - high), "f64"))
    c = taylor(f, root, 30)
    high = to_f64(c[1])
    print("slope at the root", show(high, "f64"), "+", show(to_f64(c[1] - high), "f64"))

    def rest(t):
        return sum(v * t**i for i, v in enumerate(c[2:]))

    for degree in (7, 8, 9):
        v, error = fit(rest, lambda t: t / (c[1] + t * rest(t)), degree, -mpf(radius), mpf(radius), "f64")
        report(f"{name}: rest in f'(root + t) = t (slope + t rest(t)), relative,", f"|t| <= {radius}", v, error, "f64")
