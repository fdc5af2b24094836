//! A namespace with something of everything, and a dashboard that is served.

use std::net::SocketAddr;
use std::time::Duration;

use redstream_core::{Batch, CancellationToken, HandlerError, Redstream, Start, Supervisor};
use redstream_rows::Rows;
use redstream_web::{Dashboard, TaskRun};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use crate::support::{Recorded, add, eventually, fail, redstream};

/// A dashboard that is reached by HTTP, under a path.
pub(crate) struct Served {
    pub(crate) url: String,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(dashboard: Dashboard) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), dashboard).await
    }

    pub(crate) async fn start_at(address: SocketAddr, dashboard: Dashboard) -> Self {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}/admin/redstream");
        let stop = CancellationToken::new();
        let router = dashboard.shutdown(stop.clone()).into_router();
        let app = axum::Router::new().nest_service("/admin/redstream", router);
        let told = stop.clone().cancelled_owned();
        let serving = async move { axum::serve(listener, app).with_graceful_shutdown(told).await.unwrap() };
        Self { url, address, stop, serving: tokio::spawn(serving) }
    }

    /// What another program gets from `status`.
    pub(crate) async fn status(&self) -> String {
        let address = self.address;
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET /admin/redstream/status HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Ends it, and returns its address.
    pub(crate) async fn end(self) -> SocketAddr {
        self.stop.cancel();
        self.serving.await.unwrap();
        self.address
    }
}

/// Streams with consumers that run, rest and fail, a reindex, and tasks.
pub(crate) struct Shop {
    pub(crate) redstream: Redstream,
    pub(crate) recorded: Recorded,
    pub(crate) served: Served,
    stop: CancellationToken,
    working: JoinHandle<()>,
}

pub(crate) const PAYLOAD: &str = "<img src=x onerror=\"document.title='broken'\">";

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::of(redstream().await).await
    }

    pub(crate) async fn of(redstream: Redstream) -> Self {
        let (recorded, stop) = (Recorded::default(), CancellationToken::new());
        let products = redstream.stream("products").unwrap();
        let orders = redstream.stream("orders").unwrap();
        add(&redstream, "orders", [json!({ "id": 7, "note": PAYLOAD }), json!({ "id": 8 }), json!({ "id": 9 })]).await;
        fail(&orders, "billing", 3, "no row 7 in \"invoices\": it was <b>deleted</b>").await;
        products.register("cache", Start::Earliest).await.unwrap();
        assert!(products.pause("cache", Duration::from_secs(5)).await.unwrap());
        for id in 0..40 {
            redstream.producer().delay(products.name(), &json!({ "id": id })).await.unwrap();
        }

        let idle = async |_: Batch| Ok::<_, HandlerError>(());
        let workers = Supervisor::new()
            .with(products.consumer("search", idle).identity("shop, index products on search.internal"))
            .with(products.delayer(Duration::from_secs(300)))
            .with(products.trimmer());
        let health = workers.health();
        let (told, walking) = (stop.clone(), stop.clone());
        let walk = products.reindex(Rows::new(products.name(), 5000)).id("2026-12").consumer("cache");
        let working = tokio::spawn(async move {
            let working = workers.run_until(told.cancelled_owned());
            let (worked, walked) = tokio::join!(working, walk.run(walking));
            worked.unwrap();
            _ = walked.unwrap();
        });
        // It queues a portion, and waits for the consumer that rests.
        eventually("the reindex has begun", async || {
            let records = products.reindexes().list().await.unwrap();
            records.iter().any(|record| record.queued > 0)
        })
        .await;
        add(&redstream, "products", (0..1250).map(|id| json!({ "id": id }))).await;
        let dashboard = recorded.dashboard(redstream.clone()).health(health).every(Duration::from_millis(200)).task(
            "Verify products",
            async |run: TaskRun| {
                run.progress(51_200, 144_563, "51200/144563 (35%); missing 1, stale 2, extra 0; scanning; ETA 4s");
                run.shutdown().cancelled().await;
                Ok("stopped".to_owned())
            },
        );
        let shop = Self { redstream, recorded, served: Served::start(dashboard).await, stop, working };
        eventually("the consumer has passed", async || products.lag("search").await.unwrap() == 0).await;
        shop
    }

    pub(crate) async fn close(self) {
        self.served.end().await;
        self.stop.cancel();
        self.working.await.unwrap();
    }
}
