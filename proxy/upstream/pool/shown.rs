//! What an operator is shown of the choice among endpoints.

use serde_json::{Value, json};

use super::Pool;
use crate::upstream::balance::WHOLE;
use crate::upstream::roster::alike;
use crate::upstream::rotation::Standing;

impl Pool {
    /// The policy; what is under way and what waits; each endpoint with its weight, and each of its
    /// addresses with the part of that weight that it has now, what is under way there, and whether
    /// it is in rotation.
    #[must_use]
    pub fn shown(&self) -> Value {
        let upstream = &self.upstream;
        let places = self.places();
        let (standings, unknown) = (self.rotation().standings(), Standing::default());
        let endpoints =
            upstream.endpoints.iter().zip(&self.seats).map(|((target, weight), seats)| {
                let (members, hops) = (seats.known(), self.addresses(target).unwrap_or_default());
                let near = alike(hops.iter());
                let among = f64::from(u32::try_from(near).unwrap_or(u32::MAX));
                let addresses = hops.iter().enumerate().map(|(at, next_hop)| {
                    // No request was sent yet to one that is not among them.
                    let member = members.iter().find(|member| member.next_hop == *next_hop);
                    let share = member.map_or(WHOLE, |member| member.share(upstream.slow_start));
                    // The others wait until these were tried in vain.
                    let share = if at < near { f64::from(share) / f64::from(WHOLE) } else { 0.0 };
                    let mut shown = standings.get(next_hop).unwrap_or(&unknown).shown();
                    shown["address"] = json!(next_hop.to_string());
                    shown["weight_now"] = json!(f64::from(*weight) * share / among);
                    shown["in_flight"] = json!(member.map_or(0, |member| member.in_flight()));
                    shown
                });
                let addresses: Vec<_> = addresses.collect();
                json!({ "address": target.to_string(), "weight": weight, "addresses": addresses })
            });
        let endpoints: Vec<_> = endpoints.collect();
        json!({
            "name": &*upstream.name,
            "balance": self.spread.as_str(),
            "endpoints": endpoints,
            "requests": places.requests(),
            "max_requests": upstream.room.requests,
            "connections": places.connections(),
            "max_connections": upstream.room.connections,
            "queued": places.queued(),
        })
    }
}
