//! Losses from logits, each with its gradient.
