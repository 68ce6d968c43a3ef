"""Sources of facts: one module for each form of file that grants, recordings and reservations come in."""
