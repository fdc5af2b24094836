use redstream_core::{NewMessage, Payload, StreamName};
use serde_json::json;

use super::State;

fn pipelines(saves: u32) -> Vec<usize> {
    let mut state = State::default();
    let mut pipelines = Vec::new();
    for id in 0..saves {
        let payload = Payload::encode(&json!({ "id": id })).unwrap();
        state.insured.add_all([NewMessage::new(StreamName::new("cities").unwrap(), payload)]);
        if state.is_due() {
            pipelines.push(state.send().len());
        }
    }
    state.awaited = true;
    if state.is_due() {
        pipelines.push(state.send().len());
    }
    pipelines
}

#[test]
fn the_first_two_messages_are_sent_at_once_and_a_hundred_take_four_pipelines() {
    assert_eq!(pipelines(1), [1]);
    assert_eq!(pipelines(2), [1, 1]);
    assert_eq!(pipelines(100), [1, 1, 32, 66]);
}

#[test]
fn a_pipeline_holds_no_more_than_are_enough() {
    assert_eq!(pipelines(1000), [1, 1, 32, 250, 250, 250, 216]);
}
