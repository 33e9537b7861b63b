# SPDX-License-Identifier: Apache-2.0
"""Training: TensorFlow lives here and in ``unas.tflite.converter``, and nowhere else."""
