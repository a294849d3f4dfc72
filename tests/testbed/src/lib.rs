//! Real components as local processes.
