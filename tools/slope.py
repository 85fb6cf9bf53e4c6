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

    def h(t):
        return sum(v * t**i for i, v in enumerate(c[1:]))

    for degree in (9, 10, 11, 12):
        v, error = fit(h, lambda t: 1 / h(t), degree, -mpf(radius), mpf(radius), "f64")
        report(f"{name}: h in f'(root + t) = t h(t), relative,", f"|t| <= {radius}", v, error, "f64")
