//! Documents that are made from the code. `UPDATE_DOCS=1 cargo test --test documents` (`make docs`) writes them anew.

use std::fmt::Write;

use protocol::ApiKey;
use sordini::handlers;

#[test]
fn the_matrix_of_keys_and_versions_is_up_to_date() {
    let mut text = String::from(
        "# Keys and versions of Kafka's protocol\n\n\
         Made from the tables in the code by `make docs`. «Tables» are the versions that can be encoded and decoded: those of Apache\n\
         Kafka 3.9 in ZooKeeper mode and of 4.3. «Served» are the versions that ApiVersions offers.\n\n\
         | key | name | tables | served |\n|---:|---|---|---|\n",
    );
    for key in ApiKey::ALL {
        let known = key.versions();
        let served = handlers::served(*key, true).map_or("–".to_string(), |s| format!("{}–{}", s.min, s.max));
        writeln!(
            text,
            "| {} | {} | {}–{} | {served} |",
            key.number(),
            key.name(),
            known.start(),
            known.end()
        )
        .expect("a string takes everything");
    }
    text.push_str(
        "\nProduce is listed from version 0, as Apache Kafka 4 does: librdkafka up to 2.11 otherwise drops compression in silence\n\
         (KAFKA-18659). A Produce request of version 0 to 2 closes the connection.\n",
    );
    same_or_updated("docs/protocol.md", &text);
}

fn same_or_updated(file: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap_or_else(|e| panic!("{file}: {e}"));
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}; run `make docs`"));
    assert_eq!(found, expected, "{file} is not what the code says; run `make docs`");
}
