"""Tables and a plot of what measure.py measured."""

import importlib.metadata
import math
import os
import platform
import re
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs"
README = HERE.parent.parent / "README.md"
# Rational or truncated forms, hundreds of units in the last place off or worse in places.
LOOSE = {("onnxruntime", name) for name in ("sigmoid", "tanh", "gelu_tanh", "silu")}
# With default features, with the one for new arrays, and in a program with an allocator that keeps pages.
OURS = {"ours": "", "huge": ", feature `huge-pages`", "pooled": ", with mimalloc"}
PLOTTED = {"ours": "#d62728", "torch": "#ff7f0e", "jax": "#2ca02c", "onnxruntime": "#1f77b4", "rten": "#9467bd", "copy": "#555555"}


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
        flags = next((line.split() for line in lines if line.startswith("flags")), [])
        widest = next((label for flag, label in [("avx512f", "AVX-512"), ("avx2", "AVX2")] if flag in flags), None)
        return f"{name} with {widest}" if widest else name
    except (OSError, StopIteration):
        return platform.processor()


def versions(names):
    found = []
    for name, package in [("torch",) * 2, ("jax",) * 2, ("tensorflow", "tensorflow-cpu"), ("onnxruntime",) * 2, ("numpy",) * 2]:
        if name in names:
            found.append(f"{name} {importlib.metadata.version(package)}")
    if "numpy" in names:
        found.append(f"scipy {importlib.metadata.version('scipy')}")
    lock = (HERE / "Cargo.lock").read_text()
    for name, package in [("rten", "rten-vecmath"), ("candle", "candle-nn"), ("naive", "ndarray"), ("pooled", "mimalloc")]:
        if name in names:
            pattern = f'name = "{package}"\nversion = "([^"]+)"'
            found.append(f"{package} {re.search(pattern, lock)[1]}")
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.split()
    return ", ".join(found + [f"rustc {rustc[1]}"] * bool(rustc))


def mean(values):
    values = [v for v in values if v and v == v]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def is_loose(label, result):
    return (label, result["name"]) in LOOSE and result["dtype"] == "f32" and result["kind"] == "map"


def best(result, loose=True, of="ours"):
    """The fastest peer's time over ours."""
    peers = [v for k, v in result["ns"].items() if k not in (*OURS, "copy") and (loose or not is_loose(k, result))]
    return min(peers) / result["ns"][of] if peers else float("nan")


def over(result, label, of="ours"):
    return result["ns"].get(label, float("nan")) / result["ns"][of]


def title(result):
    if result["kind"] == "map":
        return result["name"] if "Tiny" not in result["group"] else f"{result['name']}, {result['elements']}"
    if result["kind"] == "forward":
        return f"{result['shape'].replace('x', '-')} {result['name']}, batch {result['axis']}"
    return f"{result['shape'].replace('x', ' × ')}, axis {result['axis']}"


def unit(result):
    """Divides a time to what the table shows."""
    if result["kind"] == "forward":
        return 1e3
    return 1 if "Tiny" in result["group"] else result["elements"]


def figure(value):
    digits = 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}" if value < 1000 else f"{value:.0f}"


def groups(results):
    keys = dict.fromkeys((r["threads"], r["group"]) for r in results if r["group"] != "Curve")
    return {key: [r for r in results if (r["threads"], r["group"]) == key] for key in keys}


def summary(results):
    lines = [
        "| rows | threads | best careful peer / ours | lowest row | rows behind | torch / ours | jax / ours |",
        "|---|---|---|---|---|---|---|",
    ]
    for (threads, group), members, of in ((*item, of) for item in groups(results).items() for of in OURS):
        if not all(of in r["ns"] for r in members):
            continue
        careful = [best(r, loose=False, of=of) for r in members]
        torch, jax = (mean([over(r, label, of) for r in members]) for label in ("torch", "jax"))
        behind = sum(v < 1 for v in careful)
        cells = [group.split(", nanoseconds")[0] + OURS[of], threads, f"{mean(careful):.2f}", f"{min(careful):.2f}", f"{behind} of {len(members)}"]
        lines.append("| " + " | ".join(map(str, cells + [f"{v:.1f}" if v == v else "-" for v in (torch, jax)])) + " |")
    return "\n".join(lines)


def table(members, names):
    present = [n for n in names if any(n in r["ns"] for r in members)]
    lines = ["| | " + " | ".join(present) + " | best / ours |", "|---" * (len(present) + 2) + "|"]
    for r in members:
        cells = []
        for name in present:
            ns = r["ns"].get(name)
            cells.append("-" if ns is None else figure(ns / unit(r)) + "*" * is_loose(name, r))
        careful, all_of_them = best(r, loose=False), best(r)
        ratio = f"{careful:.2f}" + (f" ({all_of_them:.2f})" if all_of_them != careful else "")
        lines.append(f"| {title(r)} | " + " | ".join(cells) + f" | {ratio} |")
    return "\n".join(lines)


