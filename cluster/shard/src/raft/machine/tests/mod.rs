//! The state of groups, with stores on real files.
