//! The shape of `agent.yaml`: which keys there are, and what each takes. A test holds it against the JSON Schema.

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Text; `true`: it may not be blank.
    Text(bool),
    /// true or false.
    Bool,
    /// A whole number in these bounds.
    Integer(i64, i64),
    /// A number in these bounds.
    Number(f64, f64),
    /// One of these words, in any case.
    OneOf(&'static [&'static str]),
    /// A list of these.
    List(&'static Shape),
    /// A mapping with these keys.
    Map(&'static [Field]),
    /// The agent's name.
    Name,
    /// A cron expression.
    Cron,
    /// A time zone.
    TimeZone,
}

/// A key of a mapping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// How it is written.
    pub(super) key: &'static str,
    /// Another way to write it.
    pub(super) alias: Option<&'static str>,
    /// Whether it must be there.
    pub(super) required: bool,
    /// What its value must be; nothing (null) means the same as leaving the key out.
    pub(super) shape: Shape,
}

const fn field(key: &'static str, shape: Shape) -> Field {
    Field { key, alias: None, required: false, shape }
}

const fn required(key: &'static str, shape: Shape) -> Field {
    Field { key, alias: None, required: true, shape }
}

const U32: i64 = u32::MAX as i64;
const TEXTS: Shape = Shape::List(&Shape::Text(true));
const DOLLARS: Shape = Shape::Number(0.0, 1e12);
const TOKENS: Shape = Shape::Integer(0, i64::MAX);

/// `agent.yaml`.
pub(super) const ROOT: &[Field] = &[
    required("name", Shape::Name),
    field("description", Shape::Text(false)),
    field("type", Shape::OneOf(&["STATELESS_ONE_SHOT", "STATEFUL_LOOP", "SCHEDULED_TASK_DAEMON", "USER_DEFINED"])),
    field("execution", Shape::OneOf(&["SOLO", "TEAM"])),
    field("intelligence", Shape::Map(INTELLIGENCE)),
    field("reasoning", Shape::Map(REASONING)),
    field("permissions", Shape::Map(PERMISSIONS)),
    field("sandbox", Shape::Map(SANDBOX)),
    field("budget", Shape::Map(BUDGET)),
    field("rag", Shape::Map(&[field("top_k", Shape::Integer(1, 100))])),
    field("graph_rag", Shape::Map(&[field("hop_depth", Shape::Integer(1, 10))])),
    field("scheduler", Shape::Map(&[required("cron", Shape::Cron), field("timezone", Shape::TimeZone)])),
    field("mcp_servers", Shape::List(&Shape::Map(MCP_SERVER))),
    field("tags", TEXTS),
    field("critique", Shape::Map(CRITIQUE)),
    Field {
        key: "output_format",
        alias: Some("output"),
        required: false,
        shape: Shape::OneOf(&["text", "markdown", "json"]),
    },
];

const INTELLIGENCE: &[Field] = &[
    field("provider", Shape::Text(true)),
    field("model", Shape::Text(true)),
    field("strategy", Shape::OneOf(&["COST", "QUALITY", "BALANCED", "LOCAL", "CLOUD"])),
    field("temperature", Shape::Number(0.0, 2.0)),
    field("max_tokens", Shape::Integer(1, U32)),
    field("fallback", Shape::Map(&[required("provider", Shape::Text(true)), field("model", Shape::Text(true))])),
    field("vlm", Shape::Bool),
    field("timeout_seconds", Shape::Integer(1, 3600)),
];

const REASONING: &[Field] = &[
    field("pattern", Shape::OneOf(&["direct", "reflection", "plan_and_execute"])),
    field("max_iterations", Shape::Integer(1, 1000)),
];

const PERMISSIONS: &[Field] = &[
    field("allowed_tools", TEXTS),
    field("forbidden_tools", TEXTS),
    field("allowed_paths", TEXTS),
    field("allowed_domains", TEXTS),
];

const SANDBOX: &[Field] = &[
    field("cores", Shape::Number(0.05, 1024.0)),
    field("memory_mb", Shape::Integer(16, U32)),
    field("disk_mb", Shape::Integer(0, U32)),
    field("network", Shape::Bool),
];

const BUDGET: &[Field] = &[
    field("tokens_per_hour", TOKENS),
    field("tokens_per_day", TOKENS),
    field("tokens_per_month", TOKENS),
    field("cost_per_hour", DOLLARS),
    field("cost_per_day", DOLLARS),
    field("cost_per_month", DOLLARS),
];

const MCP_SERVER: &[Field] = &[
    required("id", Shape::Text(true)),
    required("url", Shape::Text(true)),
    field("api_key_secret", Shape::Text(true)),
    field("timeout_seconds", Shape::Integer(1, U32)),
    field("tool_prefix", Shape::Text(false)),
];

const CRITIQUE: &[Field] = &[
    field("enabled", Shape::Bool),
    field("threshold", Shape::Number(0.0, 1.0)),
    field("max_rounds", Shape::Integer(1, 10)),
];
