//! Who answers right now: SWIM membership over the mesh, with full-state synchronisation.
