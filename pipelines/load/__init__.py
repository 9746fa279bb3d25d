"""One vendor's load: plan, read, store, judge; and many of them side by side."""
