//! Where shards belong: weighted rendezvous hashing over committed members, and moves in small steps. Pure.
