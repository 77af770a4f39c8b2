//! What the node counts, and the lines of JSON that it prints.

use std::collections::{BTreeMap, HashSet};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::message;

#[derive(Default)]
struct Sender {
    indices: HashSet<u64>,
    min: u64,
    max: u64,
    duplicates: u64,
    out_of_order: u64,
}

#[derive(Default)]
pub struct Counts {
    pub due: u64,
    pub sent: u64,
    pub dropped: BTreeMap<String, u64>,
    pub received: u64,
    pub received_bytes: u64,
    pub malformed: u64,
    pub empty_queries: u64,
    pub queries_ended: u64,
    pub responses: u64,
    pub response_bytes: u64,
    pub errors: BTreeMap<String, u64>,
    pub lateness_ns: Vec<i64>,
    delays_ns: Vec<i64>,
    senders: BTreeMap<u64, Sender>,
}

impl Counts {
    pub fn dropped(&mut self, reason: &str) {
        *self.dropped.entry(reason.into()).or_default() += 1;
    }

    pub fn error(&mut self, text: String) {
        *self.errors.entry(text).or_default() += 1;
    }

    /// Counts a message; its header, unless it is malformed.
    pub fn received(&mut self, bytes: &[u8]) -> Option<(message::Header, i64)> {
        let Some(header) = message::decode(bytes) else {
            self.malformed += 1;
            return None;
        };
        let delay_ns = message::wall_clock_ns() as i64 - header.time_ns as i64;
        self.received += 1;
        self.received_bytes += bytes.len() as u64;
        self.delays_ns.push(delay_ns);
        let sender = self.senders.entry(header.sender).or_default();
        if sender.indices.is_empty() {
            (sender.min, sender.max) = (header.index, header.index);
        } else if header.index < sender.max {
            sender.out_of_order += 1;
        }
        sender.min = sender.min.min(header.index);
        sender.max = sender.max.max(header.index);
        if !sender.indices.insert(header.index) {
            sender.duplicates += 1;
        }
        Some((header, delay_ns))
    }

    pub fn summary(&mut self, id: u64, registry: &Registry, with_delays: bool) -> String {
        let senders = self.senders.iter().map(|(id, sender)| {
            let unique = sender.indices.len();
            let Sender {
                min,
                max,
                duplicates,
                out_of_order,
                ..
            } = sender;
            format!(
                "\"{id}\":{{\"unique\":{unique},\"min\":{min},\"max\":{max},\
                 \"duplicates\":{duplicates},\"outOfOrder\":{out_of_order}}}"
            )
        });
        let senders = senders.collect::<Vec<_>>().join(",");
        let delays = if with_delays {
            format!(",\"delaysNs\":{:?}", self.delays_ns)
        } else {
            String::new()
        };
        format!(
            "{{\"event\":\"summary\",\"id\":{id},\"due\":{},\"sent\":{},\"dropped\":{{{}}},\
             \"received\":{},\"receivedBytes\":{},\"malformed\":{},\"senders\":{{{senders}}},\
             \"delay\":{},\"lateness\":{},\"emptyQueries\":{},\"queriesEnded\":{},\
             \"responses\":{},\"responseBytes\":{},\"errors\":{{{}}},\"gossipsub\":{}{delays}}}",
            self.due,
            self.sent,
            counters(&self.dropped),
            self.received,
            self.received_bytes,
            self.malformed,
            times(&mut self.delays_ns),
            times(&mut self.lateness_ns),
            self.empty_queries,
            self.queries_ended,
            self.responses,
            self.response_bytes,
            counters(&self.errors),
            gossipsub(registry),
        )
    }
}

pub fn text(value: &str) -> String {
    let mut escaped = String::from("\"");
    for character in value.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            control if control.is_control() => escaped += &format!("\\u{:04x}", control as u32),
            plain => escaped.push(plain),
        }
    }
    escaped + "\""
}

fn counters(counters: &BTreeMap<String, u64>) -> String {
    let each = counters
        .iter()
        .map(|(name, count)| format!("{}:{count}", text(name)));
    each.collect::<Vec<_>>().join(",")
}

/// All values are kept, so percentiles are exact.
fn times(ns: &mut [i64]) -> String {
    ns.sort_unstable();
    let at = |share: f64| match ns.len() {
        0 => 0,
        count => ns[((count as f64 * share).ceil() as usize).clamp(1, count) - 1],
    };
    let sum: i128 = ns.iter().map(|&each| i128::from(each)).sum();
    let negative = ns.iter().filter(|&&each| each < 0).count();
    format!(
        "{{\"count\":{},\"negative\":{negative},\"minNs\":{},\"meanNs\":{},\"p50Ns\":{},\
         \"p90Ns\":{},\"p99Ns\":{},\"maxNs\":{}}}",
        ns.len(),
        at(0.0),
        sum / (ns.len().max(1) as i128),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
    )
}

/// What rust-libp2p itself counts: messages on the wire, before and after its duplicate filter.
fn gossipsub(registry: &Registry) -> String {
    let mut exposition = String::new();
    encode(&mut exposition, registry).expect("writing into a string");
    let sum = |name: &str| -> u64 {
        exposition
            .lines()
            .filter(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['{', ' ']))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    };
    format!(
        "{{\"sent\":{},\"received\":{},\"receivedWithDuplicates\":{},\"requested\":{},\
         \"invalid\":{}}}",
        sum("topic_msg_sent_counts_total"),
        sum("topic_msg_recv_counts_total"),
        sum("topic_msg_recv_counts_unfiltered_total"),
        sum("topic_iwant_msgs_total"),
        sum("invalid_messages_per_topic_total"),
    )
}
