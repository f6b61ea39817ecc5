"""The checklist: one file per row, and the checklists' YAML beside them."""
