//! Reading a plan: one part a line, however the model chose to mark them.

/// The most parts a plan is read as; the loop guard usually ends it earlier.
pub const MAX_PLAN_PARTS: usize = 64;

/// The parts of a plan. Bullets and numbers in front are left out; blank lines and headings are not parts. A plan without
/// a single readable part is its whole text.
#[must_use]
pub fn plan_parts(plan: &str) -> Vec<String> {
    let parts: Vec<String> = plan.lines().filter_map(part_of).take(MAX_PLAN_PARTS).map(ToOwned::to_owned).collect();
    if parts.is_empty() { vec![plan.trim().to_owned()] } else { parts }
}

fn part_of(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.starts_with('#') || line.starts_with("```") {
        return None;
    }
    let unmarked = line.trim_start_matches(['-', '*', '•', '+']).trim_start();
    let digits = unmarked.bytes().take_while(u8::is_ascii_digit).count();
    let text = match unmarked[digits..].strip_prefix(['.', ')', ':']) {
        Some(rest) if digits > 0 => rest.trim_start(),
        Some(_) | None => unmarked,
    };
    if text.chars().any(char::is_alphanumeric) { Some(text) } else { None }
}
