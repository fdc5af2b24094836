//! What the derive refuses: each mistake is told at the word to blame.
//!
//! The macro is called here as the function it is, which takes no compiler; only a procedural macro's own crate could
//! call it by its name.

#[allow(dead_code, unreachable_pub, reason = "the source of another crate")]
#[path = "../../../redstream-seaorm/macros/src/attribute.rs"]
mod attribute;
#[allow(dead_code, unreachable_pub, reason = "the source of another crate")]
#[path = "../../../redstream-seaorm/macros/src/expand.rs"]
mod expand;

/// The mistake in this model, and the word it points at.
fn mistake(model: &str) -> (String, String) {
    let input = syn::parse_str(model).unwrap();
    let mistake = expand::streamed(&input).expect_err(model);
    let word = mistake.span().source_text().unwrap();
    let told = expand::mistaken(&mistake, &input).to_string();
    assert!(told.contains("compile_error"), "{told}");
    (mistake.to_string(), word)
}

#[track_caller]
fn refused(attribute: &str, message: &str, word: &str) {
    let (found, at) = mistake(&format!("{attribute} struct Model {{ id: i64 }}"));
    assert!(found.contains(message), "{attribute}: {found}");
    assert_eq!(at, word, "{attribute}: {found}");
}

#[test]
fn words_that_nobody_knows() {
    refused(r#"#[streamed(strem = "cities")]"#, "expected `stream = \"name\"`, `payload = path` or `manual`", "strem");
    refused("#[streamed]", "expected attribute arguments in parentheses", "streamed");
    refused("#[streamed(stream = cities)]", "expected string literal", "cities");
    refused(r#"#[streamed(payload = "told")]"#, "expected identifier", "\"told\"");
    refused("#[streamed(manual = true)]", "expected `,`", "=");
}

#[test]
fn names_that_no_stream_may_have() {
    let name = |name: &str, message| refused(&format!("#[streamed(stream = {name:?})]"), message, &format!("{name:?}"));
    name("", "cannot be empty");
    name("two words", "no white space");
    name("{cities}", "braces");
    name(&"x".repeat(256), "at most 255 bytes");
    name("cities.delay", "`.delay` and `.dead.` are for");
    name("cities.dead.search", "`.delay` and `.dead.` are for");
}

#[test]
fn what_is_said_twice() {
    refused(r#"#[streamed(stream = "cities", stream = "towns")]"#, "said twice", "stream");
    refused(r#"#[streamed(stream = "cities")] #[streamed(stream = "towns")]"#, "said twice", "stream");
    refused("#[streamed(payload = told, manual, payload = told)]", "said twice", "payload");
}

#[test]
fn what_is_no_model() {
    let message = "derive `Streamed` on a SeaORM entity's `struct Model`";
    assert_eq!(mistake("struct City { id: i64 }"), (message.to_owned(), "City".to_owned()));
    assert_eq!(mistake("enum Model { City }"), (message.to_owned(), "Model".to_owned()));
}

#[test]
fn a_mistake_in_an_attribute_hides_behind_no_other() {
    let input = syn::parse_str("#[streamed(strem)] struct Model { id: i64 }").unwrap();
    let told = expand::mistaken(&expand::streamed(&input).unwrap_err(), &input).to_string();
    assert!(told.contains("ActiveModelBehavior for ActiveModel"), "else SeaORM misses it: {told}");
}

#[test]
fn the_copy_that_sea_orm_makes_of_a_model_is_left_alone() {
    let input = syn::parse_str(r#"#[streamed(stream = "cities")] struct ModelEx { id: i64 }"#).unwrap();
    assert!(expand::streamed(&input).unwrap().is_empty());
}
