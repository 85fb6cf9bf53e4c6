"""Losses and gradients as PyTorch computes them in double precision, for tests/loss.rs.

Run `python tools/losses.py` in the root of the project, with torch and numpy installed; it writes tests/data/loss/*.csv.
The inputs are written into the same file. One line is name;value(s);gradient, numbers separated by spaces, in their shortest
form that reads back exactly. Lanes are rows: 6 lanes of 5 classes.
"""
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
out = pathlib.Path("tests/data/loss")
out.mkdir(parents=True, exist_ok=True)

SHAPE = (6, 5)  # lanes, classes
N = math.prod(SHAPE)
logits = torch.tensor([4.0 * math.sin(1.7 * i + 0.3 * (i % 5)) for i in range(N)]).reshape(SHAPE)
labels = torch.tensor([0, 3, 4, -100, 1, 3])
weights = torch.tensor([0.5, 2.0, 1.0, 0.25, 3.0])
targets = torch.softmax(torch.tensor([math.cos(0.9 * i) for i in range(N)]).reshape(SHAPE), 1)
binary = torch.tensor([(i * 7 % 11) / 10.0 for i in range(N)]).reshape(SHAPE)
values = torch.tensor([3.0 * math.cos(2.3 * i) for i in range(N)]).reshape(SHAPE)


def numbers(t):
    return " ".join(repr(float(v)) for v in t.detach().flatten())


lines = [
    f"logits;{numbers(logits)}",
    f"weights;{numbers(weights)}",
    f"targets;{numbers(targets)}",
    f"binary;{numbers(binary)}",
    f"values;{numbers(values)}",
]


def record(name, f):
    for reduction in ("mean", "sum"):
        x = logits.clone().requires_grad_(True)
        loss = f(x, reduction)
        loss.backward()
        lines.append(f"{name}.{reduction};{numbers(loss)};{numbers(x.grad)}")
    lines.append(f"{name}.none;{numbers(f(logits, 'none'))};")


for w_name, w in (("plain", None), ("weighted", weights)):
    for smoothing in (0.0, 0.1, 1.0):
        record(
            f"cross_entropy.{w_name}.{smoothing}",
            lambda x, r: F.cross_entropy(x, labels, weight=w, label_smoothing=smoothing, reduction=r),
        )
        record(
            f"soft.{w_name}.{smoothing}",
            lambda x, r: F.cross_entropy(x, targets, weight=w, label_smoothing=smoothing, reduction=r),
        )
    record(f"nll.{w_name}", lambda x, r: F.nll_loss(x, labels, weight=w, reduction=r))
    for p_name, p in (("plain", None), ("positive", weights)):
        full = None if w is None else weights.flip(0)
        record(
            f"bce.{w_name}.{p_name}",
            lambda x, r: F.binary_cross_entropy_with_logits(x, binary, weight=full, pos_weight=p, reduction=r),
        )
record("mse", lambda x, r: F.mse_loss(x, values, reduction=r))
record("mae", lambda x, r: F.l1_loss(x, values, reduction=r))
for delta in (0.5, 1.0, 3.0):
    record(f"huber.{delta}", lambda x, r: F.huber_loss(x, values, delta=delta, reduction=r))

(out / "torch.csv").write_text("\n".join(lines) + "\n")
