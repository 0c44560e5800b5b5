//! Durations on the command line: a number and a unit.

use std::time::Duration;

/// Reads `90s`, `30m`, `24h` or `7d`.
pub(in crate::commands) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a duration: expected a number and a unit, such as 90s, 30m, 24h or 7d");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match text.get(digits.len()..) {
        Some("s") => 1,
        Some("m" | "min") => 60,
        Some("h") => 3_600,
        Some("d") => 86_400,
        Some(_) | None => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let total = count.checked_mul(seconds).filter(|total| *total > 0).ok_or_else(wrong)?;
    Ok(Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    fn a_number_and_a_unit() {
        assert_eq!(parse("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("30m"), Ok(Duration::from_secs(1_800)));
        assert_eq!(parse("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in
            ["", "h", "10", "-1h", "1.5h", "1 h", "10y", "0s", "99999999999999999999d", "300000000000000d", "5é"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
