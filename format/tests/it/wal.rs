//! The log and its index, against files that stock SQLite wrote.

use crate::oracle::Folder;
use crate::random::Random;
use ringwood_format::page::PageNo;
use ringwood_format::wal::{
    Checksum, ChecksumOrder, FRAME_HEADER_SIZE, FrameHeader, Salt, WAL_HEADER_SIZE, WalHeader,
    frame_count, frame_offset, frame_page_offset, is_version_error,
};
use ringwood_format::wal_index::{
    self, BLOCK_SIZE, CkptInfo, HASH_OFFSET, HASH_SLOTS, INDEX_HEADER_SIZE, WalIndexHdr,
};
use rusqlite::Connection;

#[test]
fn sqlites_log_and_index_are_read() {
    for page_size in [512u32, 4096, 65536] {
        let folder = Folder::new(&format!("wal{page_size}"));
        let path = folder.path().join("db");
        let db = Connection::open(&path).unwrap();
        db.execute_batch(&format!(
            "PRAGMA page_size={page_size}; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a, b);"
        ))
        .unwrap();
        for i in 0..40 {
            let rows = if page_size == 512 { 5000 } else { 50 };
            db.execute_batch(&format!(
                "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM c WHERE x<{rows})
                 INSERT INTO t SELECT x, randomblob({i}) FROM c"
            ))
            .unwrap();
        }
        let log = std::fs::read(folder.path().join("db-wal")).unwrap();
        let index = std::fs::read(folder.path().join("db-shm")).unwrap();

        let (header, mut checksum) = WalHeader::decode(&log).unwrap();
        assert_eq!(header.page_size, page_size);
        assert_eq!(header.order, ChecksumOrder::NATIVE);
        assert_eq!(
            header.encode(),
            (log[..WAL_HEADER_SIZE].try_into().unwrap(), checksum)
        );
        let frames = frame_count(log.len() as u64, page_size);
        let mut pages = Vec::new();
        let mut last_commit = None;
        for frame in 1..=frames {
            let at = frame_offset(frame, page_size) as usize;
            let page_at = frame_page_offset(frame, page_size) as usize;
            let page = &log[page_at..page_at + page_size as usize];
            let (decoded, next) =
                FrameHeader::decode(&log[at..], page, &header, checksum).expect("a valid frame");
            assert_eq!(
                decoded.encode(page, &header, checksum),
                (log[at..at + FRAME_HEADER_SIZE].try_into().unwrap(), next)
            );
            let mut damaged = page.to_vec();
            damaged[7] ^= 1;
            assert_eq!(
                FrameHeader::decode(&log[at..], &damaged, &header, checksum),
                None
            );
            checksum = next;
            pages.push(decoded.page);
            last_commit = decoded.commit.or(last_commit);
        }

        let hdr = WalIndexHdr::decode(&index).unwrap();
        assert_eq!(
            index[..INDEX_HEADER_SIZE],
            index[INDEX_HEADER_SIZE..2 * INDEX_HEADER_SIZE]
        );
        assert_eq!(hdr.encode()[..], index[..INDEX_HEADER_SIZE]);
        assert_eq!(
            (hdr.max_frame, hdr.page_size, hdr.salt),
            (frames, page_size, header.salt)
        );
        assert_eq!(
            (hdr.frame_checksum, Some(hdr.page_count)),
            (checksum, last_commit)
        );
        let info = CkptInfo::decode(&index).unwrap();
        assert_eq!(info.backfill, 0);
        let mut block = index[..BLOCK_SIZE].to_vec();
        info.encode(&mut block);
        assert_eq!(block, index[..BLOCK_SIZE]);

        // Every frame stands where the layout says, and its page's chain of slots leads to it.
        let word = |at: usize| u32::from_ne_bytes(index[at..at + 4].try_into().unwrap());
        let slot_of = |block: usize, slot: u32| {
            let at = block * BLOCK_SIZE + HASH_OFFSET + 2 * slot as usize;
            u16::from_ne_bytes(index[at..at + 2].try_into().unwrap()) as u32
        };
        if page_size == 512 {
            assert!(
                frames > 2 * wal_index::BLOCK_FRAMES,
                "the test needs three blocks, has {frames} frames"
            );
        }
        for (i, page) in pages.iter().enumerate() {
            let frame = i as u32 + 1;
            let block = wal_index::block_of_frame(frame);
            let entry = frame - wal_index::block_zero(block);
            assert!(entry >= 1 && entry <= wal_index::block_frames(block));
            let at = block as usize * BLOCK_SIZE
                + wal_index::page_numbers_offset(block)
                + 4 * (entry as usize - 1);
            assert_eq!(word(at), page.get());
            let mut slot = wal_index::hash(*page);
            let mut tries = 0;
            while slot_of(block as usize, slot) != entry {
                assert_ne!(
                    slot_of(block as usize, slot),
                    0,
                    "frame {frame} is not in its chain"
                );
                slot = wal_index::next_slot(slot);
                tries += 1;
                assert!(tries < HASH_SLOTS);
            }
        }
    }
}

#[test]
fn both_byte_orders_chain() {
    let mut random = Random::new(50);
    for order in [ChecksumOrder::Little, ChecksumOrder::Big] {
        let salt = Salt {
            s1: u32::MAX,
            s2: 7,
        };
        let header = WalHeader {
            order,
            page_size: 1024,
            checkpoint_seq: 3,
            salt,
        };
        let (bytes, checksum) = header.encode();
        assert_eq!(WalHeader::decode(&bytes), Ok((header, checksum)));
        let page = random.bytes(1024);
        let frame = FrameHeader {
            page: PageNo::new(9).unwrap(),
            commit: Some(12),
        };
        let (frame_bytes, next) = frame.encode(&page, &header, checksum);
        assert_eq!(
            FrameHeader::decode(&frame_bytes, &page, &header, checksum),
            Some((frame, next))
        );
        assert_eq!(FrameHeader::stored_checksum(&frame_bytes), next);
        let restarted = WalHeader {
            salt: salt.restarted(99),
            ..header
        };
        assert_eq!(restarted.salt, Salt { s1: 0, s2: 99 });
        assert_eq!(
            FrameHeader::decode(&frame_bytes, &page, &restarted, checksum),
            None
        );
        // The sum is the same when it is taken in pieces.
        let whole = Checksum::ZERO.update(&page, order);
        let pieces = page
            .chunks(8)
            .fold(Checksum::ZERO, |sum, piece| sum.update(piece, order));
        assert_eq!(whole, pieces);
        let swapped: Vec<u8> = page
            .chunks(4)
            .flat_map(|word| word.iter().rev().copied())
            .collect();
        let other = if order == ChecksumOrder::Little {
            ChecksumOrder::Big
        } else {
            ChecksumOrder::Little
        };
        assert_eq!(whole, Checksum::ZERO.update(&swapped, other));
    }
}

#[test]
fn a_wrong_version_is_told_from_a_wrong_header() {
    let header = WalHeader {
        order: ChecksumOrder::Big,
        page_size: 4096,
        checkpoint_seq: 0,
        salt: Salt::default(),
    };
    let (mut bytes, _) = header.encode();
    bytes[7] ^= 1;
    assert!(!is_version_error(&WalHeader::decode(&bytes).unwrap_err()));
    let sum = Checksum::ZERO.update(&bytes[..24], ChecksumOrder::Big);
    bytes[24..28].copy_from_slice(&sum.s1.to_be_bytes());
    bytes[28..32].copy_from_slice(&sum.s2.to_be_bytes());
    assert!(is_version_error(&WalHeader::decode(&bytes).unwrap_err()));
}
