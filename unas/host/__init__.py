# SPDX-License-Identifier: Apache-2.0
"""The runtime on this machine: reference outputs, seeded inputs, many inferences at once."""
