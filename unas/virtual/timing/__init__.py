# SPDX-License-Identifier: Apache-2.0
"""Core timing: decoded instructions, what is known of each core, and the counters."""
