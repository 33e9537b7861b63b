# SPDX-License-Identifier: Apache-2.0
"""Studies shown: figures, drawings of networks, one HTML page."""
