//! playbook.
