//! Spans as an exporter of OpenTelemetry gets them: `cargo test -p redstream-core --features otel`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use opentelemetry::trace::{SpanKind, Status, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use redstream_core::{
    Batch, ConnectOptions, HandlerError, NewMessage, Payload, Producer, Redstream, Start, Stream, Supervisor,
};
use tracing::Instrument as _;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt as _;

/// The spans of this thread, on which everything runs.
struct Traces {
    provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
    _guard: DefaultGuard,
}

impl Traces {
    fn capture() -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        Self { provider, exporter, _guard: guard }
    }

    /// Those of that name, in the order in which they ended.
    fn named(&self, name: &str) -> Vec<SpanData> {
        self.provider.force_flush().unwrap();
        let spans = self.exporter.get_finished_spans().unwrap();
        spans.into_iter().filter(|span| span.name == name).collect()
    }
}

fn attributes(span: &SpanData) -> HashMap<&str, String> {
    span.attributes.iter().map(|pair| (pair.key.as_str(), pair.value.to_string())).collect()
}

async fn products() -> (Producer, Stream) {
    let start = || redstream_servers::shared_url(redstream_servers::REDIS_URL);
    let url = tokio::task::spawn_blocking(start).await.unwrap().unwrap();
    let namespace = format!("test-{}", uuid::Uuid::new_v4().simple());
    let redstream = Redstream::connect(ConnectOptions::new(url).namespace(namespace)).await.unwrap();
    (redstream.producer(), redstream.stream("products").unwrap())
}

fn messages(stream: &Stream, ids: std::ops::Range<u64>) -> Vec<NewMessage> {
    let payloads = ids.map(|id| Payload::encode(&id).unwrap());
    payloads.map(|payload| NewMessage::new(stream.name().clone(), payload)).collect()
}

async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "the condition does not come to hold");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn handled(_: Batch) -> Result<(), HandlerError> {
    tracing::info_span!("handler").in_scope(|| ());
    Ok(())
}

#[tokio::test]
async fn a_batch_is_linked_to_those_who_wrote_its_messages_and_its_commit_is_a_child() {
    let (producer, products) = products().await;
    // Registered, so that the messages of a call share an entry.
    let consumer = || products.consumer("search", handled);
    assert!(consumer().run_once().await.is_ok());
    let traces = Traces::capture();
    for (name, ids) in [("POST /products", 0..1), ("import", 1..250)] {
        let written = messages(&products, ids);
        let span = tracing::info_span!("request", otel.name = name);
        producer.queue_all(&written).instrument(span).await.unwrap();
    }
    // What is announced by a script, with or without its delay message.
    let insured: Vec<_> = messages(&products, 250..252).into_iter().map(|message| (message, Vec::new())).collect();
    let span = tracing::info_span!("request", otel.name = "PATCH /products");
    producer.announce_and_remove_delays(&insured).instrument(span).await.unwrap();
    // Written within no span.
    producer.queue(products.name(), &252).await.unwrap();
    consumer().run_once().await.unwrap();

    let batches = traces.named("process products");
    let requests = ["POST /products", "import", "PATCH /products"].map(|name| traces.named(name).remove(0));
    let linked: Vec<_> = batches.iter().flat_map(|batch| batch.links.iter()).collect();
    let linked: Vec<_> = linked.iter().map(|link| link.span_context.span_id()).collect();
    assert_eq!(linked, requests.map(|request| request.span_context.span_id()));
    let batch = &batches[0];
    assert_eq!((batch.span_kind.clone(), &batch.status), (SpanKind::Consumer, &Status::Unset));
    let told = attributes(batch);
    for (name, value) in [
        ("messaging.system", "redis_streams"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "products"),
        ("messaging.consumer.group.name", "search"),
        ("messaging.batch.message_count", "253"),
    ] {
        assert_eq!(told.get(name).map(String::as_str), Some(value), "{name}");
    }
    let within = traces.named("handler").remove(0);
    assert_eq!(within.parent_span_id, batch.span_context.span_id(), "the handler's own spans are children");

    let commit = traces.named("commit products").pop().unwrap();
    assert_eq!((commit.parent_span_id, commit.span_kind.clone()), (batch.span_context.span_id(), SpanKind::Client));
    assert_eq!(commit.span_context.trace_id(), batch.span_context.trace_id());
    assert_eq!(attributes(&commit)["messaging.operation.type"], "settle");
    assert!(commit.start_time >= batch.end_time, "the batch has ended before");
}

#[tokio::test]
async fn payloads_are_what_they_are_without_traces_and_delay_messages_have_none() {
    let (producer, products) = products().await;
    let traces = Traces::capture();
    let span = tracing::info_span!("request");
    let write = async {
        producer.queue(products.name(), &1).await.unwrap();
        producer.delay(products.name(), &2).await.unwrap();
    };
    write.instrument(span).await;
    let read = products.messages(redstream_core::MessageId::MIN, 10).await.unwrap();
    assert_eq!(read.iter().map(redstream_core::Message::raw).collect::<Vec<_>>(), [b"1"]);
    let delayer = products.delayer(Duration::from_millis(1));
    eventually(async || {
        delayer.run_once().await.unwrap();
        products.delay_len().await.unwrap() == 0
    })
    .await;
    products.consumer("search", handled).run_once().await.unwrap();
    let links: usize = traces.named("process products").iter().map(|batch| batch.links.len()).sum();
    assert_eq!(links, 1, "of the main message alone");
}

#[tokio::test]
async fn messages_that_are_given_up_are_an_error_of_their_batch() {
    let (producer, products) = products().await;
    products.register("search", Start::Earliest).await.unwrap();
    let traces = Traces::capture();
    producer.queue_all(&messages(&products, 0..3)).instrument(tracing::info_span!("request")).await.unwrap();
    let bad = async |batch: Batch| Err::<(), _>(HandlerError::permanent(batch.messages()[0].id(), "bad"));
    let letters = products.dead_letters("search").unwrap();
    let failed = eventually(async || letters.count().await.unwrap_or(0) == 3);
    Supervisor::new().with(products.consumer("search", bad)).run_until(failed).await.unwrap();
    let batches = traces.named("process products");
    assert_eq!(batches.len(), 1);
    assert_eq!((batches[0].links.len(), attributes(&batches[0])["error.type"].as_str()), (1, "dead_letters"));
    assert!(matches!(batches[0].status, Status::Error { .. }));
    let commit = traces.named("commit products").remove(0);
    assert_eq!(commit.parent_span_id, batches[0].span_context.span_id());
}
