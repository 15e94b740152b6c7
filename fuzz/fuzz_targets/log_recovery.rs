//! Any bytes as the log of a small database. The frames' checksums are made right first, if the first byte is odd, so
//! that what they hold is reached.
#![no_main]
#[path = "../machine.rs"]
mod machine;
use libfuzzer_sys::fuzz_target;
use ringwood_format::wal::{FRAME_HEADER_SIZE, FrameHeader, WalHeader};

/// Recomputes all checksums.
fn mend(log: &mut [u8]) {
    if log.len() < 32 {
        return;
    }
    log[..4].copy_from_slice(&0x377f_0683_u32.to_be_bytes());
    log[4..8].copy_from_slice(&3_007_000_u32.to_be_bytes());
    log[8..12].copy_from_slice(&512_u32.to_be_bytes());
    // Decoding fails for the checksum alone: a header that is encoded anew has the right one.
    let salt = ringwood_format::wal::Salt {
        s1: u32::from_be_bytes(log[16..20].try_into().expect("4")),
        s2: u32::from_be_bytes(log[20..24].try_into().expect("4")),
    };
    let header = WalHeader {
        order: ringwood_format::wal::ChecksumOrder::NATIVE,
        page_size: 512,
        checkpoint_seq: 0,
        salt,
    };
    let (bytes, mut checksum) = header.encode();
    log[..32].copy_from_slice(&bytes);
    for frame in log[32..].chunks_exact_mut(FRAME_HEADER_SIZE + 512) {
        let (head, page) = frame.split_at_mut(FRAME_HEADER_SIZE);
        let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("4"));
        let Some(page_no) = ringwood_format::page::PageNo::new(number(0) % 16) else {
            return;
        };
        let commit = Some(number(4) % 16).filter(|n| *n != 0);
        let encoded;
        (encoded, checksum) = FrameHeader { page: page_no, commit }.encode(page, &header, checksum);
        head.copy_from_slice(&encoded);
    }
}

fuzz_target!(|data: &[u8]| {
    let [first, rest @ ..] = data else { return };
    if rest.len() > 1 << 16 {
        return;
    }
    let mut log = rest.to_vec();
    if first & 1 == 1 {
        mend(&mut log);
    }
    machine::read_whole(&[("/f.db", include_bytes!("../seeds/base.db")), ("/f.db-wal", &log)]);
});
