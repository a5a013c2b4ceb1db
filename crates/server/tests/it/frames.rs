//! A peer that speaks HTTP/2 frame by frame, and so can break rules that a proper client keeps.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::soon;

pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const GOAWAY: u8 = 7;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_HEADERS: u8 = 4;

pub(crate) struct Peer {
    io: TcpStream,
}

/// A frame as it came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    payload: Vec<u8>,
}

// === impl Peer ===

impl Peer {
    /// Connects and says hello.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut io = TcpStream::connect(address).await.unwrap();
        io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        io.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        Self { io }
    }

    /// Opens `stream` for a gRPC call to `path` and leaves it open.
    pub(crate) async fn open(&mut self, stream: u32, path: &str) {
        // HPACK: `:method POST` and `:scheme http` from the static table, the rest with indexed names, not Huffman-coded.
        let mut block = vec![0x83, 0x86, 0x04];
        literal(&mut block, path);
        block.push(0x01);
        literal(&mut block, "shop");
        block.extend([0x0f, 0x10]);
        literal(&mut block, "application/grpc");
        self.headers(stream, &block).await;
    }

    /// Opens `stream` with a block of headers that no request may have: a method and nothing else.
    pub(crate) async fn open_malformed(&mut self, stream: u32) {
        self.headers(stream, &[0x83]).await;
    }

    async fn headers(&mut self, stream: u32, block: &[u8]) {
        self.io.write_all(&frame(HEADERS, END_HEADERS, stream, block)).await.unwrap();
    }

    /// The next frame of this kind.
    pub(crate) async fn next(&mut self, kind: u8) -> Frame {
        loop {
            let frame = soon(self.read()).await;
            if frame.kind == kind {
                return frame;
            }
        }
    }

    async fn read(&mut self) -> Frame {
        let mut head = [0; 9];
        self.io.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.io.read_exact(&mut payload).await.unwrap();
        Frame { kind: head[3], stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload }
    }
}

// === impl Frame ===

impl Frame {
    /// The error code at the end of a RST_STREAM, or after the last stream of a GOAWAY.
    pub(crate) fn error_code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn literal(block: &mut Vec<u8>, text: &str) {
    block.push(u8::try_from(text.len()).unwrap());
    block.extend(text.as_bytes());
}
