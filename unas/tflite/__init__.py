# SPDX-License-Identifier: Apache-2.0
"""TFLite files: written from a graph, converted from Keras, read back, ordered, as C arrays."""
