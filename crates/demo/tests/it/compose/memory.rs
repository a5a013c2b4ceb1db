//! Memory: the limits of all containers together stay below what the whole system may take.

use serde_json::Value;

use crate::compose::document::{assert_finds, entries, text};
use crate::compose::{Faults, SYSTEMS, assert_sound, system};

/// What the Go runtime is told to stay below, of the container's limit. The rest is for what is no heap.
const HEAP: f64 = 0.9;

/// A number of bytes as compose writes it, whose units are powers of 1024.
fn bytes(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let unit: u64 = match &text[digits..] {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit)
}

/// Every service counts, also one that only prepares the others, and a tool: they may all run at the same time.
fn excess(system: &Value, most: u64) -> Faults {
    let mut faults = Faults::new();
    let mut sum = 0;
    for (name, service) in entries(&system["services"]) {
        let Some(limit) = bytes(text(&service["mem_limit"])) else {
            faults.push(format!("{name}: {} is no amount of memory", service["mem_limit"]));
            continue;
        };
        sum += limit;
        let heap = bytes(text(&service["environment"]["GOMEMLIMIT"]));
        if heap.is_some_and(|heap| heap as f64 > HEAP * limit as f64) {
            faults.push(format!("{name}: its heap may take all of its memory"));
        }
        // With swap on top, the limit would not be the limit.
        if service["memswap_limit"].as_str().is_some_and(|swap| bytes(swap) != Some(limit)) {
            faults.push(format!("{name}: it may swap"));
        }
    }
    if sum > most {
        faults.push(format!("the limits sum to {sum} bytes, of {most}"));
    }
    faults
}

#[test]
fn the_limits_sum_to_what_a_laptop_can_spare() {
    for (name, most) in SYSTEMS {
        assert_sound(name, &excess(&system(name), most));
    }
}

#[test]
fn too_much_memory_is_found() {
    let sound = "
services:
  otelcol: {mem_limit: 100m, environment: {GOMEMLIMIT: 80MiB}}
  order: {mem_limit: 64M, memswap_limit: 64m}
  demo: {mem_limit: 1k, profiles: [tools]}
";
    assert_finds(
        |system| excess(system, 164 * 1024 * 1024 + 1024),
        sound,
        &[
            ("1k", "1025b", "the limits sum to 171967489 bytes, of 171967488"),
            ("{mem_limit: 100m,", "{mem_limit: 80m,", "otelcol: its heap may take all of its memory"),
            ("memswap_limit: 64m", "memswap_limit: 65m", "order: it may swap"),
            ("64M", "64 apples", "order: \"64 apples\" is no amount of memory"),
        ],
    );
}
