//! A peer of the broadcast benchmark by rust-libp2p: identity, topic, message and streams are those
//! of Apollo's network benchmark, so it stands for its nodes beside ours.
//!
//! Standard output: one line of JSON for each event. Standard input: `go` broadcasts at `--rate`
//! for `--duration-seconds`, `send SIZE` sends one message; at its end comes the summary.

mod mesh;
mod message;
mod options;
mod report;
mod sqmr;
mod streams;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::gossipsub::{self, MessageAuthenticity, PublishError, Sha256Topic, ValidationMode};
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{PeerId, StreamProtocol, Swarm, SwarmBuilder, identify, noise, ping, tcp, yamux};
use prometheus_client::registry::Registry;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use crate::mesh::Mesh;
use crate::options::{Options, Protocol};
use crate::report::{Counts, text};
use crate::sqmr::Report;

const IDENTIFY_PROTOCOL: &str = "/staknet/identify/0.1.0-rc.0";
/// After a reversed query has ended.
const REVERSED_RETRY: Duration = Duration::from_millis(100);
/// Messages queued for one subscriber of reversed SQMR.
const SUBSCRIBER_QUEUE: usize = 100_000;

#[derive(NetworkBehaviour)]
struct Behaviour {
    limits: connection_limits::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    gossipsub: gossipsub::Behaviour,
    streams: streams::Behaviour,
}

struct Broadcast {
    start: Instant,
    start_ns: u64,
    next: u64,
    count: u64,
}

struct Node {
    options: Options,
    swarm: Swarm<Behaviour>,
    topic: Sha256Topic,
    registry: Registry,
    mesh: Mesh,
    counts: Counts,
    connected: Vec<PeerId>,
    subscribers: HashSet<PeerId>,
    index: u64,
    broadcast: Option<Broadcast>,
    next_token: u64,
    /// Queries whose stream is being negotiated.
    negotiating: HashMap<u64, Vec<u8>>,
    next_peer: usize,
    /// Those to whom messages are pushed as responses.
    pushed: Vec<mpsc::Sender<Arc<Vec<u8>>>>,
    /// The query that is kept at each peer in reversed SQMR, and when the next is due.
    kept: HashMap<PeerId, u64>,
    retry_at: Vec<(Instant, PeerId)>,
    reports: mpsc::UnboundedSender<Report>,
}

fn keypair(id: u64) -> Keypair {
    let mut secret = [0; 32];
    secret[..8].copy_from_slice(&id.to_le_bytes());
    Keypair::ed25519_from_bytes(secret).expect("any 32 bytes are a secret key")
}

fn gossipsub_behaviour(key: &Keypair, options: &Options) -> gossipsub::Behaviour {
    let mut config = gossipsub::ConfigBuilder::default();
    config
        .max_transmit_size(1 << 34)
        .connection_handler_queue_len(20_000);
    if let Some(degree) = options.mesh {
        config
            .mesh_n(degree)
            .mesh_n_low(degree)
            .mesh_n_high(degree)
            .mesh_outbound_min(0);
    }
    let authenticity = if options.unsigned {
        config.validation_mode(ValidationMode::None);
        MessageAuthenticity::Author(key.public().to_peer_id())
    } else {
        MessageAuthenticity::Signed(key.clone())
    };
    let config = config.build().expect("a valid configuration");
    gossipsub::Behaviour::new(authenticity, config).expect("signing goes with strict validation")
}

fn stream_protocol(version: &str) -> StreamProtocol {
    StreamProtocol::try_from_owned(format!("/stress-test/{version}")).expect("it begins with /")
}

impl Node {
    fn new(options: Options, reports: mpsc::UnboundedSender<Report>) -> Result<Self, String> {
        let topic = Sha256Topic::new("stress_test_topic");
        let mut registry = Registry::default();
        let mut swarm = SwarmBuilder::with_existing_identity(keypair(options.id))
            .with_tokio()
            .with_tcp(
                tcp::Config::default(),
                noise::Config::new,
                yamux::Config::default,
            )
            .map_err(|error| error.to_string())?
            .with_behaviour(|key| Behaviour {
                limits: connection_limits::Behaviour::new(
                    ConnectionLimits::default().with_max_established_per_peer(Some(1)),
                ),
                identify: identify::Behaviour::new(identify::Config::new(
                    IDENTIFY_PROTOCOL.into(),
                    key.public(),
                )),
                ping: ping::Behaviour::new(
                    ping::Config::new()
                        .with_interval(Duration::from_secs(15))
                        .with_timeout(Duration::from_secs(20)),
                ),
                gossipsub: gossipsub_behaviour(key, &options)
                    .with_metrics(&mut registry, Default::default()),
                streams: streams::Behaviour::new(match options.protocol {
                    Protocol::Gossipsub => Vec::new(),
                    _ => {
                        let versions = options.serve_versions.iter();
                        versions.map(|version| stream_protocol(version)).collect()
                    }
                }),
            })
            .map_err(|error| error.to_string())?
            .with_swarm_config(|config| {
                config.with_idle_connection_timeout(Duration::from_secs(120))
            })
            .build();
        if options.protocol == Protocol::Gossipsub {
            let subscribed = swarm.behaviour_mut().gossipsub.subscribe(&topic);
            subscribed.map_err(|error| error.to_string())?;
        }
        let address = format!("/ip4/127.0.0.1/tcp/{}", options.port);
        swarm
            .listen_on(address.parse().expect("a multiaddress"))
            .map_err(|error| error.to_string())?;
        let mesh = Mesh::new(*swarm.local_peer_id(), &options.bootstrap);
        Ok(Self {
            options,
            swarm,
            topic,
            registry,
            mesh,
            counts: Counts::default(),
            connected: Vec::new(),
            subscribers: HashSet::new(),
            index: 0,
            broadcast: None,
            next_token: 0,
            negotiating: HashMap::new(),
            next_peer: 0,
            pushed: Vec::new(),
            kept: HashMap::new(),
            retry_at: Vec::new(),
            reports,
        })
    }

