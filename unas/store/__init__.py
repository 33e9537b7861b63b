# SPDX-License-Identifier: Apache-2.0
"""What is kept: measurements, calibrations, results folders."""
