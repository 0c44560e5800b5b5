//! Where a provider answers: read as an address, not compared by its first letters.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether what is sent is encrypted.
    pub encrypted: bool,
    /// The host: a name in lower case, or a number.
    pub host: Host,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// By its name.
    Name(String),
    /// By its number.
    Ip(IpAddr),
}

impl Address {
    /// Reads `http://HOST[:PORT][/PATH]` or the same with `https`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("url '{url}' {what}");
        let (encrypted, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(wrong("must begin with http:// or https:// and name a host")),
        };
        if rest.contains(char::is_whitespace) || rest.contains(char::is_control) || rest.contains('\\') {
            return Err(wrong("must not contain blanks or backslashes"));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(wrong("must not name a user: put the key into a secret"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, after) = inner.split_once(']').ok_or_else(|| wrong("has a '[' without a ']'"))?;
                let ip: Ipv6Addr = host.parse().map_err(|_| wrong("has no IPv6 address between '[' and ']'"))?;
                let port = after.strip_prefix(':').or_else(|| after.is_empty().then_some(""));
                (Host::Ip(IpAddr::V6(ip)), port.ok_or_else(|| wrong("has something between ']' and ':'"))?)
            }
            None => {
                let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
                if host.is_empty() {
                    return Err(wrong("must begin with http:// or https:// and name a host"));
                }
                let ip = host.parse::<Ipv4Addr>().map(|ip| Host::Ip(IpAddr::V4(ip)));
                (ip.unwrap_or_else(|_| Host::Name(host.to_ascii_lowercase())), port)
            }
        };
        if !port.is_empty() && port.parse::<u16>().is_err() {
            return Err(wrong("has a port that is no number from 0 to 65535"));
        }
        Ok(Self { encrypted, host })
    }

    /// Whether it is this machine.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        match &self.host {
            Host::Name(name) => name == "localhost",
            Host::Ip(ip) => ip.to_canonical().is_loopback(),
        }
    }

    /// Whether what is sent there stays on this machine, or on networks that nobody else is on.
    #[must_use]
    pub fn is_private(&self) -> bool {
        let Host::Ip(ip) = &self.host else { return self.is_this_machine() };
        match ip.to_canonical() {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::parse(url).unwrap()
    }

    #[test]
    fn only_this_machine_is_this_machine() {
        for url in [
            "http://localhost/",
            "http://LOCALHOST:80",
            "http://127.0.0.1:11434/v1",
            "http://127.9.9.9",
            "https://[::1]:8/",
        ] {
            assert!(address(url).is_this_machine(), "{url}");
        }
        for url in [
            "http://localhost.evil.com/",
            "http://127.evil.com",
            "http://localhostile/",
            "http://[::2]/",
            "http://10.0.0.1/",
            "http://0.0.0.0.example",
            "https://evil.com/127.0.0.1",
            "https://evil.com?localhost",
        ] {
            assert!(!address(url).is_this_machine(), "{url}");
        }
    }

    #[test]
    fn private_networks_are_told_from_others() {
        for url in [
            "http://10.1.2.3",
            "http://192.168.0.9:8000/v1",
            "http://172.16.0.1",
            "http://[fd00::1]/",
            "http://localhost",
        ] {
            assert!(address(url).is_private(), "{url}");
        }
        for url in ["http://8.8.8.8", "http://172.32.0.1", "http://nas.example", "http://[2001:db8::1]/"] {
            assert!(!address(url).is_private(), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in [
            "",
            "http://",
            "ftp://a",
            "http:///x",
            "http://127.0.0.1@evil.com",
            "http://user:key@host/",
            "http://a b/",
            "http://a\\@b",
            "http://[::1",
            "http://[::1]x",
            "http://[zz]/",
            "http://a:99999",
            "http://a:b",
        ] {
            assert!(Address::parse(url).is_err(), "{url:?}");
        }
    }
}
