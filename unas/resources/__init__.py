# SPDX-License-Identifier: Apache-2.0
"""Resource models: MACs, model size and peak memory, computed from a graph alone."""
