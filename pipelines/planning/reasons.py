"""Why a read of a window is not simply complete: the ledger's column ``reason``."""

EXPIRED, NOT_AUTHORIZED, QUOTA, AUTH, CLOCK, OTHER = (
    *("expired", "not_authorized", "quota", "auth", "clock", "other"),
)
"""Why a window could not be read."""
MISSING, SHORT, SILENT, UNSTEADY = "missing", "short", "silent", "unsteady"
"""What was wrong with the records: stored ones did not come, fewer came than the vendor
counts, none came although that is doubtful, no two attempts gave the same."""
COUNTS_MORE = "vendor_counts_more"
"""The vendor counts more than it lists, even in the smallest windows."""
UNBALANCED = "unbalanced"
"""Not every record that came is stored, unchanged or in quarantine."""
BEGUN = "begun"
"""Its records go into several load packages; the last one has the final state."""
