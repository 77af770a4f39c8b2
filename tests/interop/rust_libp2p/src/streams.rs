//! Streams of the SQMR protocols: hands over each negotiated one, in either direction.
//! (`libp2p-stream` negotiates one after another and drops what is not taken up at once.)

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, NotifyHandler, Stream, SubstreamProtocol, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

const NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(120);

/// A stream that has been asked for, by the token of who asked.
#[derive(Debug)]
pub struct Request {
    pub token: u64,
    pub protocol: StreamProtocol,
}

#[derive(Debug)]
pub enum Event {
    Inbound {
        protocol: StreamProtocol,
        stream: Stream,
    },
    Outbound {
        token: u64,
        stream: Stream,
    },
    OutboundFailed {
        token: u64,
        error: String,
    },
}

pub struct Behaviour {
    protocols: Vec<StreamProtocol>,
    pending: VecDeque<ToSwarm<(PeerId, Event), Request>>,
    waker: Option<Waker>,
}

impl Behaviour {
    pub fn new(protocols: Vec<StreamProtocol>) -> Self {
        Self {
            protocols,
            pending: VecDeque::new(),
            waker: None,
        }
    }

    /// An `Event` says what became of it, unless the connection ends first.
    pub fn open(&mut self, peer_id: PeerId, request: Request) {
        self.push(ToSwarm::NotifyHandler {
            peer_id,
            handler: NotifyHandler::Any,
            event: request,
        });
    }

    fn push(&mut self, event: ToSwarm<(PeerId, Event), Request>) {
        self.pending.push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn handler(&self) -> Handler {
        Handler {
            protocols: self.protocols.clone(),
            requests: VecDeque::new(),
            events: VecDeque::new(),
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = (PeerId, Event);

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.push(ToSwarm::GenerateEvent((peer, event)));
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(event) = self.pending.pop_front() {
            return Poll::Ready(event);
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

pub struct Handler {
    protocols: Vec<StreamProtocol>,
    requests: VecDeque<Request>,
    events: VecDeque<Event>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Request;
    type ToBehaviour = Event;
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = u64;

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        SubstreamProtocol::new(Upgrade(self.protocols.clone()), ())
            .with_timeout(NEGOTIATION_TIMEOUT)
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Upgrade, u64, Event>> {
        // No waker: the swarm polls again after each of the two calls below.
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
        }
        match self.requests.pop_front() {
            Some(Request { token, protocol }) => {
                let upgrade = SubstreamProtocol::new(Upgrade(vec![protocol]), token)
                    .with_timeout(NEGOTIATION_TIMEOUT);
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol: upgrade })
            }
            None => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, request: Request) {
        self.requests.push_back(request);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Upgrade, Upgrade, (), u64>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(inbound) => {
                let (stream, protocol) = inbound.protocol;
                self.events.push_back(Event::Inbound { protocol, stream });
            }
            ConnectionEvent::FullyNegotiatedOutbound(outbound) => {
                let (stream, _) = outbound.protocol;
                self.events.push_back(Event::Outbound {
                    token: outbound.info,
                    stream,
                });
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: token, error }) => {
                self.events.push_back(Event::OutboundFailed {
                    token,
                    error: error.to_string(),
                });
            }
            _ => {}
        }
    }
}

/// Negotiates one of some protocols, and does nothing else.
pub struct Upgrade(Vec<StreamProtocol>);

impl UpgradeInfo for Upgrade {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Upgrade {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

impl OutboundUpgrade<Stream> for Upgrade {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}
