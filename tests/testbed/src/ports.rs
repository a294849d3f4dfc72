//! Ports on 127.0.0.1 that no other testbed and no outgoing connection takes meanwhile.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};

use crate::cache;
use crate::error::{Error, Result};

// Below the range that Linux hands out to outgoing connections: a port of that range that was free when it
// was chosen can be in use by the time an API server listens on it, and again whenever a test restarts one.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port that stays reserved for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a free port.
    pub(crate) fn reserve() -> Result<Self> {
        let directory = cache::directory()?.join("ports");
        cache::create_directory(&directory)?;
        for _ in 0..500 {
            let number = fastrand::u16(RANGE);
            let Some(lock) = cache::try_lock(&directory.join(format!("{number}.lock")))? else { continue };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err(Error::failed(format!(
            "no free port was found between {} and {}: stop what listens there",
            RANGE.start, RANGE.end
        )))
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}
