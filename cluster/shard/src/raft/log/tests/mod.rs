//! Tests of the logs, on real files in temporary directories.
