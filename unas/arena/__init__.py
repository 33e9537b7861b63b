# SPDX-License-Identifier: Apache-2.0
"""The tensor arena: when its buffers live, what kernels need in it, and at which offsets."""
