//! The proxy's counters, as a scraper reads them.

use std::collections::BTreeMap;

/// One scrape: each series with its value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics(Vec<Series>);

#[derive(Clone, Debug)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Reads the text format of Prometheus.
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.map(Series::parse).collect())
    }

    /// The sum of all series of this name whose labels hold these.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |series: &&Series| {
            series.name == name
                && labels
                    .iter()
                    .all(|(key, value)| series.labels.get(*key).is_some_and(|found| found == value))
        };
        self.0.iter().filter(fits).map(|series| series.value).sum()
    }

    /// How often each cause was counted; every cause of the catalogue is there, most at 0.
    pub(crate) fn causes(&self) -> BTreeMap<String, u64> {
        let mut causes = BTreeMap::new();
        for series in self.0.iter().filter(|s| s.name == "whodunit_errors_total") {
            let cause = series.labels.get("cause").expect("errors are counted by cause");
            *causes.entry(cause.clone()).or_default() += series.count();
        }
        causes
    }

    /// Whether there is a series of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|series| series.name == name)
    }
}

impl Series {
    fn parse(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').expect("a series and a value");
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}').expect("closed labels")),
            None => (series, ""),
        };
        let labels = labels
            .split_terminator("\",")
            .map(|label| label.split_once("=\"").expect("a label and a value"))
            .map(|(key, value)| (key.to_owned(), value.trim_end_matches('"').to_owned()))
            .collect();
        Self { name: name.to_owned(), labels, value: value.parse().expect("a number") }
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a counter of a test counts to a few thousand"
    )]
    fn count(&self) -> u64 {
        self.value as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_by_their_labels() {
        let metrics = Metrics::parse(
            "# HELP whodunit_errors_total x\n\
             whodunit_errors_total{cause=\"a\",upstream=\"x\"} 2\n\
             whodunit_errors_total{cause=\"a\",upstream=\"\"} 1\n\
             whodunit_errors_total{cause=\"b\"} 0\nplain 1.5\n",
        );
        assert_eq!(metrics.causes(), [("a".to_owned(), 3), ("b".to_owned(), 0)].into());
        assert!((metrics.sum("whodunit_errors_total", &[("upstream", "x")]) - 2.0).abs() < 0.1);
        assert!((metrics.sum("plain", &[]) - 1.5).abs() < 0.1);
        assert!(metrics.has("plain") && !metrics.has("other"));
    }
}
