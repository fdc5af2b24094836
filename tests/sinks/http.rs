//! Plain HTTP: requests to a server, and a proxy in front of one that breaks requests and their answers.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// A request or an answer.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// `POST /cities/_bulk HTTP/1.1`, or `HTTP/1.1 200 OK`.
    pub(crate) start: String,
    /// Each `name: value`, as sent.
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// `None` if the connection ended before one began.
    pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(from.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n").map(str::to_owned);
        let mut message = Self { start: lines.next()?, headers: lines.collect(), body: Vec::new() };
        if message.header("transfer-encoding") == Some("chunked") {
            message.body = read_chunks(from).await?;
        } else {
            message.body.resize(message.header("content-length").map_or(0, |length| length.parse().unwrap()), 0);
            from.read_exact(&mut message.body).await.ok()?;
        }
        Some(message)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let parts = self.headers.iter().filter_map(|line| line.split_once(": "));
        parts.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn is_bulk(&self) -> bool {
        self.start.contains("/_bulk")
    }

    /// The ids of the documents of a bulk request.
    pub(crate) fn ids(&self) -> Vec<String> {
        let lines = self.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines = lines.map(|line| serde_json::from_slice::<Json>(line).unwrap());
        let ids = lines.filter_map(|line| {
            let action = [&line["index"], &line["delete"]].into_iter().find(|action| action["version"].is_number())?;
            action["_id"].as_str().map(str::to_owned)
        });
        ids.collect()
    }

    async fn write(&self, to: &mut (impl AsyncWrite + Unpin), length: usize) -> std::io::Result<()> {
        let framing = ["content-length", "transfer-encoding", "connection"];
        let is_framing = |line: &&String| framing.iter().any(|name| line.to_lowercase().starts_with(name));
        let mut bytes = format!("{}\r\n", self.start).into_bytes();
        for line in self.headers.iter().filter(|line| !is_framing(line)) {
            bytes.extend_from_slice(format!("{line}\r\n").as_bytes());
        }
        bytes.extend_from_slice(format!("content-length: {length}\r\n\r\n").as_bytes());
        bytes.extend_from_slice(&self.body);
        to.write_all(&bytes).await
    }
}

async fn read_chunks(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(from.read_u8().await.ok()?);
        }
        let size = usize::from_str_radix(str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        let start = body.len();
        body.resize(start + size + 2, 0);
        from.read_exact(&mut body[start..]).await.ok()?;
        body.truncate(start + size);
        if size == 0 {
            return Some(body);
        }
    }
}

/// One request to a server, on a connection of its own.
pub(crate) async fn ask(port: u16, method: &str, path: &str, body: &str) -> Message {
    let headers = ["host: localhost", "content-type: application/json"].map(str::to_owned).to_vec();
    let request = Message { start: format!("{method} {path} HTTP/1.1"), headers, body: body.as_bytes().to_vec() };
    exchange(port, &request).await.unwrap_or_else(|| panic!("no answer to {method} {path}"))
}

async fn exchange(port: u16, request: &Message) -> Option<Message> {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    request.write(&mut server, request.body.len()).await.ok()?;
    if request.start.starts_with("HEAD") {
        return None;
    }
    Message::read(&mut server).await
}

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The server does not get it, and this is the answer: status, a header, and a body.
    Instead(u16, &'static str, &'static str),
    /// The server does not get it, and the connection breaks.
    BreakBefore,
    /// The server does it, and the connection breaks in the middle of the answer.
    BreakWithin,
    /// The server does it, and its answer has lost its second half.
    Half,
    /// The server does it, and its answer never comes.
    Silent,
    /// The server does it, after this time.
    Late(Duration),
}

type Plan = dyn FnMut(&Message) -> Option<Fault> + Send;

struct Shared {
    server: u16,
    plan: Mutex<Box<Plan>>,
    seen: Mutex<Vec<(Instant, Message)>>,
    in_flight: Mutex<Vec<Vec<String>>>,
    /// Documents that were in two requests at once.
    overlaps: Mutex<Vec<String>>,
    most: AtomicUsize,
}

/// A proxy in front of a server.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Asks `plan` what happens to each request.
    pub(crate) async fn start(server: u16, plan: impl FnMut(&Message) -> Option<Fault> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server,
            plan: Mutex::new(Box::new(plan)),
            seen: Mutex::default(),
            in_flight: Mutex::default(),
            overlaps: Mutex::default(),
            most: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self { port, shared, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// The bulk requests so far, each with its time.
    pub(crate) fn bulks(&self) -> Vec<(Instant, Message)> {
        let seen = self.shared.seen.lock().unwrap();
        seen.iter().filter(|(_, request)| request.is_bulk()).cloned().collect()
    }

    /// The documents that were in two requests at once.
    pub(crate) fn overlaps(&self) -> Vec<String> {
        self.shared.overlaps.lock().unwrap().clone()
    }

    /// The most bulk requests that were in flight at once.
    pub(crate) fn most(&self) -> usize {
        self.shared.most.load(SeqCst)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(serve(client, shared.clone()));
    }
}

async fn serve(mut client: TcpStream, shared: Arc<Shared>) -> Option<()> {
    while let Some(request) = Message::read(&mut client).await {
        let fault = (shared.plan.lock().unwrap())(&request);
        shared.seen.lock().unwrap().push((Instant::now(), request.clone()));
        let flight = Flight::new(&shared, &request);
        let answer = match fault {
            Some(Fault::Instead(status, header, body)) => {
                let headers = if header.is_empty() { vec![] } else { vec![header.to_owned()] };
                Message { start: format!("HTTP/1.1 {status} Status"), headers, body: body.into() }
            }
            Some(Fault::BreakBefore) => return None,
            Some(Fault::Late(time)) => {
                tokio::time::sleep(time).await;
                exchange(shared.server, &request).await?
            }
            _ => exchange(shared.server, &request).await?,
        };
        drop(flight);
        let half = || Message { body: answer.body[..answer.body.len() / 2].to_vec(), ..answer.clone() };
        match fault {
            Some(Fault::BreakWithin) => return half().write(&mut client, answer.body.len()).await.ok(),
            Some(Fault::Half) => half().write(&mut client, answer.body.len() / 2).await.ok()?,
            Some(Fault::Silent) => std::future::pending::<()>().await,
            _ => answer.write(&mut client, answer.body.len()).await.ok()?,
        }
    }
    Some(())
}

/// A bulk request on its way to the server.
struct Flight<'s>(&'s Shared, Vec<String>);

impl<'s> Flight<'s> {
    fn new(shared: &'s Shared, request: &Message) -> Self {
        let ids =
            if request.is_bulk() && request.header("content-encoding").is_none() { request.ids() } else { vec![] };
        let mut flights = shared.in_flight.lock().unwrap();
        let known = ids.iter().filter(|id| flights.iter().any(|other| other.contains(id)));
        shared.overlaps.lock().unwrap().extend(known.cloned());
        flights.push(ids.clone());
        shared.most.fetch_max(flights.iter().filter(|ids| !ids.is_empty()).count(), SeqCst);
        Self(shared, ids)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flights = self.0.in_flight.lock().unwrap();
        let own = flights.iter().position(|ids| *ids == self.1).unwrap();
        flights.remove(own);
    }
}
