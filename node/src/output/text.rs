//! Sizes, times and other people's text in a form that reads well.

use jiff::Timestamp;

/// A duration in milliseconds, as people say it.
pub(crate) fn duration_ms(ms: f64) -> String {
    if ms <= 0.0 {
        // The node tells whole milliseconds.
        "< 1 ms".to_owned()
    } else if ms < 1.0 {
        format!("{ms:.2} ms")
    } else if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1_000.0 {
        format!("{ms:.0} ms")
    } else if ms < 60_000.0 {
        format!("{:.1} s", ms / 1_000.0)
    } else {
        let seconds = ms / 1_000.0;
        format!("{:.0} min {:.0} s", (seconds / 60.0).floor(), seconds % 60.0)
    }
}

/// A number of bytes, as people say it.
pub(crate) fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let count_f = count as f64;
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{:.1} KiB", count_f / 1_024.0),
        _ => format!("{:.1} MiB", count_f / 1_048_576.0),
    }
}

/// Millionths of a dollar.
pub(crate) fn money(micros: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "four decimals are shown")]
    let dollars = micros as f64 / 1_000_000.0;
    format!("${dollars:.4}")
}

/// How long ago an RFC 3339 time was; the text itself when it is none.
pub(crate) fn ago(time: &str, now: Timestamp) -> String {
    let Ok(then) = time.parse::<Timestamp>() else { return super::printable(time) };
    let seconds = (now.as_second() - then.as_second()).max(0);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// The first line of `text`, at most `limit` characters of it.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    let text = super::filter::shown(text);
    let mut lines = text.trim().lines();
    let line = lines.next().unwrap_or_default();
    let more = lines.next().is_some();
    if line.chars().count() <= limit && !more {
        return line.to_owned();
    }
    let kept: String = line.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shortened_at_characters_not_bytes() {
        assert_eq!(shorten("héllo wörld", 6), "héllo…");
        assert_eq!(shorten("short", 6), "short");
        assert_eq!(shorten("two\nlines", 20), "two…");
    }

    #[test]
    fn units_read_well() {
        assert_eq!(duration_ms(0.25), "0.25 ms");
        assert_eq!(duration_ms(1_500.0), "1.5 s");
        assert_eq!(duration_ms(61_000.0), "1 min 1 s");
        assert_eq!(bytes(2_048), "2.0 KiB");
        assert_eq!(money(1_500), "$0.0015");
    }

    #[test]
    fn ages_are_told_in_one_unit() {
        let now: Timestamp = "2026-01-01T01:00:00Z".parse().unwrap();
        assert_eq!(ago("2026-01-01T00:59:30.000Z", now), "30 s ago");
        assert_eq!(ago("2026-01-01T00:00:00Z", now), "1 h ago");
        assert_eq!(ago("yesterday", now), "yesterday");
    }
}
