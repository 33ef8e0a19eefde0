//! What the tests across crates share.

use std::{
    array, io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

pub mod arroyo;
mod checkout;
mod emulator;

pub use checkout::Checkout;
pub use emulator::Emulator;

/// The checkout.
#[must_use]
pub fn repo() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.parent().unwrap_or(folder).to_owned()
}

/// The `weir` command as `make build` leaves it, next to the test's own binary.
#[must_use]
pub fn weir(arguments: &[&str]) -> Command {
    let test = std::env::current_exe().unwrap_or_default();
    let mut command = Command::new(test.ancestors().nth(2).unwrap_or(&test).join("weir"));
    command.args(arguments);
    command
}

/// Loopback ports that nothing listens on now. They are taken together, so that they differ.
///
/// # Errors
/// When there are no free ones.
pub fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    let taken: Vec<TcpListener> =
        (0..N).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<io::Result<_>>()?;
    let ports: Vec<u16> = taken.iter().map(|one| one.local_addr().map(|at| at.port())).collect::<io::Result<_>>()?;
    Ok(array::from_fn(|n| ports[n]))
}
