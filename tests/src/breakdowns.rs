//! What the log of a node tells of its breakdowns.

/// How many lines of a breakdown are shown: a panic's message and its backtrace.
const BREAKDOWN_LINES: usize = 40;

/// What a node's log has where something broke down that the node survived.
const BREAKDOWNS: [&str; 2] = ["panicked at", "the group has ended on this node"];

/// The lines that tell of a breakdown, each with those after it.
pub(crate) fn breakdowns_in(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().collect();
    let tells = |line: &str| BREAKDOWNS.iter().any(|words| line.contains(words));
    let mut found = Vec::new();
    let mut index = 0;
    while index < lines.len() {
        let mut shown = 1;
        if tells(lines[index]) {
            shown = BREAKDOWN_LINES.min(lines.len() - index);
            found.push(lines[index..index + shown].join("\n"));
        }
        index += shown;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breakdowns_are_found_with_what_follows_them() {
        let quiet = (0..50).map(|number| format!("line {number}")).collect::<Vec<_>>().join("\n");
        assert!(breakdowns_in(&quiet).is_empty());
        let panic = "thread 'worker' panicked at src/core.rs:1:2:\nexpect: 3 < 2";
        let log = format!("{quiet}\n{panic}\n{quiet}\nERROR the group has ended on this node by itself group=3");
        let found = breakdowns_in(&log);
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with(panic) && found[0].lines().count() == BREAKDOWN_LINES);
        assert!(found[1].contains("group=3"));
    }
}
