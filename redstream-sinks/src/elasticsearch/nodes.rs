//! The nodes of a cluster: whose turn it is, and which of them are broken.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;

/// How long a node that failed once is not asked; each further failure doubles it.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Node {
    /// Without credentials.
    pub(crate) url: Url,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures since the last success.
    failures: u32,
    broken_until: Option<Instant>,
}

impl Node {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It failed to answer: it is not asked for a growing pause if another node can be.
    pub(crate) fn failed(&self) {
        let mut state = self.state();
        let pause = SHORTEST_PAUSE.saturating_mul(1 << state.failures.min(6)).min(LONGEST_PAUSE);
        state.failures = state.failures.saturating_add(1);
        state.broken_until = Some(Instant::now() + pause);
    }

    /// It answered.
    pub(crate) fn works(&self) {
        *self.state() = State::default();
    }
}

/// All nodes, asked in turn.
#[derive(Debug)]
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    next: AtomicUsize,
}

impl Nodes {
    pub(crate) fn new(urls: impl IntoIterator<Item = Url>) -> Self {
        let nodes = urls.into_iter().map(|url| Node { url, state: Mutex::default() }).collect();
        Self { nodes, next: AtomicUsize::new(0) }
    }

    /// The nodes for one request, the first of which is asked first: those that work, beginning at the one whose turn
    /// it is. If none works, the one whose pause ends first.
    pub(crate) fn in_turn(&self) -> Vec<&Node> {
        let first = self.next.fetch_add(1, Relaxed) % self.nodes.len();
        let (late, early) = self.nodes.split_at(first);
        let now = Instant::now();
        let broken_until = |node: &Node| node.state().broken_until.filter(|until| *until > now);
        let working: Vec<_> = early.iter().chain(late).filter(|node| broken_until(node).is_none()).collect();
        if working.is_empty() {
            return self.nodes.iter().min_by_key(|node| broken_until(node)).into_iter().collect();
        }
        working
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Nodes {
        Nodes::new(["http://a/", "http://b/", "http://c/"].map(|url| Url::parse(url).unwrap()))
    }

    fn hosts(nodes: &Nodes) -> String {
        nodes.in_turn().iter().filter_map(|node| node.url.host_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn nodes_take_turns() {
        let nodes = nodes();
        assert_eq!([hosts(&nodes), hosts(&nodes), hosts(&nodes), hosts(&nodes)], ["abc", "bca", "cab", "abc"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_node_is_left_for_a_growing_pause() {
        let nodes = nodes();
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            nodes.nodes[1].failed();
            assert!(!hosts(&nodes).contains('b'));
            tokio::time::advance(Duration::from_millis(1000 * pause - 1)).await;
            assert!(!hosts(&nodes).contains('b'), "{pause}");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(hosts(&nodes).contains('b'), "{pause}");
        }
        nodes.nodes[1].works();
        nodes.nodes[1].failed();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(hosts(&nodes).contains('b'));
    }

    #[tokio::test(start_paused = true)]
    async fn if_all_are_broken_the_one_whose_pause_ends_first_is_asked() {
        let nodes = nodes();
        for (node, failures) in nodes.nodes.iter().zip([3, 1, 2]) {
            (0..failures).for_each(|_| node.failed());
        }
        assert_eq!(hosts(&nodes), "b");
    }
}
