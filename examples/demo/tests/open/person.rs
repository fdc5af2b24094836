//! A person searches, saves, breaks things, watches them heal, and ends the demo.

use std::net::TcpStream;

use redstream_chromium::Chromium;

use crate::demo::{Demo, enter, first_city_has, gone, log_says, settled, workers};

/// The first city of the data.
const CITY: &str = "les Escaldes";

async fn save(chromium: &Chromium, district: &str) {
    enter(chromium, "#admin2", district).await;
    chromium.click("#editor button[type=submit]").await;
    chromium.until("document.querySelector('#saved').textContent.startsWith('committed in')").await;
}

async fn is_searchable(chromium: &Chromium, district: &str) {
    chromium.until("document.querySelector('#saved').textContent.includes('searchable')").await;
    first_city_has(chromium, district).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_breaks_heals_and_ctrl_c_leaves_no_process() {
    let demo = Demo::start().await;
    let chromium = Chromium::open(&demo.url).await;
    settled(&chromium).await;
    let first_workers = workers(&chromium).await;
    enter(&chromium, "#q", "escal").await;
    first_city_has(&chromium, CITY).await;

    chromium.click("#cities button").await;
    chromium.until(&format!("document.querySelector('#name').value === {CITY:?}")).await;
    save(&chromium, "the <b>first</b> district").await;
    is_searchable(&chromium, "the <b>first</b> district").await;
    assert_eq!(chromium.js::<u32>("document.querySelectorAll('b').length").await, 0);

    let leader =
        "document.querySelector('#workers [data-state=leads]').parentNode.innerText.match(/process (\\d+)/)[1]";
    let leader: String = chromium.js(leader).await;
    chromium.click("#kill").await;
    log_says(&chromium, "and took over after").await;
    log_says(&chromium, "1,000 cities that were updated meanwhile are found as they are in the database").await;
    gone(&leader).await;
    log_says(&chromium, "worker 3 runs").await;
    settled(&chromium).await;

    chromium.click("#bypass").await;
    log_says(&chromium, "by a plain connection, which Redstream does not see: UPDATE").await;
    settled(&chromium).await;
    first_city_has(&chromium, "the <b>first</b> district").await;
    chromium.click("#verify").await;
    log_says(&chromium, "differ (stale").await;
    settled(&chromium).await;
    chromium.click("#repair").await;
    log_says(&chromium, "and are repaired").await;
    first_city_has(&chromium, "written past Redstream").await;
    settled(&chromium).await;

    chromium.click("#redis").await;
    chromium.until("document.querySelector('#tiles').innerText.includes('stopped')").await;
    save(&chromium, "saved without Redis").await;
    assert!(chromium.js::<bool>("document.querySelector('#tiles').innerText.includes('stopped')").await);
    log_says(&chromium, "the index has caught up").await;
    is_searchable(&chromium, "saved without Redis").await;
    settled(&chromium).await;

    chromium.click("#rollback").await;
    log_says(&chromium, "no trace of it in the index").await;
    settled(&chromium).await;
    chromium.click("#reindex").await;
    log_says(&chromium, "1,000 cities were announced and indexed again").await;
    settled(&chromium).await;

    let steps: Vec<String> =
        chromium.js("[...document.querySelectorAll('#tour .is-done')].map((step) => step.dataset.step)").await;
    assert_eq!(steps, ["search", "save", "kill", "redis", "repair"]);
    let link: String = chromium.js("document.querySelector('#own a').href").await;
    assert!(link.ends_with("/docs/guides/your-app.md"), "{link}");
    let dashboard = "fetch('dashboard/status').then((answer) => answer.json())
        .then(({ overview }) => [overview.streams[0].name, overview.servers[0].address])";
    let (stream, redis): (String, String) = chromium.js(dashboard).await;
    assert_eq!(stream, "cities");

    let last_workers = workers(&chromium).await;
    TcpStream::connect(&redis).expect("Redis runs");
    assert_eq!(demo.interrupt().await, "stopped; nothing is left of it");
    for worker in first_workers.iter().chain(&last_workers) {
        gone(worker).await;
    }
    TcpStream::connect(&redis).expect_err("Redis has ended");
    chromium.until("document.querySelector('#badge').textContent === 'disconnected'").await;
    chromium.close().await;
}
