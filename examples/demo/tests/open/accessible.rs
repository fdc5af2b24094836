//! What axe-core finds in Chromium, the keyboard, and the picture of the documentation.

use redstream_chromium::Chromium;

use crate::demo::{Demo, enter, first_city_has, log_says, settled};

/// Presses Tab until the element of this id has the focus.
async fn reach(chromium: &Chromium, id: &str) {
    for _ in 0..60 {
        chromium.key("Tab").await;
        if chromium.js::<String>("document.activeElement.id").await == id {
            return;
        }
    }
    panic!("{id} is not reached");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_and_the_keyboard_is_enough() {
    let demo = Demo::start().await;
    let chromium = Chromium::open(&demo.url).await;
    chromium.size(1180, 1000, false).await;
    settled(&chromium).await;
    assert_eq!(chromium.js::<String>("document.activeElement.id").await, "q", "one may type at once");
    enter(&chromium, "#q", "san").await;
    first_city_has(&chromium, "Sant Julia").await;
    chromium.key("Tab").await;
    chromium.key("Enter").await;
    chromium.until("document.querySelector('#name').value !== ''").await;
    reach(&chromium, "admin2").await;
    enter(&chromium, "#admin2", "a new district").await;
    chromium.key("Enter").await;
    first_city_has(&chromium, "a new district").await;
    chromium.js::<()>("void document.querySelector('#q').focus()").await;
    reach(&chromium, "kill").await;
    chromium.key("Enter").await;
    log_says(&chromium, "0 lost").await;
    settled(&chromium).await;
    for scheme in ["light", "dark"] {
        chromium.scheme(scheme).await;
        chromium.size(1180, 1000, false).await;
        assert_eq!(chromium.violations().await, [""; 0], "{scheme}");
        chromium.picture(&format!("demo-{scheme}")).await;
        chromium.size(390, 844, true).await;
        chromium.until("document.querySelector('.columns').clientWidth < 400").await;
        assert_eq!(chromium.violations().await, [""; 0], "{scheme}, phone");
        let overflows = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
        assert!(!chromium.js::<bool>(overflows).await, "it is wider than a phone");
    }
    chromium.close().await;
    demo.interrupt().await;
}
