//! Numbers as text, and back.
