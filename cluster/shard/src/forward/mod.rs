//! The ledger of the cluster from any node: what another node leads is forwarded to it.
