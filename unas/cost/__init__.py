# SPDX-License-Identifier: Apache-2.0
"""Cost models: fitted latency, tensor arena and flash of a network."""
