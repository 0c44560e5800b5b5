//! What kind of machine this is, as the kernel tells it. Everything is best effort: what cannot be read is left out.

use std::fs;
use std::path::Path;

/// How many graphics processors are named.
const MAX_GPUS: usize = 8;
/// The longest name of one.
const MAX_GPU_NAME: usize = 64;
/// The vendor id of AMD on the PCI bus.
const AMD: &str = "0x1002";

/// How many processors may be used.
pub(crate) fn cpus() -> u16 {
    std::thread::available_parallelism().map_or(1, |count| u16::try_from(count.get()).unwrap_or(u16::MAX))
}

/// The memory in MiB; a limit that a container has counts.
pub(crate) fn memory_mib() -> u64 {
    let total = fs::read_to_string("/proc/meminfo").ok().and_then(|text| meminfo_total(&text)).unwrap_or_default();
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    limit.map_or(total, |bytes| total.min(bytes / (1024 * 1024)))
}

/// How much of the disk below `path` is used, in percent, as `df` counts it: what only the administrator may still use is
/// used.
pub(crate) fn disk_used_percent(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    percent_used(disk.f_blocks, disk.f_bfree, disk.f_bavail)
}

fn percent_used(blocks: u64, free: u64, available: u64) -> Option<u64> {
    let used = blocks.checked_sub(free)?;
    let total = used.checked_add(available)?;
    used.checked_mul(100)?.checked_div(total)
}

/// The load of the last minute, for each processor.
pub(crate) fn load() -> f32 {
    let load = fs::read_to_string("/proc/loadavg").ok().and_then(|text| one_minute(&text)).unwrap_or_default();
    load / f32::from(cpus().max(1))
}

/// The names of the graphics processors.
pub(crate) fn gpus() -> Vec<String> {
    let mut found = nvidia(Path::new("/proc/driver/nvidia/gpus"));
    found.extend(amd(Path::new("/sys/class/drm")));
    found.truncate(MAX_GPUS);
    found
}

fn meminfo_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

fn one_minute(text: &str) -> Option<f32> {
    text.split_whitespace().next()?.parse().ok().filter(|load: &f32| load.is_finite())
}

fn nvidia(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<String> = entries
        .filter_map(|entry| fs::read_to_string(entry.path().join("information")).ok())
        .filter_map(|text| text.lines().find_map(|line| line.strip_prefix("Model:")).map(name))
        .collect();
    found.sort();
    found
}

fn amd(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let cards = entries.filter(|entry| {
        let file = entry.file_name();
        let file = file.to_string_lossy();
        file.strip_prefix("card").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let mut found: Vec<String> = cards
        .filter_map(|entry| {
            let device = entry.path().join("device");
            let vendor = fs::read_to_string(device.join("vendor")).ok()?;
            if vendor.trim() != AMD {
                return None;
            }
            let product = fs::read_to_string(device.join("product_name")).ok().filter(|text| !text.trim().is_empty());
            Some(product.map_or_else(|| "AMD GPU".to_owned(), |text| name(&text)))
        })
        .collect();
    found.sort();
    found
}

fn name(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(MAX_GPU_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_as_full_as_its_users_find_it() {
        assert_eq!(percent_used(1_000, 600, 500), Some(44), "what is kept for the administrator is no room");
        assert_eq!(percent_used(1_000, 0, 0), Some(100));
        assert_eq!(percent_used(0, 0, 0), None, "a file system without blocks says nothing");
        assert!(disk_used_percent(Path::new("/")).is_some_and(|percent| percent <= 100));
        assert_eq!(disk_used_percent(Path::new("/nowhere/at/all")), None);
    }

    #[test]
    fn the_kernels_tables_are_read() {
        assert_eq!(meminfo_total("MemTotal:       16384000 kB\nMemFree: 1 kB\n"), Some(16_000));
        assert_eq!(meminfo_total("MemFree: 1 kB\n"), None);
        assert_eq!(one_minute("0.52 0.58 0.59 1/389 12345\n"), Some(0.52));
        assert_eq!(one_minute(""), None);
        assert!(cpus() >= 1);
    }

    #[test]
    fn graphics_processors_are_named() {
        let root = tempfile::tempdir().unwrap();
        let card = root.path().join("gpus/0000:01:00.0");
        fs::create_dir_all(&card).unwrap();
        fs::write(card.join("information"), "Model: \t\t NVIDIA GeForce RTX 3090\nIRQ: 5\n").unwrap();
        assert_eq!(nvidia(&root.path().join("gpus")), ["NVIDIA GeForce RTX 3090"]);
        for (card, vendor) in [("card0", AMD), ("card1", "0x8086"), ("card0-HDMI-A-1", AMD)] {
            let device = root.path().join("drm").join(card).join("device");
            fs::create_dir_all(&device).unwrap();
            fs::write(device.join("vendor"), format!("{vendor}\n")).unwrap();
        }
        fs::write(root.path().join("drm/card0/device/product_name"), "Radeon VII\n").unwrap();
        assert_eq!(amd(&root.path().join("drm")), ["Radeon VII"]);
        assert_eq!(nvidia(&root.path().join("nothing")), Vec::<String>::new());
    }
}
