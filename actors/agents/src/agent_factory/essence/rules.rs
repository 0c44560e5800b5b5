//! Rules for single values: names, cron expressions, time zones, and what was probably meant.

use jiff::tz::TimeZoneDatabase;
use std::str::FromStr;

/// Why a value does not count, and what to do about it.
pub(super) type Wrong = (String, Option<String>);

/// The longest name of an agent.
const MAX_NAME: usize = 63;

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
    let hint = did_you_mean(name, known.iter().map(String::as_str))
        .unwrap_or_else(|| "use an IANA name such as 'Europe/Berlin' or 'UTC'".to_owned());
    Err((format!("the time zone '{name}' is not known"), Some(hint)))
}

/// The known word that was probably meant.
pub(super) fn did_you_mean<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let given = given.to_lowercase();
    known
        .map(|word| (strsim::jaro_winkler(&given, &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| format!("did you mean '{word}'?"))
}
