"""Any layer as a target: its options, its layout, its filters."""
