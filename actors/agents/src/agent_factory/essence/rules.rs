//! Rules for single values: names, cron expressions, time zones, and what was probably meant.

use super::yaml::Value;
use jiff::tz::TimeZoneDatabase;
use std::str::FromStr;

/// Why a value does not count, and what to do about it.
pub(super) type Wrong = (String, Option<String>);

/// The longest name of an agent.
const MAX_NAME: usize = 63;

/// The longest word that another one is proposed for, in bytes: comparing takes the product of both lengths.
const MAX_COMPARED: usize = 64;
/// The longest cron expression, in bytes.
const MAX_CRON: usize = 256;

/// Checks an agent's name.
pub(super) fn name(name: &str) -> Result<(), Wrong> {
    let starts = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let fits = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    if starts && fits && name.len() <= MAX_NAME {
        return Ok(());
    }
    let message = format!(
        "'{name}' is not a name: expected 1 to {MAX_NAME} lower-case letters, digits, '-' and '_', beginning with a letter or digit"
    );
    let proposed: String = name
        .trim()
        .chars()
        .take(MAX_NAME)
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' { c } else { '-' })
        .collect();
    let proposed = proposed.trim_matches(['-', '_']);
    let proposed = &proposed[..proposed.len().min(MAX_NAME)];
    Err((message, (!proposed.is_empty()).then(|| format!("for example '{proposed}'"))))
}

const CRON_FIELDS: [&str; 6] = ["second", "minute", "hour", "day of month", "month", "day of week"];

/// Checks a cron expression of five fields, or six with seconds in front, and says which field does not fit.
pub(super) fn cron(expression: &str) -> Result<(), Wrong> {
    if expression.len() > MAX_CRON {
        return Err((format!("the cron expression has {} bytes, the limit is {MAX_CRON}", expression.len()), None));
    }
    let given: Vec<&str> = expression.split_whitespace().collect();
    let names = match given.len() {
        5 => &CRON_FIELDS[1..],
        6 => &CRON_FIELDS[..],
        count => {
            let message =
                format!("'{expression}' has {count} fields, a cron expression has five (or six, with seconds)");
            return Err((message, Some("for example '0 7 * * Mon-Fri': at 7:00 from Monday to Friday".to_owned())));
        }
    };
    let offset = CRON_FIELDS.len() - names.len();
    for (index, (field, name)) in given.iter().zip(names).enumerate() {
        // Alone among fields that always fit, a field that fails is the one at fault.
        let mut alone = ["*"; 6];
        alone[offset + index] = field;
        if ::cron::Schedule::from_str(&alone.join(" ")).is_err() {
            return Err((
                format!("the cron field '{field}' (field {}, {name}) is not valid", index + 1),
                range_of(name),
            ));
        }
    }
    let whole = if offset == 1 { format!("0 {expression}") } else { expression.to_owned() };
    ::cron::Schedule::from_str(&whole)
        .map(|_| ())
        .map_err(|_| (format!("'{expression}' is not a cron expression"), None))
}

fn range_of(field: &str) -> Option<String> {
    let range = match field {
        "second" | "minute" => "0-59",
        "hour" => "0-23",
        "day of month" => "1-31",
        "month" => "1-12 or Jan-Dec",
        "day of week" => "1-7 or Sun-Sat, 1 is Sunday",
        _ => return None,
    };
    Some(format!("{field}: {range}, '*', lists 'a,b', ranges 'a-b' and steps '*/n'"))
}

/// Checks an IANA time zone against the database inside the program, so that the answer does not depend on the machine.
pub(super) fn timezone(name: &str) -> Result<(), Wrong> {
    let database = TimeZoneDatabase::bundled();
    if database.get(name).is_ok() {
        return Ok(());
    }
    let known: Vec<String> = database.available().map(|name| name.as_str().to_owned()).collect();
    let offset = ["GMT", "UTC"]
        .iter()
        .any(|zone| name.to_ascii_uppercase().strip_prefix(zone).is_some_and(|rest| rest.starts_with(['+', '-'])));
    // A name that looks alike would be another offset.
    let hint = (!offset).then(|| did_you_mean(name, known.iter().map(String::as_str))).flatten().unwrap_or_else(|| {
        "use an IANA name such as 'Europe/Berlin' or 'UTC'; 'Etc/GMT-2' is two hours ahead of UTC, by its odd rule"
            .to_owned()
    });
    Err((format!("the time zone '{name}' is not known"), Some(hint)))
}

/// How a whole number that was written in another way is written.
pub(super) fn whole_number(value: &Value) -> Option<String> {
    let digits = match value {
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        Value::Text(text) => thousands(text)?,
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Number(_) => return None,
    };
    Some(format!("write {digits}"))
}

/// How a number that was written in another way is written.
pub(super) fn number(value: &Value) -> Option<String> {
    let Value::Text(text) = value else { return None };
    let digits = |part: &str| part.len() <= 15 && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once(',') {
        Some((whole, rest)) if digits(whole) && digits(rest) && !whole.is_empty() && !rest.is_empty() => {
            Some(format!("write {whole}.{rest}"))
        }
        Some(_) | None => Some(format!("write {}", thousands(text)?)),
    }
}

/// The digits of `10_000`, `10,000`, `10 000` and `10k`.
fn thousands(text: &str) -> Option<String> {
    let (text, zeros) = match text.strip_suffix(['k', 'K']) {
        Some(text) => (text, "000"),
        None => (text, ""),
    };
    let digits: String = text.chars().filter(|c| !matches!(c, '_' | ',' | ' ' | '\'')).collect();
    let fits = (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| digits + zeros)
}

/// The known word that was probably meant.
pub(super) fn did_you_mean<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    if given.len() > MAX_COMPARED {
        return None;
    }
    let given = given.to_lowercase();
    known
        .map(|word| (strsim::jaro_winkler(&given, &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| format!("did you mean '{word}'?"))
}
