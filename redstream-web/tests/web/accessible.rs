//! What axe-core finds in Chromium, and the pictures of the documentation.

use std::time::Duration;

use redstream_chromium::Chromium;
use redstream_core::{ConnectOptions, Redstream};
use serde_json::json;

use crate::browser::reads;
use crate::shop::Shop;
use crate::support::{add, private_redis};

/// Scrolls to the second stream.
const PRODUCTS: &str = "void scrollTo(0, document.querySelector('.stream:nth-child(2)').offsetTop - 120)";

/// Saves, until it is aborted.
async fn write(redstream: Redstream) {
    let products = redstream.stream("products").unwrap();
    loop {
        redstream.producer().delay(products.name(), &json!({ "id": 1 })).await.unwrap();
        add(&redstream, "products", (0..7).map(|id| json!({ "id": id }))).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_in_light_and_dark_on_a_desk_and_on_a_phone() {
    let server = private_redis().await;
    let redstream = Redstream::connect(ConnectOptions::new(server.url()).namespace("shop")).await.unwrap();
    let shop = Shop::of(redstream).await;
    let writing = tokio::spawn(write(shop.redstream.clone()));
    let chromium = Chromium::open(&shop.served.url).await;
    chromium.until(&reads("products", "search", "running")).await;
    chromium.until("document.querySelectorAll('.edge').length > 6").await;
    chromium.click("button[aria-label='Start Verify products']").await;
    chromium.click("#ask-yes").await;
    chromium.until("document.querySelector('#tasks progress')?.value === 51200").await;
    chromium.until("document.querySelector('#said').textContent === ''").await;
    chromium.until("Number(document.documentElement.dataset.looks) > 20").await;
    for scheme in ["light", "dark"] {
        chromium.scheme(scheme).await;
        chromium.size(1180, 1000, false).await;
        chromium.js::<()>("void scrollTo(0, 0)").await;
        assert_eq!(chromium.violations().await, [""; 0], "{scheme}");
        if scheme == "dark" {
            chromium.js::<()>(PRODUCTS).await;
        }
        chromium.picture(&format!("dashboard-{scheme}")).await;

        chromium.size(390, 844, true).await;
        chromium.until("getComputedStyle(document.querySelector('.flow')).getPropertyValue('--vertical') == 1").await;
        assert_eq!(chromium.violations().await, [""; 0], "{scheme}, phone");
        let overflows = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
        assert!(!chromium.js::<bool>(overflows).await, "it is wider than a phone");
        chromium.js::<()>(PRODUCTS).await;
        chromium.picture(&format!("dashboard-phone-{scheme}")).await;

        chromium.size(1180, 1000, false).await;
        chromium.click("button[aria-label='3 dead letters of orders/billing']").await;
        chromium.until("document.querySelectorAll('#dead-letters > li').length === 3").await;
        assert_eq!(chromium.violations().await, [""; 0], "{scheme}, dead letters");
        if scheme == "light" {
            chromium.picture("dashboard-dead-letters").await;
        }
        chromium.click("#dead-letters li:first-child button.danger").await;
        assert_eq!(chromium.violations().await, [""; 0], "{scheme}, a question");
        chromium.click("#ask-no").await;
        chromium.click("#dead-close").await;
    }
    // The button goes before the system.
    chromium.click("#theme").await;
    chromium.until("document.querySelector('#theme').textContent === 'Theme: light'").await;
    chromium.until("getComputedStyle(document.body).backgroundColor === 'rgb(244, 246, 249)'").await;
    chromium.click("#theme").await;
    chromium.scheme("light").await;
    chromium.until("getComputedStyle(document.body).backgroundColor === 'rgb(14, 19, 24)'").await;
    chromium.close().await;
    writing.abort();
    shop.close().await;
}
