//! The options, `--name value` each.

use std::time::Duration;

use libp2p::Multiaddr;

use crate::message::HEADER_BYTES;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Gossipsub,
    Sqmr,
    ReversedSqmr,
}

pub struct Options {
    /// The identity follows from it.
    pub id: u64,
    /// 0: the system chooses.
    pub port: u16,
    /// Peers to be connected to, each with its peer id.
    pub bootstrap: Vec<Multiaddr>,
    pub protocol: Protocol,
    /// Of a message, header included.
    pub size: usize,
    /// Messages a second after `go`; 0 where this node does not broadcast.
    pub rate: f64,
    /// How long `go` broadcasts.
    pub duration: Duration,
    /// Degree of the gossipsub mesh; with 0 peers are only told which messages there are.
    pub mesh: Option<usize>,
    /// Messages without a signature, which nobody should take.
    pub unsigned: bool,
    /// How many responses a query is given in `sqmr`.
    pub responses: usize,
    pub response_size: usize,
    /// The versions that incoming queries may have.
    pub serve_versions: Vec<String>,
    /// The version that outgoing queries ask for: 0.1.0 or 1.0.0.
    pub query_version: String,
    /// One line for each message received.
    pub print_messages: bool,
    /// All delays in the summary, not their percentiles alone.
    pub print_delays: bool,
}

impl Options {
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            id: 0,
            port: 0,
            bootstrap: Vec::new(),
            protocol: Protocol::Gossipsub,
            size: 1024,
            rate: 0.0,
            duration: Duration::from_secs(10),
            mesh: None,
            unsigned: false,
            responses: 0,
            response_size: 0,
            serve_versions: vec!["1.0.0".into(), "0.1.0".into()],
            query_version: "0.1.0".into(),
            print_messages: false,
            print_delays: false,
        };
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--print-messages" => options.print_messages = true,
                "--print-delays" => options.print_delays = true,
                "--unsigned" => options.unsigned = true,
                _ => {
                    let value = arguments.next();
                    let value = value.ok_or_else(|| format!("{name} needs a value"))?;
                    let set = options.set(&name, &value);
                    set.map_err(|error| format!("{name} {value}: {error}"))?;
                }
            }
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "--id" => self.id = number(value)?,
            "--p2p-port" => self.port = number(value)?,
            "--bootstrap" => {
                let addresses = value.split(',').filter(|address| !address.is_empty());
                self.bootstrap = addresses.map(number).collect::<Result<_, _>>()?;
            }
            "--network-protocol" => {
                self.protocol = match value {
                    "gossipsub" => Protocol::Gossipsub,
                    "sqmr" => Protocol::Sqmr,
                    "reversed-sqmr" => Protocol::ReversedSqmr,
                    _ => return Err("expected gossipsub, sqmr or reversed-sqmr".into()),
                }
            }
            "--message-size-bytes" => {
                self.size = number(value)?;
                if self.size < HEADER_BYTES {
                    return Err(format!("expected at least {HEADER_BYTES}"));
                }
            }
            "--rate" => self.rate = number(value)?,
            "--duration-seconds" => self.duration = Duration::from_secs_f64(number(value)?),
            "--mesh" => self.mesh = Some(number(value)?),
            "--responses" => self.responses = number(value)?,
            "--response-size-bytes" => self.response_size = number(value)?,
            "--serve-versions" => {
                self.serve_versions = value.split(',').map(str::to_owned).collect();
            }
            "--query-version" => self.query_version = value.into(),
            _ => return Err("unknown option".into()),
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    value.parse().map_err(|error: T::Err| error.to_string())
}
