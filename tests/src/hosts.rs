//! Hosts of their own for nodes: network namespaces on a bridge. Root only.

use anyhow::{Context, Result, bail, ensure};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Network namespaces with addresses of their own, removed when dropped.
#[derive(Debug)]
pub struct Hosts {
    prefix: String,
    net: u32,
    count: usize,
    family: Family,
    /// How often all addresses have changed.
    moves: usize,
}

/// Which addresses the hosts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    /// No others: a network that has done away with IPv4.
    V6,
}

impl Hosts {
    /// Why there can be none here; `None` when there can.
    #[must_use]
    pub fn missing() -> Option<String> {
        if !rustix::process::geteuid().is_root() {
            return Some("network namespaces need root".to_owned());
        }
        for (program, arguments) in [("ip", ["netns", "list"].as_slice()), ("nft", &["list", "tables"])] {
            match Command::new(program).args(arguments).output() {
                Ok(output) if output.status.success() => {}
                Ok(output) => return Some(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
                Err(error) => return Some(format!("{program}: {error}")),
            }
        }
        None
    }

    /// Makes `count` hosts that reach each other and this one.
    ///
    /// # Errors
    /// When the kernel or the tools do not play along.
    pub fn new(count: usize) -> Result<Self> {
        Self::of(Family::V4, count)
    }

    /// The same with IPv6 addresses and no others. Faults cannot be set among them.
    ///
    /// # Errors
    /// When the kernel or the tools do not play along.
    pub fn without_ipv4(count: usize) -> Result<Self> {
        Self::of(Family::V6, count)
    }

    fn of(family: Family, count: usize) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        // A net of its own for every process and every test in it.
        let net = (process * 7 + number) % 200 + 20;
        let hosts = Self { prefix: format!("oc{:x}{number}", process % 0xFFFF), net, count, family, moves: 0 };
        hosts.make()?;
        Ok(hosts)
    }

    fn make(&self) -> Result<()> {
        let bridge = format!("{}b", self.prefix);
        run("ip", &["link", "add", &bridge, "type", "bridge"])?;
        // Multicast reaches every host, as on a home's router.
        run("ip", &["link", "set", &bridge, "type", "bridge", "mcast_snooping", "0"])?;
        self.assign(&[], &bridge, &self.router())?;
        run("ip", &["link", "set", &bridge, "up"])?;
        for host in 0..self.count {
            let (name, veth, peer) =
                (self.name(host), format!("{}v{host}", self.prefix), format!("{}p{host}", self.prefix));
            run("ip", &["netns", "add", &name])?;
            run("ip", &["link", "add", &veth, "type", "veth", "peer", "name", &peer])?;
            run("ip", &["link", "set", &veth, "master", &bridge, "up"])?;
            run("ip", &["link", "set", &peer, "netns", &name])?;
            self.assign(&["-n", &name], &peer, &self.address(host))?;
            run("ip", &["-n", &name, "link", "set", &peer, "up"])?;
            run("ip", &["-n", &name, "link", "set", "lo", "up"])?;
            run("ip", &["-n", &name, "route", "add", "default", "via", &self.router()])?;
            self.nft(host, "add table inet faults")?;
            self.nft(host, "add chain inet faults input { type filter hook input priority 0; policy accept; }")?;
        }
        Ok(())
    }

    /// Gives an interface an address that may be used at once.
    fn assign(&self, namespace: &[&str], interface: &str, address: &str) -> Result<()> {
        let (address, more): (_, &[&str]) = match self.family {
            Family::V4 => (format!("{address}/24"), &[]),
            Family::V6 => (format!("{address}/64"), &["nodad"]),
        };
        run("ip", &[namespace, &["addr", "add", &address, "dev", interface], more].concat())
    }

    fn router(&self) -> String {
        match self.family {
            Family::V4 => format!("10.213.{}.254", self.net),
            Family::V6 => format!("fd13:{:x}::fe", self.net),
        }
    }

    /// Gives every host another address, as a new router does.
    ///
    /// # Errors
    /// When the kernel or the tools do not play along.
    pub fn renumber(&mut self) -> Result<()> {
        self.moves += 1;
        ensure!(self.moves < 5, "there are no more addresses");
        for host in 0..self.count {
            let (name, peer) = (self.name(host), format!("{}p{host}", self.prefix));
            run("ip", &["-n", &name, "addr", "flush", "dev", &peer, "scope", "global"])?;
            self.assign(&["-n", &name], &peer, &self.address(host))?;
            run("ip", &["-n", &name, "route", "replace", "default", "via", &self.router()])?;
        }
        Ok(())
    }

    /// The namespace of a host, as for `ip netns exec`.
    #[must_use]
    pub fn name(&self, host: usize) -> String {
        format!("{}n{host}", self.prefix)
    }

    /// The address of a host.
    #[must_use]
    pub fn address(&self, host: usize) -> String {
        let number = host + 1 + self.moves * 50;
        match self.family {
            Family::V4 => format!("10.213.{}.{number}", self.net),
            Family::V6 => format!("fd13:{:x}::{number:x}", self.net),
        }
    }

    /// From now on `to` hears nothing of `from` on the mesh's protocol.
    ///
    /// # Errors
    /// When the rule cannot be set.
    pub fn cut(&self, from: usize, to: usize) -> Result<()> {
        self.nft(to, &format!("add rule inet faults input ip saddr {} meta l4proto udp drop", self.address(from)))
    }

    /// From now on neither of the two hears of the other.
    ///
    /// # Errors
    /// When the rules cannot be set.
    pub fn part(&self, one: usize, other: usize) -> Result<()> {
        self.cut(one, other)?;
        self.cut(other, one)
    }

    /// From now on `host` loses so many of a hundred packets it should get.
    ///
    /// # Errors
    /// When the rule cannot be set.
    pub fn lose(&self, host: usize, of_a_hundred: u32) -> Result<()> {
        self.nft(
            host,
            &format!("add rule inet faults input meta l4proto udp numgen random mod 100 < {of_a_hundred} drop"),
        )
    }

    /// From now on packets to `host` that are longer than `bytes` vanish, as in a tunnel that says nothing.
    ///
    /// # Errors
    /// When the rule cannot be set.
    pub fn hole(&self, host: usize, bytes: u32) -> Result<()> {
        self.nft(host, &format!("add rule inet faults input meta l4proto udp meta length > {bytes} drop"))
    }

    /// Everything gets through again.
    ///
    /// # Errors
    /// When the rules cannot be removed.
    pub fn heal(&self) -> Result<()> {
        (0..self.count).try_for_each(|host| self.nft(host, "flush chain inet faults input"))
    }

    fn nft(&self, host: usize, rule: &str) -> Result<()> {
        run("ip", &["netns", "exec", &self.name(host), "nft", rule])
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in 0..self.count {
            let _ = run("ip", &["netns", "del", &self.name(host)]);
            let _ = run("ip", &["link", "del", &format!("{}v{host}", self.prefix)]);
        }
        let _ = run("ip", &["link", "del", &format!("{}b", self.prefix)]);
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| format!("{program} cannot be started"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!said.is_empty(), "{program} {arguments:?} failed");
    bail!("{program} {arguments:?}: {}", said.trim())
}
