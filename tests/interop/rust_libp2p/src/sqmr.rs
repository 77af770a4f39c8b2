//! Single query, multiple responses. The query is all that comes until the writing half is closed;
//! each response is an unsigned-varint length and its bytes; the server ends by closing.

use std::io;
use std::sync::Arc;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::PeerId;
use libp2p::swarm::Stream;
use tokio::sync::mpsc::{Receiver, UnboundedSender};

pub const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// What became of a stream.
pub enum Report {
    Query {
        bytes: Vec<u8>,
    },
    Response {
        bytes: Vec<u8>,
    },
    QueryEnded {
        token: u64,
        peer: PeerId,
        result: io::Result<()>,
    },
    ServerEnded {
        result: io::Result<()>,
    },
}

/// Sends a query and reads its responses to the end.
pub async fn query(
    mut stream: Stream,
    token: u64,
    peer: PeerId,
    query: Vec<u8>,
    reports: UnboundedSender<Report>,
) {
    let result = async {
        stream.write_all(&query).await?;
        stream.close().await?;
        while let Some(bytes) = read_response(&mut stream).await? {
            let _ = reports.send(Report::Response { bytes });
        }
        Ok(())
    };
    let result = result.await;
    let _ = reports.send(Report::QueryEnded {
        token,
        peer,
        result,
    });
}

/// Reads a query, responds as often as asked to, and closes.
pub async fn respond(
    mut stream: Stream,
    responses: usize,
    response_size: usize,
    reports: UnboundedSender<Report>,
) {
    let result = async {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        let _ = reports.send(Report::Query { bytes });
        let response = vec![0; response_size];
        for _ in 0..responses {
            write_response(&mut stream, &response).await?;
        }
        stream.close().await
    };
    let result = result.await;
    let _ = reports.send(Report::ServerEnded { result });
}

/// Reads a query, then pushes messages as its responses until there will be no more.
pub async fn push(
    mut stream: Stream,
    mut messages: Receiver<Arc<Vec<u8>>>,
    reports: UnboundedSender<Report>,
) {
    let result = async {
        let mut query = Vec::new();
        stream.read_to_end(&mut query).await?;
        while let Some(message) = messages.recv().await {
            write_response(&mut stream, &message).await?;
            if messages.is_empty() {
                stream.flush().await?;
            }
        }
        stream.close().await
    };
    let result = result.await;
    let _ = reports.send(Report::ServerEnded { result });
}

/// Two writes, and so two frames of the multiplexer, as the node writes that this one stands for.
async fn write_response(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let mut buffer = unsigned_varint::encode::usize_buffer();
    stream
        .write_all(unsigned_varint::encode::usize(bytes.len(), &mut buffer))
        .await?;
    stream.write_all(bytes).await
}

/// `None` where the stream ends instead of another response.
async fn read_response(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut prefix = unsigned_varint::encode::usize_buffer();
    let mut used = 0;
    let length = loop {
        if used == prefix.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a length of too many bytes",
            ));
        }
        if stream.read(&mut prefix[used..=used]).await? == 0 {
            return if used == 0 {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        used += 1;
        match unsigned_varint::decode::usize(&prefix[..used]) {
            Ok((length, _)) => break length,
            Err(unsigned_varint::decode::Error::Insufficient) => {}
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    };
    if length > MAX_RESPONSE_BYTES {
        let text = format!("a response of {length} bytes, at most {MAX_RESPONSE_BYTES} expected");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(Some(bytes))
}
