//! The page in Chromium: by clicks, by the keyboard, frozen and hidden, and through an outage.

use std::time::Duration;

use redstream_chromium::Chromium;
use redstream_core::{ConnectOptions, Redstream, Start};
use redstream_web::{Dashboard, Outcome, Verb};
use serde_json::json;

use crate::shop::{PAYLOAD, Served, Shop};
use crate::support::{add, eventually, private_redis, redstream};

const LIVE: &str = "document.querySelector('#badge').dataset.state === 'live'";

/// The text of the box of a consumer.
fn text_of(stream: &str, consumer: &str) -> String {
    format!(
        "[...document.querySelectorAll('.stream')].find((one) => one.querySelector('h3').textContent === '{stream}')
            ?.querySelector('.lanes')?.innerText.includes('{consumer}') &&
        [...document.querySelectorAll('.lane .node')].find((one) => one.innerText.startsWith('{consumer}'))?.innerText"
    )
}

pub(crate) fn reads(stream: &str, consumer: &str, text: &str) -> String {
    format!("({})?.includes({text:?})", text_of(stream, consumer))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_resumes_pauses_and_rewinds_by_clicks() {
    let shop = Shop::open().await;
    let products = shop.redstream.stream("products").unwrap();
    let chromium = Chromium::open(&shop.served.url).await;
    chromium.until(LIVE).await;
    chromium.until(&reads("products", "cache", "paused")).await;
    chromium.click("button[aria-label='Resume products/cache']").await;
    eventually("it is resumed", async || !products.is_paused("cache").await.unwrap()).await;
    chromium.until(&reads("products", "cache", "stopped")).await;
    chromium.click("button[aria-label='Pause products/cache']").await;
    eventually("it is paused", async || products.is_paused("cache").await.unwrap()).await;
    chromium.until(&reads("products", "cache", "paused")).await;
    chromium.until("document.querySelector('#said').textContent.startsWith('products/cache is paused')").await;

    chromium.click("button[aria-label='Pause reindex products/2026-12']").await;
    chromium.until("document.querySelector('#reindexes .pill').textContent === 'paused'").await;
    chromium.click("button[aria-label='Rewind products/cache']").await;
    chromium.click("#ask-no").await;
    assert!(products.lag("cache").await.unwrap() > 0, "it was cancelled");
    chromium.click("button[aria-label='Rewind products/cache']").await;
    chromium.until("document.querySelector('#ask').open").await;
    chromium.js::<()>("void (document.querySelector('#ask select').value = 'after')").await;
    chromium.click("#ask-yes").await;
    chromium.until("document.querySelector('#ask-error').textContent.startsWith('Say')").await;
    chromium.js::<()>("void (document.querySelector('#ask select').value = 'latest')").await;
    chromium.click("#ask-yes").await;
    eventually("it is rewound", async || products.lag("cache").await.unwrap() == 0).await;
    chromium.until(&reads("products", "cache", "has committed all")).await;

    let done: Vec<_> = shop.recorded.entries().iter().map(|entry| entry.verb).collect();
    assert_eq!(done, [Verb::Resume, Verb::Pause, Verb::ReindexPause, Verb::Rewind]);
    assert!(shop.recorded.entries().iter().all(|entry| matches!(entry.outcome, Outcome::Done(_))));
    chromium.until("document.querySelector('#audit').innerText.includes('ann: rewind')").await;

    chromium.click("button[aria-label='Start Verify products']").await;
    chromium.click("#ask-yes").await;
    chromium.until("document.querySelector('#tasks progress')?.value === 51200").await;
    chromium.click("button[aria-label='Stop Verify products']").await;
    chromium.until("document.querySelector('#tasks').innerText.includes('done')").await;
    chromium.close().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_read_and_redriven_by_clicks_and_their_text_is_text() {
    let shop = Shop::open().await;
    let orders = shop.redstream.stream("orders").unwrap();
    let letters = orders.dead_letters("billing").unwrap();
    let chromium = Chromium::open(&shop.served.url).await;
    chromium.click("button[aria-label='3 dead letters of orders/billing']").await;
    chromium.until("document.querySelectorAll('#dead-letters > li').length === 3").await;
    let shown: String = chromium.js("document.querySelector('#dead-letters').textContent").await;
    assert!(shown.contains("onerror=") && shown.contains("it was <b>deleted</b>"), "{shown}");
    let as_json = json!({ "id": 7, "note": PAYLOAD }).to_string();
    assert!(shown.contains(&as_json), "{shown}");
    assert_eq!(chromium.js::<u32>("document.querySelectorAll('img, b').length").await, 0);
    assert_eq!(chromium.js::<String>("document.title").await, "Redstream");

    chromium.click("#dead-letters li:first-child button").await;
    eventually("one is redriven", async || letters.count().await.unwrap() == 2).await;
    chromium.until("document.querySelectorAll('#dead-letters > li').length === 2").await;
    chromium.click("#dead-letters li:first-child button.danger").await;
    chromium.click("#ask-yes").await;
    eventually("one is discarded", async || letters.count().await.unwrap() == 1).await;
    chromium.until("document.querySelectorAll('#dead-letters > li').length === 1").await;
    chromium.click("#dead-groups li:first-child button:nth-child(2)").await;
    eventually("the rest is redriven", async || letters.count().await.unwrap() == 0).await;
    chromium.until("document.querySelector('#dead-note').textContent === 'There are none.'").await;
    assert_eq!(orders.lag("billing").await.unwrap(), 2);
    chromium.click("#dead-close").await;
    chromium.close().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_any_kind_are_shown_as_they_are() {
    let redstream = redstream().await;
    let names = [("__proto__", "constructor"), ("<b>x</b>", "<i>toString</i>"), ("a'b\"c", "`1`")];
    for (stream, consumer) in names.map(|(stream, consumer)| (redstream.stream(stream).unwrap(), consumer)) {
        stream.register(consumer, Start::Earliest).await.unwrap_or_else(|error| panic!("{consumer}: {error}"));
        add(&redstream, stream.name().as_str(), [json!(1)]).await;
    }
    let served = Served::start(Dashboard::new(redstream).every(Duration::from_millis(200))).await;
    let chromium = Chromium::open(&served.url).await;
    chromium.until("Number(document.documentElement.dataset.looks) > 2").await;
    let shown: Vec<(String, String)> = chromium
        .js("[...document.querySelectorAll('.stream')].map((one) =>
            [one.querySelector('h3').textContent, one.querySelector('.lane h4').textContent])")
        .await;
    let mut expected = names.map(|(stream, consumer)| (stream.to_owned(), consumer.to_owned()));
    expected.sort();
    assert_eq!(shown, expected);
    let text: String = chromium.js("document.body.innerText").await;
    assert!(!text.contains("NaN") && !text.contains("undefined"), "{text}");
    chromium.close().await;
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_or_hidden_page_does_not_change_and_goes_on_afterwards() {
    let shop = Shop::open().await;
    let products = shop.redstream.stream("products").unwrap();
    let chromium = Chromium::open(&shop.served.url).await;
    chromium.until(LIVE).await;
    chromium.click("#freeze").await;
    chromium.until("document.querySelector('#freeze').getAttribute('aria-pressed') === 'true'").await;
    chromium.until("document.querySelector('#badge').textContent.startsWith('frozen at')").await;
    let looks: u32 = chromium.js("Number(document.documentElement.dataset.looks)").await;
    products.resume("cache").await.unwrap();
    // What the page would have seen by now.
    let later = async || !shop.served.status().await.contains("\"state\":\"paused\"");
    eventually("the change is seen by others", later).await;
    assert_eq!(chromium.js::<u32>("Number(document.documentElement.dataset.looks)").await, looks);
    // An action shows what it did nevertheless.
    chromium.click("button[aria-label='Resume products/cache']").await;
    chromium.until(&reads("products", "cache", "stopped")).await;
    chromium.click("#freeze").await;
    chromium.until(LIVE).await;

    let hide = |hidden: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }}),
             document.dispatchEvent(new Event('visibilitychange'))"
        )
    };
    chromium.js::<bool>(&hide(true)).await;
    chromium.until("document.querySelector('#badge').textContent === 'hidden'").await;
    chromium.js::<bool>(&hide(false)).await;
    chromium.until(LIVE).await;
    chromium.close().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_used_by_the_keyboard_alone() {
    let shop = Shop::open().await;
    let products = shop.redstream.stream("products").unwrap();
    let chromium = Chromium::open(&shop.served.url).await;
    chromium.until(&reads("products", "cache", "paused")).await;
    chromium.key("Tab").await;
    chromium.until("document.activeElement.className === 'skip'").await;
    chromium.key("Enter").await;
    chromium.until("document.activeElement.id === 'streams'").await;
    let label = "document.activeElement.getAttribute('aria-label')";
    let reach = async |wanted: &str| {
        for _ in 0..40 {
            chromium.key("Tab").await;
            if chromium.js::<Option<String>>(label).await.as_deref() == Some(wanted) {
                return;
            }
        }
        panic!("{wanted} is not reached");
    };
    reach("Resume products/cache").await;
    chromium.key("Enter").await;
    eventually("it is resumed", async || !products.is_paused("cache").await.unwrap()).await;
    chromium.until(&format!("{label} === 'Pause products/cache'")).await;
    reach("Rewind products/cache").await;
    // Focus stays on the button while looks come in.
    let looks: u32 = chromium.js("Number(document.documentElement.dataset.looks)").await;
    chromium.until(&format!("Number(document.documentElement.dataset.looks) > {looks} + 2")).await;
    assert_eq!(chromium.js::<String>(label).await, "Rewind products/cache");
    chromium.key("Enter").await;
    chromium.until("document.querySelector('#ask').open").await;
    chromium.key("Escape").await;
    chromium.until("!document.querySelector('#ask').open").await;
    assert_eq!(chromium.js::<String>(label).await, "Rewind products/cache", "the focus is where it was");
    chromium.close().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_shown_and_the_page_recovers_by_itself() {
    let mut server = private_redis().await;
    let options = ConnectOptions::new(server.url()).give_up_after(Duration::from_millis(500));
    let redstream = Redstream::connect(options).await.unwrap();
    redstream.stream("books").unwrap().register("search", Start::Earliest).await.unwrap();
    let served = Served::start(Dashboard::new(redstream).every(Duration::from_millis(200))).await;
    let chromium = Chromium::open(&served.url).await;
    chromium.until(&reads("books", "search", "stopped")).await;
    assert_eq!(chromium.js::<u32>("document.querySelectorAll('.lane button:not([hidden])').length").await, 0);
    server.kill().unwrap();
    chromium.until("document.querySelector('#trouble').checkVisibility()").await;
    chromium.until("document.querySelector('#badge').textContent === 'no answer of Redis'").await;
    let server = tokio::task::spawn_blocking(move || server.restart().map(|()| server)).await.unwrap().unwrap();
    chromium.until(LIVE).await;
    chromium.until("!document.querySelector('#trouble').checkVisibility()").await;

    // The application itself is restarted.
    let address = served.end().await;
    chromium.until("document.querySelector('#badge').textContent !== 'live'").await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let served = Served::start_at(address, Dashboard::new(redstream)).await;
    chromium.until(LIVE).await;
    served.end().await;
    chromium.close().await;
    drop(server);
}
