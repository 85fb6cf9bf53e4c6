#!/usr/bin/env bash
# Sets up what measure.py needs: a virtual environment with the Python peers and a release build of the measuring server.
set -euo pipefail
cd "$(dirname "$0")"
python3 -m venv .venv
.venv/bin/pip install --quiet --upgrade pip
.venv/bin/pip install --quiet numpy scipy torch jax tensorflow-cpu onnxruntime onnx matplotlib tqdm
cargo build --release # measure.py builds it again when a source has changed, and once more with a feature
