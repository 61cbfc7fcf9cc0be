//! A time limit of the origin's own shows in how long it takes to give up.

use std::time::Duration;

use crate::rig::origin::Origin;
use crate::rig::settings::Settings;

/// What takes less than a second may be a crash as well.
const LIMIT: Duration = Duration::from_millis(1_200);

#[test]
fn an_origin_that_always_gives_up_after_the_same_time_is_told_of() {
    let origin = Origin::new(|mut connection| {
        connection.request();
        std::thread::sleep(LIMIT);
        connection.close();
    });
    let proxy = Settings::to(&origin).once().start();
    // Where the machine was too busy for three that are alike, there are more to come.
    for count in 1..=12 {
        let told = proxy.get("/");
        assert_eq!(told.text("cause"), "origin_closed");
        let Some(wait) = told.value("evidence.usual_wait_ms").as_u64() else { continue };
        assert!(count >= 3, "it takes three: {:#}", told.record);
        assert!((1_200..2_000).contains(&wait), "{:#}", told.record);
        let says = told.text("says");
        assert!(says.contains("It gave up after as long before (1."), "{says}");
        assert!(says.contains("), which points to a time limit of its own."), "{says}");
        return;
    }
    panic!("no verdict told of the limit: {}", proxy.log.text());
}
