"""Why a window is not simply complete, for the ledger; code decides by these."""

EXPIRED, NOT_AUTHORIZED, QUOTA, AUTH, CLOCK, OTHER = (
    *("expired", "not_authorized", "quota", "auth", "clock", "other"),
)
"""Why a window could not be read."""
MISSING, SHORT, SILENT, UNSTEADY = "missing", "short", "silent", "unsteady"
"""What was wrong with what came: stored records did not come, fewer came than the
vendor counts, nothing came where a run has doubts, no two readings agreed."""
COUNTS_MORE = "vendor_counts_more"
"""The vendor's total is more than it lists, however finely it is asked."""
BEGUN = "begun"
"""Its records were being stored, in several packages; the last one says better."""
