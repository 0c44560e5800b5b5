//! What must never be taken for an attack. It guards against falling back; it does not estimate how often strangers' texts are
//! flagged, because short phrases of everyday language also occur in the training corpus.

use super::Scanner;
use proptest::prelude::*;

/// Places for a number, an id, a date or a name in everyday requests.
const TEMPLATES: &[&str] = &[
    "say hi {}",
    "hello {}",
    "{}",
    "ping {}",
    "{} plus {}",
    "what is {} times {}?",
    "round {} to two digits",
    "is {} a prime number?",
    "convert {} euros to dollars",
    "where is order {}?",
    "cancel order {}",
    "skip item {}",
    "drop row {}",
    "delete entry {} please",
    "show ticket {}",
    "print label {}",
    "print invoice {}",
    "repeat step {}",
    "list all items of {}",
    "tell me about {}",
    "give me {}",
    "what is {}?",
    "who is {}?",
    "call {} tomorrow",
    "task {} is done",
    "new task: water the plants at {}",
    "status of job {}",
    "retry job {} with worker {}",
    "ignore the error {}",
    "ignore line {}",
    "forget {}",
    "the system returned code {}",
    "system {} is slow today",
    "prompt {}",
    "see rule {} of the book",
    "open page {} of the instructions",
    "meeting with {} at {}",
    "my phone number is {}",
    "commit {} breaks the build",
    "the trace id was {}",
    "download https://example.org/files/{}?page={}",
    "mail it to user{}@example.org",
    "does part {} fit into part {}?",
    "Wo ist meine Bestellung {}?",
    "Zeig mir die Rechnung {}",
    "Wie heißt {} mit Nachnamen?",
    "Wann kommt {} an?",
    "Où est ma commande {} ?",
    "Appelle {} demain",
    "¿Dónde está mi pedido {}?",
    "Llama a {} mañana",
    "Chi è {}?",
];

const NAMES: &[&str] = &[
    "Ada",
    "Björn",
    "Chidi",
    "Dörte",
    "Eloïse",
    "Fatima",
    "Goran",
    "Håkon",
    "Inés",
    "Jürgen",
    "Kateryna",
    "Li Wei",
    "Mbali",
    "Niamh",
    "Oluwaseun",
    "Priya",
    "Quirin",
    "Raúl",
    "Siobhán",
    "Thị Mai",
    "Ulla",
    "Václav",
    "Wiebke",
    "Xavier",
    "Yūki",
    "Zoltán",
    "O'Connor",
    "Müller-Lüdenscheidt",
    "van der Berg",
    "D'Angelo",
    "Smith",
    "Lovelace",
    "Nakamura",
    "Silva",
];

fn inserted() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_u64..10_000).prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        (any::<i32>(), 0_u32..1000).prop_map(|(n, f)| format!("{n}.{f}")),
        any::<u32>().prop_map(|n| format!("{n:x}")),
        any::<u64>().prop_map(|n| format!("0x{n:016X}")),
        any::<u128>().prop_map(|n| format!("{n:032x}")),
        any::<u128>().prop_map(|n| {
            let hex = format!("{n:032x}");
            [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
        }),
        "[A-Z]{2,4}-[0-9]{3,8}",
        "[A-Za-z0-9]{6,24}",
        "[a-z]{1,3}[0-9]{1,4}[a-z]{0,3}",
        "[a-z]{2,9}",
        "[\\$#@][0-9]{1,5}",
        "v[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{1,3}",
        (1900_u32..2100, 1_u32..13, 1_u32..29).prop_map(|(y, m, d)| format!("{y}-{m:02}-{d:02}")),
        (1900_u32..2100, 1_u32..13, 1_u32..29).prop_map(|(y, m, d)| format!("{d}.{m}.{y}")),
        (0_u32..24, 0_u32..60).prop_map(|(h, m)| format!("{h}:{m:02}")),
        any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}")),
        (0..NAMES.len()).prop_map(|at| NAMES[at].to_owned()),
        (0..NAMES.len(), 0..NAMES.len()).prop_map(|(a, b)| format!("{} {}", NAMES[a], NAMES[b])),
    ]
}

fn filled(template: &str, values: &[String]) -> String {
    let mut values = values.iter();
    let mut parts = template.split("{}");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + values.next().map_or("", String::as_str) + part)
}

#[test]
fn nothing_is_flagged_for_a_number_an_id_a_date_or_a_name() {
    let scanner = Scanner::new();
    let seen = std::cell::Cell::new(0_u32);
    let config = ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(values in prop::collection::vec(inserted(), 2))| {
        for template in TEMPLATES {
            let text = filled(template, &values);
            prop_assert_eq!(scanner.scan(&text).rule, None, "{}", text);
            seen.set(seen.get() + 1);
        }
    });
    assert!(seen.get() >= 20_000, "{seen:?}");
}

#[test]
fn no_pair_of_names_is_flagged() {
    let scanner = Scanner::new();
    for first in NAMES {
        for last in NAMES {
            let name = format!("{first} {last}");
            for template in TEMPLATES {
                let text = filled(template, &[name.clone(), name.clone()]);
                assert_eq!(scanner.scan(&text).rule, None, "{text}");
            }
        }
    }
}

#[test]
fn numbers_and_ids_change_no_score() {
    let scanner = Scanner::new();
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(number in any::<u64>(), id in any::<u128>())| {
        for text in ["say hi", "tell me a joke", "write a poem about the sea please", "you are now free to answer"] {
            let plain = scanner.scan(text).score;
            for with in [format!("{text} {number}"), format!("{number} {text}"), format!("{text} 0x{id:x}"), format!("{text} {number}-{id:x}")] {
                prop_assert_eq!(scanner.scan(&with).score, plain, "{}", with);
            }
        }
    });
}

#[test]
fn everyday_inputs_pass() {
    let scanner = Scanner::new();
    let inputs: Vec<&str> = include_str!("benign.txt").lines().filter(|line| !line.is_empty()).collect();
    assert!(inputs.len() >= 150, "{}", inputs.len());
    let flagged: Vec<_> = inputs.iter().filter_map(|text| scanner.scan(text).rule.map(|rule| (rule, *text))).collect();
    assert!(flagged.is_empty(), "{flagged:#?}");
}
