//! Questions on real documents, and what a right answer quotes. They were written before anything was tuned; the
//! answers to those held out were never looked at, only their number.

/// A question, and texts of which the right quote holds one.
pub(super) type Case = (&'static str, &'static [&'static str]);

macro_rules! document {
    ($path:literal) => {
        ($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $path)))
    };
}

/// Documents that belong together, with the questions on them.
pub(super) struct Set {
    pub(super) documents: &'static [(&'static str, &'static str)],
    /// Looked at while tuning.
    pub(super) tuned: &'static [Case],
    /// Not looked at while tuning.
    pub(super) held_out: &'static [Case],
}

/// What none of the documents answers.
pub(super) const UNANSWERABLE: &[&str] = &[
    "What is the capital of France?",
    "How do I bake a loaf of bread?",
    "Who won the football championship in 2014?",
    "Which vitamins are in an orange?",
];

pub(super) const SETS: &[Set] = &[
    Set {
        documents: &[document!("config/agents/librarian/docs/pi-cluster-field-guide.md")],
        tuned: &[
            ("How much power does a Raspberry Pi cluster need?", &["12 W to 28 W"]),
            ("What happens when the SD card wears out?", &["Cards wear out by erasing", "the part that fails first"]),
            ("Do I need a fan for a Pi 5?", &["A Pi 5 needs a fan"]),
            ("How long does a consumer SD card last?", &["often lasts less than a year", "lasts five years or more"]),
            ("Can I run a cluster with two boards?", &["Two boards cannot"]),
            ("Does a Pi have a clock battery?", &["has no clock battery"]),
            ("What is group commit?", &["which is called group commit"]),
            ("How large a power supply does each Pi 5 need?", &["27 W for each Pi 5"]),
            ("What does a high endurance card cost?", &["It costs little more"]),
            ("Why do names ending in .local stop working?", &["multicast and stop working"]),
        ],
        held_out: &[
            ("At what temperature does the processor slow down?", &["begins to slow down at 80 °C"]),
            (
                "How many boards do I need to survive a failure?",
                &["Start with three boards", "Four boards survive one failure"],
            ),
            ("Why should I not use wireless?", &["stall for whole seconds"]),
            ("How fast is a language model on a Pi 5?", &["three to five words a second"]),
            ("How do I know whether the board has had too little power?", &["vcgencmd get_throttled"]),
            ("What should I look at every week?", &["Look at three numbers each week"]),
        ],
    },
    Set {
        documents: &[
            document!("config/agents/analyst/docs/history-of-consensus.md"),
            document!("config/agents/analyst/docs/measuring-durability.md"),
        ],
        tuned: &[
            ("How many participants are needed when f of them lie?", &["3f + 1 participants"]),
            ("Which systems use Raft?", &["CockroachDB and TiKV followed Raft"]),
            ("What is a fence?", &["a number that grows with each leadership"]),
            (
                "What should be done after a failed fsync?",
                &["A careful program stops", "After a failed fsync the state"],
            ),
            ("Who wrote ZooKeeper?", &["Patrick Hunt"]),
            ("What happens in Raft when the leader fails?", &["the followers hear no heartbeats"]),
            (
                "How is a torn write recognised?",
                &["carries its length and a checksum", "the first entry that does not check"],
            ),
            (
                "Does renaming a file make it durable?",
                &["Renaming a finished file", "only when its directory has been synced"],
            ),
        ],
        held_out: &[
            ("When was Paxos published?", &["appeared only in 1998", "followed in 2001"]),
            ("Who published Raft?", &["Diego Ongaro and John Ousterhout"]),
            ("What did the FLP result prove?", &["no deterministic protocol can guarantee", "called the FLP result"]),
            ("Why does a log need fsync?", &["because an acknowledgement is a promise"]),
            ("How many failures does a cluster of five nodes tolerate?", &["a cluster of five tolerates two"]),
            ("What does Chubby use?", &["built the lock service Chubby on it"]),
            ("How can I test that data survives a power cut?", &["the power is cut at a plug"]),
            ("How long does one sync take?", &["One sync takes from 0.05 ms"]),
        ],
    },
    Set {
        documents: &[document!("config/agents/editor/docs/operations-handbook.md")],
        tuned: &[
            ("How do I back up a node?", &["copy the home directory"]),
            ("How can I see failed tasks?", &["octopussy task list --dlq"]),
            ("When is the certificate renewed?", &["when fewer than 30 days"]),
            ("What can I do if the port is taken?", &["Start with `--port-offset 10`"]),
            ("What happens when an agent has spent its budget?", &["whose token budget is spent pauses"]),
            ("How do I upgrade?", &["Replace the binary"]),
            ("What is the exit code of status when the node is not ready?", &["and 3 when it cannot be reached"]),
        ],
        held_out: &[
            ("How do I stop a node?", &["`octopussy stop` sends"]),
            ("What happens when the disk is full?", &["refuses new tasks"]),
            ("How often is a task tried?", &["tried up to three times"]),
            ("Where are the logs?", &["`logs/` holds the log", "`logs/octopussy.log`"]),
        ],
    },
    Set {
        documents: &[
            document!("docs/architecture.md"),
            document!("docs/agent-directory.md"),
            document!("docs/getting-started.md"),
            document!("docs/adr/0004-log-and-state.md"),
        ],
        tuned: &[
            ("Where does a node keep its secrets?", &["the encrypted store and its key"]),
            ("How does a stateful agent handle several tasks?", &["strictly one task after the other"]),
            ("Are YAML aliases supported?", &["YAML aliases (`*name`) are not understood"]),
            ("How do I cancel a task?", &["octopussy task cancel ID"]),
            ("What does the flusher thread do?", &["A **flusher thread** brings"]),
            ("How often does the node look for expired tasks?", &["looks for expired ones once a second"]),
            ("How many passages is a question given?", &["passages a question is given"]),
            ("What does the gateway never touch?", &["The gateway never touches a store"]),
            ("What happens to running tasks after a crash?", &["tasks that were running go back to their mailboxes"]),
        ],
        held_out: &[
            ("When is 202 Accepted answered?", &["is answered after the acceptance is on the disks of a majority"]),
            ("What is an epoch?", &["activated under a new *epoch*", "an epoch is the index of"]),
            ("How many capabilities are there?", &["Twenty-seven capabilities"]),
            ("What does exit code 4 mean?", &["the node refused: credentials"]),
            ("How many changes are kept only in memory?", &["At most 8 MiB"]),
            ("What is the default temperature?", &["`intelligence.temperature`"]),
            ("How large may a file in an agent's directory be?", &["Each file has at most 8 MiB"]),
            ("Which crate contains the task ledger?", &["`octopussy-ledger`"]),
        ],
    },
];
