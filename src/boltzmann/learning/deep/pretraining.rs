//! Greedy pre-training.
