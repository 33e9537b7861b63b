# SPDX-License-Identifier: Apache-2.0
"""A directory laid out as a tree of TensorFlow Lite Micro, with nothing of it inside."""

from __future__ import annotations

from pathlib import Path

_FILES = {
    "tensorflow/lite/micro/micro_interpreter.h": "",
    "tensorflow/lite/micro/micro_mutable_op_resolver.h": """
  TfLiteStatus AddConv2D(
      const Registration& registration) {
  TfLiteStatus AddDepthwiseConv2D(
  TfLiteStatus AddL2Pool2D() {
  TfLiteStatus AddReshape() { return AddBuiltin(); }
  TfLiteStatus AddUnidirectionalSequenceLSTM() {
""",
    "third_party/flatbuffers/include/flatbuffers/flatbuffers.h": "",
}


def write_tree(folder: Path, *, cmsis_nn: bool = False, below: str = "") -> Path:
    """Write it, its sources in ``below``; returns the folder."""
    files = dict(_FILES)
    if cmsis_nn:
        files["third_party/cmsis_nn/Include/arm_nnfunctions.h"] = ""
    for name, text in files.items():
        path = folder / below / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
