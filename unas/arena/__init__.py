# SPDX-License-Identifier: Apache-2.0
"""The tensor arena: when its buffers live, what kernels ask of it, where everything lies."""