    async fn run(mut self, mut reports: mpsc::UnboundedReceiver<Report>) {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let mut upkeep = tokio::time::interval(Duration::from_millis(10));
        loop {
            let due = self
                .broadcast
                .as_ref()
                .map(|broadcast| self.due_at(broadcast));
            let wake = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                Some(report) = reports.recv() => self.on_report(report),
                _ = tokio::time::sleep_until(wake.into()), if due.is_some() => self.send_due(),
                _ = upkeep.tick() => self.keep_up(),
                line = lines.next_line() => match line {
                    Ok(Some(line)) => self.on_command(&line),
                    _ => break,
                },
            }
        }
        let Options {
            id, print_delays, ..
        } = self.options;
        println!("{}", self.counts.summary(id, &self.registry, print_delays));
    }

    fn on_command(&mut self, line: &str) {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["go"] if self.options.rate > 0.0 => {
                let count = self.options.duration.as_secs_f64() * self.options.rate;
                self.broadcast = Some(Broadcast {
                    start: Instant::now(),
                    start_ns: message::wall_clock_ns(),
                    next: 0,
                    count: count.round() as u64,
                });
            }
            ["go"] => {}
            ["send", size]
                if size
                    .parse::<usize>()
                    .is_ok_and(|size| size >= message::HEADER_BYTES) =>
            {
                self.send(size.parse().expect("checked"), message::wall_clock_ns());
            }
            _ => println!(
                "{{\"event\":\"error\",\"text\":{}}}",
                text(&format!("what is {line}?"))
            ),
        }
    }

    fn offset(&self, index: u64) -> Duration {
        Duration::from_secs_f64(index as f64 / self.options.rate)
    }

    fn due_at(&self, broadcast: &Broadcast) -> Instant {
        broadcast.start + self.offset(broadcast.next)
    }

    /// All that is due, each with the time at which it was meant to go.
    fn send_due(&mut self) {
        while let Some(mut broadcast) = self.broadcast.take() {
            let late = Instant::now().checked_duration_since(self.due_at(&broadcast));
            let Some(late) = late else {
                self.broadcast = Some(broadcast);
                return;
            };
            let intended_ns = broadcast.start_ns + self.offset(broadcast.next).as_nanos() as u64;
            self.counts.lateness_ns.push(late.as_nanos() as i64);
            self.send(self.options.size, intended_ns);
            broadcast.next += 1;
            if broadcast.next == broadcast.count {
                println!("{{\"event\":\"done\",\"sent\":{}}}", self.counts.sent);
                return;
            }
            self.broadcast = Some(broadcast);
        }
    }

    fn send(&mut self, size: usize, time_ns: u64) {
        let header = message::Header {
            sender: self.options.id,
            index: self.index,
            time_ns,
        };
        let bytes = message::encode(&header, size);
        self.index += 1;
        self.counts.due += 1;
        let refused = match self.options.protocol {
            Protocol::Gossipsub => self.publish(bytes),
            Protocol::Sqmr => self.query_next(bytes),
            Protocol::ReversedSqmr => self.push(bytes),
        };
        match refused {
            None => self.counts.sent += 1,
            Some(reason) => self.counts.dropped(reason),
        }
    }

    fn publish(&mut self, bytes: Vec<u8>) -> Option<&'static str> {
        let gossipsub = &mut self.swarm.behaviour_mut().gossipsub;
        Some(match gossipsub.publish(self.topic.clone(), bytes) {
            Ok(_) => return None,
            Err(PublishError::Duplicate) => "duplicate",
            Err(PublishError::SigningError(_)) => "signing_error",
            Err(PublishError::NoPeersSubscribedToTopic) => "no_peers_subscribed_to_topic",
            Err(PublishError::MessageTooLarge) => "message_too_large",
            Err(PublishError::TransformFailed(_)) => "transform_failed",
            Err(PublishError::AllQueuesFull(_)) => "all_queues_full",
        })
    }

    /// Peers in turn.
    fn query_next(&mut self, bytes: Vec<u8>) -> Option<&'static str> {
        let peers = self.connected.len();
        if peers == 0 {
            return Some("no_peers_subscribed_to_topic");
        }
        let peer = self.connected[self.next_peer % peers];
        self.next_peer = (self.next_peer + 1) % peers;
        self.query(peer, bytes);
        None
    }

    fn push(&mut self, bytes: Vec<u8>) -> Option<&'static str> {
        self.pushed.retain(|subscriber| !subscriber.is_closed());
        let message = Arc::new(bytes);
        let pushed = self
            .pushed
            .iter()
            .filter(|each| each.try_send(message.clone()).is_ok());
        match (pushed.count(), self.pushed.len()) {
            (_, 0) => Some("no_peers_subscribed_to_topic"),
            (0, _) => Some("all_queues_full"),
            _ => None,
        }
    }

    fn query(&mut self, peer: PeerId, bytes: Vec<u8>) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        self.negotiating.insert(token, bytes);
        let protocol = stream_protocol(&self.options.query_version);
        self.swarm
            .behaviour_mut()
            .streams
            .open(peer, streams::Request { token, protocol });
        token
    }

    /// Asks a peer to push its messages, once.
    fn subscribe_to(&mut self, peer: PeerId) {
        if self.swarm.is_connected(&peer) && !self.kept.contains_key(&peer) {
            let token = self.query(peer, Vec::new());
            self.kept.insert(peer, token);
        }
    }

    fn query_ended(&mut self, peer: PeerId, token: u64) {
        if self.kept.get(&peer) == Some(&token) {
            self.kept.remove(&peer);
            self.retry_at.push((Instant::now() + REVERSED_RETRY, peer));
        }
    }

    fn keep_up(&mut self) {
        let now = Instant::now();
        for dial in self.mesh.due(now) {
            let peer = dial.get_peer_id();
            if self.swarm.dial(dial).is_err()
                && let Some(peer) = peer
            {
                self.lost(&peer);
            }
        }
        let (due, later) = self.retry_at.drain(..).partition(|&(at, _)| at <= now);
        self.retry_at = later;
        let due: Vec<(Instant, PeerId)> = due;
        for (_, peer) in due {
            self.subscribe_to(peer);
        }
    }

    fn lost(&mut self, peer: &PeerId) {
        if !self.swarm.is_connected(peer) {
            self.mesh.missing(peer);
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::NewListenAddr { address, .. } => {
                let id = self.swarm.local_peer_id();
                let topic = self.topic.hash();
                println!(
                    "{{\"event\":\"listening\",\"address\":\"{address}/p2p/{id}\",\
                     \"topic\":\"{topic}\"}}"
                );
            }
            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                self.mesh.connected(&peer_id);
                self.connected.push(peer_id);
                self.print_peer("connected", &peer_id, self.connected.len());
                if self.options.protocol == Protocol::ReversedSqmr {
                    self.subscribe_to(peer_id);
                }
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                num_established: 0,
                cause,
                ..
            } => {
                if let Some(cause) = cause {
                    let cause = text(&format!("{cause:?}"));
                    println!("{{\"event\":\"broken\",\"peer\":\"{peer_id}\",\"cause\":{cause}}}");
                }
                self.connected.retain(|peer| *peer != peer_id);
                self.kept.remove(&peer_id);
                self.print_peer("disconnected", &peer_id, self.connected.len());
                self.lost(&peer_id);
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                ..
            } => self.lost(&peer),
            _ => {}
        }
    }

    fn print_peer(&self, event: &str, peer: &PeerId, count: usize) {
        println!("{{\"event\":\"{event}\",\"peer\":\"{peer}\",\"count\":{count}}}");
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        use gossipsub::Event::{Message, Subscribed, Unsubscribed};
        match event {
            BehaviourEvent::Gossipsub(Message {
                message_id,
                message,
                ..
            }) => {
                let received = self.counts.received(&message.data);
                if self.options.print_messages {
                    let source = message
                        .source
                        .map(|peer| peer.to_string())
                        .unwrap_or_default();
                    let sequence = message.sequence_number.unwrap_or_default();
                    self.print_message(
                        received,
                        message.data.len(),
                        &format!(
                            ",\"source\":\"{source}\",\"sequence\":\"{sequence}\",\"messageId\":{}",
                            text(&String::from_utf8_lossy(&message_id.0))
                        ),
                    );
                }
            }
            BehaviourEvent::Gossipsub(Subscribed { peer_id, topic, .. })
                if topic == self.topic.hash() =>
            {
                self.subscribers.insert(peer_id);
                self.print_peer("subscribed", &peer_id, self.subscribers.len());
            }
            BehaviourEvent::Gossipsub(Unsubscribed { peer_id, .. }) => {
                self.subscribers.remove(&peer_id);
                self.print_peer("unsubscribed", &peer_id, self.subscribers.len());
            }
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                let mut protocols: Vec<_> = info
                    .protocols
                    .iter()
                    .map(|protocol| text(protocol.as_ref()))
                    .collect();
                protocols.sort();
                println!(
                    "{{\"event\":\"identified\",\"peer\":\"{peer_id}\",\"protocolVersion\":{},\
                     \"agent\":{},\"protocols\":[{}]}}",
                    text(&info.protocol_version),
                    text(&info.agent_version),
                    protocols.join(",")
                );
            }
            BehaviourEvent::Ping(ping::Event { peer, result, .. }) => match result {
                Ok(time) => {
                    let ns = time.as_nanos();
                    println!("{{\"event\":\"ping\",\"peer\":\"{peer}\",\"roundTripNs\":{ns}}}");
                }
                Err(error) => self.counts.error(format!("ping: {error}")),
            },
            BehaviourEvent::Streams((peer, event)) => self.on_stream(peer, event),
            _ => {}
        }
    }

    fn print_message(&self, received: Option<(message::Header, i64)>, bytes: usize, more: &str) {
        if !self.options.print_messages {
            return;
        }
        match received {
            None => println!("{{\"event\":\"malformed\",\"bytes\":{bytes}{more}}}"),
            Some((message::Header { sender, index, .. }, delay_ns)) => println!(
                "{{\"event\":\"message\",\"sender\":{sender},\"index\":{index},\"bytes\":{bytes},\
                 \"delayNs\":{delay_ns}{more}}}"
            ),
        }
    }

    fn on_stream(&mut self, peer: PeerId, event: streams::Event) {
        let reports = self.reports.clone();
        match event {
            streams::Event::Outbound { token, stream } => {
                let query = self.negotiating.remove(&token).unwrap_or_default();
                tokio::spawn(sqmr::query(stream, token, peer, query, reports));
            }
            streams::Event::OutboundFailed { token, error } => {
                self.negotiating.remove(&token);
                self.counts.error(format!("query: {error}"));
                self.query_ended(peer, token);
            }
            streams::Event::Inbound { stream, protocol } => {
                if self.options.print_messages {
                    println!(
                        "{{\"event\":\"stream\",\"peer\":\"{peer}\",\"protocol\":\"{protocol}\"}}"
                    );
                }
                if self.options.protocol == Protocol::ReversedSqmr {
                    let (sender, receiver) = mpsc::channel(SUBSCRIBER_QUEUE);
                    self.pushed.push(sender);
                    self.print_peer("queried", &peer, self.pushed.len());
                    tokio::spawn(sqmr::push(stream, receiver, reports));
                } else {
                    let Options {
                        responses,
                        response_size,
                        ..
                    } = self.options;
                    tokio::spawn(sqmr::respond(stream, responses, response_size, reports));
                }
            }
        }
    }

    fn on_report(&mut self, report: Report) {
        match report {
            Report::Query { bytes } if bytes.is_empty() => self.counts.empty_queries += 1,
            Report::Query { bytes } => {
                let received = self.counts.received(&bytes);
                self.print_message(received, bytes.len(), "");
            }
            Report::Response { bytes } => {
                self.counts.responses += 1;
                self.counts.response_bytes += bytes.len() as u64;
                if self.options.protocol == Protocol::ReversedSqmr {
                    let received = self.counts.received(&bytes);
                    self.print_message(received, bytes.len(), "");
                }
            }
            Report::QueryEnded {
                peer,
                token,
                result,
            } => {
                match result {
                    Ok(()) => {
                        self.counts.queries_ended += 1;
                        if self.options.print_messages {
                            let ended = self.counts.queries_ended;
                            self.print_peer("answered", &peer, ended as usize);
                        }
                    }
                    Err(error) => self.counts.error(format!("query: {error}")),
                }
                self.query_ended(peer, token);
            }
            Report::ServerEnded { result: Ok(()) } => {}
            Report::ServerEnded { result: Err(error) } => {
                self.counts.error(format!("server: {error}"));
            }
        }
    }
}

#[tokio::main]
async fn main() {
    let options = Options::parse(std::env::args().skip(1));
    let (sender, receiver) = mpsc::unbounded_channel();
    match options.and_then(|options| Node::new(options, sender)) {
        Ok(node) => node.run(receiver).await,
        Err(error) => {
            eprintln!("rust-libp2p-node: {error}");
            std::process::exit(2);
        }
    }
}
