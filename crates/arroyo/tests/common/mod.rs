//! A stand-in, and a client of it that is in a hurry.

use std::time::Duration;

use weir_arroyo::{Client, Timing};
use weir_arroyo_stand_in::{Options, StandIn};

pub(crate) const TIMING: Timing = Timing {
    call: Duration::from_millis(400),
    create: Duration::from_millis(400),
    attempts: 3,
    first_pause: Duration::from_millis(1),
    longest_pause: Duration::from_millis(4),
};

pub(crate) async fn start(options: Options) -> (StandIn, Client) {
    let key = options.key.clone();
    let stand_in = StandIn::start(options).await;
    let client = Client::new(stand_in.url(), key, TIMING).unwrap();
    (stand_in, client)
}
