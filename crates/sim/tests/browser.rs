//! The page in a real browser, where `MATRELA_BROWSER` names a Chromium: no script error, every chart drawn, candles seen,
//! the chart answers to wheel, drag and keys.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it did not run"
)]

mod made_up;

use std::path::PathBuf;
use std::process::Command;

use sim::report::{Report, ReportData};

/// Runs before `</body>`: what is on the canvas, and what becomes of it when it is used.
const PROBE: &str = r#"<script>
(() => {
  const canvas = document.getElementById("candle-canvas");
  const probe = document.body.dataset;
  if (!canvas) return;
  const picture = () => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let ink = 0;
    let sum = 0;
    for (let at = 0; at < data.length; at += 4) {
      const colour = data[at] * 65536 + data[at + 1] * 256 + data[at + 2];
      if (colour !== data[0] * 65536 + data[1] * 256 + data[2]) ink += 1;
      sum = (sum * 31 + colour) % 4294967291;
    }
    return { ink, sum };
  };
  // Pixels in exactly the colour of a variable of the style sheet.
  const count = (name) => {
    const wanted = parseInt(getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim().slice(1), 16);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] * 65536 + data[at + 1] * 256 + data[at + 2] === wanted) found += 1;
    }
    return found;
  };
  probe.first = String(count("rose") + count("fell"));
  const pictures = [picture()];
  probe.ink = String(pictures[0].ink);
  const act = (name, action) => {
    action();
    const after = picture();
    if (pictures[pictures.length - 1].sum !== after.sum) probe[name] = "changed";
    pictures.push(after);
  };
  const pointer = (kind, x) => canvas.dispatchEvent(new PointerEvent(kind, { pointerId: 1, clientX: x, bubbles: true }));
  act("wheel", () => canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: -200, clientX: 200, cancelable: true })));
  act("wheelAgain", () => canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: -200, clientX: 200, cancelable: true })));
  act("drag", () => { pointer("pointerdown", 300); pointer("pointermove", 200); pointer("pointerup", 200); });
  act("key", () => canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", cancelable: true })));
  act("jump", () => document.querySelector('a.jump[data-trade="3"]').click());
  probe.candles = String(Math.min(count("rose"), count("fell")));
  probe.marks = String(count("gain-mark") + count("loss-mark"));
  probe.picked = document.getElementById("candle-trade").textContent;
  probe.symbol = document.getElementById("candle-symbol").value;
  act("all", () => document.querySelector('[data-action="all"]').click());
  probe.overflow = String(document.documentElement.scrollWidth - document.documentElement.clientWidth);
})();
</script>
</body>"#;

/// The attributes of the body after the page and the probe have run, or `None` where no browser is named.
fn body(name: &str, data: ReportData, width: u32) -> Option<String> {
    let Ok(browser) = std::env::var("MATRELA_BROWSER") else {
        println!("not run: {name} (MATRELA_BROWSER names no browser)");
        return None;
    };
    let html = Report::new(data).unwrap().html().unwrap();
    assert_eq!(html.matches("</body>").count(), 1);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("report.html");
    std::fs::write(&path, html.replace("</body>", PROBE)).unwrap();
    let output = Command::new(&browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--virtual-time-budget=5000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--window-size={width},900"))
        .arg(format!("file://{}", path.display()))
        .output()
        .unwrap_or_else(|error| panic!("{browser}: {error}"));
    let dom = String::from_utf8_lossy(&output.stdout);
    let start = dom.find("<body").unwrap_or_else(|| panic!("{browser} wrote no page: {output:?}"));
    let body = &dom[start..];
    Some(body[..body.find('>').unwrap()].to_owned())
}

fn attribute<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!(" data-{name}=\""))?;
    rest.split('"').next()
}

/// Metrics' intervals, equity, drawdown, two rolling, returns, months; candles; confusion, calibration, importance; fan,
/// final equity, grid, folds.
const CHARTS: &str = "15";

#[test]
fn everything_is_drawn_and_answers() {
    for (name, width) in [("wide", 1_400), ("narrow", 500)] {
        let Some(body) = body(name, made_up::report_data(3_000, 40), width) else { return };
        assert_eq!(attribute(&body, "error"), None, "{body}");
        assert_eq!(attribute(&body, "drawn"), Some(CHARTS), "{body}");
        assert!(attribute(&body, "ink").unwrap().parse::<u32>().unwrap() > 5_000, "{body}");
        for action in ["wheel", "wheel-again", "drag", "key", "jump", "all"] {
            assert_eq!(attribute(&body, action), Some("changed"), "{action}: {body}");
        }
        // Zoomed in on a trade there are candles of both kinds, and its marks.
        for colour in ["candles", "marks"] {
            assert!(attribute(&body, colour).unwrap().parse::<u32>().unwrap() > 50, "{colour}: {body}");
        }
        // The fourth trade is of the second symbol.
        assert_eq!(attribute(&body, "symbol"), Some("1"), "{body}");
        let picked = attribute(&body, "picked").unwrap();
        assert!(picked.contains("No.: 4 ") && picked.contains("vote trend:"), "{picked}");
        // Only tables and charts scroll sideways, never the page.
        assert_eq!(attribute(&body, "overflow"), Some("0"), "{body}");
    }
}

#[test]
fn hostile_names_run_nothing() {
    let mut data = made_up::report_data(300, 5);
    let hostile = "</script><script>document.body.dataset.error = 'ran'</script><img src=x onerror=alert(1)>";
    data.title = hostile.to_owned();
    for symbol in &mut data.symbols {
        symbol.symbol = format!("{} {hostile}", symbol.symbol);
    }
    for trade in &mut data.trades {
        trade.symbol = format!("{} {hostile}", trade.symbol);
        trade.reason = hostile.to_owned();
        trade.log = vec![hostile.to_owned()];
    }
    let Some(body) = body("hostile", data, 1_000) else { return };
    assert_eq!(attribute(&body, "error"), None, "{body}");
    assert_eq!(attribute(&body, "drawn"), Some(CHARTS), "{body}");
}

#[test]
fn one_candle_and_one_point_are_drawn() {
    let mut data = made_up::report_data(300, 5);
    data = ReportData { symbols: data.symbols.split_off(1), ..ReportData::default() };
    data.symbols[0].candles.truncate(1);
    (data.equity.times, data.equity.values) = (vec![0], vec![1.0]);
    // Without trades there is nothing to jump to, so the probe's own error is expected; the page's drawing is not hurt.
    let Some(body) = body("single", data, 1_000) else { return };
    assert_eq!(attribute(&body, "drawn"), Some("2"), "{body}");
    assert!(attribute(&body, "first").unwrap().parse::<u32>().unwrap() > 50, "{body}");
}
