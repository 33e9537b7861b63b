# SPDX-License-Identifier: Apache-2.0
"""What proposes candidates, and how records are compared. Nothing here trains or measures."""
