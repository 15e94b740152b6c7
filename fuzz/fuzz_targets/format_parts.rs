//! Any bytes as each of the small parts of the format: file header, log header and frames, the index of a log, pointer
//! maps, freelist trunks, overflow pages, varints, numbers.
#![no_main]
use libfuzzer_sys::fuzz_target;
use ringwood_format::header::DatabaseHeader;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::wal::{FRAME_HEADER_SIZE, FrameHeader, WalHeader};
use ringwood_format::wal_index::{CkptInfo, WalIndexHdr};
use ringwood_format::{freelist, number, overflow, ptrmap, varint};

fuzz_target!(|data: &[u8]| {
    let [which, rest @ ..] = data else { return };
    let geometry = Geometry::new(512 << (which >> 5), *rest.first().unwrap_or(&0));
    let page = PageNo::new(u32::from(*which) + 2).expect("not 0");
    match which % 8 {
        0 => {
            let _ = DatabaseHeader::decode(rest);
        }
        1 => {
            let Ok((header, mut checksum)) = WalHeader::decode(rest) else { return };
            let size = FRAME_HEADER_SIZE + header.page_size as usize;
            for frame in rest[32..].chunks_exact(size) {
                let (head, bytes) = frame.split_at(FRAME_HEADER_SIZE);
                match FrameHeader::decode(head, bytes, &header, checksum) {
                    Some((_, next)) => checksum = next,
                    None => break,
                }
            }
        }
        2 => {
            let _ = WalIndexHdr::decode(rest);
            let _ = CkptInfo::decode(rest);
        }
        3 => {
            let Some(geometry) = geometry else { return };
            let _ = ptrmap::read(rest, page, geometry);
        }
        4 => {
            let Some(geometry) = geometry else { return };
            if let Ok(trunk) = freelist::Trunk::new(rest, geometry, page) {
                let _ = trunk.next();
            }
        }
        5 => {
            let Some(geometry) = geometry else { return };
            let _ = overflow::next(rest);
            let _ = overflow::content(rest, geometry);
        }
        6 => {
            if let Some((value, len)) = varint::read(rest) {
                assert!(len <= 9 && len <= rest.len());
                assert_eq!(varint::read_at(rest, 0), Some((value, len)));
            }
            let _ = varint::read_u32(rest);
        }
        _ => {
            let parsed = number::parse_real(rest);
            let _ = number::parse_integer(rest);
            let _ = number::parse_literal(rest, false);
            let _ = number::parse_i32_prefix(rest);
            let mut text = Vec::new();
            number::push_real(parsed.value, &mut text);
            assert!(!text.is_empty() || parsed.value.is_nan());
        }
    }
});
