//! Whether this machine can run models fast.

use std::path::Path;

/// Whether there is a GPU that model servers use: CUDA or ROCm by its driver, Metal on Apple's own processors.
pub(super) fn present() -> bool {
    if cfg!(target_os = "macos") {
        return cfg!(target_arch = "aarch64");
    }
    Path::new("/proc/driver/nvidia/version").exists()
        || Path::new("/dev/nvidia0").exists()
        || has_rocm_node(Path::new("/sys/class/kfd/kfd/topology/nodes"))
}

/// The processor is a node, too; only GPUs have SIMD units.
fn has_rocm_node(nodes: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(nodes) else { return false };
    entries.flatten().any(|entry| {
        let properties = std::fs::read_to_string(entry.path().join("properties")).unwrap_or_default();
        properties.lines().any(|line| line.strip_prefix("simd_count ").is_some_and(|count| count.trim() != "0"))
    })
}

#[cfg(test)]
mod tests {
    use super::has_rocm_node;

    #[test]
    fn only_nodes_with_simd_units_are_gpus() {
        let nodes = tempfile::tempdir().unwrap();
        let put = |name: &str, count: u32| {
            std::fs::create_dir(nodes.path().join(name)).unwrap();
            std::fs::write(nodes.path().join(name).join("properties"), format!("cpu_cores 8\nsimd_count {count}\n"))
                .unwrap();
        };
        put("0", 0);
        assert!(!has_rocm_node(nodes.path()));
        put("1", 256);
        assert!(has_rocm_node(nodes.path()));
    }
}
