//! What the sessions hold: one typed struct in three sizes.

use serde::{Deserialize, Serialize};

/// A signed-in visitor with a shopping cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// The account.
    pub user: u64,
    /// The address shown in the page's corner.
    pub name: String,
    /// What makes the session large.
    pub cart: Vec<Item>,
}

/// One line of the cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The article.
    pub sku: String,
    /// How many.
    pub quantity: u32,
    /// The price of one.
    pub cents: u32,
}

/// A payload and the name of its column.
pub struct Case {
    /// The column, which is also the size as JSON.
    pub column: &'static str,
    /// The payload.
    pub payload: Payload,
}

impl Payload {
    fn new(name: &str, items: u32) -> Self {
        let item = |number| Item { sku: format!("HT-{number:03}"), quantity: 2, cents: 1250 + number };
        Self { user: 1_234_567, name: name.to_owned(), cart: (0..items).map(item).collect() }
    }

    /// 183 bytes of JSON: the session of the router calls.
    pub fn medium() -> Self {
        Self::new("ada@babbage.example", 3)
    }
}

/// The three sizes.
pub fn cases() -> [Case; 3] {
    [
        Case { column: "56 B", payload: Payload::new("ada@lovelace.example", 0) },
        Case { column: "183 B", payload: Payload::medium() },
        Case { column: "1,983 B", payload: Payload::new("ada@x.example", 45) },
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_columns_tell_the_size_as_json() {
        for case in super::cases() {
            let size = serde_json::to_vec(&case.payload).unwrap().len();
            assert_eq!(case.column.replace(',', ""), format!("{size} B"));
        }
    }
}
