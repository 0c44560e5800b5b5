//! The mesh: one QUIC endpoint a node, mutual TLS under the cluster's own authority, lanes, streams and datagrams.
