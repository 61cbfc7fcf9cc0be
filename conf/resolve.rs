//! What the settings mean together: names that lead nowhere, addresses that clash, values that
//! switch everything off; and the routes in the order in which they are tried.

mod addresses;
mod health;
mod listeners;
mod numbers;
mod paths;
mod process;
mod rates;
mod rest;
mod routes;
mod spread;
mod upstreams;

use crate::problem::{Place, Problem};
use crate::schema::Config;
use crate::schema::route::{Match, Route};
use crate::sections::{AccessInForce, Compression, LimitsInForce, TimeoutsInForce, rate};
use crate::tree::{Node, Step};

/// What follows from a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The routes, narrowest first: the first that covers a request is the one that takes it.
    pub routes: Vec<Way>,
}

/// A route with everything filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// Its name; no two routes have the same.
    pub name: String,
    /// The requests it takes.
    pub matches: Match,
    /// The upstream they go to; it exists. `None` where the route answers by itself.
    pub upstream: Option<String>,
    /// The route as it is written; all defaults where it follows from a single upstream.
    pub route: Box<Route>,
    /// Its place in the configuration, such as `routes[0]`.
    pub place: String,
    /// The timeouts that hold on it: its own, then the upstream's, then the global ones.
    pub timeouts: TimeoutsInForce,
    /// The limits that hold on it, likewise.
    pub limits: LimitsInForce,
    /// Who may come in on it: as it says itself, else as is said globally.
    pub access: AccessInForce,
    /// The rates that hold on it, each with its place.
    pub rates: Vec<(rate::Rate, String)>,
    /// How many requests may be under way on it, and the place of that.
    pub concurrency: Option<(u32, String)>,
    /// How answers are compressed on it, if they are.
    pub compression: Option<Compression>,
}

/// Looks at the settings together. The tree is the checked one that they were made of: it knows what
/// was left out, so that nothing is told that only follows from that.
pub(crate) fn resolve(config: &Config, tree: &Node) -> (Resolved, Vec<Problem>) {
    let mut check = Check { config, tree, problems: Vec::new() };
    let own = addresses::check(&mut check);
    listeners::check(&mut check);
    upstreams::check(&mut check, &own);
    health::check(&mut check);
    numbers::check(&mut check);
    process::check(&mut check);
    rest::check(&mut check);
    rates::check(&mut check);
    let routes = routes::check(&mut check);
    (Resolved { routes }, check.problems)
}

/// A check under way.
struct Check<'c> {
    config: &'c Config,
    tree: &'c Node,
    problems: Vec<Problem>,
}

/// A path down the tree from steps of both kinds.
macro_rules! steps {
    ($($step:expr),+ $(,)?) => { [$(crate::tree::Step::from($step)),+] };
}
pub(crate) use steps;

impl Check<'_> {
    fn at(&self, path: &[Step<'_>]) -> Place {
        self.tree.value(path)
    }

    /// Whether a setting's value was written or is rightly the default.
    fn knows(&self, path: &[Step<'_>]) -> bool {
        self.tree.holds(path) || self.tree.is_certain(path)
    }

    fn error(&self, path: &[Step<'_>], says: String) -> Problem {
        Problem::error(self.tree.named(path), self.at(path), says)
    }

    fn warning(&self, path: &[Step<'_>], says: String) -> Problem {
        Problem::warning(self.tree.named(path), self.at(path), says)
    }

    fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

#[cfg(test)]
mod tests;
