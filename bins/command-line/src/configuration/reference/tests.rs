//! One configuration of every shape that occurs, its schema and its page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::schema::schema;
use super::reference;

/// What the program does.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// How many, see [`usize`](https://example.com) and [`u8`].
    count: u32,
    /// Single precision.
    rate: f32,
    /// May be left out.
    limit: Option<f64>,
    /// What is chosen.
    choice: Choice,
    /// What it costs.
    costs: Costs,
    /// Levels, one after the other.
    levels: Vec<Level>,
    /// From and to.
    range: [u8; 2],
    /// Another range.
    fee: Fee,
    /// What may be.
    rebate: Option<Fee>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            count: 3,
            rate: 0.1,
            limit: None,
            choice: Choice::Second,
            costs: Costs::Fixed { fraction: 0.5 },
            levels: Vec::new(),
            range: [1, 2],
            fee: Fee { maker: 0.25 },
            rebate: None,
        }
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Choice {
    /// The one.
    First,
    /// The other | one.
    Second,
}

/// Of which kind.
///
/// ```toml
/// kind = "fixed"
/// ```
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Costs {
    /// Nothing:
    None {},
    /// The same for all.
    Fixed {
        /// Of the price.
        fraction: f64,
    },
    /// By depth.
    Square {
        /// The factor.
        factor: f64,
        /// The power.
        #[serde(default = "half")]
        power: f64,
    },
}

const fn half() -> f64 {
    0.5
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Level {
    /// From here on.
    at: f64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Fee {
    /// For resting orders.
    maker: f64,
}

impl Default for Fee {
    fn default() -> Self {
        Self { maker: 0.75 }
    }
}

fn made() -> Value {
    schema::<Settings>("example", &serde_json::to_value(Settings::default()).unwrap())
}

#[test]
fn defaults_are_those_of_the_program_and_stand_at_the_settings() {
    let schema = made();
    assert_eq!(schema["title"], "Settings of example");
    assert_eq!(schema["additionalProperties"], false);
    let properties = &schema["properties"];
    assert_eq!(properties["count"]["default"], 3);
    assert_eq!(properties["rate"]["default"], json!(0.1));
    assert_eq!(properties["limit"].get("default"), None);
    assert_eq!(properties["choice"]["default"], "second");
    assert_eq!(
        properties["fee"]["properties"]["maker"]["default"], 0.25,
        "not 0.75, which is that of the type"
    );
    assert_eq!(properties["fee"].get("default"), None);
    let kinds = properties["costs"]["oneOf"].as_array().unwrap();
    let of_kind = |name: &str| {
        &kinds.iter().find(|kind| kind["properties"]["kind"]["const"] == name).unwrap()["properties"]
    };
    assert_eq!(of_kind("fixed")["fraction"]["default"], 0.5);
    assert_eq!(of_kind("square")["factor"].get("default"), None);
    assert_eq!(
        of_kind("square")["power"]["default"],
        0.5,
        "that of the type, since the program has another kind"
    );
    assert!(!schema.to_string().contains("$ref"), "everything stands in its place");
}

#[test]
fn descriptions_are_text() {
    let schema = made();
    let count = &schema["properties"]["count"];
    assert_eq!(count["description"], "How many, see `usize` and `u8`.");
    assert_eq!(
        (count.get("format"), count.get("maximum")),
        (None, None),
        "widths in memory are no limits worth a word"
    );
    let costs = &schema["properties"]["costs"];
    assert_eq!(costs["description"], "What it costs.");
    assert_eq!(costs["oneOf"][0]["description"], "Nothing.");
}

/// Written by hand, row by row.
#[test]
fn the_page_has_a_row_for_each_setting() {
    let page = reference("example", &made());
    let (_, page) = page.split_once(".schema.json).\n\n").unwrap();
    let expected = "\
| key | takes | default | meaning |
|---|---|---|---|
| `choice` | `\"first\"`, `\"second\"` | `\"second\"` | What is chosen. `\"first\"`: The one. `\"second\"`: The other \\| one. |
| `count` | whole number | `3` | How many, see `usize` and `u8`. |
| `levels` | list: tables, see below | `[]` | Levels, one after the other. |
| `limit` | number | none | May be left out. |
| `range` | list of 2: whole number, 0 to 255 | `[1, 2]` | From and to. |
| `rate` | number | `0.1` | Single precision. |

## `costs`

What it costs.

One of:

- `kind = \"none\"`: Nothing.
- `kind = \"fixed\"`: The same for all.
- `kind = \"square\"`: By depth.

With `kind = \"fixed\"`:

| key | takes | default | meaning |
|---|---|---|---|
| `fraction` | number | `0.5` | Of the price. |

With `kind = \"square\"`:

| key | takes | default | meaning |
|---|---|---|---|
| `factor` | number | must be given | The factor. |
| `power` | number | `0.5` | The power. |

## `fee`

Another range.

| key | takes | default | meaning |
|---|---|---|---|
| `maker` | number | `0.25` | For resting orders. |

## `levels[]`

| key | takes | default | meaning |
|---|---|---|---|
| `at` | number | must be given | From here on. |

## `rebate`

What may be.

Absent unless it is written.

| key | takes | default | meaning |
|---|---|---|---|
| `maker` | number | `0.75` | For resting orders. |

";
    assert_eq!(page, expected);
}
