//! Hosts and groups: loading, patterns, variables with their origin.
