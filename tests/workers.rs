//! `examples/workers`, the listings of the documentation: each runs, and prints what it says.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../examples/workers/main.rs"]
#[allow(dead_code, reason = "its `main` is not called")]
mod listings;

/// What each listing prints.
const PRINTED: [(&str, &[&str]); 10] = [
    ("greet", &["Hello, World!"]),
    ("signup", &["welcome, Ann", "event: ann@example.com has signed up"]),
    ("counter_as_a_function", &["[2, 3, -2]"]),
    ("counter_as_an_object", &["[2, 3, -2, -2]"]),
    ("company", &["Acme has 7 employees", "sent to Acme: Hi", "sent to Acme: Hi again"]),
    ("visibility", &["a vault of weight 4"]),
    ("function_with_properties", &["[124, 123]"]),
    ("named_entrypoint", &["nine to five", "closed"]),
    (
        "five_functions",
        &["8 is 4 doubled, and 5 capabilities are held", "16 is 4 squared, and 1 capability is held"],
    ),
    ("round_trips", &["2, in 1 round trip", "2, in 2 round trips when each is awaited"]),
];

#[tokio::test]
async fn r287_listings_print_what_they_say() {
    for ((name, run), (expected, lines)) in listings::LISTINGS.into_iter().zip(PRINTED) {
        assert_eq!(name, expected);
        let printed = tokio::time::timeout(std::time::Duration::from_secs(30), run()).await.unwrap().unwrap();
        assert_eq!(printed, lines, "{name}");
    }
}