def document(results, names, seconds, picture):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [
        "# Performance",
        f"Measured on {time.strftime('%Y-%m-%d')} in one sitting of {seconds / 60:.0f} minutes on {processor()}, "
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}: {versions(names)}.",
        "Implementations of a row are timed in turn, round after round, pinned to as many cores as there are threads; the medians of the rounds "
        "stand below, after the answers were compared. `benches/peers/measure.py` makes this page and says how; `benches/peers/setup.sh` "
        "installs the peers. Absolute times move from run to run; ratios in one run are what counts.",
        "- Times are nanoseconds per element, of networks microseconds a call. A ratio above 1 means that ours is faster than the fastest peer.\n"
        "- A star marks peers that are loose by design, hundreds of units in the last place off; with them the ratio is the one in brackets.\n"
        "- `naive` is what one writes with ndarray alone, `copy` the same traffic without arithmetic (a `memcpy`; in place a change of sign): "
        "a limit, not a peer.\n"
        "- jax and tensorflow always make new arrays and stand in the tables \"into a buffer\" as well. They and onnxruntime take new arrays from pools "
        "of their own, of pages that have been touched before; the others ask the operating system for large ones. "
        "Large ready buffers are on huge pages: NumPy asks for them, a setting of glibc does for the Rust implementations. "
        "`huge` is ours with the feature `huge-pages`, which asks for them for new arrays; `pooled` is ours in a program whose allocator is mimalloc, "
        "which has such a pool.",
        f"![Time per element against size]({picture})",
        "## Summary",
        "Geometric means over the rows of each table.",
        summary(results),
    ]
    last = None
    for (threads, group), members in groups(results).items():
        if threads != last:
            parts.append(f"## {'One thread' if threads == 1 else f'{threads} threads'}")
            last = threads
        parts += [f"### {group}", table(members, names)]
    notes = [f"- {r['group']}, {title(r)}, {r['threads']} threads: {note}" for r in results for note in r["notes"]]
    if notes:
        parts += ["## Left out, or with another answer", "\n".join(notes)]
    return "\n\n".join(parts) + "\n"


def plot(results, path):
    """Time per element against size, with the copy limit as a dashed line."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fits = [r for r in results if r["kind"] == "map" and r["dtype"] == "f32" and r["form"] == "into"]
    functions = [n for n in ("relu", "sigmoid", "gelu") if any(r["name"] == n for r in fits)]
    threads = sorted({r["threads"] for r in fits})
    if not functions:
        return
    figure, axes = plt.subplots(len(threads), len(functions), figsize=(4.2 * len(functions), 3.6 * len(threads)), squeeze=False, sharex=True, sharey=True)
    for line, count in zip(axes, threads):
        for axis, name in zip(line, functions):
            for label, color in PLOTTED.items():
                points = sorted({(r["elements"], r["ns"][label] / r["elements"]) for r in fits if r["name"] == name and r["threads"] == count and label in r["ns"]})
                if points:
                    style = {"linestyle": "--"} if label == "copy" else {"marker": "o", "markersize": 3}
                    axis.plot(*zip(*points), color=color, label=label, linewidth=2.2 if label == "ours" else 1.2, **style)
            axis.set(xscale="log", yscale="log", title=f"{name}, f32, {count} thread{'s' * (count > 1)}")
            axis.grid(alpha=0.3)
        line[0].set_ylabel("ns / element")
    for axis in axes[-1]:
        axis.set_xlabel("elements")
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def write(results, names, seconds, docs):
    text_path, picture = (DOCS / "PERFORMANCE.md", DOCS / "performance.png") if docs else (HERE / "results.md", HERE / "results.png")
    plot(results, picture)
    text_path.write_text(document(results, names, seconds, picture.name))
    if docs:
        begin, end = "<!-- performance -->", "<!-- end of performance -->"
        head, rest = README.read_text().split(begin)
        place = f"Geometric means of time ratios against the fastest careful peer (one whose errors stay below hundreds of ULP), {processor()}; all rows, peers and versions in [docs/PERFORMANCE.md](docs/PERFORMANCE.md)."
        README.write_text(f"{head}{begin}\n\n{place}\n\n{summary(results)}\n\n![Time per element against size](docs/performance.png)\n\n{end}{rest.split(end)[-1]}")
    print(summary(results))
    print(f"\n{text_path}, {picture}")
