//! What a route asks of its clients beside limits and timeouts: who may come in, and how often.

use crate::access::AccessInForce;
use crate::rate::Rates;

/// The rules in force on a route. By default nobody is refused.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Who may come in.
    pub access: AccessInForce,
    /// How many requests may come in which time.
    pub rates: Rates,
}
