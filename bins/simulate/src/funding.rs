//! What a report says of funding.

/// What is said of it in a report: nothing where all are on spot.
pub(crate) fn said(all: &[(String, Option<f64>)]) -> Option<String> {
    let perpetuals: Vec<(&String, f64)> =
        all.iter().filter_map(|(name, covered)| Some((name, (*covered)?))).collect();
    if perpetuals.is_empty() {
        return None;
    }
    if perpetuals.iter().all(|(_, covered)| *covered == 0.0) {
        let said = "Funding of perpetuals is not charged, because no rates were given: a long position in a rising market paid for it.";
        return Some(said.to_owned());
    }
    let lacking: Vec<String> = perpetuals
        .iter()
        .filter(|(_, covered)| *covered < 0.995)
        .map(|(name, covered)| format!("{name} ({:.0} % of its time is known)", 100.0 * covered))
        .collect();
    Some(match lacking.is_empty() {
        true => "Funding is charged at the rates that the venue exchanged.".to_owned(),
        false => format!(
            "Funding is charged where its rates were given, and is missing for {}: a long position in a rising market paid for it.",
            lacking.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_missing_is_said() {
        let said = super::said(&[("A".to_owned(), Some(1.0 / 3.0)), ("B".to_owned(), None)]).unwrap();
        assert!(said.contains("missing for A (33 % of its time is known)"), "{said}");
        assert_eq!(super::said(&[("B".to_owned(), None)]), None);
        assert!(super::said(&[("A".to_owned(), Some(0.0))]).unwrap().contains("no rates were given"));
        assert!(super::said(&[("A".to_owned(), Some(1.0))]).unwrap().contains("is charged at"));
    }
}
