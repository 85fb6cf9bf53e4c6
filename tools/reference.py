"""Constants and test vectors of tests/common: needs mpmath.

    python tools/reference.py constants    tables of tests/common/dd.rs and reference.rs
    python tools/reference.py vectors      tests/data/elementary.csv
"""

import struct
import sys

from mpmath import mp, mpf

mp.prec = 400


def pair(x):
    """x as an unevaluated sum of two doubles, each nearest to what is left."""
    high = float(x)
    return f"({high!r}, {float(x - mpf(high))!r})"


def head(x, bits):
    """x cut to `bits` bits, and the rest."""
    shift = mpf(2) ** (bits - mp.ceil(mp.log(abs(x), 2)))
    cut = mp.floor(x * shift) / shift
    return float(cut), x - cut


def constants():
    ln2 = mp.log(2)
    a, rest = head(ln2, 32)
    b, rest = head(rest, 32)
    print(f"LN2 {a!r}, {b!r}, {float(rest)!r}")
    for name, x in [
        ("FRAC_1_SQRT_2", 1 / mp.sqrt(2)),
        ("FRAC_2_SQRT_PI", 2 / mp.sqrt(mp.pi)),
        ("FRAC_1_PI", 1 / mp.pi),
        ("PI", mp.pi),
        ("FRAC_1_SQRT_TAU", 1 / mp.sqrt(2 * mp.pi)),
        ("SQRT_FRAC_2_PI", mp.sqrt(2 / mp.pi)),
        ("0.044715", mpf("0.044715")),
        ("1.702", mpf("1.702")),
        ("selu scale", mpf("1.0507009873554804934193349852946")),
        ("selu alpha", mpf("1.6732632423543772848170429916717")),
        ("1/6", mpf(1) / 6),
    ]:
        print(name, pair(x))
    print("1/n!, n = 0 .. 12")
    for n in range(13):
        print(f"    {pair(1 / mp.factorial(n))},")
    print("e^-(n h)^2, h = 11/32, n = 1 .. 25")
    for n in range(1, 26):
        print(f"    {pair(mp.exp(-(n * mpf(11) / 32) ** 2))},")
    print("2n / (2n + 1)!, n = 1 .. 16")
    for n in range(1, 17):
        print(f"    {pair(2 * n / mp.factorial(2 * n + 1))},")


def bits(x):
    return format(struct.unpack("<Q", struct.pack("<d", x))[0], "016x")


def vector(name, f, x):
    """The result as high + low times a power of two, so that nothing underflows."""
    y = f(mpf(x))
    if y == 0:
        return
    e = int(mp.floor(mp.log(abs(y), 2)))
    m = y / mpf(2) ** e
    high = float(m)
    print(f"{name},{bits(x)},{bits(high)},{bits(float(m - high))},{e}")


def vectors():
    import random

    random.seed(20)
    print("# Elementary functions to 106 bits by mpmath: name,x,high,low,e with y = (high + low) 2^e;")
    print("# x, high and low are bit patterns of doubles. Made by tools/reference.py.")
    near = lambda a, b: random.choice([-1, 1]) * 2.0 ** random.uniform(a, b)
    for _ in range(60):
        vector("exp", mp.exp, near(-60, 9.5))
        vector("exp_m1", mp.expm1, near(-1000, 9.5))
        vector("exp_m1", mp.expm1, near(-3, 1))
        vector("ln_1p", mp.log1p, abs(near(-1000, 1000)))
        vector("ln_1p", mp.log1p, -2.0 ** random.uniform(-100, -1))
        vector("ln_1p", mp.log1p, abs(near(-3, 3)))
        vector("sqrt", mp.sqrt, abs(near(-1000, 1000)))
        vector("erfc", mp.erfc, near(-60, 4.7))
        vector("erfc", mp.erfc, near(-3, 2))
        vector("tanh", mp.tanh, near(-1000, 6))
        vector("tanh", mp.tanh, near(-3, 3))
    # Around the places where the algorithms change.
    for x in [0.5, 1.0, 3.141592653589793 * 32 / 11, 9.2, 27.0, 40.0]:
        for y in [x, x * (1 - 2.0**-52), x * (1 + 2.0**-52)]:
            vector("erfc", mp.erfc, y)
            vector("erfc", mp.erfc, -y)
            vector("tanh", mp.tanh, y)


if __name__ == "__main__":
    {"constants": constants, "vectors": vectors}[sys.argv[1]]()
