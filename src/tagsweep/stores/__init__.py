"""What is on disk: plan files, journals, the ledger, snapshots."""
