# SPDX-License-Identifier: Apache-2.0
"""Hardware in the loop: units, transport, wire protocol, flashing, measuring."""
