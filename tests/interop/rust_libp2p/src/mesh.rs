//! Keeps connections to all peers that were named, with backoff.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

const FIRST_BACKOFF: Duration = Duration::from_millis(10);
const LAST_BACKOFF: Duration = Duration::from_secs(5);
/// A connection that lasted as long was no accident of two dials that met.
const STABLE: Duration = Duration::from_secs(1);

struct Peer {
    address: Multiaddr,
    backoff: Duration,
    dial_at: Option<Instant>,
    connected_at: Option<Instant>,
}

pub struct Mesh {
    peers: HashMap<PeerId, Peer>,
}

impl Mesh {
    /// The own address is skipped, and so is one without a peer id.
    pub fn new(own: PeerId, addresses: &[Multiaddr]) -> Self {
        let peers = addresses.iter().filter_map(|address| {
            let Some(Protocol::P2p(id)) = address.iter().last() else {
                return None;
            };
            let peer = Peer {
                address: address.clone(),
                backoff: FIRST_BACKOFF,
                dial_at: Some(Instant::now()),
                connected_at: None,
            };
            (id != own).then_some((id, peer))
        });
        Self {
            peers: peers.collect(),
        }
    }

    pub fn due(&mut self, now: Instant) -> Vec<DialOpts> {
        let due = self
            .peers
            .iter_mut()
            .filter(|(_, peer)| peer.dial_at.is_some_and(|at| at <= now));
        due.map(|(id, peer)| {
            peer.dial_at = None;
            DialOpts::peer_id(*id)
                .addresses(vec![peer.address.clone()])
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .build()
        })
        .collect()
    }

    pub fn connected(&mut self, id: &PeerId) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.connected_at = Some(Instant::now());
            peer.dial_at = None;
        }
    }

    pub fn missing(&mut self, id: &PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer
            .connected_at
            .take()
            .is_some_and(|at| at.elapsed() > STABLE)
        {
            peer.backoff = FIRST_BACKOFF;
        }
        // Between a half and the whole of it, so that two peers do not meet again and again.
        let share = (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64;
        peer.dial_at = Some(Instant::now() + peer.backoff.mul_f64(0.5 + share / 2.0));
        peer.backoff = (peer.backoff * 2).min(LAST_BACKOFF);
    }
}
