//! Delivers Carvel packages.
