//! A headless Chromium with one page, for tests.
//!
//! Its methods panic if they fail, as tests do.

#![expect(clippy::missing_panics_doc, reason = "all of them panic")]

use std::path::Path;
use std::time::{Duration, Instant};

use chromiumoxide::Page;
use chromiumoxide::browser::{Browser, BrowserConfig};
use chromiumoxide::cdp::browser_protocol::emulation::{MediaFeature, SetDeviceMetricsOverrideParams};
use chromiumoxide::cdp::browser_protocol::page::CaptureScreenshotFormat;
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use chromiumoxide::page::ScreenshotParams;
use futures_util::StreamExt as _;
use redstream_servers::{Package, ensure_installed};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// How long a condition may take to hold.
pub const BOUND: Duration = Duration::from_secs(30);

/// Collects what must not happen: errors of scripts, and what the policy of the page blocks.
const WATCH: &str = "
    window.troubles = [];
    addEventListener('error', (event) => troubles.push(event.message));
    addEventListener('unhandledrejection', (event) => troubles.push(String(event.reason)));
    document.addEventListener('securitypolicyviolation', (event) => troubles.push(event.violatedDirective + ' ' + event.blockedURI));
";

/// If this is set to a folder, pictures are saved there: `docs/images` renews those of the documentation.
const PICTURES: &str = "REDSTREAM_WEB_PICTURES";

/// A page in a browser of its own, which [`close`](Self::close) ends.
#[derive(Debug)]
pub struct Chromium {
    browser: Browser,
    page: Page,
    handler: JoinHandle<()>,
    _profile: TempDir,
}

impl Chromium {
    /// Opens a page. Chromium is installed if it is missing.
    pub async fn open(url: &str) -> Self {
        let find = || ensure_installed(Package::Chromium);
        let program = tokio::task::spawn_blocking(find).await.unwrap().unwrap_or_else(|error| panic!("{error}"));
        let profile = tempfile::tempdir().unwrap();
        let config = BrowserConfig::builder()
            .chrome_executable(program)
            .user_data_dir(profile.path())
            .new_headless_mode()
            // Root has no sandbox, and only our own page is opened.
            .no_sandbox()
            .viewport(None)
            .launch_timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        let (browser, mut handler) = Browser::launch(config).await.expect("Chromium starts");
        let handler = tokio::spawn(async move { while handler.next().await.is_some() {} });
        let page = browser.new_page("about:blank").await.unwrap();
        page.evaluate_on_new_document(WATCH).await.unwrap();
        let chromium = Self { browser, page, handler, _profile: profile };
        chromium.size(1180, 900, false).await;
        chromium.page.goto(url).await.unwrap();
        chromium
    }

    /// The value of an expression, which may be a promise.
    pub async fn js<T: DeserializeOwned>(&self, expression: &str) -> T {
        let builder = EvaluateParams::builder().expression(expression).await_promise(true).return_by_value(true);
        let value = self.page.evaluate_expression(builder.build().unwrap()).await;
        let value = value.unwrap_or_else(|error| panic!("{expression}: {error}"));
        let value = value.value().cloned().unwrap_or(Value::Null);
        serde_json::from_value(value).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str) {
        let begun = Instant::now();
        while !self.js::<bool>(&format!("Boolean({expression})")).await {
            if begun.elapsed() > BOUND {
                let text: String = self.js("document.body.innerText").await;
                let troubles: Value = self.js("window.troubles").await;
                panic!("{expression}: not within {BOUND:?}; {troubles}\n{text}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Clicks on an element when it can be seen.
    pub async fn click(&self, selector: &str) {
        self.until(&format!("document.querySelector({selector:?})?.checkVisibility()")).await;
        let element = self.page.find_element(selector).await.unwrap();
        element.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Presses a key, such as `Tab`. It goes to the element that has the focus.
    pub async fn key(&self, key: &str) {
        self.page.find_element("body").await.unwrap().press_key(key).await.unwrap();
    }

    /// Sets the size of the window.
    pub async fn size(&self, width: i64, height: i64, is_phone: bool) {
        let metrics = SetDeviceMetricsOverrideParams::new(width, height, 1.0, is_phone);
        self.page.execute(metrics).await.unwrap();
    }

    /// The scheme that the user's system has: `light` or `dark`.
    pub async fn scheme(&self, scheme: &str) {
        let feature = MediaFeature { name: "prefers-color-scheme".to_owned(), value: scheme.to_owned() };
        let still = MediaFeature { name: "prefers-reduced-motion".to_owned(), value: "reduce".to_owned() };
        self.page.emulate_media_features(vec![feature, still]).await.unwrap();
    }

    /// What axe-core finds, with all of its rules.
    pub async fn violations(&self) -> Vec<String> {
        if !self.js::<bool>("Boolean(window.axe)").await {
            let find = || ensure_installed(Package::AxeCore);
            let script = tokio::task::spawn_blocking(find).await.unwrap().unwrap_or_else(|error| panic!("{error}"));
            let script = std::fs::read_to_string(script).unwrap();
            self.js::<Value>(&format!("{script}; null")).await;
        }
        let run = "axe.run(document).then(({ violations }) => violations.flatMap(({ id, nodes }) =>
            nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`)))";
        self.js(run).await
    }

    /// Takes a picture of what is seen, such as `dashboard-light`.
    pub async fn picture(&self, name: &str) {
        let params = ScreenshotParams::builder().format(CaptureScreenshotFormat::Png).build();
        let picture = self.page.screenshot(params).await.unwrap();
        assert!(picture.len() > 5_000, "the picture {name} is empty");
        if let Some(folder) = std::env::var_os(PICTURES) {
            // Relative to the workspace, whichever package's tests run.
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
        }
    }

    /// Ends it. No script has failed, and the policy has blocked nothing.
    pub async fn close(mut self) {
        let troubles: Vec<String> = self.js("window.troubles").await;
        assert!(troubles.is_empty(), "{troubles:?}");
        self.browser.close().await.unwrap();
        self.browser.wait().await.unwrap();
        self.handler.abort();
    }
}
