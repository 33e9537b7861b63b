# SPDX-License-Identifier: Apache-2.0
"""Models in, measurements out: what to measure on, and how the work is scheduled."""
