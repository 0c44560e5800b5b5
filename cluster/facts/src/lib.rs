//! What each node is: scuttlebutt over the mesh, behind a small port.
