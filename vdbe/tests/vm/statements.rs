//! What the end of a statement does to the transaction around it.
